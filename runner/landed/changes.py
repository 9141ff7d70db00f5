"""Find the windows that have to run again because a file has changed that they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from runner.core.spans import Span, Spans
from runner.core.status import in_short
from runner.core.timelines import Timeline
from runner.landed.files import FileListing, InputFiles, LandedFile
from runner.ledger import InputFile, Ledger, ModelInputs
from runner.project.pipelines import Pipeline


def changed_inputs(
    pipeline: Pipeline, ledger: Ledger, files: InputFiles | None, now: datetime, files_at: datetime
) -> dict[str, Timeline[str]]:
    """Return the windows, by model, of which a file has other bytes than were read; in words.

    Also those for which a file has landed since. One that was only touched is remembered as it is
    now; one that is gone says nothing: it may have been archived. Windows of which nobody knows
    what they were made from are left alone, and files that may still be written to at ``files_at``,
    the time of the machine that they are on.
    """
    complete = pipeline.complete(now)
    if files is None or complete is None:
        return {}
    nodes = files.readers()
    inputs = ledger.inputs.get_files(node.name for node in nodes)
    listing, comparison = FileListing(files), _Comparison(files, files_at)
    changed: dict[str, Timeline[str]] = {}
    for node in nodes:
        read = inputs[node.name]
        reasons: dict[Span, list[str]] = {}
        for file, windows in listing.belonging(node, read.windows & Spans([complete])):
            for span, reason in comparison.differences(node.name, read, file, windows):
                for window in pipeline.calendar.chunks(span, 1):
                    reasons.setdefault(window, []).append(reason)
        if reasons:
            changed[node.name] = Timeline((w, in_short(found)) for w, found in reasons.items())
    ledger.inputs.update_mtimes(comparison.touched)
    return changed


@dataclass
class _Comparison:
    """Compares files with what was read; each is read once, and only if it may have changed."""

    files: InputFiles
    at: datetime  # of the machine that they are on
    touched: dict[str, list[InputFile]] = field(default_factory=dict)  # by model: the same bytes
    _digests: dict[LandedFile, str | None] = field(default_factory=dict)

    def differences(
        self, model: str, read: ModelInputs, file: LandedFile, windows: Spans
    ) -> Iterator[tuple[Span, str]]:
        """Yield the windows of a file for which it is another one than was read, or none was."""
        recorded: Timeline[InputFile] = read.files.get(file.path, Timeline())
        if _is_as_recorded(recorded, file, windows):
            return
        late = windows - recorded.covered
        if late and self.files.is_complete(file.path, self.at):
            for span in late:
                yield span, f"input landed later: {file.path}"
        for span, before in recorded.within(windows):
            if _is_same(before, file) or not self.files.is_complete(file.path, self.at):
                continue
            digest = self._digest(file)
            if digest == before.digest:
                now = InputFile(file.path, file.size, file.mtime_ns, digest)
                self.touched.setdefault(model, []).append(now)
            elif digest is not None:
                yield span, f"input changed: {file.path}"

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
