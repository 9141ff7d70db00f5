"""Find what did not happen, computed from what should have, whoever should have done it.

Configuration and ledger say everything: a window whose deadline has passed and that is not a
success is missed, whether its scheduler is late, dead, or was never started.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_

from runner.core.errors import DaybreakError
from runner.core.incidents import Incident, IncidentKind
from runner.core.planning import Plan
from runner.core.spans import Span, Spans
from runner.core.status import WindowStatus, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import EVER
from runner.ledger import Ledger, SchedulerHeartbeat
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.selection import expected, having
from runner.scheduling.waiting import Conditions, Waiting

_MOST_WINDOWS = 366  # that are looked at one by one for what they wait for
_GOOD = (WorkResult.SUCCESS, WorkResult.UNCHECKED)
_BY_ITSELF = "runs by itself as soon as that is there"
_WRONG = {  # what is painted last is said
    IncidentKind.INCORRECT: (WindowStatus.INCORRECT,),
    IncidentKind.FAILED: (WindowStatus.FAILED, WindowStatus.BLOCKED),
}


@dataclass(frozen=True)
class PipelineIncidents:
    """The incidents of a pipeline, and the windows that should be a success."""

    pipeline: Pipeline
    incidents: Timeline[Incident]
    overdue: Spans  # whose deadline, or whose time to wait, has passed
    undecided: Spans  # of which nobody can tell yet: what was told of them holds
    cut_off: Timeline[str]  # that stand, and of which a file is another now, and cut off; in words

    @property
    def overdue_incidents(self) -> Timeline[Incident]:
        """Those that should have been a success by now."""
        return self.incidents.within(self.overdue)


@dataclass(frozen=True)
class Missed:
    """Windows that should have been a success by now, and are not."""

    pipeline: Pipeline
    span: Span  # contiguous windows with the same incident
    incident: Incident
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
    cut_off: dict[str, str]  # by pipeline: newer files that are not whole, in one line

    @property
    def is_fine(self) -> bool:
        """True if nobody has to do anything."""
        is_well = self.scheduler is None and not self.missed and not self.cut_off
        return is_well and not self.errors


def watch_pipelines(conditions: Conditions, *, as_scheduler: bool = False) -> WatchReport:
    """Look at every pipeline, without dbt and without any scheduler's help.

    ``as_scheduler``: who looks is the scheduler, and so lives.
    """
    outlook = conditions.outlook
    now, ledger = outlook.now, outlook.workspace.ledger
    errors: dict[str, DaybreakError] = {}
    found: list[PipelineIncidents] = []
    is_awaited = False
    for name in outlook.workspace.names:
        try:
            planner = outlook.planner(name)
            is_awaited = is_awaited or planner.pipeline.is_awaited
            found.append(pipeline_incidents(planner, conditions))
        except DaybreakError as error:
            errors[name] = error
    beat = ledger.scheduler.get_heartbeat()
    is_expected = beat is not None and is_awaited and not as_scheduler
    scheduler = scheduler_in_words(beat, now) if is_expected else None
    missed = tuple(miss for one in found for miss in _late(ledger, one, now))
    cut_off = {
        one.pipeline.name: _in_a_line(one.pipeline, one.cut_off)
        for one in found
        if one.cut_off.covered
    }
    return WatchReport(now, tuple(found), scheduler, errors, missed, beat is not None, cut_off)


def pipeline_incidents(planner: Planner, conditions: Conditions) -> PipelineIncidents:
    """Find what is wrong with a pipeline at the time of the conditions."""
    pipeline, now = planner.pipeline, conditions.outlook.now
    awaited = pipeline.awaited(now)
    if awaited is None:
        return PipelineIncidents(pipeline, Timeline(), Spans(), Spans([EVER]), Timeline())
    plan = conditions.outlook.plan(pipeline.name, awaited)
    wrong = _gone_wrong(pipeline, plan)
    running = having(plan, (WindowStatus.IN_FLIGHT,))
    unjudged = having(plan, (WindowStatus.PUBLISHED,))
    absent = (having(plan, (WindowStatus.MISSING,)) | _never_judged(plan)) - wrong.covered - running
    expected_still = expected(pipeline, awaited)
    waits = pipeline.config.wait_for or pipeline.config.after
    candidates = absent & expected_still if waits else Spans()
    windows = [window for span in candidates for window in pipeline.calendar.windows(span)]
    # Nobody asks what windows of a long past wait for.
    newest = Spans(window.span for window in windows[-_MOST_WINDOWS:])
    waiting = conditions.waiting(pipeline, newest)
    overdue = _waited_too_long(pipeline, now, waiting)
    overdue |= Spans([found] if (found := pipeline.overdue(now)) else [])
    missed = _missed(planner, now, absent & overdue & expected_still, waiting)
    # A window that was a success and is run again is there all the while.
    first_run = running - _was_good(plan)
    late = _running_too_long(planner, first_run & overdue & expected_still, now)
    incidents = wrong.painted(missed).painted(late)
    # Nor has anything recovered that lies beyond: of a clock that was set back, another `end`.
    beyond = Spans([EVER]) - Spans([awaited])
    undecided = (running | absent | unjudged | beyond) - incidents.covered
    inputs = planner.changed_inputs(now, conditions.files_now())
    return PipelineIncidents(pipeline, incidents, overdue, undecided, inputs.cut_off_windows)


def _in_a_line(pipeline: Pipeline, cut_off: Timeline[str]) -> str:
    """Say which newer file is not whole, of the newest window, and of how many more."""
    (span, text), more = list(cut_off)[-1], len(list(cut_off)) - 1
    rest = f" (and {more:,} more)" if more else ""
    return f"{pipeline.calendar.label(span)} {text}{rest}"


def scheduler_in_words(beat: SchedulerHeartbeat | None, now: datetime) -> str | None:
    """Say what is wrong with the scheduler; None if nothing is."""
    if beat is None:
        return "no scheduler has ever been seen"
    if not beat.is_dead(now):
        return None
    what = "stopped at" if beat.is_stopped else "not seen since"
    return f"scheduler {what} {beat.seen_at:%Y-%m-%d %H:%M:%S} UTC"


def _never_judged(plan: Plan) -> Spans:
    """Return the published windows that no checks have judged: others than those of today may."""
    return Spans(
        span
        for model in plan.models
        for span in model.statuses.get(WindowStatus.PUBLISHED, Spans())
        & model.node.records.where(lambda known: known.standing is WorkResult.PUBLISHED)
    )


def _gone_wrong(pipeline: Pipeline, plan: Plan) -> Timeline[Incident]:
    """Find what has failed or is incorrect, in the words of the first model that is."""
    incidents: Timeline[Incident] = Timeline()
    for kind, statuses in _WRONG.items():
        for model in reversed(plan.models):  # what is painted last is said: parents
            wrong = Spans(s for status in statuses for s in model.statuses.get(status, Spans()))
            if not wrong:
                continue
            name, known = model.node.name, model.node.records.within(wrong)
            told = ((span, f"{name}: {value.reason}") for span, value in known if value.reason)
            reasons = Timeline((span, f"{name} is {kind}") for span in wrong).painted(told)
            remedy = f"runner retry {pipeline.name}"
            found = ((span, Incident(kind, reason, remedy)) for span, reason in reasons)
            incidents = incidents.painted(found)
    return incidents


def _missed(
    planner: Planner, now: datetime, missed: Spans, waiting: Timeline[Waiting]
) -> Timeline[Incident]:
    """Find windows that are not there, and why as far as anybody can tell."""
    reason, remedy = _why_not_started(planner, missed, now)
    plain = Incident(IncidentKind.MISSED, reason, remedy)
    held = (
        (span, Incident(IncidentKind.MISSED, value.text, _BY_ITSELF))
        for span, value in waiting.within(missed)
    )
    return Timeline((span, plain) for span in missed).painted(held)


def _why_not_started(planner: Planner, missed: Spans, now: datetime) -> tuple[str, str]:
    """Say why nobody has run some windows that wait for nothing, and what to do."""
    name, pipeline, ledger = planner.pipeline.name, planner.pipeline, planner.ledger
    pause = ledger.controls.get_pause(name)
    if pause is not None:
        return f"paused ({pause.reason})", f"runner resume {name}"
    most = pipeline.config.max_catchup
    if sum(pipeline.calendar.count(span) for span in missed) > most:
        reason = f"not started: more windows at once than max_catchup ({most})"
        return reason, f"runner backfill {name}"
    scheduler = scheduler_in_words(ledger.scheduler.get_heartbeat(), now)
    remedy = f"runner run {name}" if pipeline.schedule else f"runner backfill {name}"
    return f"not started: {scheduler}" if scheduler else "not started", remedy


def _running_too_long(planner: Planner, late: Spans, now: datetime) -> Timeline[Incident]:
    """Find windows that somebody has in hands, past their deadline."""
    name = planner.pipeline.name
    found = []
    for run in planner.ledger.runs.find_unfinished(name):
        for span in late.inside(run.span):
            since = run.started_at or run.queued_at
            minutes = int((now - since).total_seconds() // 60)
            reason = f"{run.state} for {minutes} min: {run.run_id}"
            found.append((span, Incident(IncidentKind.MISSED, reason, f"runner list-runs {name}")))
    return Timeline(found)


def _was_good(plan: Plan) -> Spans:
    """Return the windows of which the last that is known is good, of every model."""
    windowed = [model.node.records for model in plan.models if model.node.is_windowed]
    good = [known.where(lambda record: record.standing in _GOOD) for known in windowed]
    return reduce(and_, good) if good else Spans()


def _waited_too_long(pipeline: Pipeline, now: datetime, waiting: Timeline[Waiting]) -> Spans:
    """Return the windows that wait for something longer than its `timeout`."""
    found: list[Span] = []
    for span, value in waiting:
        due = pipeline.awaited(now - value.timeout) if value.timeout is not None else None
        found += Spans([span]) & Spans([due] if due else [])
    return Spans(found)


def _late(ledger: Ledger, found: PipelineIncidents, now: datetime) -> Iterator[Missed]:
    """Yield what should have been a success by now, and since when."""
    pipeline, deadline = found.pipeline, found.pipeline.config.deadline or timedelta(0)
    for span, incident in found.overdue_incidents:
        first, has_run = pipeline.calendar.window_at(span.start), incident.kind in _WRONG
        due_at = pipeline.schedule.due_at(first) if pipeline.schedule else first.end
        since = ledger.runs.get_first_failure(pipeline.name, span) if has_run else None
        yield Missed(pipeline, span, incident, now - due_at - deadline, since)
