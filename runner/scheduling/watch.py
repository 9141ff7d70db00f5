"""Look at all pipelines, and at who should run them: what should be there and is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.core.errors import DaybreakError
from runner.core.incidents import Incident, IncidentKind
from runner.core.spans import Span
from runner.ledger import Ledger
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.deadlines import PipelineIncidents, pipeline_incidents, scheduler_in_words
from runner.scheduling.waiting import Conditions, ObstacleOf
from runner.workspace import Workspace


@dataclass(frozen=True)
class Missed:
    """Windows that should have been a success by now, and are not."""

    pipeline: Pipeline
    span: Span  # contiguous windows with the same trouble
    trouble: Incident
    late: timedelta  # since the first of them should have been a success
    failing_since: datetime | None  # UTC; None: it has not run, or not gone wrong


@dataclass(frozen=True)
class WatchReport:
    """What was seen, at one time."""

    at: datetime  # UTC
    absences: tuple[PipelineIncidents, ...]  # of every pipeline whose windows come by themselves
    scheduler: str | None  # what is wrong with it, in one line; None: nothing that is known
    errors: dict[str, DaybreakError]  # of pipelines that could not be looked at
    missed: tuple[Missed, ...]  # what is past its deadline, pipeline by pipeline
    watches_scheduler: bool  # whether it was looked for: who is one himself need not

    @property
    def is_fine(self) -> bool:
        """Whether nobody has to do anything."""
        return not self.errors and self.scheduler is None and not self.missed


def look_around(
    workspace: Workspace, obstacle_of: ObstacleOf, now: datetime, *, as_scheduler: bool = False
) -> WatchReport:
    """Look at every pipeline, without dbt and without any scheduler's help.

    ``as_scheduler``: who looks is the scheduler, and so lives.
    """
    planners: dict[str, Planner] = {}
    errors: dict[str, DaybreakError] = {}
    for name in workspace.configs:
        try:
            planners[name] = workspace.planner(name)
        except DaybreakError as error:
            errors[name] = error
    conditions = Conditions(planners, obstacle_of, now)
    absences = []
    for name, planner in planners.items():
        try:
            absences.append(pipeline_incidents(planner, conditions))
        except DaybreakError as error:
            errors[name] = error
    beat = workspace.ledger.scheduler.get_heartbeat()
    is_missed = beat is not None and any(p.pipeline.is_awaited for p in planners.values())
    scheduler = scheduler_in_words(beat, now) if is_missed and not as_scheduler else None
    missed = tuple(_missed(workspace.ledger, absences, now))
    return WatchReport(now, tuple(absences), scheduler, errors, missed, beat is not None)


def _missed(
    ledger: Ledger, absences: Iterable[PipelineIncidents], now: datetime
) -> Iterator[Missed]:
    for found in absences:
        for span, trouble in found.overdue_troubles:
            name, since = found.pipeline.name, None
            if trouble.kind is not IncidentKind.MISSED:
                since = ledger.runs.get_first_failure(name, span)
            late = now - _expected_at(found.pipeline, span)
            yield Missed(found.pipeline, span, trouble, late, since)


def _expected_at(pipeline: Pipeline, span: Span) -> datetime:
    """When the first window of a span should have been a success."""
    first = pipeline.calendar.window_at(span.start)
    due_at = pipeline.schedule.due_at(first) if pipeline.schedule else first.end
    return due_at + (pipeline.config.deadline or timedelta(0))
