"""Keep what is still to do of a plan, window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.core.chunks import Chunk
from runner.core.graph import walk
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.windows import Window
from runner.execution.verdicts import WindowJudgement
from runner.project.pipelines import Pipeline


@dataclass
class _Todo:
    """The work on one window."""

    models: set[str]  # to build
    checks: set[str]  # to judge only
    planned: frozenset[str]  # what was to do of it when it was planned


class PendingWork:
    """The windows of a plan that are not done yet, and the models of each."""

    def __init__(
        self, pipeline: Pipeline, pieces: Iterable[Chunk], *, judges_only: bool = False
    ) -> None:
        """Take the pieces of a plan; with ``judges_only`` nothing of them is ever built."""
        self._judges_only = judges_only
        self._order = [node.name for node in pipeline.windowed]
        self._readers = pipeline.project.readers
        self._open: dict[Window, _Todo] = {}
        for piece in pieces:
            planned = frozenset((*piece.models, *piece.checks))
            # What no test of the pipeline judges can only be built again.
            checks = {model for model in piece.checks if pipeline.checks[model]}
            for window in pipeline.calendar.windows(piece.span):
                self._open[window] = _Todo({*planned - checks}, {*checks}, planned)

    @property
    def windows(self) -> list[Window]:
        """The windows that are not done, oldest first."""
        return sorted(self._open)

    @property
    def spans(self) -> Spans:
        """The same as ranges."""
        return Spans(window.span for window in self._open)

    def told(self, window: Window, judgement: WindowJudgement) -> None:
        """Strike out what an invocation has settled of a window, or what it found untouchable."""
        todo = self._open[window]
        to_build, to_check = set(judgement.to_build), set(judgement.to_check)
        if self._judges_only:
            to_build = set()
        gone = ({run.model for run in judgement.models} - to_check) | set(judgement.held)
        # What was to be judged and is not published after all can only be built; what reads it may
        # have been built before it, and is built again.
        rebuilt = todo.checks & to_build
        readers = set(walk(rebuilt, lambda name: self._readers.get(name, ()))) - rebuilt
        again = (readers & todo.planned) - set(judgement.held)
        todo.models = ((todo.models | rebuilt) - gone - to_check) | again
        todo.checks = (todo.checks | to_check) - to_build - gone - again

    def left(self, window: Window) -> tuple[str, ...]:
        """Return the models of a window that are still to build or to judge, parents first."""
        todo = self._open[window]
        return self._ordered(todo.models | todo.checks)

    def strike(self, window: Window) -> None:
        """Leave a window as it is."""
        del self._open[window]

    def chunks(self, models: frozenset[str], within: Span | None = None) -> Iterator[Chunk]:
        """Yield what is to do of some models, as contiguous ranges of windows; oldest first."""
        parts = []
        for window, todo in self._open.items():
            if within is not None and not within.start <= window.start < within.end:
                continue
            built, judged = self._ordered(todo.models & models), self._ordered(todo.checks & models)
            # Of the others something is left, but its turn comes with other models.
            if built or judged or not self.left(window):
                parts.append((window.span, (built, judged)))
        for span, (built, judged) in Timeline(parts):
            yield Chunk(span, built, judged)

    def _ordered(self, names: set[str]) -> tuple[str, ...]:
        return tuple(name for name in self._order if name in names)
