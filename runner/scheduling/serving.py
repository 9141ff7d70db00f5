"""Make passes for ever: sleep until something is due or may have come, look, run, and sleep again.

Edits of the project and of ``pipelines.yml`` are taken up between two passes. A broken one is
reported once, and the last good version goes on.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from runner.core.environment import Environment
from runner.core.errors import DaybreakError, EngineError, LedgerError
from runner.dbt.protocol import Engine
from runner.project.manifest import Project
from runner.project.pipelines import Pipeline, make_pipeline
from runner.scheduling.notify import notify_all
from runner.scheduling.passes import PipelinePass, SchedulerPass, heartbeat
from runner.workspace import EngineKind, Workspace

if TYPE_CHECKING:
    from runner.execution.context import Observer

SERVE, TICK = "serve", "tick"
PATIENCE = timedelta(minutes=2)  # for a channel that is down, when nobody looks again soon
_SHORTEST_PAUSE = 0.1  # seconds, between passes that always have something to wait for


class Reporter:
    """Hears what a scheduler does, and shows nothing; override what is to be shown."""

    def observing(self, pipeline: Pipeline) -> AbstractContextManager[Observer]:  # noqa: ARG002
        """Return who hears what happens to the windows of a pipeline that runs."""
        from runner.execution.context import Observer  # only when something runs

        return nullcontext(Observer())

    def started(self, workspace: Workspace) -> None:
        """The scheduler begins."""

    def turned(self, found: PipelinePass) -> None:
        """A pipeline has had its turn."""

    def reloaded(self) -> None:
        """An edit of the project is taken up."""

    def broken(self, error: DaybreakError) -> None:
        """An edit of the project cannot be read: the last good version goes on."""

    def told(self, line: str) -> None:
        """An alert has been sent, or could not be."""

    def stopped(self) -> None:
        """The scheduler ends, as it was told to."""


def tick(
    workspace: Workspace,
    kind: EngineKind,
    environment: Environment,
    reporter: Reporter,
    every: timedelta | None,
    as_of: datetime | None,
) -> list[PipelinePass]:
    """Make one pass, and tell people what it has found; from another time than now, nobody.

    ``every`` is how often ticks come: then it is noticed when they no longer do.
    """
    found = []
    beating: AbstractContextManager[None] = nullcontext()
    if every is not None and as_of is None:  # a tick by hand is no scheduler
        beating = heartbeat(workspace.ledger, TICK, every, environment)
    with beating, workspace.engine_on_demand(kind) as running:
        one_pass = SchedulerPass(workspace, running, environment, reporter.observing, as_of)
        for turn in one_pass.run():
            found.append(turn)
            reporter.turned(turn)
        if as_of is None:
            report = one_pass.watch(as_scheduler=every is not None)
            for line in notify_all(workspace, report, environment, PATIENCE):
                reporter.told(line)
    return found


class Loaded:
    """A version of the project that is known to be good, and the engine that has parsed it."""

    def __init__(
        self, workspace: Workspace, kind: EngineKind, before: Loaded | None = None
    ) -> None:
        """Parse everything that passes will need; raises what is wrong with it.

        A pipeline that cannot be read or planned does not keep the others from running. That one
        which could be in the version ``before`` no longer can is wrong: that goes on instead.
        """
        self.workspace = workspace
        self.version = workspace.version  # of the edits that are taken up; before they are read
        self._kind = kind
        self._engine: Engine | None = workspace.start_engine(kind)
        self.broken: set[str] = set()  # names of pipelines that cannot be read or planned
        try:
            project = workspace.parse(self._engine)
            self.broken = _broken(workspace, project, before)
        except BaseException:
            self.close()
            raise

    def engine(self) -> Engine:
        """The engine; another one if that of the beginning has died."""
        if self._engine is None:
            self._engine = self.workspace.start_engine(self._kind)
        return self._engine

    def close(self) -> None:
        """End the engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


def _broken(workspace: Workspace, project: Project, before: Loaded | None) -> set[str]:
    """Return the names of the pipelines that cannot be read or planned.

    Raises what is wrong with one that could be before, or, at the beginning, with all of them.
    """
    errors: dict[str, DaybreakError] = {}
    for name in workspace.names:
        try:
            make_pipeline(name, workspace.config(name), project)
        except DaybreakError as error:
            errors[name] = error
    tolerated = before.broken if before is not None else set(workspace.names)
    news = [name for name in errors if name not in tolerated]
    if news or len(errors) == len(workspace.names):
        raise errors[(news or list(errors))[0]]
    return set(errors)


@dataclass
class SchedulerLoop:
    """A scheduler that goes on until it is told to stop."""

    project_dir: Path
    kind: EngineKind
    environment: Environment
    reporter: Reporter
    poll: timedelta  # between two looks for files, edits and other people's doings
    _refused: str | None = None  # version that cannot be used
    _said: str | None = None  # what was last reported as wrong

    def serve(self) -> set[str]:
        """Make passes until it is told to stop; raises what is wrong at the beginning.

        Returns the names of the pipelines that cannot be read or planned at the end.
        """
        loaded = Loaded(Workspace.find(self.project_dir), self.kind)
        ledger, environment = loaded.workspace.ledger, self.environment
        try:
            with heartbeat(ledger, SERVE, self.poll, environment):
                self.reporter.started(loaded.workspace)
                while not environment.is_stopping():
                    loaded = self._reloaded(loaded)
                    self._pass(loaded)
            with suppress(LedgerError):  # else it is missed in a minute, which is true as well
                ledger.scheduler.record_heartbeat(
                    SERVE, self.poll, environment.now(), is_stopped=True
                )
            self.reporter.stopped()
            return loaded.broken
        finally:
            loaded.close()

    def _pass(self, loaded: Loaded) -> None:
        """Make one pass, and sleep after it."""
        workspace, environment = loaded.workspace, self.environment
        scheduler_pass = SchedulerPass(
            workspace, loaded.engine, environment, self.reporter.observing
        )
        wake_at = environment.now() + self.poll
        for found in scheduler_pass.run():
            self.reporter.turned(found)
            wake_at = min(wake_at, found.next_at or wake_at)
            if isinstance(found.error, EngineError):
                loaded.close()  # perhaps it has died: the next pass starts another
        try:
            report = scheduler_pass.watch(as_scheduler=True)
            for line in notify_all(workspace, report, environment):
                self.reporter.told(line)
        except DaybreakError as error:  # of the ledger; the next pass looks again
            self._report(error)
        if not environment.is_stopping():
            pause = (wake_at - environment.now()).total_seconds()
            environment.sleep(max(pause, _SHORTEST_PAUSE))

    def _reloaded(self, loaded: Loaded) -> Loaded:
        """Return the newest version that is good."""
        try:
            found = Workspace.find(self.project_dir)
            if found.version == loaded.version:
                self._refused = self._said = None
            if found.version in (loaded.version, self._refused):
                return loaded
            self._refused = found.version
            fresh = Loaded(found, self.kind, loaded)
        except DaybreakError as error:
            self._report(error)
            return loaded
        self._refused = self._said = None
        loaded.close()
        self.reporter.reloaded()
        return fresh

    def _report(self, error: DaybreakError) -> None:
        if str(error) != self._said:
            self.reporter.broken(error)
        self._said = str(error)
