"""After a crash, believe the warehouse: the markers say what was published and judged."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import groupby

from runner.dbt.protocol import Engine
from runner.errors import LedgerError
from runner.ledger import Ledger, ModelRun, Outcome, Run, total_rows
from runner.pipelines import Pipeline
from runner.publications import Publications, ask_warehouse
from runner.spans import Span
from runner.states import State, worst

_VOUCHED = {"correct": State.SUCCESS, "unchecked": State.UNCHECKED}


def recover(pipeline: Pipeline, ledger: Ledger, engine: Engine, now: datetime) -> None:
    """Settle the runs of processes that died.

    A run whose every model's window was published under its fence and found correct (or
    unchecked) is recorded as done. Whatever else had started has failed and runs again; what was
    only queued is cancelled. Asks the warehouse only if a run was really cut off. Raises
    :class:`runner.errors.EngineError`, and settles nothing, if the warehouse cannot be asked.
    """
    cut_off = [run for run in ledger.abandoned(pipeline.name) if run.state is State.RUNNING]
    for fence, group in groupby(sorted(cut_off, key=_fence), key=_fence):
        runs = list(group)
        span = Span(min(run.window_start for run in runs), max(run.window_end for run in runs))
        published = ask_warehouse(engine, span, fence, pipeline.config.timeout)
        outcomes = {
            run.window_start: outcome
            for run in runs
            if (outcome := _testified(pipeline, run, published)) is not None
        }
        # Another runner may be recovering too; then it has recorded what we would.
        with suppress(LedgerError):
            ledger.finish(pipeline.name, fence, outcomes, now)
    ledger.release_abandoned(pipeline.name, now)


def _fence(run: Run) -> int:
    return run.fence or 0


def _testified(pipeline: Pipeline, run: Run, published: Publications) -> Outcome | None:
    """The outcome of a run by its markers, None unless all of its models are vouched for."""
    models = [
        ModelRun(node.name, _VOUCHED[marker.verdict], marker.row_count, node.code_hash)
        for node in pipeline.windowed
        if (marker := published.get((node.name, run.window_start))) is not None
        and marker.verdict in _VOUCHED
    ]
    if len(models) < len(pipeline.windowed):
        return None
    return Outcome(
        state=worst(model.state for model in models),
        row_count=total_rows(models),
        check_count=0,
        seconds=0.0,
        reason="its runner died after it was published and judged; the warehouse's markers say so",
        models=tuple(models),
    )
