"""Keep what is still to do of a plan, window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from runner.core.chunks import Chunk
from runner.core.graph import walk
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.windows import Window
from runner.execution.verdicts import WindowJudgement
from runner.project.pipelines import Pipeline


@dataclass(frozen=True)
class _Todo:
    """The work on one window; models in the order of the graph."""

    window: Window
    models: tuple[str, ...]
    checks: tuple[str, ...]
    planned: frozenset[str]  # what was to do of it when it was planned


class PendingWork:
    """The windows of a plan that are not done yet, and the models of each."""

    def __init__(self, pipeline: Pipeline, pieces: Iterable[Chunk]) -> None:
        self._order = [node.name for node in pipeline.windowed]
        self._readers = pipeline.readers
        self._open: dict[datetime, _Todo] = {}
        for piece in pieces:
            # What no test of the pipeline judges can only be built again.
            checks = {model for model in piece.checks if pipeline.later_tests[model]}
            models = {*piece.models, *piece.checks} - checks
            for window in pipeline.calendar.windows(piece.span):
                self._open[window.start] = _Todo(
                    window, self._ordered(models), self._ordered(checks), frozenset(models | checks)
                )

    @property
    def windows(self) -> list[Window]:
        """The windows that are not done, oldest first."""
        return [self._open[start].window for start in sorted(self._open)]

    @property
    def spans(self) -> Spans:
        """The same as ranges."""
        return Spans(todo.window.span for todo in self._open.values())

    def told(self, start: datetime, judgement: WindowJudgement) -> None:
        """Strike out what an invocation has settled of a window, or what it found untouchable."""
        todo = self._open[start]
        judged = {run.model for run in judgement.models} - set(judgement.to_check)
        gone = judged | set(judgement.held)
        # What was to be judged and is not published after all can only be built; what reads it may
        # have been built before it, and is built again.
        rebuilt = set(todo.checks) & set(judgement.to_build)
        again = (self._downstream(rebuilt) & todo.planned) - set(judgement.held)
        models = {*todo.models, *rebuilt} - gone - set(judgement.to_check)
        checks = {*todo.checks, *judgement.to_check} - set(judgement.to_build) - gone
        self._open[start] = replace(
            todo, models=self._ordered(models | again), checks=self._ordered(checks - again)
        )

    def left(self, start: datetime) -> tuple[str, ...]:
        """The models of a window that are still to build or to judge."""
        todo = self._open[start]
        return self._ordered({*todo.models, *todo.checks})

    def strike(self, start: datetime) -> None:
        """Leave a window as it is."""
        del self._open[start]

    def chunks(self, models: frozenset[str], within: Span | None = None) -> Iterator[Chunk]:
        """Yield what is to do of some models, as contiguous ranges of windows; oldest first."""
        parts = []
        for start, todo in self._open.items():
            if within is not None and not within.start <= start < within.end:
                continue
            built = tuple(m for m in todo.models if m in models)
            judged = tuple(m for m in todo.checks if m in models)
            # Of the others something is left, but its turn comes with other models.
            if built or judged or not self.left(start):
                parts.append((todo.window.span, (built, judged)))
        for span, (built, judged) in Timeline(parts):
            yield Chunk(span, built, judged)

    def _downstream(self, names: set[str]) -> set[str]:
        """The windowed models that read some, directly or not."""
        return set(walk(names, lambda name: self._readers.get(name, ()))) - names

    def _ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        wanted = set(names)
        return tuple(name for name in self._order if name in wanted)
