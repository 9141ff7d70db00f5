"""The events of a scheduler: lines for people, each said once, or one JSON object a line."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.core.environment import Clock
from runner.core.errors import DaybreakError
from runner.core.status import WindowStatus
from runner.core.windows import Calendar
from runner.execution.context import Observer
from runner.project.pipelines import Pipeline
from runner.render.runs import window_records
from runner.render.words import counted, minute
from runner.scheduling.passes import PipelinePass
from runner.scheduling.serving import Reporter
from runner.workspace import Workspace

if TYPE_CHECKING:
    from runner.core.chunks import Chunk
    from runner.core.planning import Plan
    from runner.core.spans import Span
    from runner.core.windows import Window
    from runner.execution.context import RunResult
    from runner.ledger import RunEnd
    from runner.warehouse.lock import Holder

# What a person types for windows that no pass runs by itself.
_COMMANDS = {
    WindowStatus.STALE: "runner backfill {} --reprocess stale",
    WindowStatus.PUBLISHED: "runner judge {}",
}
_MOST_WINDOWS = 3  # that are told of one pipeline


def _pass_lines(found: PipelinePass, zone: ZoneInfo) -> list[str]:
    """Say what became of a pipeline's found, beyond the lines of its windows."""
    lines = []
    if found.error is not None:
        lines.append(str(found.error))
    if found.note is not None:
        lines.append(found.note)
    if found.calendar is not None:
        lines += _lines_by_window(found.calendar, [(s, w.text) for s, w in found.waiting])
        lines += _lines_by_window(found.calendar, list(found.cut_off))
    lines += found.settling[:_MOST_WINDOWS]
    if (more := len(found.settling) - _MOST_WINDOWS) > 0:
        lines.append(f"and {more:,} files more that may still be written to")
    lines += found.unheard
    if found.done is None:
        if not lines:
            lines.append("nothing is due" + _next_in_words(found, zone))
        lines += _left_in_words(found)
    return lines


def _left_in_words(found: PipelinePass) -> Iterator[str]:
    """Say what no pass runs by itself, and what a person types."""
    if found.calendar is None:
        return
    for status, spans in found.left.items():
        count = sum(found.calendar.count(span) for span in spans)
        verb = "is" if count == 1 else "are"
        command = _COMMANDS.get(status, "runner status {}").format(found.pipeline)
        yield f"{counted(count, 'window')} {verb} {status}: {command}"


def _lines_by_window(calendar: Calendar, said: Sequence[tuple[Span, str]]) -> list[str]:
    """Say what is true of windows, the newest first; of many only the first few."""
    newest = said[::-1]
    lines = [f"{calendar.label(span)} {text}" for span, text in newest[:_MOST_WINDOWS]]
    more = sum(calendar.count(span) for span, _ in newest[_MOST_WINDOWS:])
    return [*lines, f"and {more:,} more"] if more else lines


def pass_record(found: PipelinePass) -> dict[str, Any]:
    """Return a pipeline's turn for JSON."""
    return {
        "pipeline": found.pipeline,
        "error": str(found.error) if found.error else None,
        "note": found.note,
        "waiting": [
            {"start": span.start, "end": span.end, "for": value.text, "until": value.until}
            for span, value in found.waiting
        ],
        "cut_off": [
            {"start": span.start, "end": span.end, "what": text} for span, text in found.cut_off
        ],
        "left": {
            str(status): sum(found.calendar.count(span) for span in spans)
            for status, spans in found.left.items()
            if found.calendar is not None
        },
        "settling": list(found.settling),
        "next": found.next_at,
        "unheard": list(found.unheard),
        "runs": window_records(found.done) if found.done else [],
    }


def _next_in_words(found: PipelinePass, zone: ZoneInfo) -> str:
    return f"; next {minute(found.next_at.astimezone(zone))}" if found.next_at else ""


class SchedulerLog(Reporter, ABC):
    """Tells what a scheduler does, event by event; each is described once, for both readers."""

    def started(self, workspace: Workspace) -> None:
        """Say that the scheduler begins, and with what."""
        names = list(workspace.names)
        words = f"started with {counted(len(names), 'pipeline')}: {', '.join(names)}"
        self.event("started", "serve", words, pipelines=names)

    def reloaded(self) -> None:
        """Say that an edit is taken up."""
        self.event("reloaded", "serve", "the project has changed: taken up")

    def broken(self, error: DaybreakError) -> None:
        """Say that an edit cannot be read."""
        self.event("broken", "serve", f"going on as before: {error}", error=str(error))

    def stopping(self) -> None:
        """Say that what runs is ended first."""
        words = "stopping after what runs now; once more to stop at once"
        self.event("stopping", "serve", words)

    def stopped(self) -> None:
        """Say that the scheduler ends."""
        self.event("stopped", "serve", "stopped")

    def told(self, line: str) -> None:
        """Say what became of an alert."""
        self.event("alert", "alerts", line, text=line)

    @abstractmethod
    def event(self, name: str, subject: str, words: str, **facts: object) -> None:
        """Write one event: as words about a subject, or as a name and facts."""


