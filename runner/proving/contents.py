"""Copy what the DuckDB files of a proof hold, store it in another order, and hash it.

Rows are compared exactly, floating point numbers to the last bit: a sum of them that depends on
the order of its rows is a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from runner.core.errors import EngineError
from runner.core.windows import Window
from runner.proving.scope import Relation, Target, quoted

Digest = tuple[Any, ...]  # the number of rows, and two sums over the rows' hashes
Digests = Mapping[int, Digest]  # by bucket

NO_WINDOW = -1  # the bucket of rows that lie in none of them, or of a table that has none
_MARKERS = "daybreak_publications"
_ROW = "daybreak_row"  # an alias that no column has


@dataclass(frozen=True)
class Copied:
    """The tables and windows that were found in the real warehouse."""

    present: frozenset[str]  # unique ids of the tables that were there
    starts: frozenset[datetime]  # UTC starts of the windows that have rows, by its markers


@dataclass(frozen=True)
class Buckets:
    """The replayed windows, by index: tell as SQL in which of them a row lies."""

    windows: tuple[Window, ...]
    zone: ZoneInfo  # in which they were cut

    def of_row(self, target: Target) -> str:
        """Return SQL for the index of the window that a row of a model lies in, else `NO_WINDOW`.

        >>> from runner.proving.scope import Relation
        >>> start, end = datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC)
        >>> buckets = Buckets((Window(start, end, "2026-03-01"),), ZoneInfo("America/New_York"))
        >>> print(buckets.of_row(Target("a", "model.a", "", Relation("main", "a"), "sold_on")))
        case when sold_on >= date '2026-03-01' and sold_on < date '2026-03-02' then 0 else -1 end
        """
        if target.event_time is None:
            return str(NO_WINDOW)
        column = target.event_time
        cases = " ".join(
            f"when {column} >= {self._literal(window.start, target.read_as)} "
            f"and {column} < {self._literal(window.end, target.read_as)} then {index}"
            for index, window in enumerate(self.windows)
        )
        return f"case {cases} else {NO_WINDOW} end"

    def label(self, bucket: int) -> str | None:
        """Return the window's label, None for rows of no window."""
        return None if bucket == NO_WINDOW else self.windows[bucket].label

    def _literal(self, bound: datetime, read_as: str) -> str:
        if read_as == "date":
            return f"date '{bound.astimezone(self.zone).date()}'"
        local = bound.astimezone(self.zone if read_as == "local" else UTC).replace(tzinfo=None)
        if read_as == "instant":
            return f"timestamptz '{local}+00'"
        if read_as == "batch":  # becomes whatever the column is
            return f"'{local}+00:00'"
        return f"timestamp '{local}'"


