"""Ask of everything that a window waits for whether it is there."""

from __future__ import annotations

from collections.abc import Callable

from runner.arrivals import Obstacle, file_obstacle
from runner.core.config import WaitFor
from runner.core.windows import Window
from runner.core.world import Clock
from runner.dbt.protocol import Engine
from runner.pipelines import Pipeline
from runner.scheduling.waiting import ObstacleOf
from runner.workspace import Workspace


def obstacles_in(
    workspace: Workspace,
    engine: Callable[[], Engine] | None,  # noqa: ARG001
    now: Clock,
) -> ObstacleOf:
    """What keeps windows of a workspace from running; without an engine no source is asked.

    ``now`` is the time that files are looked at, whichever time a pass looks from.
    """

    def obstacle_of(pipeline: Pipeline, wait: WaitFor, window: Window) -> Obstacle | None:
        zone = pipeline.calendar.zone
        if wait.file is not None:
            return file_obstacle(wait, window, zone, workspace.project_dir, now())
        return None

    return obstacle_of
