"""Figures of every pipeline at one time, for whoever watches many things at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.core.errors import DaybreakError
from runner.core.planning import Plan
from runner.core.spans import Spans
from runner.core.status import WORST_FIRST, WindowStatus
from runner.ledger import RunStatistics, SchedulerHeartbeat
from runner.overview.outlook import Outlook
from runner.workspace import Workspace


@dataclass(frozen=True)
class PipelineFigures:
    """The windows of a pipeline, counted."""

    windows: Mapping[WindowStatus, int]  # complete ones, each counted once; every status
    lag: timedelta | None  # since the end of the newest success; None: there is no window yet


Stand = tuple[PipelineFigures | None, DaybreakError | None]  # None: it cannot be read; why


@dataclass(frozen=True)
class MeteredPipeline:
    """A pipeline with its figures."""

    figures: RunStatistics
    is_paused: bool
    stand: PipelineFigures | None  # None: it cannot be read
    error: DaybreakError | None = None  # why


@dataclass(frozen=True)
class Metrics:
    """The figures of everything, at one time."""

    at: datetime  # UTC
    pipelines: Mapping[str, MeteredPipeline]
    beat: SchedulerHeartbeat | None  # of the scheduler; None: there never was one


def measure(workspace: Workspace, now: datetime) -> Metrics:
    """Look at every pipeline; one that cannot be read does not take the others with it."""
    outlook, ledger, names = Outlook(workspace, now), workspace.ledger, list(workspace.names)
    try:
        workspace.project()  # once: parsing in vain takes seconds
    except DaybreakError as error:
        stands: dict[str, Stand] = dict.fromkeys(names, (None, error))
    else:
        stands = {name: _stand(outlook, name) for name in names}
    pipelines = {}
    for name, (stand, reason) in stands.items():
        figures, pause = ledger.runs.get_statistics(name), ledger.controls.get_pause(name)
        pipelines[name] = MeteredPipeline(figures, pause is not None, stand, reason)
    return Metrics(now, pipelines, ledger.scheduler.get_heartbeat())


def _stand(outlook: Outlook, name: str) -> Stand:
    """Count the windows of a pipeline; or return why it cannot be read."""
    try:
        complete = outlook.planner(name).pipeline.complete(outlook.now)
        if complete is None:
            return PipelineFigures(dict.fromkeys(WindowStatus, 0), None), None
        return stand_of(outlook.plan(name, complete), outlook.now), None
    except DaybreakError as error:
        return None, error


def stand_of(plan: Plan, now: datetime) -> PipelineFigures:
    """Count the windows of a plan by the worst that is said of any model."""
    left = plan.request.windows
    first = min(span.start for span in left)
    windows = dict.fromkeys(WindowStatus, 0)
    newest = first
    # What is being worked on is said to be that, whatever else is true of it.
    for status in dict.fromkeys((WindowStatus.IN_FLIGHT, *WORST_FIRST)):
        found = left & Spans(
            span
            for model in plan.models
            if model.node.is_windowed
            for span in model.statuses.get(status, ())
        )
        windows[status] = sum(plan.calendar.count(span) for span in found)
        left -= found
        if status is WindowStatus.SUCCESS:
            newest = max((span.end for span in found), default=first)
    return PipelineFigures(windows, now - newest)
