"""Select the windows of a pipeline that a pass of the scheduler runs.

Taken are, of what is due: windows that were never run, as `catchup` says; windows that are stale
by their data; and windows that failed or are incorrect, once at every tick of the schedule, or as
soon as something that they read has changed. What changed code makes stale is left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from runner.core.config import Catchup
from runner.core.planning import Plan, RunRequest
from runner.core.spans import Span, Spans
from runner.core.states import RunKind
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import EPOCH
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.waiting import BROKEN, Conditions, Waiting


@dataclass(frozen=True)
class Selection:
    """The windows that a pass runs of a pipeline, and why it leaves others alone."""

    request: RunRequest  # of windows that may run now; there may be none
    waiting: Timeline[Waiting]
    new: Spans = field(default_factory=Spans)  # windows to run of which nothing is known yet
    note: str | None = None  # why not everything is caught up on, in one line


def select_windows(planner: Planner, conditions: Conditions) -> Selection:
    """Select what a pass runs of a pipeline, as seen at the time of the conditions."""
    pipeline, now = planner.pipeline, conditions.outlook.now
    awaited = pipeline.awaited(now)
    if awaited is None:
        return Selection(RunRequest(Spans()), Timeline())
    plan = conditions.outlook.plan(pipeline.name, awaited)
    tried = having(plan, BROKEN) & plan.windows
    missing = (having(plan, (WindowStatus.MISSING,)) & plan.windows) - tried
    caught_up = missing & expected(pipeline, awaited)
    if pipeline.config.catchup is Catchup.NONE and (overdue := pipeline.overdue(now)):
        caught_up -= Spans([overdue])
    note = _too_many(pipeline, sum(pipeline.calendar.count(span) for span in caught_up))
    # Windows of which something was read that has changed since.
    changed = Spans(span for model in plan.models for span in model.node.outdated(plan.calendar))
    again = tried - (_tried_already(planner, now) - changed)
    windows = (plan.windows - missing - tried) | again | (Spans() if note else caught_up)
    waiting = conditions.waiting(pipeline, windows)
    ready = windows - waiting.covered
    is_scheduled = pipeline.schedule and ready & (missing | (tried - changed))
    kind = RunKind.SCHEDULED if is_scheduled else RunKind.EVENT
    sizing = planner.sizing(None) if ready else plan.request.sizing
    windowed = [model.node for model in plan.models if model.node.is_windowed]
    return Selection(
        request=replace(plan.request, windows=ready, sizing=sizing, kind=kind),
        waiting=waiting,
        new=ready - Spans(span for node in windowed for span, _ in node.records),
        note=note,
    )


def expected(pipeline: Pipeline, due: Span) -> Spans:
    """Return the due windows that are still waited for, as `catchup` says.

    - `all`: every one;
    - `latest`: the newest that is due; those before it are left to a person;
    - `none`: that one only while it is not overdue.
    """
    is_all = pipeline.config.catchup is Catchup.ALL
    return Spans([due if is_all else pipeline.calendar.before(due.end).span])


def having(plan: Plan, statuses: Iterable[WindowStatus]) -> Spans:
    """Return the windows of which some model has one of the statuses."""
    return Spans(
        span
        for model in plan.models
        for status in statuses
        for span in model.statuses.get(status, Spans())
    )


def looked_back_at(pipeline: Pipeline, new: Spans) -> dict[str, Timeline[str]]:
    """Return the windows before new ones that `lookback` makes stale, by model, and why.

    A microbatch says its own: the further one counts.
    """
    reaches = {n.name: max(pipeline.config.lookback, n.lookback) for n in pipeline.windowed}
    stale = {reach: _windows_before(pipeline, new, reach) for reach in set(reaches.values())}
    return {n: Timeline(stale[reach]) for n, reach in reaches.items() if stale[reach]}


def _windows_before(pipeline: Pipeline, new: Spans, reach: int) -> list[tuple[Span, str]]:
    """Return up to so many windows before new ones, and from where one looks back at them."""
    calendar, found = pipeline.calendar, []
    for span in new if reach else ():
        first = calendar.window_at(span.start)
        for _ in range(reach):
            if first.start <= pipeline.first:
                break
            first = calendar.before(first.start)
        start, end = max(first.start, pipeline.first), calendar.before(span.end)
        found += [Span(start, end.start)] if start < end.start else []
    return [(span, f"looked back at from {end.label}") for span in Spans(found)]


def _tried_already(planner: Planner, now: datetime) -> Spans:
    """Return the windows that ended badly since the last tick of the schedule, or ever."""
    schedule = planner.pipeline.schedule
    since = schedule.tick_at_or_before(now) if schedule else EPOCH
    return planner.ledger.runs.get_failed_windows(planner.pipeline.name, since)


def _too_many(pipeline: Pipeline, count: int) -> str | None:
    """Say that more windows were never run than are caught up on; None if not."""
    most = pipeline.config.max_catchup
    if count <= most:
        return None
    return (
        f"{count:,} windows are due and were never run, more than max_catchup "
        f"({most}): if the clock is right, runner backfill {pipeline.name}"
    )
