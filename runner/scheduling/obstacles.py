"""Ask of everything that a window waits for whether it is there."""

from __future__ import annotations

from collections.abc import Callable

from runner.arrivals import Obstacle
from runner.core.config import WaitFor
from runner.core.windows import Window
from runner.dbt.protocol import Engine
from runner.pipelines import Pipeline
from runner.scheduling.waiting import ObstacleOf
from runner.workspace import Workspace


def obstacles_in(workspace: Workspace, engine: Callable[[], Engine] | None) -> ObstacleOf:
    """What keeps windows of a workspace from running; without an engine no source is asked."""

    def obstacle_of(pipeline: Pipeline, wait: WaitFor, window: Window) -> Obstacle | None:
        raise NotImplementedError

    return obstacle_of
