"""Figures for whoever watches many things at once: how every pipeline stands, at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.core.errors import DaybreakError
from runner.core.planning import Plan, RunRequest
from runner.core.spans import Spans
from runner.core.status import WindowStatus
from runner.ledger import RunStatistics, SchedulerHeartbeat
from runner.planner import Planner
from runner.workspace import Workspace

# A window is as good as the worst of its models; what is being worked on is said to be that.
WORST_FIRST = (
    WindowStatus.IN_FLIGHT,
    WindowStatus.BLOCKED,
    WindowStatus.FAILED,
    WindowStatus.INCORRECT,
    WindowStatus.MISSING,
    WindowStatus.PUBLISHED,
    WindowStatus.STALE,
    WindowStatus.UNCHECKED,
    WindowStatus.SUCCESS,
)


@dataclass(frozen=True)
class PipelineFigures:
    """How the windows of a pipeline stand."""

    windows: Mapping[WindowStatus, int]  # complete ones, each counted once; every status
    lag: timedelta | None  # since the end of the newest success; None: there is no window yet


@dataclass(frozen=True)
class MeteredPipeline:
    """What is known of a pipeline."""

    figures: RunStatistics
    is_paused: bool
    stand: PipelineFigures | None  # None: it cannot be read
    error: DaybreakError | None = None  # why


@dataclass(frozen=True)
class Metrics:
    """What is known of everything, at one time."""

    at: datetime  # UTC
    pipelines: Mapping[str, MeteredPipeline]
    beat: SchedulerHeartbeat | None  # of the scheduler; None: there never was one


def measure(workspace: Workspace, now: datetime) -> Metrics:
    """Look at every pipeline; one that cannot be read does not take the others with it."""
    broken = _what_breaks_all(workspace)
    pipelines = {name: _metered(workspace, name, now, broken) for name in workspace.configs}
    return Metrics(now, pipelines, workspace.ledger.scheduler.get_heartbeat())


def _what_breaks_all(workspace: Workspace) -> DaybreakError | None:
    """Why no pipeline can be read: asked once, as parsing in vain takes seconds."""
    try:
        workspace.project()
    except DaybreakError as error:
        return error
    return None


def _metered(
    workspace: Workspace, name: str, now: datetime, broken: DaybreakError | None
) -> MeteredPipeline:
    figures = workspace.ledger.runs.get_statistics(name)
    is_paused = workspace.ledger.controls.get_pause(name) is not None
    if broken is not None:
        return MeteredPipeline(figures, is_paused, None, broken)
    try:
        return MeteredPipeline(figures, is_paused, _stand(workspace.planner(name), now))
    except DaybreakError as error:
        return MeteredPipeline(figures, is_paused, None, error)


def _stand(planner: Planner, now: datetime) -> PipelineFigures:
    complete = planner.pipeline.complete(now)
    if complete is None:
        return PipelineFigures(dict.fromkeys(WindowStatus, 0), None)
    plan = planner.plan(RunRequest(Spans([complete])), now)
    return stand_of(plan, now)


def stand_of(plan: Plan, now: datetime) -> PipelineFigures:
    """Count the windows of a plan by the worst that is said of any model."""
    left = plan.request.windows
    first = min(span.start for span in left)
    windows = dict.fromkeys(WindowStatus, 0)
    newest = first
    for status in WORST_FIRST:
        found = left & Spans(
            span
            for model in plan.models
            if model.subject.is_windowed
            for span in model.statuses.get(status, ())
        )
        windows[status] = sum(plan.calendar.count(span) for span in found)
        left -= found
        if status is WindowStatus.SUCCESS:
            newest = max((span.end for span in found), default=first)
    return PipelineFigures(windows, now - newest)
