"""Blockers: what a window waits for, a file or a fresh source, and why it is not there yet.

A source is fresh for a window if it is loaded up to its end, but for the lag it is allowed. What
dbt calls fresh says nothing of a window: a source loaded yesterday may pass `error_after`. Only an
engine can ask a source. Its last answer is kept, for those who look without one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from runner.core.config import WaitFor
from runner.core.environment import Clock
from runner.core.errors import ConfigError, EngineError, nearest
from runner.core.windows import Window
from runner.dbt.protocol import Engine
from runner.landed.completeness import Blocker, file_blocker
from runner.ledger import Ledger
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from runner.workspace import Workspace


class Blockers(Protocol):
    """Knows what keeps windows from running."""

    def blocker(self, pipeline: Pipeline, wait: WaitFor, window: Window) -> Blocker | None:
        """Return why what a window waits for is not there; None if it is."""


class WorkspaceBlockers:
    """Looks at the files and asks the sources of a workspace."""

    def __init__(
        self, workspace: Workspace, engine: Callable[[], Engine] | None, now: Clock
    ) -> None:
        """Ask no source anew without an ``engine``; ``now`` is the time at which files are seen.

        That is the machine's, whichever time a pass looks from.
        """
        self._workspace = workspace
        self._engine = engine
        self._now = now

    def blocker(self, pipeline: Pipeline, wait: WaitFor, window: Window) -> Blocker | None:
        """See :class:`Blockers`."""
        if wait.source is not None:
            return self._freshness.blocker(wait.source, wait.lag, window, pipeline.config.timeout)
        folder, zone = self._workspace.project_dir, pipeline.calendar.zone
        return file_blocker(wait, window, zone, folder, self._now())

    @cached_property
    def _freshness(self) -> Freshness:
        workspace = self._workspace
        return Freshness(workspace.project(), workspace.ledger, self._engine, self._now)


class Freshness:
    """The sources of a project, each asked at most once."""

    def __init__(
        self, project: Project, ledger: Ledger, engine: Callable[[], Engine] | None, now: Clock
    ) -> None:
        self._sources = {
            node.unique_id.split(".", 2)[2]: node
            for node in project.nodes.values()
            if node.kind == "source"
        }
        self._ledger = ledger
        self._engine = engine
        self._now = now
        self._answers: dict[str, datetime | Blocker | None] = {}

    def blocker(
        self, source: str, lag: timedelta, window: Window, patience: timedelta
    ) -> Blocker | None:
        """Return what is wrong with a source for a window; None if it is fresh, or nobody knows.

        Raises :class:`ConfigError` for a source that the project has not, or that cannot be asked.
        """
        self._require_known(source)
        if source not in self._answers:
            self._answers[source] = self._asked(source, patience)
        loaded_at = self._answers[source]
        if isinstance(loaded_at, Blocker):
            return loaded_at
        if loaded_at is not None and loaded_at >= window.end - lag:
            return None
        if loaded_at is None:
            return Blocker(f"{source} has no rows") if self._engine else None
        # The same words for all windows: then they are one range wherever they are told.
        return Blocker(f"{source} is loaded only up to {loaded_at:%Y-%m-%d %H:%M} UTC")

    def _require_known(self, source: str) -> None:
        node: Node | None = self._sources.get(source)
        if node is None:
            hint = nearest(source, self._sources) or f" Known: {', '.join(sorted(self._sources))}"
            raise ConfigError(f"wait_for: the project has no source {source!r}.{hint}")
        if not node.says_when_loaded:
            raise ConfigError(
                f"wait_for: {source} does not say up to when it is loaded: give it a "
                "`loaded_at_field` or a `loaded_at_query`, as for dbt source freshness"
            )

    def _asked(self, source: str, patience: timedelta) -> datetime | Blocker | None:
        if self._engine is None:
            return self._ledger.scheduler.get_loaded_at(source)
        try:
            loaded_at = self._engine().loaded_at(source, patience)
        except EngineError as error:
            return Blocker(str(error))
        self._ledger.scheduler.record_source(source, loaded_at, self._now())
        return loaded_at
