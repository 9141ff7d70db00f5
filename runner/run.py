"""Run what was asked for of a pipeline: recover, plan, execute.

The one way in for commands and for the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

from runner.core.crash_points import reached
from runner.core.environment import Environment
from runner.core.errors import PausedError
from runner.core.planning import Plan, RunRequest
from runner.core.refusals import Allowance, disproved
from runner.core.spans import Spans
from runner.dbt.protocol import Engine
from runner.dbt.target import stamp_of
from runner.execution.context import Observer, RunContext, RunResult
from runner.execution.executor import Executor
from runner.execution.recovery import reconcile, recover
from runner.landed.files import InputReader
from runner.lint import models
from runner.planner import Planner, proofs_of
from runner.project.code_changes import record_codes
from runner.project.installation import require_package
from runner.warehouse.markers import require_warehouse
from runner.warehouse.reconciliation import is_to_ask
from runner.workspace import EngineKind, Workspace

MEANWHILE = "another runner has taken it over or done it meanwhile"


@dataclass(frozen=True)
class Session:
    """A pipeline as it is at a time, and the engine that runs it."""

    workspace: Workspace
    planner: Planner
    engine: Engine
    environment: Environment
    now: datetime  # the time to look from, UTC

    def chosen(self, select: Sequence[str], exclude: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the names of what dbt's selection syntax selects; empty: everything."""
        name = self.planner.pipeline.name
        return self.workspace.chosen(name, select, exclude, self.engine)

    def run(self, request: RunRequest, observer: Observer | None = None) -> RunResult:
        """Settle what a crash has left, plan as seen at ``now``, run.

        Raises :class:`PausedError` for a paused pipeline, :class:`runner.core.errors.UsageError`
        for a model that may not run, and what planning and running raise.
        """
        workspace, planner, observer = self.workspace, self.planner, observer or Observer()
        ledger, project = workspace.ledger, workspace.project(self.engine)
        require_running(workspace, planner.pipeline.name)
        require_warehouse(project, ledger)
        context = RunContext(
            pipeline=planner.pipeline,
            ledger=ledger,
            engine=self.engine,
            environment=self.environment,
            observer=observer,
            warehouse=project.warehouse,
            inputs=planner.inputs(self.environment.now()),
            reader=InputReader(planner.files, ledger) if planner.files else None,
        )
        recover(context)
        if is_to_ask(project, ledger):
            reconcile(project, ledger, self.engine, context.access, observer)
        elif ledger.warehouses.get_readings() != project.readings:  # there is no warehouse yet
            ledger.warehouses.learn_readings(project.readings)
        plan = planner.plan(request, self.now)
        context = replace(context, allowed=allowances(workspace, planner, plan))
        if plan.pieces:
            nodes, texts = planner.pipeline.data_nodes, workspace.code_texts
            record_codes(nodes, project, ledger, texts, self.environment.now())
        observer.announce(plan, reaches_today=_reaches_today(context, plan))
        for line in planner.files.undated() if planner.files and plan.pieces else ():
            observer.unwatched(line)
        try:
            result = execute_plan(context, planner, plan, self.now)
        finally:
            ledger.warehouses.leave(stamp_of(project.warehouse))
            ledger.warehouses.forget_readings(but=project.readings)
        observer.finished(result)
        return result


@contextmanager
def open_session(
    workspace: Workspace,
    name: str,
    environment: Environment,
    kind: EngineKind = EngineKind.WARM,
    as_of: datetime | None = None,
    reading: AbstractContextManager[object] | None = None,
) -> Iterator[Session]:
    """Start an engine for a pipeline until the block is left; ``reading`` surrounds the parse.

    Raises :class:`PausedError` for a paused pipeline, :class:`runner.core.errors.UsageError` for
    an unknown one, or if our macros are not in the project: before dbt is started.
    """
    workspace.config(name)
    require_package(workspace.project_dir)
    if workspace.is_parsed:
        require_running(workspace, name)
    with workspace.start_engine(kind) as engine:
        with reading or nullcontext():
            planner = workspace.planner(name, engine)
        require_running(workspace, name)
        now = environment.instant(as_of, planner.pipeline.calendar.zone)
        yield Session(workspace, planner, engine, environment, now)


def execute_plan(context: RunContext, planner: Planner, plan: Plan, now: datetime) -> RunResult:
    """Queue every window of a plan and execute it.

    Once this process holds the windows it plans again: what another runner has finished between
    planning and queueing is not run twice.
    """
    environment, ledger = context.environment, context.ledger
    started = environment.monotonic()
    calendar, name = plan.calendar, context.pipeline.name
    windows = [window for span in plan.windows for window in calendar.windows(span)]
    reached("before-queue")
    kind = plan.request.kind
    queued = ledger.leases.queue(name, kind, windows, environment.now(), context.allowed)
    reached("after-queue")
    held = Spans(run.span for run in queued)
    mine = _within(planner.plan(plan.request, now, held), held)
    surplus = (run.window_start for run in queued if run.span not in mine.windows)
    if spare := [calendar.window_at(start) for start in surplus]:
        ledger.leases.cancel_queued(name, spare, MEANWHILE, environment.now())
    others = plan.windows - mine.windows
    for span in others:
        context.observer.not_tried(span, MEANWHILE)
    executor = Executor(context, mine, with_snapshots=_reaches_today(context, mine))
    states = executor.execute()
    run_ids = {calendar.window_at(run.window_start): run.run_id for run in queued}
    seconds = environment.monotonic() - started
    return RunResult(plan, states, run_ids, others, seconds, executor.condemned)


def require_running(workspace: Workspace, name: str) -> None:
    """Raise :class:`PausedError` if a pipeline is paused."""
    pause = workspace.ledger.controls.get_pause(name)
    if pause is not None:
        raise PausedError(f"{name} is paused ({pause.reason}): runner resume {name}")


def allowances(workspace: Workspace, planner: Planner, plan: Plan) -> tuple[Allowance, ...]:
    """Return what unsafe models of a plan are allowed to do; UsageError if they are not."""
    if plan.request.judges_only:
        return ()  # nothing is replayed
    pipeline = planner.pipeline
    why = dict(pipeline.config.allow_unsafe)
    found = models.allow(
        plan,
        pipeline,
        workspace.project(),
        workspace.project_dir,
        {*plan.request.allow_unsafe, *why},
        others=disproved(pipeline.name, proofs_of(pipeline, workspace.ledger)),
    )
    return tuple(
        replace(one, reason=f"{one.reason}; {why[one.model]}") if one.model in why else one
        for one in found
    )


def _within(plan: Plan, held: Spans) -> Plan:
    """Return the part of a plan whose windows this process holds."""
    parts = ((piece, span) for piece in plan.pieces for span in held.inside(piece.span))
    return replace(plan, pieces=tuple(replace(piece, span=span) for piece, span in parts))


def _reaches_today(context: RunContext, plan: Plan) -> bool:
    """Return True if the pipeline's newest window is in a plan: a snapshot sees only today."""
    newest = context.pipeline.newest(context.environment.now())
    return newest is not None and newest.span in plan.windows
