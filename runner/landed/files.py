"""Look at the files that the windows of a pipeline's models are made from, as they are now.

A file of a source belongs to the windows of the date that it is named after; one that a
`wait_for` entry names, to the window in its name. Files without a date belong to all windows and
are not looked at: every new one would make all of them run again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial
from itertools import chain
from pathlib import Path, PurePath

from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.status import in_short
from runner.landed.completeness import Blocker, unfinished
from runner.landed.dates import date_of
from runner.landed.listing import is_pattern, listed
from runner.landed.names import Template
from runner.landed.sources import local_dates
from runner.ledger import FilesRead, InputFile, Ledger
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline

_SETTLE = timedelta(minutes=1)  # of files that no `wait_for` speaks of
_HASH = partial(hashlib.blake2b, digest_size=16)


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file that is there."""

    path: str  # as a person says it: relative to the project
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class InputFiles:
    """The files that land for a pipeline."""

    pipeline: Pipeline
    project: Project
    project_dir: Path

    def readers(self) -> list[Node]:
        """Return the windowed models that read files or other sources, not only each other."""
        return [node for node in self.pipeline.windowed if self.sources(node)]

    def sources(self, node: Node) -> list[Node]:
        """Return the sources that a model reads."""
        return [found for found in self.project.read_by(node) if found.kind == "source"]

    def landed_bytes(self) -> int | None:
        """Sum up the size of all that has landed; None if windows are made from more than files."""
        sources = {source.unique_id: source for n in self.readers() for source in self.sources(n)}
        places = [source.location for source in sources.values() if source.location]
        if not places or len(places) < len(sources):
            return None
        paths = {path for place in places for path in listed(self.project_dir, place)}
        found = (_found(path, path) for path in paths)
        return sum(file.size for file in found if file is not None)

    def undated(self) -> Iterator[str]:
        """Yield a line for each source of which nobody watches some files: they name no date.

        Nothing is said of a location that is one file: it is meant to be without.
        """
        sources = {source.unique_id: source for n in self.readers() for source in self.sources(n)}
        for source in sources.values():
            if source.location is None or not is_pattern(source.location):
                continue
            paths = [p for p in listed(self.project_dir, source.location) if date_of(p) is None]
            names = [name for name in map(self.named, paths) if not self._is_awaited(name)]
            if names:
                yield (
                    f"{source.unique_id.split('.', 2)[-1]}: nobody watches what names no date: "
                    f"{in_short(names)}; let the names begin with it, as in 2026-06-19.csv"
                )

    def _is_awaited(self, path: str) -> bool:
        return any(template.fits(path) for template in self.templates())

    def templates(self) -> list[Template]:
        """Return the files with the window in their name that the pipeline waits for."""
        files = [wait.file for wait in self.pipeline.config.wait_for if wait.file is not None]
        found = [Template(str(PurePath(file))) for file in files]
        return [template for template in found if template.has_places]

    def named(self, path: str) -> str:
        """Return a path as a person says it; letters that are none are written in ASCII."""
        folder = f"{self.project_dir}/"
        return path.removeprefix(folder).encode("utf-8", "backslashreplace").decode()

    def digest(self, path: str) -> str | None:
        """Digest a file's bytes; None if it cannot be read."""
        try:
            with (self.project_dir / path).open("rb") as file:
                return hashlib.file_digest(file, _HASH).hexdigest()
        except OSError:
            return None

    def blocker(self, path: str, now: datetime) -> Blocker | None:
        """Return why a file cannot be read yet, as for files that are waited for; None: it can."""
        settles = [wait.settle for wait in self.pipeline.config.wait_for if wait.file is not None]
        settle = max(settles, default=_SETTLE)
        has_marker = any(template.fits(path) for template in self._with_marker)
        return unfinished(self.project_dir / path, path, settle, now, has_marker=has_marker)

    @property
    def _with_marker(self) -> Iterator[Template]:
        """The files that a marker says are complete."""
        waits = self.pipeline.config.wait_for
        return (Template(str(PurePath(w.file))) for w in waits if w.file and w.marker)


