"""Have something of a pipeline run, from the question what is left of a crash to the last verdict.

The one way in for commands and for the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.core.environment import Environment
from runner.core.errors import PausedError
from runner.core.plan import Plan
from runner.core.refusals import Allowance, disproved
from runner.core.spans import Spans
from runner.dbt.protocol import Engine
from runner.doctor.examine import require_warehouse
from runner.execution.context import Observer, RunContext, RunResult, nothing_seen
from runner.execution.queueing import reaches_today, run_plan
from runner.execution.recovery import adopt, recover
from runner.landed.files import InputReader
from runner.ledger import Kind
from runner.lint import models
from runner.planner import Planner, proofs_of
from runner.workspace import Workspace


@dataclass(frozen=True)
class Order:
    """What somebody wants to have run of a pipeline."""

    kind: Kind
    planned: Callable[[Planner, Spans | None], Plan]  # given the windows in this process's hands
    allow_unsafe: tuple[str, ...] = ()  # models that may run although they break a rule


def run_pipeline(
    workspace: Workspace,
    engine: Engine,
    planner: Planner,
    order: Order,
    world: Environment,
    observer: Observer,
) -> tuple[Plan, RunResult]:
    """Settle what a crash has left, plan, run; returns the plan and what came of it.

    Raises :class:`PausedError` for a paused pipeline, :class:`runner.core.errors.UsageError` for
    a model that may not run, and what planning and running raise.
    """
    pipeline = planner.pipeline
    require_running(workspace, pipeline.name)
    require_warehouse(workspace.project(engine), workspace.ledger)
    job = RunContext(
        pipeline=pipeline,
        ledger=workspace.ledger,
        engine=engine,
        kind=order.kind,
        world=world,
        observer=observer,
        warehouse=workspace.project(engine).warehouse,
        inputs=planner.inputs(world.now()),
        look=InputReader(planner.files, workspace.ledger) if planner.files else nothing_seen,
    )
    observer.adopted(adopt(job))
    recover(job)
    plan = order.planned(planner, None)
    job = replace(job, allowed=allowances(workspace, planner, plan, order.allow_unsafe))
    observer.announce(plan, reaches_today=reaches_today(plan, job))
    done = run_plan(job, plan, lambda mine: order.planned(planner, mine))
    observer.finished(done)
    return plan, done


def require_running(workspace: Workspace, name: str) -> None:
    """Raise :class:`PausedError` if a pipeline is paused."""
    pause = workspace.ledger.controls.get_pause(name)
    if pause is not None:
        raise PausedError(f"{name} is paused ({pause.reason}): runner resume {name}")


def allowances(
    workspace: Workspace, planner: Planner, plan: Plan, allow_unsafe: tuple[str, ...]
) -> tuple[Allowance, ...]:
    """What unsafe models of a plan are allowed to do; :class:`UsageError` if they are not."""
    pipeline = planner.pipeline
    return models.allow(
        plan,
        pipeline,
        workspace.project(),
        workspace.project_dir,
        allow_unsafe,
        others=disproved(pipeline.name, proofs_of(pipeline, workspace.ledger)),
    )
