"""Believe the warehouse, after a crash or a change: its markers say what was published."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from runner.core.crash_points import reached
from runner.core.errors import FencedOffError
from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.states import RunState, worst
from runner.core.status import WorkResult
from runner.dbt.protocol import Engine, Publication
from runner.execution.context import Observer, RunContext
from runner.execution.recorder import outdated_by, unbuilt
from runner.ledger import IndexChange, Ledger, ModelRun, Run, RunEnd, RunEntry, total_rows
from runner.project.manifest import Project
from runner.project.pipelines import Pipeline
from runner.warehouse.lock import Access
from runner.warehouse.markers import index_of, result_of, span_of
from runner.warehouse.reconciliation import Reconciliation

_DIED = "its runner died before it was built"
_VOUCHED = "published and judged before its runner was cut off; the warehouse's markers say so"
_BY_OTHERS = "its runner died, and a later one has published its window"
_DONE = frozenset({WorkResult.SUCCESS, WorkResult.UNCHECKED})


def reconcile(
    project: Project, ledger: Ledger, engine: Engine, access: Access, observer: Observer
) -> None:
    """Let the ledger's index be what the warehouse says.

    Raises :class:`runner.core.errors.EngineError` if it cannot be asked, and
    :class:`runner.core.errors.WarehouseLockedError` if somebody holds it for too long.
    """
    now, reconciliation = access.environment.now(), Reconciliation(project, ledger)
    found = access.ask(lambda: reconciliation.run(engine, access.timeout, now))
    observer.adopted(found.adopted)
    for line in found.lines:
        observer.noticed(line)


def recover(context: RunContext) -> None:
    """Settle the runs of processes that died or were told to stop.

    What was published and judged is done; what was published and not judged will only be judged;
    whatever else had started runs again, and what was only queued is cancelled. A run all of
    whose models are done is recorded as such. Asks the warehouse only if an invocation was cut
    off. Raises :class:`runner.core.errors.EngineError`, and settles nothing, if it cannot be asked.
    """
    pipeline, ledger, now = context.pipeline, context.ledger, context.environment.now()
    abandoned = ledger.leases.find_abandoned(pipeline.name)
    running = (run for run in abandoned if run.state is RunState.RUNNING)
    cut_off = [*running, *ledger.runs.find_unsettled(pipeline.name)]
    settled: list[Run] = []
    for fence, runs in sorted(grouped((run.fence or 0, run) for run in cut_off).items()):
        span = Span(min(run.window_start for run in runs), max(run.window_end for run in runs))
        everything = context.published(span)
        told = [marker for marker in everything if marker.fence == fence and marker.run_id]
        # What some of the markers amount to, after all that others have published since.
        index = index_of(everything, pipeline.project.readers)
        mine = {
            model: index[model].within(Spans(spans))
            for model, spans in grouped((m.model, span_of(m)) for m in told).items()
        }
        covered = {model: records.covered for model, records in mine.items()}
        change = IndexChange(
            windows=mine,
            # No marker says whether the tables made from windows were built.
            whole=unbuilt(pipeline.following_tables, pipeline.calendar.before(span.end), _DIED),
            outdated=outdated_by(
                pipeline, grouped((m.model, span_of(m)) for m in told if not m.is_same), covered
            ),
        )
        entries: dict[datetime, RunEntry] = {}
        if not pipeline.is_whole:  # no marker tells of what has no windows
            entries = _vouched(pipeline, runs, told) or _done_by_others(pipeline, runs, everything)
        reached("recovery-told")
        # Another runner may be recovering too; then it has recorded what we would.
        with suppress(FencedOffError):
            ledger.results.record_from_markers(pipeline.name, fence, entries, change, now)
            settled += runs
    reached("recovery-recorded")
    ledger.leases.release_abandoned(pipeline.name, now)
    reached("recovery-released")
    ledger.results.mark_settled(settled)


def _vouched(
    pipeline: Pipeline, runs: Iterable[Run], told: Iterable[Publication]
) -> dict[datetime, RunEntry]:
    """Return the runs whose models the markers all vouch for, and whose end no table waits for."""
    found = sorted(runs, key=lambda run: run.window_start)
    if pipeline.following_tables:
        found.pop()  # they are built in the name of the newest, which therefore is not done
    published = grouped((m.window_start, _vouched_run(m)) for m in told)
    entries = {}
    for run in found:
        models = tuple(published.get(run.window_start, ()))
        done = {model.model for model in models if model.standing in _DONE}
        if done >= {node.name for node in pipeline.windowed}:
            state = worst(model.standing.state for model in models)
            outcome = RunEnd(state, total_rows(models), 0, 0.0, _VOUCHED)
            entries[run.window_start] = RunEntry(models, (), outcome)
    return entries


def _done_by_others(
    pipeline: Pipeline, runs: Iterable[Run], told: Iterable[Publication]
) -> dict[datetime, RunEntry]:
    """Return the runs whose models all have been published since by a later invocation.

    A ledger that was set back knows nothing of it.
    """
    later = grouped((m.window_start, m) for m in told if m.run_id is not None)
    names = {node.name for node in pipeline.windowed}
    return {
        run.window_start: RunEntry(outcome=RunEnd(RunState.CANCELLED, None, 0, 0.0, _BY_OTHERS))
        for run in runs
        if names <= {m.model for m in later.get(run.window_start, ()) if m.fence > (run.fence or 0)}
    }


def _vouched_run(marker: Publication) -> ModelRun:
    """Return the end of the work that a marker testifies."""
    return ModelRun(
        marker.model,
        result_of(marker),
        marker.row_count,
        marker.code_hash,
        published_at=marker.stands_since,
        is_same=marker.is_same,
        checks_hash=marker.checks_hash,
    )
