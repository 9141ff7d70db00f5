"""Ask of everything that a window waits for whether it is there."""

from __future__ import annotations

from collections.abc import Callable

from runner.core.config import WaitFor
from runner.core.environment import Clock
from runner.core.windows import Window
from runner.dbt.protocol import Engine
from runner.landed.completeness import Blocker, file_blocker
from runner.project.pipelines import Pipeline
from runner.scheduling.freshness import Freshness
from runner.scheduling.waiting import ObstacleOf
from runner.workspace import Workspace


def obstacles_in(
    workspace: Workspace, engine: Callable[[], Engine] | None, now: Clock
) -> ObstacleOf:
    """What keeps windows of a workspace from running; without an engine no source is asked anew.

    ``now`` is the time at which files are looked at, whichever time a pass looks from.
    """
    asked: list[Freshness] = []  # of this pass, once a window waits for a source

    def obstacle_of(pipeline: Pipeline, wait: WaitFor, window: Window) -> Blocker | None:
        if wait.source is None:
            return file_blocker(wait, window, pipeline.calendar.zone, workspace.project_dir, now())
        if not asked:
            asked.append(Freshness(workspace.project(), workspace.ledger, engine, now))
        return asked[0].obstacle(wait.source, wait.lag, window, pipeline.config.timeout)

    return obstacle_of