class FileListing:
    """The files that are there at one time; what was listed once is not listed again."""

    def __init__(self, files: InputFiles) -> None:
        self._files = files
        self._list = cache(partial(listed, files.project_dir))
        self._facts = cache(lambda path: _found(path, files.named(path)))
        self._enumerated = cache(self._enumerate)

    def belonging(self, node: Node, windows: Spans) -> Iterator[tuple[LandedFile, Spans]]:
        """Yield the files that a model reads for some windows, each with those of its own."""
        found: dict[str, list[Span]] = {}
        for path, spans in self._paths(node, windows):
            found.setdefault(path, []).extend(spans)
        for path, spans in found.items():
            if (file := self._facts(path)) is not None:
                yield file, Spans(spans)

    def _paths(self, node: Node, windows: Spans) -> Iterator[tuple[str, Iterable[Span]]]:
        enumerated = self._enumerated(windows)
        if not enumerated:
            return
        by_date = _by_date(enumerated)
        locations = {source.location for source in self._files.sources(node) if source.location}
        for path in chain.from_iterable(map(self._list, sorted(locations))):
            landed_on = date_of(path)
            if landed_on in by_date:
                yield path, by_date[landed_on]
        for template in self._files.templates():
            by_key = grouped((template.key(start), span) for span, start in enumerated)
            paths = self._list(template.listing(enumerated[0][1]))
            yield from template.owners(paths, by_key)

    def _enumerate(self, windows: Spans) -> list[tuple[Span, datetime]]:
        """Return all windows with their local start."""
        calendar = self._files.pipeline.calendar
        every = chain.from_iterable(calendar.chunks(span, 1) for span in windows)
        return [(window, window.start.astimezone(calendar.zone)) for window in every]


@dataclass
class InputReader:
    """Says what windows will be made from, before they are."""

    files: InputFiles
    ledger: Ledger
    _digests: dict[LandedFile, str] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)  # models of which the digests are known
    _changed_at: dict[str, tuple[int, int]] = field(default_factory=dict)  # size and ctime, by path

    def __call__(self, span: Span, models: Iterable[str]) -> FilesRead:
        """Return the files of some models' windows as they are now: of every window, even if none.

        Only those are read of which the size or the time is not as it was recorded.
        """
        nodes = [node for node in self.files.readers() if node.name in set(models)]
        self._remember({node.name for node in nodes} - self._known)
        listing, calendar = FileListing(self.files), self.files.pipeline.calendar
        found: dict[str, Mapping[Span, tuple[InputFile, ...]]] = {}
        for node in nodes:
            by_window: dict[Span, list[InputFile]] = {w: [] for w in calendar.chunks(span, 1)}
            for file, spans in listing.belonging(node, Spans([span])):
                if (read := self._read(file)) is not None:
                    for own in spans:  # most are one window
                        for window in [own] if own in by_window else calendar.chunks(own, 1):
                            by_window[window].append(read)
            found[node.name] = {window: tuple(files) for window, files in by_window.items()}
        return found

    def torn(self, seen: FilesRead) -> dict[str, dict[Span, str]]:
        """Return the windows, by model, of which a file is another than it was seen to be.

        With the file: something wrote to it while it was read. A link to it, or other rights,
        change its ``ctime`` too, but not its bytes.
        """
        found: dict[str, dict[Span, str]] = {}
        for model, by_window in seen.items():
            for window, files in by_window.items():
                torn = next((file.path for file in files if self._is_torn(file)), None)
                if torn is not None:
                    found.setdefault(model, {})[window] = torn
        return found

    def _is_torn(self, file: InputFile) -> bool:
        before = self._changed_at.get(file.path)
        now = _change_of(self.files.project_dir / file.path)
        if before is None or now is None or now == before:
            return False  # what has gone was archived, once it was read
        return self.files.digest(file.path) != file.digest

    def _remember(self, models: set[str]) -> None:
        read = self.ledger.inputs.get_files(models).values() if models else ()
        for _, file in chain.from_iterable(t for one in read for t in one.files.values()):
            self._digests[LandedFile(file.path, file.size, file.mtime_ns)] = file.digest
        self._known |= models

    def _read(self, file: LandedFile) -> InputFile | None:
        change = _change_of(self.files.project_dir / file.path)
        digest = self._digests.get(file) or self.files.digest(file.path)
        if digest is None:  # to be read later, it has landed later
            return None
        if change is not None:
            self._changed_at[file.path] = change
        self._digests[file] = digest
        return InputFile(file.path, file.size, file.mtime_ns, digest)


def _by_date(windows: Iterable[tuple[Span, datetime]]) -> dict[date, list[Span]]:
    """Return the windows of every local date; a longer one belongs to all of its days."""
    found: dict[date, list[Span]] = {}
    for span, start in windows:
        day, last = local_dates(span, start.tzinfo)
        while day <= last:
            found.setdefault(day, []).append(span)
            day += timedelta(days=1)
    return found


def _change_of(path: Path) -> tuple[int, int] | None:
    """Return a file's size and the time of its last change; None if it is gone."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_ctime_ns


def _found(path: str, name: str) -> LandedFile | None:
    """Return a file with its facts; None if it is gone, or no file."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - a Path for each of thousands takes longer than this
    except OSError:
        return None
    is_file = stat.S_ISREG(facts.st_mode)
    return LandedFile(name, facts.st_size, facts.st_mtime_ns) if is_file else None
