"""Look at all pipelines, and at who should run them: what should be there and is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.core.errors import DaybreakError
from runner.core.incidents import Incident, IncidentKind
from runner.core.spans import Span
from runner.ledger import Ledger
from runner.project.pipelines import Pipeline
from runner.scheduling.deadlines import PipelineIncidents, pipeline_incidents, scheduler_in_words
from runner.scheduling.waiting import Conditions


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
    """The incidents of all pipelines and of the scheduler, at one time."""

    at: datetime  # UTC
    pipelines: tuple[PipelineIncidents, ...]  # of every pipeline whose windows come by themselves
    scheduler: str | None  # what is wrong with it, in one line; None: nothing that is known
    errors: dict[str, DaybreakError]  # of pipelines that could not be looked at
    missed: tuple[Missed, ...]  # what is past its deadline, pipeline by pipeline
    watches_scheduler: bool  # whether it was looked for: who is one himself need not

    @property
    def is_fine(self) -> bool:
        """True if nobody has to do anything."""
        return not self.errors and self.scheduler is None and not self.missed


def watch_pipelines(conditions: Conditions, *, as_scheduler: bool = False) -> WatchReport:
    """Look at every pipeline, without dbt and without any scheduler's help.

    ``as_scheduler``: who looks is the scheduler, and so lives.
    """
    outlook = conditions.outlook
    now, ledger = outlook.now, outlook.workspace.ledger
    errors: dict[str, DaybreakError] = {}
    found: list[PipelineIncidents] = []
    is_awaited = False
    for name in outlook.workspace.configs:
        try:
            planner = outlook.planner(name)
            is_awaited = is_awaited or planner.pipeline.is_awaited
            found.append(pipeline_incidents(planner, conditions))
        except DaybreakError as error:
            errors[name] = error
    beat = ledger.scheduler.get_heartbeat()
    is_expected = beat is not None and is_awaited and not as_scheduler
    scheduler = scheduler_in_words(beat, now) if is_expected else None
    missed = tuple(_missed(ledger, found, now))
    return WatchReport(now, tuple(found), scheduler, errors, missed, beat is not None)


def _missed(
    ledger: Ledger, pipelines: Iterable[PipelineIncidents], now: datetime
) -> Iterator[Missed]:
    for found in pipelines:
        for span, trouble in found.overdue_incidents:
            name, since = found.pipeline.name, None
            if trouble.kind is not IncidentKind.MISSED:
                since = ledger.runs.get_first_failure(name, span)
            late = now - _expected_at(found.pipeline, span)
            yield Missed(found.pipeline, span, trouble, late, since)


def _expected_at(pipeline: Pipeline, span: Span) -> datetime:
    """Return when the first window of a span should have been a success."""
    first = pipeline.calendar.window_at(span.start)
    due_at = pipeline.schedule.due_at(first) if pipeline.schedule else first.end
    return due_at + (pipeline.config.deadline or timedelta(0))
