"""Plan a range of windows and run it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from runner.dbt.protocol import Engine
from runner.execute import Clock, Executor, Observer
from runner.ledger import Kind, Ledger
from runner.pipelines import Pipeline
from runner.plan import Plan, Reprocess, make_plan
from runner.spans import Span, Spans
from runner.states import State
from runner.windows import Window


@dataclass(frozen=True)
class Done:
    """What came of a plan."""

    states: Mapping[Window, State]
    run_ids: Mapping[Window, str]
    seconds: float  # wall time


def plan_range(
    pipeline: Pipeline,
    ledger: Ledger,
    span: Span | None,
    reprocess: Reprocess,
    chunk_size: int | None,
) -> Plan:
    """What a backfill of ``span`` would do; None is an empty range. Writes nothing."""
    if span is None:
        return make_plan(pipeline.calendar, Spans(), {}, reprocess, chunk_size)
    history = ledger.history(pipeline.name, span)
    # Runs whose process has died are not in flight, whatever their state still says.
    dead = Spans(Span(r.window_start, r.window_end) for r in ledger.abandoned(pipeline.name))
    alive = {state: spans - dead for state, spans in history.items()}
    alive[State.FAILED] = alive.get(State.FAILED, Spans()) | (dead & Spans([span]))
    return make_plan(pipeline.calendar, Spans([span]), alive, reprocess, chunk_size)


def run_plan(
    plan: Plan,
    pipeline: Pipeline,
    ledger: Ledger,
    engine: Engine,
    kind: Kind,
    clock: Clock,
    observer: Observer,
) -> Done:
    """Queue every window of a plan and execute its chunks, oldest first."""
    started = time.monotonic()
    windows = [w for chunk in plan.chunks for w in pipeline.calendar.windows(chunk.span)]
    queued = ledger.queue(pipeline.name, kind, windows, clock())
    held = Spans(Span(run.window_start, run.window_end) for run in queued)
    spans = [part for chunk in plan.chunks for part in Spans([chunk.span]) & held]
    executor = Executor(pipeline, ledger, engine, kind, clock, observer)
    states = executor.execute(spans)
    run_ids = {pipeline.calendar.window_at(run.window_start): run.run_id for run in queued}
    return Done(states, run_ids, time.monotonic() - started)