@contextmanager
def opened(file: Path | str, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a file of the proof; :class:`EngineError` for what DuckDB refuses."""
    try:
        with duckdb.connect(str(file), read_only=read_only) as connection:
            yield connection
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        raise EngineError(
            f"the copies of the warehouse cannot be compared ({reason}): "
            "look at its disk, then run the same command again"
        ) from error


def copy_tables(
    warehouse: Path, file: Path, read: Mapping[str, Relation], models: Collection[str]
) -> Copied:
    """Copy tables, by unique id, into a new file; see which windows of ``models`` have rows.

    The warehouse is opened to be read, which keeps writers out and changes nothing in it. Raises
    :class:`duckdb.IOException` if somebody is writing it.
    """
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"attach {literal(str(warehouse))} as original (read_only)")
        present = _tables(connection, "original")
        found = {key: relation for key, relation in read.items() if relation in present}
        for relation in found.values():
            connection.execute(f"create schema if not exists {quoted(relation.schema)}")
            connection.execute(f"create table {relation} as from original.{relation}")
        starts: set[datetime] = set()
        for markers in (relation for relation in present if relation.name == _MARKERS):
            rows = connection.execute(
                f"select distinct window_start from original.{markers} "  # noqa: S608
                "where row_count > 0 and list_contains(?, model)",
                [list(models)],
            ).fetchall()
            starts |= {start.replace(tzinfo=UTC) for (start,) in rows}
        return Copied(frozenset(found), frozenset(starts))


def shuffle(file: Path, relations: Iterable[Relation] | None, seed: int) -> None:
    """Store the rows of some tables, None: of all, in another order; their contents stay."""
    with opened(file) as connection:
        for relation in _present(connection, relations):
            order = f"order by hash(rowid + {seed + 1})"
            _store(connection, relation, f"from {relation} {order}")


def reverse(file: Path, relations: Iterable[Relation] | None, like: Path) -> None:
    """Store the rows of some tables, None: of all, in reverse of how another file stores them.

    A table that was made from reversed rows may lie reversed already: to turn it round once more
    would undo that. Rows that the other file does not have come last, as they lie.
    """
    with opened(file) as connection:
        connection.execute(f"attach {literal(str(like))} as other (read_only)")
        there = _tables(connection, "other")
        for relation in _present(connection, relations):
            rows, order = f"{relation} as {_ROW}", f"{_ROW}.rowid desc"
            if relation in there:
                rows += (
                    f" left join (select hash({_ROW}) as content, min(rowid) as place "  # noqa: S608
                    f"from other.{relation} as {_ROW} group by 1) as places "
                    f"on places.content = hash({_ROW})"
                )
                order = f"places.place desc nulls last, {_ROW}.rowid"
            _store(connection, relation, f"select {_ROW}.* from {rows} order by {order}")  # noqa: S608


def _present(
    connection: duckdb.DuckDBPyConnection, relations: Iterable[Relation] | None
) -> list[Relation]:
    """Return those of some tables that are there; None: all that are."""
    present = _tables(connection)
    return sorted(present if relations is None else present.intersection(relations))


def _store(connection: duckdb.DuckDBPyConnection, relation: Relation, query: str) -> None:
    """Let a table hold the rows of a query, in its order."""
    connection.execute(f"create temp table reordered as {query}")
    # Two transactions: in one, a key that is deleted cannot be inserted again.
    connection.execute(f"delete from {relation}")  # noqa: S608
    connection.execute(f"insert into {relation} from reordered")
    connection.execute("drop table temp.reordered")


def digests(file: Path, targets: Iterable[Target], buckets: Buckets) -> dict[str, Digests]:
    """Hash contents by model and window; equal rows have equal hashes in whatever order they lie.

    A model whose table is not there has none.
    """
    found: dict[str, Digests] = {}
    with opened(file, read_only=True) as connection:
        present = _tables(connection)
        for target in targets:
            rows = []
            if target.relation in present:
                rows = connection.execute(
                    f"select {buckets.of_row(target)}, count(*), bit_xor(hash({_ROW})), "  # noqa: S608
                    f"sum(hash({_ROW})::hugeint) from {lasting(connection, target)} as {_ROW} "
                    "group by 1"
                ).fetchall()
            found[target.name] = {bucket: tuple(digest) for bucket, *digest in rows}
    return found


def lasting(connection: duckdb.DuckDBPyConnection, target: Target, catalog: str = "") -> str:
    """Return SQL for the rows of a model without the columns that are meant to differ."""
    relation = f"{catalog}{target.relation}"
    columns = connection.sql(f"from {relation}").columns if target.volatile else ()
    left_out = ", ".join(quoted(name) for name in columns if name.lower() in target.volatile)
    return f"(select * exclude ({left_out}) from {relation})" if left_out else relation  # noqa: S608


def differing(expected: Digests, found: Digests) -> tuple[int, ...]:
    """Return the buckets whose rows are not the same, the windows first and in order.

    >>> differing({0: (2, 5, 7), NO_WINDOW: (1, 1, 1)}, {0: (2, 5, 7), 1: (1, 3, 3)})
    (1, -1)
    """
    other = {b for b in {*expected, *found} if expected.get(b) != found.get(b)}
    return tuple(sorted(other, key=lambda bucket: (bucket == NO_WINDOW, bucket)))


def literal(text: str) -> str:
    """Quote a text as SQL.

    >>> print(literal("Mary's shop"))
    'Mary''s shop'
    """
    return "'" + text.replace("'", "''") + "'"


def _tables(connection: duckdb.DuckDBPyConnection, catalog: str | None = None) -> set[Relation]:
    rows = connection.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = coalesce(?, current_database())",
        [catalog],
    ).fetchall()
    return {Relation(*row) for row in rows}
