"""Speak SQL within a transaction: a statement and its named values go in, typed rows come out.

The SQL of the ledger is plain and the same for every database. Values are named: ``:pipeline``,
and ``in :models`` for any number of them. ``ledger_now(:seconds)`` is the database's own clock,
plus some seconds: leases trust no other. What a database could take for the name of a value, as
``::``, ``%``, or a colon in a literal, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from runner.ledger.dialects import Dialect, Raw

if TYPE_CHECKING:
    from _typeshed import SupportsKeysAndGetItem


Row: TypeAlias = "SupportsKeysAndGetItem[str, Any]"  # the values of an answer, by column


class Connection:
    """A connection to the ledger's database, within a transaction."""

    def __init__(self, raw: Raw, dialect: Dialect) -> None:
        self._raw = raw
        self.dialect = dialect

    def rows(self, sql: str, **values: object) -> list[Row]:
        """Return all rows of an answer."""
        return list(self._executed(sql, values).fetchall())

    def row(self, sql: str, **values: object) -> Row | None:
        """Return the first row of an answer, None if there is none."""
        return next(iter(self.rows(sql, **values)), None)

    def column(self, sql: str, **values: object) -> list[Any]:
        """Return the first value of each row of an answer."""
        return [row[next(iter(row.keys()))] for row in self.rows(sql, **values)]

    def value(self, sql: str, **values: object) -> Any:
        """Return the first value of an answer, None if there is none."""
        return next(iter(self.column(sql, **values)), None)

    def change(self, sql: str, **values: object) -> int:
        """Execute a statement that changes rows; returns how many."""
        return int(self._executed(sql, values).rowcount)

    def change_each(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Execute a statement for each of some sets of values."""
        if bound := [self.dialect.bound(row) for row in rows]:
            self._raw.cursor().executemany(self.dialect.translated(sql), bound)

    def insert(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Insert rows, each the values of the same columns by name."""
        if found := list(rows):
            columns = ", ".join(found[0])
            values = ", ".join(f":{column}" for column in found[0])
            self.change_each(f"insert into {table} ({columns}) values ({values})", found)

    def replace(self, table: str, rows: Iterable[Mapping[str, object]], **key: object) -> None:
        """Insert rows in place of those whose columns have the values of a key."""
        where = " and ".join(f"{column} = :{column}" for column in key)
        self.change(f"delete from {table} where {where}", **key)
        self.insert(table, rows)

    def _executed(self, sql: str, values: Mapping[str, object]) -> Any:
        """Execute a statement and return its cursor."""
        if not values:
            return self._raw.execute(sql)
        return self._raw.execute(self.dialect.translated(sql), self.dialect.bound(values))
