"""Which windows of a pipeline a pass of the scheduler runs, and why it leaves the others alone.

Taken are, of what is due: windows that were never run, as `catchup` says; windows that are stale
by their data; and windows that failed or are incorrect, once at every tick of the schedule, or as
soon as something that they read has changed. What changed code makes stale is left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from runner.core.catchup import caught_up
from runner.core.planning import TAKEN, Plan, Reprocess, RunRequest
from runner.core.spans import Span, Spans
from runner.core.states import RunKind
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import EPOCH
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.waiting import Conditions, Waiting

_TRIED = (WindowStatus.FAILED, WindowStatus.BLOCKED, WindowStatus.INCORRECT)


@dataclass(frozen=True)
class Selection:
    """What a pass does with a pipeline."""

    request: RunRequest  # of windows that may run now; there may be none
    waiting: Timeline[Waiting]
    new: Spans = field(default_factory=Spans)  # windows to run of which nothing is known yet
    note: str | None = None  # why not everything is caught up on, in one line


def select_windows(planner: Planner, conditions: Conditions) -> Selection:
    """What a pass runs of a pipeline, as seen at the time of the conditions."""
    pipeline, now = planner.pipeline, conditions.now
    awaited = pipeline.awaited(now)
    request = RunRequest(
        windows=Spans([awaited] if awaited else []),
        takes=TAKEN[Reprocess.FAILED],
        outdated=True,
    )
    if awaited is None:
        return Selection(request, Timeline())
    plan = planner.plan(request, now)
    tried = having(plan, _TRIED) & plan.windows
    missing = (having(plan, (WindowStatus.MISSING,)) & plan.windows) - tried
    caught = caught_up(
        pipeline.calendar,
        awaited,
        missing,
        Spans([overdue]) if (overdue := pipeline.overdue(now)) else Spans(),
        pipeline.config.catchup,
        pipeline.config.max_catchup,
    )
    changed = _changed(plan)
    again = tried - (_tried_already(planner, now) - changed)
    windows = (plan.windows - missing - tried) | caught.windows | again
    waiting = conditions.waiting(pipeline, windows)
    ready = windows - waiting.covered
    is_scheduled = pipeline.schedule and ready & (missing | (tried - changed))
    kind = RunKind.SCHEDULED if is_scheduled else RunKind.EVENT
    sizing = planner.sizing(None) if ready else request.sizing
    return Selection(
        request=replace(request, windows=ready, sizing=sizing, kind=kind),
        waiting=waiting,
        new=ready - _known(plan),
        note=_too_many(pipeline, caught.refused) if caught.refused else None,
    )


def having(plan: Plan, statuses: Iterable[WindowStatus]) -> Spans:
    """The windows of which some model has one of the statuses."""
    return Spans(
        span
        for model in plan.models
        for status in statuses
        for span in model.statuses.get(status, Spans())
    )


def looked_back_at(pipeline: Pipeline, new: Spans) -> Spans:
    """The windows that `lookback` makes run again with some that are new: those before each."""
    calendar, found = pipeline.calendar, []
    for span in new if pipeline.config.lookback else ():
        first = calendar.window_at(span.start)
        for _ in range(pipeline.config.lookback):
            first = calendar.before(first.start)
        start, end = max(first.start, pipeline.first), calendar.before(span.end).start
        found += [Span(start, end)] if start < end else []
    return Spans(found)


def _tried_already(planner: Planner, now: datetime) -> Spans:
    """The windows that ended badly since the last tick of the schedule; without one, ever."""
    schedule = planner.pipeline.schedule
    since = schedule.tick_at_or_before(now) if schedule else EPOCH
    return planner.ledger.runs.get_failed_windows(planner.pipeline.name, since)


def _known(plan: Plan) -> Spans:
    """The windows of which anything is known, of any windowed model."""
    return Spans(
        span
        for model in plan.models
        if model.subject.is_windowed
        for span, _ in model.subject.known
    )


def _changed(plan: Plan) -> Spans:
    """The windows of which something was read that has changed since."""
    return Spans(span for model in plan.models for span in model.subject.outdated(plan.calendar))


def _too_many(pipeline: Pipeline, count: int) -> str:
    return (
        f"{count:,} windows are due and were never run, more than max_catchup "
        f"({pipeline.config.max_catchup}): if the clock is right, runner backfill {pipeline.name}"
    )