class PlainLog(SchedulerLog):
    """Lines for people, and for journald: each event once."""

    def __init__(
        self,
        write: Callable[[str], None],
        now: Clock,
        zone: ZoneInfo,
        *,
        stamped: bool,
        to_stderr: bool,
    ) -> None:
        self._write = write
        self._now = now
        self._zone = zone
        self._is_stamped = stamped
        self._is_to_stderr = to_stderr
        self._said: dict[str, list[str]] = {}  # of each pipeline, last

    def turned(self, found: PipelinePass) -> None:
        """Say what became of a pipeline's found, unless it is what was said last."""
        lines = _pass_lines(found, self._zone)
        if lines != self._said.get(found.pipeline) or found.done is not None:
            for line in lines:
                self.event("turn", found.pipeline, line)
        self._said[found.pipeline] = lines

    def reloaded(self) -> None:
        """Say that an edit is taken up, and from now on everything anew."""
        self._said.clear()
        super().reloaded()

    def observing(self, pipeline: Pipeline) -> AbstractContextManager[Observer]:
        """Return a display of lines, each with a stamp, and of a bar on a terminal."""
        # Only when something runs: a tenth of the time of a tick with nothing to do.
        from rich.console import Console

        from runner.render.progress import ProgressDisplay

        console = Console(stderr=self._is_to_stderr)
        return ProgressDisplay(console, pipeline.name, pipeline, self._stamp)

    def event(self, name: str, subject: str, words: str, **facts: object) -> None:  # noqa: ARG002
        """Write a line."""
        self._write(f"{self._stamp()}[{subject}] {words}")

    def _stamp(self) -> str:
        now = self._now().astimezone(self._zone)
        return f"{now:%Y-%m-%d %H:%M:%S} " if self._is_stamped else ""


class JsonLog(SchedulerLog):
    """Objects with `at`, `event` and what belongs to it, for machines."""

    def __init__(self, write: Callable[[str], None], now: Clock) -> None:
        self._write = write
        self._now = now
        self._said: dict[str, dict[str, object]] = {}  # of each pipeline, last

    def turned(self, found: PipelinePass) -> None:
        """Say what became of a pipeline's found, unless it is what was said last."""
        record = pass_record(found)
        if record["runs"] or record != self._said.get(found.pipeline):
            self.emit("turn", **record)
        self._said[found.pipeline] = record

    def observing(self, pipeline: Pipeline) -> AbstractContextManager[Observer]:
        """Return a writer of objects about a pipeline."""
        return nullcontext(_Witness(self, pipeline))

    def event(self, name: str, subject: str, words: str, **facts: object) -> None:  # noqa: ARG002
        """Write an object."""
        self.emit(name, **facts)

    def emit(self, event: str, **facts: object) -> None:
        """Write one line."""
        record = {"at": self._now(), "event": event, **facts}
        self._write(json.dumps(record, ensure_ascii=False, default=str))


class _Witness(Observer):
    """Writes a line for everything that happens to the windows of a pipeline."""

    def __init__(self, log: JsonLog, pipeline: Pipeline) -> None:
        self._log = log
        self._name = pipeline.name
        self._calendar = pipeline.calendar

    def adopted(self, windows: int) -> None:
        if windows:
            self._emit("adopted", windows=windows)

    def noticed(self, line: str) -> None:
        self._emit("changed", what=line)

    def unwatched(self, line: str) -> None:
        self._emit("unwatched", what=line)

    def announce(self, plan: Plan, *, reaches_today: bool) -> None:  # noqa: ARG002 - for people
        if plan.span is not None:
            self._emit("queued", where=self._where(plan.span), windows=plan.window_count)

    def finished(self, done: RunResult) -> None:
        self._emit("finished", windows=len(done.states), seconds=round(done.seconds, 3))

    def invoking(self, chunk: Chunk) -> None:
        self._emit("invoking", where=self._where(chunk.span), models=chunk.models)

    def settled(self, window: Window, outcome: RunEnd) -> None:
        self._emit(
            "window",
            window=window.label,
            state=outcome.state,
            **asdict(outcome.state.verdict),
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
        return self._calendar.label(span)

    def _emit(self, event: str, **facts: object) -> None:
        self._log.emit(event, pipeline=self._name, **facts)
