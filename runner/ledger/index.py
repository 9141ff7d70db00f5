"""The index of model windows: what is known of each, as ranges, and the changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger.connection import Connection, Row
from runner.ledger.database import Database
from runner.ledger.inputs import write_inputs
from runner.ledger.records import IndexChange, span_of

_TOUCHING = "where model = :model and window_start <= :last and window_end >= :first"
_INSERT = """
    insert into model_windows (
        model, window_start, window_end, standing, code_hash, is_outdated, reason, inputs, has_rows
    )
    values (
        :model, :window_start, :window_end, :standing, :code_hash, :is_outdated, :reason, :inputs,
        :has_rows
    )
"""


class Index(Database):
    """What is known of every model's windows."""

    def known(self) -> dict[str, Timeline[WindowRecord]]:
        """What is known, by model."""
        with self._transaction(reads_only=True) as connection:
            parts: dict[str, list[tuple[Span, WindowRecord]]] = {}
            known = _Knowns()
            for row in connection.rows("select * from model_windows order by model, window_start"):
                parts.setdefault(row["model"], []).append((span_of(row), known.of(row)))
            return {model: Timeline(found) for model, found in parts.items()}

    def replace_index(
        self, windows: Iterable[tuple[str, Timeline[WindowRecord]]], highest_fence: int = 0
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

    def fill(
        self, windows: Iterable[tuple[str, Timeline[WindowRecord]]], highest_fence: int
    ) -> bool:
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
        query = """
            select old_hash from accepted_changes where model = :model and new_hash = :new
        """
        inserted = """
            insert into accepted_changes (model, old_hash, new_hash, accepted_at)
            values (:model, :old, :new, :now)
        """
        with self._transaction() as connection:
            earlier = set(connection.column(query, model=model, new=new))
            connection.change_each(
                inserted,
                [
                    {"model": model, "old": code_hash, "new": new, "now": now}
                    for code_hash in set(old) - earlier
                ],
            )

    def accepted(self) -> dict[str, list[tuple[str, str]]]:
        """The accepted changes by model: old and new code hash."""
        query = "select model, old_hash, new_hash from accepted_changes"
        with self._transaction(reads_only=True) as connection:
            rows = connection.rows(query)
        found: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            found.setdefault(row["model"], []).append((row["old_hash"], row["new_hash"]))
        return found


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
        spans = painted.covered
        if spans:
            _insert(connection, model, _taken_out(connection, model, spans).painted(painted))
    for model, (span, known) in change.whole.items():
        connection.change("delete from model_windows where model = :model", model=model)
        _insert(connection, model, Timeline([(span, known)]))
    for model, spans in change.outdated.items():
        if spans:
            found = _taken_out(connection, model, spans)
            _insert(connection, model, found.changed(spans, _outdated))
    for model, late in change.late.items():
        spans = late.covered
        if spans:
            found = _taken_out(connection, model, spans)
            for span, why in late:
                found = found.changed(Spans([span]), partial(_outdated, why=why))
            _insert(connection, model, found)
    write_inputs(connection, change.inputs)


def _outdated(known: WindowRecord, why: str | None = None) -> WindowRecord:
    """Outdated; ``why`` is kept unless there is something worse to say of it."""
    is_good = known.standing in (WorkResult.SUCCESS, WorkResult.UNCHECKED, WorkResult.PUBLISHED)
    reason = why if why is not None and is_good else known.reason
    return replace(known, is_outdated=True, reason=reason)


def _taken_out(connection: Connection, model: str, spans: Spans) -> Timeline[WindowRecord]:
    """Take out of the table what lies in the range of ``spans``, its neighbours included."""
    bounds = [bound for span in spans for bound in (span.start, span.end)]
    touching: dict[str, object] = {"model": model, "first": bounds[0], "last": bounds[-1]}
    rows = connection.rows(f"select * from model_windows {_TOUCHING}", **touching)
    known = _Knowns()
    found = Timeline((span_of(row), known.of(row)) for row in rows)
    connection.change(f"delete from model_windows {_TOUCHING}", **touching)
    return found


def _insert(connection: Connection, model: str, timeline: Timeline[WindowRecord]) -> None:
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
    connection.change_each(_INSERT, rows)


class _Knowns:
    """What is known of windows; the same of many, which are rows of few kinds."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], WindowRecord] = {}

    def of(self, row: Row) -> WindowRecord:
        """The only conversion from a row of ``model_windows``."""
        facts = (
            row["standing"],
            row["code_hash"],
            row["is_outdated"],
            row["reason"],
            row["inputs"],
            row["has_rows"],
        )
        known = self._found.get(facts)
        if known is None:
            standing, code_hash, is_outdated, reason, inputs, has_rows = facts
            known = self._found[facts] = WindowRecord(
                standing=WorkResult(standing),
                code_hash=code_hash,
                is_outdated=bool(is_outdated),
                reason=reason,
                inputs=inputs,
                has_rows=bool(has_rows),
            )
        return known
