"""What a scheduler does, for machines: one JSON object per line and event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runner.core.chunks import Chunk
from runner.core.environment import Clock
from runner.core.errors import DaybreakError
from runner.core.planning import Plan
from runner.core.spans import Span
from runner.core.windows import Window
from runner.execution.context import Observer, RunResult
from runner.ledger import RunEnd
from runner.project.pipelines import Pipeline
from runner.render.passes import turn_record
from runner.render.words import span_in_words
from runner.scheduling.passes import PipelinePass
from runner.warehouse.lock import Holder
from runner.workspace import Workspace


class JsonLog:
    """Objects with `at`, `event` and what belongs to it."""

    def __init__(self, write: Callable[[str], None], now: Clock) -> None:
        self._write = write
        self._now = now
        self._said: dict[str, dict[str, object]] = {}  # of each pipeline, last

    def started(self, workspace: Workspace) -> None:
        """The scheduler begins."""
        self.emit("started", pipelines=list(workspace.configs))

    def turned(self, turn: PipelinePass) -> None:
        """A pipeline has had its turn: told unless it is what was told last."""
        record = turn_record(turn)
        if record["runs"] or record != self._said.get(turn.pipeline):
            self.emit("turn", **record)
        self._said[turn.pipeline] = record

    def reloaded(self) -> None:
        """An edit of the project is taken up."""
        self.emit("reloaded")

    def broken(self, error: DaybreakError) -> None:
        """An edit of the project cannot be read."""
        self.emit("broken", error=str(error))

    def stopping(self) -> None:
        """What runs is ended first."""
        self.emit("stopping")

    def stopped(self) -> None:
        """The scheduler ends."""
        self.emit("stopped")

    def told(self, line: str) -> None:
        """What became of an alert."""
        self.emit("alert", text=line)

    @contextmanager
    def observing(self, pipeline: Pipeline) -> Iterator[Observer]:
        """Who is told what happens to a pipeline's windows."""
        yield _Witness(self, pipeline)

    def emit(self, event: str, **facts: object) -> None:
        """Write one line."""
        record = {"at": self._now(), "event": event, **facts}
        self._write(json.dumps(record, ensure_ascii=False, default=str))


class _Witness:
    """Writes a line for everything that happens to the windows of a pipeline."""

    def __init__(self, log: JsonLog, pipeline: Pipeline) -> None:
        self._log = log
        self._name = pipeline.name
        self._calendar = pipeline.calendar

    def adopted(self, windows: int) -> None:
        if windows:
            self._emit("adopted", windows=windows)

    def announce(self, plan: Plan, *, reaches_today: bool) -> None:  # noqa: ARG002 - for people
        if plan.span is not None:
            self._emit("queued", where=self._where(plan.span), windows=plan.window_count)

    def finished(self, done: RunResult) -> None:
        self._emit("finished", windows=len(done.states), seconds=round(done.seconds, 3))

    def invoking(self, chunk: Chunk) -> None:
        self._emit("invoking", where=self._where(chunk.span), models=chunk.models)

    def node(self, unique_id: str, status: str) -> None:
        """Too much for a log."""

    def settled(self, window: Window, outcome: RunEnd) -> None:
        self._emit(
            "window",
            window=window.label,
            state=outcome.state,
            ran=outcome.state.verdict.ran,
            correct=outcome.state.verdict.correct,
            rows=outcome.row_count,
            checks=outcome.check_count,
            seconds=round(outcome.seconds, 3),
            reason=outcome.reason,
        )

    def splitting(self, span: Span, reason: str) -> None:
        self._emit("splitting", where=self._where(span), reason=reason)

    def retrying(self, span: Span, reason: str, seconds: float) -> None:
        self._emit("retrying", where=self._where(span), reason=reason, seconds=round(seconds, 3))

    def waiting(self, holder: Holder) -> None:
        self._emit("waiting", reason=f"{holder} holds the warehouse")

    def not_tried(self, span: Span, reason: str) -> None:
        self._emit("not tried", where=self._where(span), reason=reason)

    def abandoned(self, span: Span) -> None:
        self._emit("abandoned", where=self._where(span))

    def _where(self, span: Span) -> str:
        return span_in_words(self._calendar, span)

    def _emit(self, event: str, **facts: object) -> None:
        self._log.emit(event, pipeline=self._name, **facts)
