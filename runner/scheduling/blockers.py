"""Blockers: what a window waits for, a file or a fresh source, and why it is not there yet.

A source is fresh for a window if it is loaded up to its end, but for the lag it is allowed. What
dbt calls fresh says nothing of a window: a source loaded yesterday may pass `error_after`. Only an
engine can ask a source. Its last answer is kept, for those who look without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from runner.core.config import WaitFor
from runner.core.environment import Clock
from runner.core.errors import ConfigError, EngineError, nearest
from runner.core.windows import Window
from runner.dbt.protocol import Engine
from runner.landed.completeness import Blocker, file_blocker
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.workspace import Workspace

# Returns why what a window waits for is not there; None if it is.
FindBlocker = Callable[[Pipeline, WaitFor, Window], Blocker | None]


@dataclass
class WorkspaceBlockers:
    """Looks at the files of a workspace and asks its sources, each at most once."""

    workspace: Workspace
    engine: Callable[[], Engine] | None  # None: no source is asked anew
    now: Clock  # of the machine that the files are on, whichever time a pass looks from
    _answers: dict[str, datetime | Blocker | None] = field(default_factory=dict)

    def find(self, pipeline: Pipeline, wait: WaitFor, window: Window) -> Blocker | None:
        """Return why what a window waits for is not there; None if it is."""
        if wait.source is not None:
            return self.source_blocker(wait.source, wait.lag, window, pipeline.config.timeout)
        folder, zone = self.workspace.project_dir, pipeline.calendar.zone
        return file_blocker(wait, window, zone, folder, self.now())

    def source_blocker(
        self, source: str, lag: timedelta, window: Window, patience: timedelta
    ) -> Blocker | None:
        """Return what is wrong with a source for a window; None if it is fresh, or nobody knows.

        Raises :class:`ConfigError` for a source that the project has not, or that cannot be asked.
        """
        self._require_known(source)
        if source not in self._answers:
            self._answers[source] = self._ask(source, patience)
        loaded_at = self._answers[source]
        if isinstance(loaded_at, Blocker):
            return loaded_at
        if loaded_at is None:
            return Blocker(f"{source} has no rows") if self.engine else None
        if loaded_at >= window.end - lag:
            return None
        # The same words for all windows: then they are one range wherever they are told.
        return Blocker(f"{source} is loaded only up to {loaded_at:%Y-%m-%d %H:%M} UTC")

    @cached_property
    def _sources(self) -> dict[str, Node]:
        """The sources of the project by name, such as ``landing.lines``."""
        nodes = self.workspace.project().nodes.values()
        return {node.unique_id.split(".", 2)[2]: node for node in nodes if node.kind == "source"}

    def _require_known(self, source: str) -> None:
        node = self._sources.get(source)
        if node is None:
            hint = nearest(source, self._sources) or f" Known: {', '.join(sorted(self._sources))}"
            raise ConfigError(f"wait_for: the project has no source {source!r}.{hint}")
        if not node.says_when_loaded:
            raise ConfigError(
                f"wait_for: {source} does not say up to when it is loaded: give it a "
                "`loaded_at_field` or a `loaded_at_query`, as for dbt source freshness"
            )

    def _ask(self, source: str, patience: timedelta) -> datetime | Blocker | None:
        scheduler = self.workspace.ledger.scheduler
        if self.engine is None:
            return scheduler.get_loaded_at(source)
        try:
            loaded_at = self.engine().loaded_at(source, patience)
        except EngineError as error:
            return Blocker(str(error))
        scheduler.record_source(source, loaded_at, self.now())
        return loaded_at
