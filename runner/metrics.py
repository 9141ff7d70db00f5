"""Figures for whoever watches many things at once: how every pipeline stands, at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.core.errors import DaybreakError
from runner.core.plan import Plan
from runner.core.requests import Request
from runner.core.spans import Spans
from runner.core.standings import Status
from runner.ledger import Beat, Figures
from runner.planning import Planner
from runner.workspace import Workspace

# A window is as good as the worst of its models; what is being worked on is said to be that.
WORST_FIRST = (
    Status.IN_FLIGHT,
    Status.BLOCKED,
    Status.FAILED,
    Status.INCORRECT,
    Status.MISSING,
    Status.PUBLISHED,
    Status.STALE,
    Status.UNCHECKED,
    Status.SUCCESS,
)


@dataclass(frozen=True)
class Stand:
    """How the windows of a pipeline stand."""

    windows: Mapping[Status, int]  # complete ones, each counted once; every status
    lag: timedelta | None  # since the end of the newest success; None: there is no window yet


@dataclass(frozen=True)
class Metered:
    """What is known of a pipeline."""

    figures: Figures
    is_paused: bool
    stand: Stand | None  # None: it cannot be read
    error: DaybreakError | None = None  # why


@dataclass(frozen=True)
class Metrics:
    """What is known of everything, at one time."""

    at: datetime  # UTC
    pipelines: Mapping[str, Metered]
    beat: Beat | None  # of the scheduler; None: there never was one


def measure(workspace: Workspace, now: datetime) -> Metrics:
    """Look at every pipeline; one that cannot be read does not take the others with it."""
    broken = _what_breaks_all(workspace)
    pipelines = {name: _metered(workspace, name, now, broken) for name in workspace.configs}
    return Metrics(now, pipelines, workspace.ledger.last_beat())


def _what_breaks_all(workspace: Workspace) -> DaybreakError | None:
    """Why no pipeline can be read: asked once, as parsing in vain takes seconds."""
    try:
        workspace.project()
    except DaybreakError as error:
        return error
    return None


def _metered(
    workspace: Workspace, name: str, now: datetime, broken: DaybreakError | None
) -> Metered:
    figures = workspace.ledger.figures(name)
    is_paused = workspace.ledger.paused(name) is not None
    if broken is not None:
        return Metered(figures, is_paused, None, broken)
    try:
        return Metered(figures, is_paused, _stand(workspace.planner(name), now))
    except DaybreakError as error:
        return Metered(figures, is_paused, None, error)


def _stand(planner: Planner, now: datetime) -> Stand:
    complete = planner.pipeline.complete(now)
    if complete is None:
        return Stand(dict.fromkeys(Status, 0), None)
    plan = planner.plan(Request(Spans([complete])), now)
    return stand_of(plan, now)


def stand_of(plan: Plan, now: datetime) -> Stand:
    """Count the windows of a plan by the worst that is said of any model."""
    left = plan.request.windows
    first = min(span.start for span in left)
    windows = dict.fromkeys(Status, 0)
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
        if status is Status.SUCCESS:
            newest = max((span.end for span in found), default=first)
    return Stand(windows, now - newest)
