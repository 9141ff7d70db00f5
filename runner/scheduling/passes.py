"""One pass of the scheduler: what is due and not done of every pipeline is run, then it is over.

Passes may overlap, in one process or in several: a window is never in two hands, and what another
has done meanwhile is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from runner.alerting.pings import Pinger
from runner.core.environment import Clock, Environment
from runner.core.errors import DaybreakError, PausedError
from runner.core.planning import Plan
from runner.core.states import RunState
from runner.core.timelines import Timeline
from runner.core.windows import Calendar
from runner.dbt.protocol import Engine
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.selection import Selection, looked_back_at, select_windows
from runner.scheduling.waiting import Conditions, ObstacleOf, Waiting
from runner.workspace import Workspace

if TYPE_CHECKING:
    from runner.execution.context import Observer, RunResult


@dataclass(frozen=True)
class PipelinePass:
    """What a pass did with one pipeline."""

    pipeline: str
    calendar: Calendar | None = None  # None: it could not be read
    waiting: Timeline[Waiting] = field(default_factory=Timeline)
    note: str | None = None  # why not everything was done that is due, in one line
    plan: Plan | None = None  # None: there was nothing to run
    done: RunResult | None = None
    error: DaybreakError | None = None  # why it did not get through
    next_at: datetime | None = None  # UTC; when there may be something to do again
    unheard: tuple[str, ...] = ()  # why its dead-man's switch was not told, in lines


@dataclass(frozen=True)
class Scheduler:
    """What passes are made with."""

    workspace: Workspace
    engine: Callable[[], Engine]  # started when it is first needed
    obstacle_of: ObstacleOf
    world: Environment
    files_now: Clock  # of the machine that files land on, whichever time a pass looks from
    observer: Callable[[Pipeline], AbstractContextManager[Observer]]
    pinger: Callable[[Pipeline], Pinger]

    def turns(self, now: datetime | None = None) -> Iterator[PipelinePass]:
        """Run what is due of every pipeline, one after another; ``now`` is the time by default.

        What fails of one pipeline does not keep the others.
        """
        planners: dict[str, Planner] = {}
        for name in _in_order(self.workspace):
            if self.world.is_stopping():
                return
            try:
                planners[name] = self.workspace.planner(name)
                yield self._turn(planners, planners[name], now or self.world.now())
            except PausedError as pause:
                yield PipelinePass(name, note=str(pause))
            except DaybreakError as error:
                yield PipelinePass(name, error=error)

    def _turn(
        self, planners: Mapping[str, Planner], planner: Planner, now: datetime
    ) -> PipelinePass:
        pipeline, ledger = planner.pipeline, self.workspace.ledger
        if not pipeline.is_awaited:
            return PipelinePass(pipeline.name, pipeline.calendar)
        pause = ledger.controls.get_pause(pipeline.name)
        if pause is not None:
            return PipelinePass(pipeline.name, pipeline.calendar, note=f"paused ({pause.reason})")
        changed = planner.changed_inputs(now, self.files_now())
        if changed:
            ledger.windows.make_stale(changed)
        conditions = Conditions(planners, self.obstacle_of, now)
        choice = self._looked_back(planner, select_windows(planner, conditions), conditions)
        turn = PipelinePass(
            pipeline=pipeline.name,
            calendar=pipeline.calendar,
            waiting=choice.waiting,
            note=choice.note,
            next_at=_next(pipeline, choice, now),
        )
        if not choice.request.windows:
            return turn

        pinger = self.pinger(pipeline)
        pings = [pinger.start()]
        try:
            plan, done = self._run(planner, choice, now)
            is_well = all(state is RunState.SUCCESS for state in done.states.values())
            pings.append(pinger.success() if is_well else pinger.fail())
            turn = replace(turn, plan=plan, done=done)
        except PausedError:  # meanwhile
            raise
        except DaybreakError as error:
            pings.append(pinger.fail())
            turn = replace(turn, error=error)
        return replace(turn, unheard=tuple(line for line in pings if line))

    def _run(self, planner: Planner, choice: Selection, now: datetime) -> tuple[Plan, RunResult]:
        """Have what was chosen run."""
        # Only now: most passes have nothing to do, and should be quick.
        from runner.run import run_pipeline

        with self.observer(planner.pipeline) as observer:
            return run_pipeline(
                self.workspace, self.engine(), planner, choice.request, now, self.world, observer
            )

    def _looked_back(
        self, planner: Planner, choice: Selection, conditions: Conditions
    ) -> Selection:
        """Let new windows make those before them stale, as `lookback` says; choose again then."""
        pipeline = planner.pipeline
        stale = looked_back_at(pipeline, choice.new)
        if not stale:
            return choice
        newest = pipeline.calendar.before(list(choice.new)[-1].end).label
        late = Timeline((span, f"looked back at from {newest}") for span in stale)
        self.workspace.ledger.windows.make_stale({node.name: late for node in pipeline.windowed})
        return select_windows(planner, conditions)


def _in_order(workspace: Workspace) -> list[str]:
    """The pipelines, each after those that it waits for, else as they are written."""
    configs = workspace.configs
    sorter = TopologicalSorter({name: config.after for name, config in configs.items()})
    return list(sorter.static_order())


def _next(pipeline: Pipeline, choice: Selection, now: datetime) -> datetime | None:
    """When the next window is due, or what one waits for may be there."""
    schedule, calendar = pipeline.schedule, pipeline.calendar
    window, due_at = calendar.window_at(now), None
    if schedule is not None:
        window, due_at = schedule.next_due(calendar, now)
    times = [value.until for _, value in choice.waiting if value.until]
    if pipeline.last is None or window.end <= pipeline.last:
        times.append(due_at or window.end)
    return min(times, default=None)
