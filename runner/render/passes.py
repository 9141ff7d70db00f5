"""What a scheduler does, for people: a line for everything that happens, nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.core.environment import Clock
from runner.core.errors import DaybreakError
from runner.core.windows import Calendar
from runner.project.pipelines import Pipeline
from runner.render.words import counted, minute, span_in_words
from runner.scheduling.passes import PipelinePass
from runner.workspace import Workspace

if TYPE_CHECKING:
    from runner.execution.context import Observer

_MOST_WAITING = 3  # that are told of one pipeline


def turn_lines(turn: PipelinePass, zone: ZoneInfo) -> list[str]:
    """What is to be said of a pipeline's turn, beyond the lines of its windows."""
    lines = []
    if turn.error is not None:
        lines.append(str(turn.error))
    if turn.note is not None:
        lines.append(turn.note)
    if turn.calendar is not None:
        lines += waiting_lines(turn, turn.calendar)
    lines += turn.unheard
    if not lines and turn.plan is None:
        lines.append("nothing is due" + _next_in_words(turn, zone))
    return lines


def waiting_lines(turn: PipelinePass, calendar: Calendar) -> list[str]:
    """What windows wait for, the newest first; of many only the first few."""
    waiting = list(turn.waiting)[::-1]
    lines = [
        f"{span_in_words(calendar, span)} {value.text}" for span, value in waiting[:_MOST_WAITING]
    ]
    more = sum(calendar.count(span) for span, _ in waiting[_MOST_WAITING:])
    return [*lines, f"and {more:,} more"] if more else lines


def turn_record(turn: PipelinePass) -> dict[str, Any]:
    """A pipeline's turn for JSON."""
    record: dict[str, Any] = {
        "pipeline": turn.pipeline,
        "error": str(turn.error) if turn.error else None,
        "note": turn.note,
        "waiting": [
            {"start": span.start, "end": span.end, "for": value.text, "until": value.until}
            for span, value in turn.waiting
        ],
        "next": turn.next_at,
        "unheard": list(turn.unheard),
        "runs": [],
    }
    if turn.done is not None:
        record["runs"] = [
            {
                "window": window.label,
                "run_id": turn.done.run_ids.get(window),
                "state": state,
                "ran": state.verdict.ran,
                "correct": state.verdict.correct,
            }
            for window, state in sorted(turn.done.states.items())
        ]
    return record


class PlainLog:
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

    def started(self, workspace: Workspace) -> None:
        """Say that the scheduler begins, and with what."""
        names = ", ".join(workspace.configs)
        self.say("serve", f"started with {counted(len(workspace.configs), 'pipeline')}: {names}")

    def turned(self, turn: PipelinePass) -> None:
        """Say what became of a pipeline's turn, unless it is what was said last."""
        lines = turn_lines(turn, self._zone)
        if lines != self._said.get(turn.pipeline) or turn.plan is not None:
            for line in lines:
                self.say(turn.pipeline, line)
        self._said[turn.pipeline] = lines

    def reloaded(self) -> None:
        """Say that an edit is taken up."""
        self._said.clear()
        self.say("serve", "the project has changed: taken up")

    def broken(self, error: DaybreakError) -> None:
        """Say that an edit cannot be read."""
        self.say("serve", f"going on as before: {error}")

    def stopping(self) -> None:
        """Say that what runs is ended first."""
        self.say("serve", "stopping after what runs now; once more to stop at once")

    def stopped(self) -> None:
        """Say that the scheduler ends."""
        self.say("serve", "stopped")

    def told(self, line: str) -> None:
        """Say what became of an alert."""
        self.say("alerts", line)

    def observing(self, pipeline: Pipeline) -> AbstractContextManager[Observer]:
        """Return who shows what happens to a pipeline's windows, with a stamp before each line."""
        # Only when something runs: a tenth of the time of a tick with nothing to do.
        from rich.console import Console

        from runner.render.progress import ProgressDisplay

        console = Console(stderr=self._is_to_stderr)
        return ProgressDisplay(console, pipeline.name, pipeline, self._stamp)

    def say(self, word: str, text: str) -> None:
        """Write one line."""
        self._write(f"{self._stamp()}[{word}] {text}")

    def _stamp(self) -> str:
        return (
            f"{self._now().astimezone(self._zone):%Y-%m-%d %H:%M:%S} " if self._is_stamped else ""
        )


def _next_in_words(turn: PipelinePass, zone: ZoneInfo) -> str:
    return f"; next {minute(turn.next_at.astimezone(zone))}" if turn.next_at else ""
