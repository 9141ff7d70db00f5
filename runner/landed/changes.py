"""Find the windows that have to run again because a file has changed that they were made from.

A file that has changed and is cut off makes none run, and is told all the same: what stands was
made from another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from runner.core.spans import Span, Spans
from runner.core.status import in_short
from runner.core.timelines import Timeline
from runner.landed.completeness import Blocker
from runner.landed.files import FileListing, InputFiles, LandedFile
from runner.ledger import InputFile, Ledger, ModelInputs
from runner.project.pipelines import Pipeline


@dataclass(frozen=True)
class InputChanges:
    """What has become of the files that windows were made from; by model."""

    changed: dict[str, Timeline[str]] = field(default_factory=dict)  # they run again; in words
    # A file is another now, and not whole: they stay as they are until it is; in words.
    cut_off: dict[str, Timeline[str]] = field(default_factory=dict)
    touched: dict[str, list[InputFile]] = field(default_factory=dict)  # at another time the same
    # Files that are others than were read and may still be written to: of them it is told later.
    settling: dict[str, Blocker] = field(default_factory=dict)  # by path

    @property
    def cut_off_windows(self) -> Timeline[str]:
        """The windows of which some model has a file that is cut off, and which."""
        found: Timeline[str] = Timeline()
        for timeline in self.cut_off.values():
            found = found.painted(timeline)
        return found


def compare_inputs(
    pipeline: Pipeline, ledger: Ledger, files: InputFiles | None, now: datetime, files_at: datetime
) -> InputChanges:
    """Compare the files of all windows with those that they were made from.

    One that has landed since is a change too; one that is gone says nothing: it may have been
    archived. Windows of which nobody knows what they were made from are left alone, and files that
    may still be written to at ``files_at``, the time of the machine that they are on.
    """
    complete = pipeline.complete(now)
    if files is None or complete is None:
        return InputChanges()
    nodes = files.readers()
    inputs = ledger.inputs.get_files(node.name for node in nodes)
    listing, comparison = FileListing(files), _Comparison(files, files_at)
    changed: dict[str, Timeline[str]] = {}
    cut_off: dict[str, Timeline[str]] = {}
    for node in nodes:
        read = inputs[node.name]
        reasons: dict[bool, dict[Span, list[str]]] = {True: {}, False: {}}
        for file, windows in listing.belonging(node, read.windows & Spans([complete])):
            for span, reason, is_whole in comparison.differences(node.name, read, file, windows):
                for window in pipeline.calendar.chunks(span, 1):
                    reasons[is_whole].setdefault(window, []).append(reason)
        for is_whole, found in ((True, changed), (False, cut_off)):
            if by_window := reasons[is_whole]:
                found[node.name] = Timeline((w, in_short(said)) for w, said in by_window.items())
    return InputChanges(changed, cut_off, comparison.touched, comparison.settling)


@dataclass
class _Comparison:
    """Compares files with what was read; each is read once, and only if it may have changed."""

    files: InputFiles
    at: datetime  # of the machine that they are on
    touched: dict[str, list[InputFile]] = field(default_factory=dict)  # by model: the same bytes
    settling: dict[str, Blocker] = field(default_factory=dict)
    _digests: dict[LandedFile, str | None] = field(default_factory=dict)

    def differences(
        self, model: str, read: ModelInputs, file: LandedFile, windows: Spans
    ) -> Iterator[tuple[Span, str, bool]]:
        """Yield the windows of a file for which it is another one than was read, or none was.

        With it the words for that, and whether the file is whole.
        """
        recorded: Timeline[InputFile] = read.files.get(file.path, Timeline())
        if _is_as_recorded(recorded, file, windows):
            return
        late = [(span, None) for span in windows - recorded.covered]
        other = [part for part in recorded.within(windows) if not _is_same(part[1], file)]
        blocker = self.files.blocker(file.path, self.at) if late or other else None
        if blocker is not None and not blocker.is_final:
            self.settling[file.path] = blocker
            return
        for span, before in [*late, *other]:
            digest = self._digest(file) if before is not None else None
            if before is not None and digest == before.digest:
                now = InputFile(file.path, file.size, file.mtime_ns, digest)
                self.touched.setdefault(model, []).append(now)
            elif blocker is not None:
                yield span, f"changed, but cut off: {blocker.text}", False
            elif before is None:
                yield span, f"input landed later: {file.path}", True
            elif digest is not None:
                yield span, f"input changed: {file.path}", True

    def _digest(self, file: LandedFile) -> str | None:
        if file not in self._digests:
            self._digests[file] = self.files.digest(file.path)
        return self._digests[file]


def _is_as_recorded(recorded: Timeline[InputFile], file: LandedFile, windows: Spans) -> bool:
    """Return True if a file is as it was for all of its windows, as nearly all files are."""
    spans, parts = list(windows), list(recorded)
    if len(spans) != 1 or len(parts) != 1:
        return False
    ((span, before),), (window,) = parts, spans
    return span.start <= window.start and window.end <= span.end and _is_same(before, file)


def _is_same(before: InputFile, file: LandedFile) -> bool:
    return (before.size, before.mtime_ns) == (file.size, file.mtime_ns)
