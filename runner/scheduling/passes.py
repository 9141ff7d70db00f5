"""One pass of the scheduler: what is due and not done of every pipeline is run, then it is over.

Passes may overlap, in one process or in several: a window is never in two hands, and what another
has done meanwhile is not done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from runner.alerting.pings import Fetch, Pinger
from runner.core.environment import Clock, Environment
from runner.core.errors import DaybreakError, LedgerError, PausedError
from runner.core.spans import Spans
from runner.core.states import RunState
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import Calendar
from runner.dbt.protocol import Engine
from runner.execution.heartbeat import repeating
from runner.ledger import Ledger
from runner.overview.outlook import Outlook
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.deadlines import WatchReport, watch_pipelines
from runner.scheduling.selection import Selection, looked_back_at, select_windows
from runner.scheduling.waiting import Conditions, FindBlocker, Waiting, WorkspaceBlockers
from runner.warehouse.lock import Access, holder
from runner.warehouse.reconciliation import is_to_ask
from runner.workspace import Workspace

if TYPE_CHECKING:
    from runner.execution.context import Observer, RunResult


# Gives an observer to each pipeline that runs: who is told what happens to its windows.
Observing = Callable[[Pipeline], AbstractContextManager["Observer"]]


@dataclass(frozen=True)
class PipelinePass:
    """The result of a pass for one pipeline."""

    pipeline: str
    calendar: Calendar | None = None  # None: it could not be read
    waiting: Timeline[Waiting] = field(default_factory=Timeline)
    # Windows that stay as they are, as a file of theirs is another now, and cut off; in words.
    cut_off: Timeline[str] = field(default_factory=Timeline)
    settling: tuple[str, ...] = ()  # other files than were read, which may still be written to
    note: str | None = None  # why not everything was done that is due, in one line
    left: Mapping[WindowStatus, Spans] = field(default_factory=dict)  # due, and left to a person
    done: RunResult | None = None  # None: there was nothing to run
    error: DaybreakError | None = None  # why it did not get through
    next_at: datetime | None = None  # UTC; when there may be something to do again
    unheard: tuple[str, ...] = ()  # why its dead-man's switch was not told, in lines


@dataclass
class SchedulerPass:
    """One pass over all pipelines; the ledger is read again only once something has changed."""

    workspace: Workspace
    engine: Callable[[], Engine]  # started when something runs
    environment: Environment
    observing: Observing
    as_of: datetime | None = None  # to look from instead of now: no dead-man's switch is told
    files_now: Clock | None = None  # of the machine that files land on; None: of this one
    find_blocker: FindBlocker | None = None  # None: by the files and sources of the workspace
    fetch: Fetch | None = None  # sends pings

    def __post_init__(self) -> None:
        self._has_asked = False  # once in a pass: whatever runs in it asks again
        self._files_now = self.files_now or self.environment.now
        self._outlook = Outlook(self.workspace, self._now())
        blockers = WorkspaceBlockers(self.workspace, self.engine, self._files_now)
        self._conditions = Conditions(
            self._outlook, self.find_blocker or blockers.find, self._files_now
        )

    def run(self) -> Iterator[PipelinePass]:
        """Run what is due of every pipeline, each after those that it waits for.

        What fails of one pipeline does not keep the others.
        """
        configs = self.workspace.configs
        after = {
            name: configs[name].after if name in configs else () for name in self.workspace.names
        }
        for name in TopologicalSorter(after).static_order():
            if self.environment.is_stopping():
                return
            try:
                yield self._run_due(self._outlook.planner(name))
            except PausedError as pause:
                yield PipelinePass(name, note=str(pause))
            except DaybreakError as error:
                yield PipelinePass(name, error=error)

    def _reconcile(self, planner: Planner) -> None:
        """Ask the warehouse what it holds, if it has changed, before windows are selected.

        Who holds it at the moment is not waited for: whatever runs asks again.
        """
        if self._has_asked:
            return
        self._has_asked = True
        project, ledger = self.workspace.project(), self.workspace.ledger
        file, config = project.warehouse, planner.pipeline.config
        if not is_to_ask(project, ledger) or (file is not None and holder(file) is not None):
            return
        # Only now: most passes have nothing to do, and should be quick.
        from runner.execution.recovery import reconcile

        access = Access(file, config.lock_timeout, config.timeout, self.environment)
        with self.observing(planner.pipeline) as observer:
            reconcile(project, ledger, self.engine(), access, observer)
        self._outlook.renew(self._outlook.now)

    def watch(self, *, as_scheduler: bool) -> WatchReport:
        """Find what should be there after the pass and is not."""
        return watch_pipelines(self._conditions, as_scheduler=as_scheduler)

    def _now(self) -> datetime:
        return self.as_of or self.environment.now()

    def _run_due(self, planner: Planner) -> PipelinePass:
        pipeline, ledger, now = planner.pipeline, self.workspace.ledger, self._outlook.now
        found = PipelinePass(pipeline.name, pipeline.calendar)
        if not pipeline.is_awaited:
            return found
        pause = ledger.controls.get_pause(pipeline.name)
        if pause is not None:
            return replace(found, note=f"paused ({pause.reason})")
        self._reconcile(planner)
        inputs = planner.changed_inputs(now, self._files_now())
        ledger.inputs.update_mtimes(inputs.touched)
        if inputs.changed:
            self._make_stale(inputs.changed)
        choice = select_windows(planner, self._conditions)
        if late := looked_back_at(pipeline, choice.new):
            self._make_stale(late)
            choice = select_windows(planner, self._conditions)
        settled = (one.until for one in inputs.settling.values())
        next_at = _soonest(_next(pipeline, choice, now), *settled)
        found = replace(
            found,
            waiting=choice.waiting,
            cut_off=inputs.cut_off_windows,
            settling=tuple(one.text for one in inputs.settling.values()),
            note=choice.note,
            left=choice.left,
            next_at=next_at,
        )
        if not choice.request.windows:
            return found
        config = pipeline.config if self.as_of is None else replace(pipeline.config, ping=None)
        pinger = Pinger.of(pipeline.name, config, os.environ, self.fetch)
        pings = [pinger.start()]
        try:
            done = self._execute(planner, choice)
            is_well = all(state is RunState.SUCCESS for state in done.states.values())
            pings.append(pinger.success() if is_well else pinger.fail())
            found = replace(found, done=done)
        except PausedError:  # meanwhile
            raise
        except DaybreakError as error:
            pings.append(pinger.fail())
            found = replace(found, error=error)
        return replace(found, unheard=tuple(line for line in pings if line))

    def _execute(self, planner: Planner, choice: Selection) -> RunResult:
        """Run what was selected."""
        # Only now: most passes have nothing to do, and should be quick.
        from runner.run import Session

        workspace, environment, now = self.workspace, self.environment, self._outlook.now
        try:
            with self.observing(planner.pipeline) as observer:
                session = Session(workspace, planner, self.engine(), environment, now)
                return session.run(choice.request, observer)
        finally:
            self._outlook.renew(self._now())

    def _make_stale(self, late: Mapping[str, Timeline[str]]) -> None:
        self.workspace.ledger.windows.make_stale(late)
        self._outlook.renew(self._outlook.now)


@contextmanager
def heartbeat(
    ledger: Ledger, who: str, interval: timedelta, environment: Environment
) -> Iterator[None]:
    """Show every ``interval``, from another thread, that a scheduler lives, also while dbt works.

    A ledger that is busy for a moment costs one sign, not the scheduler.
    """

    def beat() -> None:
        ledger.scheduler.record_heartbeat(who, interval, environment.now())

    with suppress(LedgerError):
        beat()
    with repeating(beat, interval.total_seconds()):
        yield


def _next(pipeline: Pipeline, choice: Selection, now: datetime) -> datetime | None:
    """Return when the next window is due, or what one waits for may be there."""
    schedule, calendar = pipeline.schedule, pipeline.calendar
    window, due_at = calendar.window_at(now), None
    if schedule is not None:
        window, due_at = schedule.next_due(calendar, now)
    untils = [value.until for _, value in choice.waiting]
    if pipeline.last is None or window.end <= pipeline.last:
        untils.append(due_at or window.end)
    return _soonest(*untils)


def _soonest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
