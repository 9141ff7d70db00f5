"""The index of model windows: what is known of each, as ranges, and the changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from uuid import uuid4

from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger.connection import Connection, Row
from runner.ledger.database import Database
from runner.ledger.inputs import write_inputs
from runner.ledger.records import IndexChange, columns_of, record_of, span_of, take_ranges

_KINDS = 2**12  # rows are many, and of few kinds
_FACTS = tuple(field.name for field in fields(WindowRecord))
_IS_EMPTY = "select not exists (select 1 from runs) and not exists (select 1 from model_windows)"
_TOUCHED = "a merge has taken rows over from it since it was judged"

Index = Iterable[tuple[str, Timeline[WindowRecord]]]  # models, and what is known of their windows


@dataclass
class Windows:
    """The index of every model's windows."""

    database: Database

    def get_records(self) -> dict[str, Timeline[WindowRecord]]:
        """Return what is known of every model's windows, by model."""
        query = "select * from model_windows order by model, window_start"
        with self.database.transaction(reads_only=True) as connection:
            by_model = groupby(connection.rows(query), itemgetter("model"))
            return {model: Timeline(map(_part, rows)) for model, rows in by_model}

    def replace_all(self, windows: Index, highest_fence: int = 0) -> None:
        """Forget the index and take another in its place.

        No fence up to ``highest_fence``, which the warehouse has seen, is given again.
        """
        with self.database.transaction() as connection:
            _replace(connection, windows, highest_fence)

    def is_ledger_empty(self) -> bool:
        """Return whether neither a run nor a model's window is known: it is new, or lost."""
        return bool(self.database.value(_IS_EMPTY))

    def make_stale(self, late: Mapping[str, Timeline[str]]) -> None:
        """Let what is known of some models' windows be outdated, for reasons in words."""
        with self.database.transaction() as connection:
            apply_change(connection, IndexChange(late=late))

    def accept_change(self, model: str, old: Iterable[str], new: str, now: datetime) -> None:
        """Record that what older code of a model published is as good as by its code now."""
        query = "select old_hash from accepted_changes where model = :model and new_hash = :new"
        change = {"model": model, "new_hash": new, "accepted_at": now}
        with self.database.transaction() as connection:
            added = set(old).difference(connection.column(query, model=model, new=new))
            connection.insert("accepted_changes", [{**change, "old_hash": one} for one in added])

    def get_accepted_changes(self) -> dict[str, list[tuple[str, str]]]:
        """Return the accepted changes by model: old and new code hash."""
        with self.database.transaction(reads_only=True) as connection:
            rows = connection.rows("select * from accepted_changes")
            return grouped((row["model"], (row["old_hash"], row["new_hash"])) for row in rows)


def _replace(connection: Connection, windows: Index, highest_fence: int) -> None:
    raise_fence(connection, highest_fence)
    connection.change("delete from model_windows")
    for model, timeline in windows:
        _insert(connection, model, timeline)


def raise_fence(connection: Connection, seen: int) -> None:
    """Let no fence up to one that the warehouse has seen be given again."""
    raised = "update ledger_version set highest_fence = :fence where highest_fence < :fence"
    connection.change(raised, fence=seen)


def replace_model(connection: Connection, model: str, timeline: Timeline[WindowRecord]) -> None:
    """Let a timeline be all that is known of a model, within a transaction of the ledger."""
    connection.change("delete from model_windows where model = :model", model=model)
    _insert(connection, model, timeline)


def apply_change(connection: Connection, change: IndexChange) -> None:
    """Apply a change within a transaction of the ledger."""
    for model, painted in change.windows.items():
        found = _take_out(connection, model, painted.covered)
        _insert(connection, model, found.painted(_still_published(painted, found)))
    for model, part in change.whole.items():
        replace_model(connection, model, Timeline([part]))
    for model, spans in change.outdated.items():
        found = _take_out(connection, model, spans)
        _insert(connection, model, found.changed(spans, _outdated))
    for model, late in change.late.items():
        found = _take_out(connection, model, late.covered)
        for span, why in late:
            found = found.changed(Spans([span]), partial(_outdated, why=why))
        _insert(connection, model, found)
    for model, touched in change.touched.items():
        found = _take_out(connection, model, touched.covered)
        for span, at in touched:
            found = found.changed(Spans([span]), partial(_touched, at=at))
        _insert(connection, model, found)
    for model, windows in change.inputs.items():
        write_inputs(connection, model, windows)
    for model, relation in change.relations.items():
        # What was read of its markers before no longer tells what they are.
        connection.change("delete from relations where model = :model", model=model)
        # Another text each time, so that who has asked the warehouse before sees that it was void.
        void = f"void {uuid4().hex}"
        published = {"model": model, "relation": relation, "markers": void}
        connection.insert("relations", [published])


def _still_published(
    painted: Timeline[WindowRecord], before: Timeline[WindowRecord]
) -> Timeline[WindowRecord]:
    """Return what is painted with the publications that stand: a failure takes none away.

    Judged again, a publication is as outdated as it was.
    """
    for span, record in painted:
        for piece, old in before.touching(span):
            if record.published_at is None:
                kept = partial(replace, published_at=old.published_at)
            elif record.published_at == old.published_at and old.is_outdated:
                kept = partial(_outdated, why=old.reason)
            else:
                continue
            painted = painted.changed(Spans([piece]) & Spans([span]), kept)
    return painted


def _outdated(record: WindowRecord, why: str | None = None) -> WindowRecord:
    """Return the record as outdated, ``why`` unless there is something worse to say of it."""
    reason = why if why is not None and record.standing.is_published else record.reason
    return replace(record, is_outdated=True, reason=reason)


def _touched(record: WindowRecord, at: datetime) -> WindowRecord:
    """Return the record of rows that have changed since they were judged: that is to do again."""
    if not record.has_rows or record.standing is WorkResult.FAILED:
        return replace(record, published_at=at)
    return replace(record, standing=WorkResult.PUBLISHED, reason=_TOUCHED, published_at=at)


def _take_out(connection: Connection, model: str, spans: Spans) -> Timeline[WindowRecord]:
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
def _record(*facts: object) -> WindowRecord:
    """Make a record, the same one for rows that say the same."""
    return record_of(WindowRecord, dict(zip(_FACTS, facts, strict=True)))
