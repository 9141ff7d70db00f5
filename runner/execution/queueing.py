"""Run a plan: queue its windows, make sure that nobody has done them meanwhile, execute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runner.core.crash_points import reached
from runner.core.plan import Plan
from runner.core.spans import Spans
from runner.execution.context import RunContext, RunResult
from runner.execution.executor import Executor

MEANWHILE = "another runner has taken it over or done it meanwhile"


def run_plan(job: RunContext, plan: Plan, plan_again: Callable[[Spans], Plan]) -> RunResult:
    """Queue every window of a plan and execute it.

    ``plan_again`` makes the same plan anew while this process holds the windows given to it:
    what another runner has finished between planning and queueing is not run twice.
    """
    started = job.world.monotonic()
    pipeline, ledger = job.pipeline, job.ledger
    windows = [w for span in plan.windows for w in pipeline.calendar.windows(span)]
    reached("before-queue")
    now, allowed = job.world.now(), job.allowed
    queued = ledger.leases.queue(pipeline.name, job.kind, windows, now, allowed)
    reached("after-queue")
    held = Spans(run.span for run in queued)
    mine = _within(plan_again(held), held)
    surplus = [run for run in queued if run.span not in mine.windows]
    if surplus:
        spare = [pipeline.calendar.window_at(run.window_start) for run in surplus]
        ledger.leases.cancel_queued(pipeline.name, spare, MEANWHILE, job.world.now())
    others = plan.windows - mine.windows
    for span in others:
        job.observer.not_tried(span, MEANWHILE)
    executor = Executor(job, mine, with_snapshots=reaches_today(mine, job))
    states = executor.execute()
    run_ids = {pipeline.calendar.window_at(run.window_start): run.run_id for run in queued}
    return RunResult(states, run_ids, others, job.world.monotonic() - started)


def _within(plan: Plan, held: Spans) -> Plan:
    """The part of a plan whose windows this process holds."""
    pieces = [
        replace(piece, span=span) for piece in plan.pieces for span in held.inside(piece.span)
    ]
    return replace(plan, pieces=tuple(pieces))


def reaches_today(plan: Plan, job: RunContext) -> bool:
    """Whether the newest window of the pipeline is in a plan: a snapshot sees only today."""
    newest = job.pipeline.newest(job.world.now())
    return newest is not None and newest.span in plan.windows
