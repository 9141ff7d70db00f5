"""The index of model windows: what is known of each, as ranges, and the changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from runner.core.spans import Span, Spans
from runner.core.standings import Known, Standing
from runner.core.timelines import Timeline
from runner.ledger.database import Database
from runner.ledger.inputs import write_inputs
from runner.ledger.records import IndexChange
from runner.ledger.schema import accepted_changes, ledger_version, model_windows, runs


class Index(Database):
    """What is known of every model's windows."""

    def known(self) -> dict[str, Timeline[Known]]:
        """What is known, by model."""
        with self._transaction(reads_only=True) as connection:
            parts: dict[str, list[tuple[Span, Known]]] = {}
            for row in connection.execute(select(model_windows)):
                parts.setdefault(row.model, []).append(_part(row))
            return {model: Timeline(found) for model, found in parts.items()}

    def replace_index(
        self, windows: Iterable[tuple[str, Timeline[Known]]], highest_fence: int = 0
    ) -> None:
        """Forget the index and take another in its place.

        No fence up to ``highest_fence``, which the warehouse has seen, is given again.
        """
        with self._transaction() as connection:
            _replace(connection, windows, highest_fence)

    def knows_nothing(self) -> bool:
        """Whether neither a run nor a model's window is known: new, or lost."""
        with self._transaction(reads_only=True) as connection:
            return _is_empty(connection)

    def fill(self, windows: Iterable[tuple[str, Timeline[Known]]], highest_fence: int) -> bool:
        """Like :meth:`replace_index`, unless somebody has written the ledger meanwhile."""
        with self._transaction() as connection:
            is_empty = _is_empty(connection)
            if is_empty:
                _replace(connection, windows, highest_fence)
            return is_empty

    def make_stale(self, late: Mapping[str, Timeline[str]]) -> None:
        """Let what is known of some models' windows be outdated, for reasons in words."""
        with self._transaction() as connection:
            apply_change(connection, IndexChange(late=late))

    def accept(self, model: str, old: Iterable[str], new: str, now: datetime) -> None:
        """Record that what older code of a model published is as good as by its code now."""
        to_this = accepted_changes.c.model == model, accepted_changes.c.new_hash == new
        with self._transaction() as connection:
            query = select(accepted_changes.c.old_hash).where(*to_this)
            earlier: set[str] = set(connection.execute(query).scalars())
            accepted = [
                {"model": model, "old_hash": code_hash, "new_hash": new, "accepted_at": now}
                for code_hash in set(old) - earlier
            ]
            if accepted:
                connection.execute(insert(accepted_changes), accepted)

    def accepted(self) -> dict[str, list[tuple[str, str]]]:
        """The accepted changes by model: old and new code hash."""
        with self._transaction(reads_only=True) as connection:
            rows = connection.execute(select(accepted_changes)).all()
        found: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            found.setdefault(row.model, []).append((row.old_hash, row.new_hash))
        return found


def _is_empty(connection: Connection) -> bool:
    keys = (runs.c.id, model_windows.c.model)
    return all(connection.execute(select(key).limit(1)).first() is None for key in keys)


def _replace(
    connection: Connection, windows: Iterable[tuple[str, Timeline[Known]]], highest_fence: int
) -> None:
    is_lower = ledger_version.c.highest_fence < highest_fence
    raised = update(ledger_version).values(highest_fence=highest_fence)
    connection.execute(raised.where(is_lower))
    connection.execute(delete(model_windows))
    for model, timeline in windows:
        _insert(connection, model, timeline)


def apply_change(connection: Connection, change: IndexChange) -> None:
    """Apply a change within a transaction of the ledger."""
    for model, painted in change.windows.items():
        spans = Spans(span for span, _ in painted)
        if spans:
            _insert(connection, model, _taken_out(connection, model, spans).painted(painted))
    for model, (span, known) in change.whole.items():
        connection.execute(delete(model_windows).where(model_windows.c.model == model))
        _insert(connection, model, Timeline([(span, known)]))
    for model, spans in change.outdated.items():
        if spans:
            found = _taken_out(connection, model, spans)
            _insert(connection, model, found.changed(spans, _outdated))
    for model, late in change.late.items():
        spans = Spans(span for span, _ in late)
        if spans:
            found = _taken_out(connection, model, spans)
            for span, why in late:
                found = found.changed(Spans([span]), partial(_outdated, why=why))
            _insert(connection, model, found)
    write_inputs(connection, change.inputs)


def _outdated(known: Known, why: str | None = None) -> Known:
    """Outdated; ``why`` is kept unless there is something worse to say of it."""
    is_good = known.standing in (Standing.SUCCESS, Standing.UNCHECKED, Standing.PUBLISHED)
    reason = why if why is not None and is_good else known.reason
    return replace(known, is_outdated=True, reason=reason)


def _taken_out(connection: Connection, model: str, spans: Spans) -> Timeline[Known]:
    """Take out of the table what lies in the range of ``spans``, its neighbours included."""
    bounds = [bound for span in spans for bound in (span.start, span.end)]
    touching = (
        model_windows.c.model == model,
        model_windows.c.window_start <= bounds[-1],
        model_windows.c.window_end >= bounds[0],
    )
    found = Timeline(
        _part(row) for row in connection.execute(select(model_windows).where(*touching))
    )
    connection.execute(delete(model_windows).where(*touching))
    return found


def _insert(connection: Connection, model: str, timeline: Timeline[Known]) -> None:
    rows = [
        {
            "model": model,
            "window_start": span.start,
            "window_end": span.end,
            "standing": known.standing,
            "code_hash": known.code_hash,
            "is_outdated": known.is_outdated,
            "reason": known.reason,
            "inputs": known.inputs,
            "has_rows": known.has_rows,
        }
        for span, known in timeline
    ]
    if rows:
        connection.execute(insert(model_windows), rows)


def _part(row: Row[Any]) -> tuple[Span, Known]:
    """The only conversion from a row of ``model_windows``."""
    known = Known(
        standing=Standing(row.standing),
        code_hash=row.code_hash,
        is_outdated=row.is_outdated,
        reason=row.reason,
        inputs=row.inputs,
        has_rows=row.has_rows,
    )
    return Span(row.window_start, row.window_end), known
