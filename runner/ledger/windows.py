"""The index of model windows: what is known of each, as ranges, and the changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial

from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger.connection import Connection, Row
from runner.ledger.database import Database
from runner.ledger.inputs import write_inputs
from runner.ledger.records import IndexChange, columns_of, span_of, take_ranges

_KINDS = 2**12  # rows are many, and of few kinds
_FACTS = ("standing", "code_hash", "is_outdated", "reason", "inputs", "has_rows")
_GOOD = (WorkResult.SUCCESS, WorkResult.UNCHECKED, WorkResult.PUBLISHED)


@dataclass
class Windows:
    """The index of every model's windows."""

    database: Database

    def get_records(self) -> dict[str, Timeline[WindowRecord]]:
        """Return what is known of every model's windows, by model."""
        query = "select * from model_windows order by model, window_start"
        with self.database.transaction(reads_only=True) as connection:
            parts: dict[str, list[tuple[Span, WindowRecord]]] = {}
            for row in connection.rows(query):
                parts.setdefault(row["model"], []).append(_part(row))
            return {model: Timeline(found) for model, found in parts.items()}

    def replace_all(
        self, windows: Iterable[tuple[str, Timeline[WindowRecord]]], highest_fence: int = 0
    ) -> None:
        """Forget the index and take another in its place.

        No fence up to ``highest_fence``, which the warehouse has seen, is given again.
        """
        with self.database.transaction() as connection:
            _replace(connection, windows, highest_fence)

    def is_ledger_empty(self) -> bool:
        """Return whether neither a run nor a model's window is known: it is new, or lost."""
        with self.database.transaction(reads_only=True) as connection:
            return _is_empty(connection)

    def fill_empty_ledger(
        self, windows: Iterable[tuple[str, Timeline[WindowRecord]]], highest_fence: int
    ) -> bool:
        """Replace the index as :meth:`replace_all`, unless somebody has written the ledger."""
        with self.database.transaction() as connection:
            is_empty = _is_empty(connection)
            if is_empty:
                _replace(connection, windows, highest_fence)
            return is_empty

    def make_stale(self, late: Mapping[str, Timeline[str]]) -> None:
        """Let what is known of some models' windows be outdated, for reasons in words."""
        with self.database.transaction() as connection:
            apply_change(connection, IndexChange(late=late))

    def accept_change(self, model: str, old: Iterable[str], new: str, now: datetime) -> None:
        """Record that what older code of a model published is as good as by its code now."""
        query = """
            select old_hash from accepted_changes where model = :model and new_hash = :new
        """
        with self.database.transaction() as connection:
            earlier = set(connection.column(query, model=model, new=new))
            accepted = [
                {"model": model, "old_hash": code_hash, "new_hash": new, "accepted_at": now}
                for code_hash in set(old) - earlier
            ]
            connection.insert("accepted_changes", accepted)

    def get_accepted_changes(self) -> dict[str, list[tuple[str, str]]]:
        """Return the accepted changes by model: old and new code hash."""
        query = "select model, old_hash, new_hash from accepted_changes"
        found: dict[str, list[tuple[str, str]]] = {}
        for model, old, new in self.database.select(_accepted_from_row, query):
            found.setdefault(model, []).append((old, new))
        return found


def _accepted_from_row(row: Row) -> tuple[str, str, str]:
    return row["model"], row["old_hash"], row["new_hash"]


def _is_empty(connection: Connection) -> bool:
    queries = ("select id from runs limit 1", "select model from model_windows limit 1")
    return all(connection.row(query) is None for query in queries)


def _replace(
    connection: Connection,
    windows: Iterable[tuple[str, Timeline[WindowRecord]]],
    highest_fence: int,
) -> None:
    raised = "update ledger_version set highest_fence = :fence where highest_fence < :fence"
    connection.change(raised, fence=highest_fence)
    connection.change("delete from model_windows")
    for model, timeline in windows:
        _insert(connection, model, timeline)


def apply_change(connection: Connection, change: IndexChange) -> None:
    """Apply a change within a transaction of the ledger."""
    for model, painted in change.windows.items():
        found = _take_out(connection, model, painted.covered)
        _insert(connection, model, found.painted(painted))
    for model, (span, record) in change.whole.items():
        connection.change("delete from model_windows where model = :model", model=model)
        _insert(connection, model, Timeline([(span, record)]))
    for model, spans in change.outdated.items():
        found = _take_out(connection, model, spans)
        _insert(connection, model, found.changed(spans, _outdated))
    for model, late in change.late.items():
        found = _take_out(connection, model, late.covered)
        for span, why in late:
            found = found.changed(Spans([span]), partial(_outdated, why=why))
        _insert(connection, model, found)
    write_inputs(connection, change.inputs)


def _outdated(record: WindowRecord, why: str | None = None) -> WindowRecord:
    """Return the record as outdated, ``why`` unless there is something worse to say of it."""
    reason = why if why is not None and record.standing in _GOOD else record.reason
    return replace(record, is_outdated=True, reason=reason)


def _take_out(connection: Connection, model: str, spans: Spans) -> Timeline[WindowRecord]:
    """Take out of the table what lies in the range of ``spans``, its neighbours included."""
    return Timeline(map(_part, take_ranges(connection, "model_windows", model, spans)))


def _insert(connection: Connection, model: str, timeline: Timeline[WindowRecord]) -> None:
    rows = [
        {"model": model, **columns_of(span), **{fact: getattr(record, fact) for fact in _FACTS}}
        for span, record in timeline
    ]
    connection.insert("model_windows", rows)


def _part(row: Row) -> tuple[Span, WindowRecord]:
    """Convert a row of ``model_windows``."""
    return span_of(row), _record(*[row[column] for column in _FACTS])


@lru_cache(_KINDS)
def _record(
    standing: str,
    code_hash: str | None,
    is_outdated: object,
    reason: str | None,
    inputs: str | None,
    has_rows: object,
) -> WindowRecord:
    """Make a record, the same one for rows that say the same."""
    return WindowRecord(
        standing=WorkResult(standing),
        code_hash=code_hash,
        is_outdated=bool(is_outdated),
        reason=reason,
        inputs=inputs,
        has_rows=bool(has_rows),
    )
