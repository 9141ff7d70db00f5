"""Verify that a pipeline's tables hold what was published: their rows, window by window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.core.environment import Environment
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.windows import Calendar
from runner.dbt.protocol import Engine, RowDifference
from runner.execution.context import Observer
from runner.execution.recovery import reconcile
from runner.planner import Planner
from runner.warehouse.lock import Access
from runner.warehouse.markers import require_warehouse
from runner.warehouse.reconciliation import is_to_ask, late_windows, stale_tables
from runner.warehouse.tables import changed_tables, standing_tables
from runner.workspace import Workspace


@dataclass(frozen=True)
class DifferentWindow:
    """A window of a model whose rows are not those that were published."""

    model: str
    window: str  # its label; where nothing was published, the local date or UTC hour of the rows
    published: int | None  # rows; None: nothing was published
    found: int  # rows; as many as published: their contents differ


@dataclass(frozen=True)
class Verification:
    """The comparison of a pipeline's tables with what was published."""

    pipeline: str
    compared: Mapping[str, int]  # by model, how many published windows
    different: tuple[DifferentWindow, ...]
    tables: frozenset[str] = frozenset()  # what has no windows and was compared: by name
    changed: Mapping[str, str] = field(default_factory=dict)  # those not as built; why, in words


def verify(
    workspace: Workspace,
    planner: Planner,
    engine: Engine,
    environment: Environment,
    span: Span | None,
    observer: Observer | None = None,
) -> Verification:
    """Compare the windowed models of a pipeline with their markers: how many rows, and which.

    ``span`` is the range of windows; None: all, and what has no windows with how it was built. What
    differs is stale from then on. Raises :class:`runner.core.errors.EngineError` if the warehouse
    cannot be asked.
    """
    pipeline, ledger, project = planner.pipeline, workspace.ledger, workspace.project(engine)
    require_warehouse(project, ledger)
    config, calendar, observer = pipeline.config, pipeline.calendar, observer or Observer()
    timeout = config.timeout
    access = Access(project.warehouse, config.lock_timeout, timeout, environment, observer.waiting)
    if is_to_ask(project, ledger):
        reconcile(project, ledger, engine, access, observer)
    names = {node.unique_id: node.name for node in pipeline.windowed}
    is_there = project.warehouse is None or project.warehouse.exists()
    found: tuple[RowDifference, ...] = ()
    if is_there:  # asking would create the file
        found = access.ask(lambda: engine.verify(names.keys(), span, timeout, contents=True))
    records = ledger.windows.get_records()
    plain = {n.unique_id: n.name for n in pipeline.data_nodes if n.name in records}
    built, standing = ledger.warehouses.get_built(), {}
    if is_there and span is None:
        asked_for = [unique_id for unique_id, name in plain.items() if name in built]
        survey = access.ask(lambda: engine.survey(timeout, asked_for))
        standing = standing_tables(project, survey, set(plain.values()) & built.keys())
    changed = changed_tables(built, standing)
    ledger.windows.make_stale(late_windows(project, found) | stale_tables(changed))
    published = {
        name: records.get(name, Timeline()).where(lambda record: record.has_rows)
        for name in names.values()
    }
    asked = {name: spans & Spans([span]) if span else spans for name, spans in published.items()}
    return Verification(
        pipeline.name,
        {name: sum(map(calendar.count, spans)) for name, spans in asked.items()},
        tuple(_different(calendar, names[one.model], one) for one in found),
        frozenset(standing),
        changed,
    )


def _different(calendar: Calendar, model: str, one: RowDifference) -> DifferentWindow:
    start = one.window_start
    where = calendar.window_at(start).label if start else str(one.window_key)
    return DifferentWindow(model, where, one.published, one.found)
