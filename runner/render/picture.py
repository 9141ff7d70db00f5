"""What is to be seen of a pipeline at a glance: its windows by status, and the next step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from runner.core.planning import ModelPlan, Plan
from runner.core.spans import Span, Spans
from runner.core.states import Verdict
from runner.core.status import WORST_FIRST, WindowStatus
from runner.core.windows import Calendar
from runner.ledger import Pause


@dataclass(frozen=True)
class Mark:
    """How a status looks in the map."""

    character: str  # its own, so that nothing is lost without colours
    codes: str  # ANSI


MARKS: Mapping[WindowStatus, Mark] = {
    WindowStatus.FAILED: Mark("x", "1;31"),
    WindowStatus.BLOCKED: Mark("#", "1;31"),
    WindowStatus.INCORRECT: Mark("!", "1;33"),
    WindowStatus.MISSING: Mark("_", "1"),
    WindowStatus.PUBLISHED: Mark("p", "33"),
    WindowStatus.STALE: Mark("~", "33"),
    WindowStatus.UNCHECKED: Mark("u", "33"),
    WindowStatus.IN_FLIGHT: Mark(">", "36"),
    WindowStatus.SUCCESS: Mark(".", "32"),
}
BEST_FIRST = WORST_FIRST[::-1]
WRONG = tuple(
    s
    for s in WORST_FIRST
    if s not in (WindowStatus.SUCCESS, WindowStatus.UNCHECKED, WindowStatus.IN_FLIGHT)
)


@dataclass(frozen=True)
class Picture:
    """One pipeline as it stands."""

    name: str
    plan: Plan  # of every window that should exist
    pause: Pause | None = None

    @cached_property
    def grid(self) -> Grid:
        """The windows that should exist."""
        return Grid(self.plan.calendar, self.plan.request.windows)

    @property
    def windowed(self) -> list[ModelPlan]:
        """The models that have windows, in the order of the graph."""
        return [model for model in self.plan.models if model.subject.is_windowed]

    @property
    def others(self) -> list[ModelPlan]:
        """What has no windows and is not as it should be."""
        return [
            model
            for model in self.plan.models
            if not model.subject.is_windowed and set(model.statuses) & set(WRONG)
        ]

    def counts(self, model: ModelPlan) -> dict[WindowStatus, int]:
        """How many windows of a model have which status, success first."""
        return {
            status: self.grid.count(model.statuses[status])
            for status in BEST_FIRST
            if status in model.statuses
        }

    @property
    def ran(self) -> int:
        """In how many windows every model has run."""
        return self._count(lambda verdict: verdict.ran)

    @property
    def correct(self) -> int:
        """In how many windows every model is verified: checked, and found right."""
        return self._count(lambda verdict: verdict.correct)

    def _count(self, holds: Callable[[Verdict], bool | None]) -> int:
        wrong = Spans(
            span
            for model in self.windowed
            for status, spans in model.statuses.items()
            if not holds(status.verdict)
            for span in spans
        )
        return self.grid.count(self.plan.request.windows - wrong)

    @cached_property
    def statuses(self) -> set[WindowStatus]:
        """Every status that anything has."""
        return {status for model in self.plan.models for status in model.statuses}

    @property
    def next_command(self) -> str | None:
        """What to type next; None if every window is as it should be."""
        if self.pause is not None:
            return f"runner resume {self.name}"
        if self.plan.pieces:
            return f"runner backfill {self.name}"
        if WindowStatus.BLOCKED in self.statuses:
            return f"runner retry {self.name}"
        if WindowStatus.IN_FLIGHT in self.statuses:
            return f"runner list-runs {self.name}"
        if WindowStatus.STALE in self.statuses:
            return f"runner backfill {self.name} --reprocess stale"
        return None


class Grid:
    """The bounds of windows in a row, so that counting is looking two of them up."""

    def __init__(self, calendar: Calendar, windows: Spans) -> None:
        self._starts = [one.start for span in windows for one in calendar.chunks(span, 1)]
        self._end = max((span.end for span in windows), default=None)

    def __len__(self) -> int:
        return len(self._starts)

    def count(self, spans: Spans) -> int:
        """How many of the windows lie in some ranges of whole windows."""
        return sum(self._index(span.end) - self._index(span.start) for span in spans)

    def newest(self, count: int) -> Span:
        """The range of the last windows, one at least; ValueError if there is none."""
        if self._end is None:
            raise ValueError("there are no windows: look at the length first")
        return Span(self._starts[-min(max(count, 1), len(self))], self._end)

    def _index(self, bound: datetime) -> int:
        return bisect_left(self._starts, bound)


def next_step(picture: Picture) -> str:
    """What to do next, in a line."""
    command = picture.next_command
    if command is None:
        return "next: nothing, every window is as it should be"
    before = ""
    if picture.pause is None and not picture.plan.pieces:
        if WindowStatus.BLOCKED in picture.statuses:
            before = "mend what it failed on, then "
        elif WindowStatus.IN_FLIGHT in picture.statuses:
            return f"next: nothing, it is running: {command}"
    return f"next: {before}{command}   details: runner plan {picture.name}"
