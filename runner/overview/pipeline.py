"""One pipeline at a glance: its windows by status, how many ran and are correct, the next step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from runner.core.planning import ModelPlan, Plan
from runner.core.proofs import Proof
from runner.core.spans import Span, Spans
from runner.core.states import Verdict
from runner.core.status import WORST_FIRST, WindowStatus
from runner.core.windows import Calendar
from runner.ledger import Pause, Run
from runner.project.pipelines import Pipeline

BEST_FIRST = WORST_FIRST[::-1]
_FINE = (WindowStatus.SUCCESS, WindowStatus.UNCHECKED, WindowStatus.IN_FLIGHT)
WRONG = tuple(status for status in WORST_FIRST if status not in _FINE)


@dataclass(frozen=True)
class PipelineSummary:
    """A pipeline in a line: what is due next, and how its newest window ended."""

    pipeline: Pipeline
    at: datetime  # UTC; the time from which it is looked at
    last_run: Run | None  # of its newest window
    pause: Pause | None
    proofs: Mapping[str, Proof | None]  # by model

    @cached_property
    def next(self) -> NextWindow | None:
        """The window that is due next; None if it has no schedule, or none is left."""
        pipeline = self.pipeline
        if pipeline.schedule is None:
            return None
        window, due_at = pipeline.schedule.next_due(pipeline.calendar, self.at)
        if pipeline.last is not None and window.end > pipeline.last:
            return None
        return NextWindow(window.label, due_at.astimezone(pipeline.calendar.zone))


@dataclass(frozen=True)
class NextWindow:
    """A window that is not due yet."""

    label: str
    due_at: datetime  # in the pipeline's zone


@dataclass(frozen=True)
class PipelineStatus:
    """One pipeline with the status of every window that should exist."""

    name: str
    plan: Plan  # of all of them
    pause: Pause | None = None
    not_replayable: tuple[str, ...] = ()  # models that grow at each run, like tables

    @cached_property
    def grid(self) -> Grid:
        """The windows that should exist."""
        return Grid(self.plan.calendar, self.plan.request.windows)

    @property
    def windowed(self) -> list[ModelPlan]:
        """The models that have windows, in the order of the graph, or are due in each."""
        return [m for m in self.plan.models if m.node.is_windowed or m.node.is_due]

    @property
    def others(self) -> list[ModelPlan]:
        """The nodes without windows that are not as they should be."""
        whole = (m for m in self.plan.models if not (m.node.is_windowed or m.node.is_due))
        return [model for model in whole if not model.statuses.keys().isdisjoint(WRONG)]

    def counts(self, model: ModelPlan) -> dict[WindowStatus, int]:
        """Count the windows of a model by status, the best first."""
        found = model.statuses
        return {status: self.grid.count(found[status]) for status in BEST_FIRST if status in found}

    @property
    def ran(self) -> int:
        """The number of windows in which every model has run."""
        return self._count(lambda verdict: verdict.ran)

    @property
    def correct(self) -> int:
        """The number of windows in which every model is verified: checked, and found right."""
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
    def unjudged(self) -> tuple[str, ...]:
        """The models that hold something and have no check, so that nobody knows if it is right."""
        models = self.plan.models
        return tuple(m.node.name for m in models if WindowStatus.UNCHECKED in m.statuses)

    @property
    def next_command(self) -> str | None:
        """The command to type next; None if every window is as it should be, or unchecked."""
        if self.pause is not None:
            return f"runner resume {self.name}"
        if self.plan.pieces:
            return f"runner backfill {self.name}"
        if WindowStatus.BLOCKED in self.statuses:
            return f"runner retry {self.name}"
        if WindowStatus.IN_FLIGHT in self.statuses:
            return f"runner list-runs {self.name}"
        if WindowStatus.STALE in self.statuses:
            return self._next_of_stale
        unknown = self._unknown_code
        return (
            f"runner backfill {self.name} --select {unknown} --reprocess all" if unknown else None
        )

    @property
    def _next_of_stale(self) -> str:
        """What to type next where the worst is stale: whose fault it is, if it is not its own."""
        stale = [model for model in self.plan.models if WindowStatus.STALE in model.statuses]
        if any(model.statuses[WindowStatus.STALE] - model.behind for model in stale):
            return f"runner backfill {self.name} --reprocess stale"
        newest = {m.node.name: max(m.statuses[WindowStatus.STALE]) for m in stale}
        name = max(newest, key=lambda model: newest[model])
        return f"runner why {name} --window {self.plan.calendar.before(newest[name].end).label}"

    @property
    def _unknown_code(self) -> str | None:
        """The first model of which windows are unchecked, as nobody knows by which code."""
        for model in self.windowed:
            for span in model.statuses.get(WindowStatus.UNCHECKED, Spans()):
                if model.why(WindowStatus.UNCHECKED, span) is not None:
                    return model.node.name
        return None

    @property
    def next_step(self) -> str:
        """The next step for a person, in a line."""
        command = self.next_command
        if command is None:
            return "nothing, every window is as it should be"
        if self.pause is None and not self.plan.pieces:
            if WindowStatus.BLOCKED in self.statuses:
                command = f"mend what it failed on, then {command}"
            elif WindowStatus.IN_FLIGHT in self.statuses:
                return f"nothing, it is running: {command}"
        return f"{command}   details: runner plan {self.name}"


class Grid:
    """The bounds of windows in a row, so that counting is looking two of them up."""

    def __init__(self, calendar: Calendar, windows: Spans) -> None:
        self._starts = [one.start for span in windows for one in calendar.chunks(span, 1)]
        self._end = max((span.end for span in windows), default=None)

    def __len__(self) -> int:
        return len(self._starts)

    def count(self, spans: Spans) -> int:
        """Count the windows that lie in some ranges of whole windows."""
        return sum(self.count_in(span) for span in spans)

    def count_in(self, span: Span) -> int:
        """Count the windows of one range."""
        return bisect_left(self._starts, span.end) - bisect_left(self._starts, span.start)

    def newest(self, count: int) -> Span:
        """Return the range of the last windows, one at least; ValueError if there is none."""
        if self._end is None:
            raise ValueError("there are no windows: look at the length first")
        return Span(self._starts[-min(max(count, 1), len(self))], self._end)
