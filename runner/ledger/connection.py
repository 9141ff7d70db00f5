"""Speak SQL within a transaction: a statement and its named values go in, typed rows come out.

The SQL of the ledger is plain and the same for every database. Values are named: ``:pipeline``,
and ``in :models`` for any number of them. ``ledger_now(:seconds)`` is the database's own clock,
plus some seconds: leases trust no other. What a database could take for the name of a value, as
``::``, ``%``, or a colon in a literal, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from runner.ledger.dialects import Dialect


class Row(Protocol):
    """A row of an answer; its values by the names of their columns."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column, as the database keeps it."""


class Cursor(Protocol):
    """What a statement has brought."""

    @property
    def rowcount(self) -> int:
        """How many rows it has changed."""

    def execute(self, sql: Any, values: Any = ..., /) -> object:
        """Execute one statement."""

    def executemany(self, sql: Any, values: Any, /) -> object:
        """Execute one statement for each of some sets of values."""

    def fetchall(self) -> list[Any]:
        """Its rows."""

    def close(self) -> None:
        """Forget it."""


class Raw(Protocol):
    """A connection as sqlite3 and psycopg give it, which begins no transaction by itself."""

    def cursor(self) -> Cursor:
        """Something that executes statements."""

    def commit(self) -> None:
        """Keep what was done."""

    def rollback(self) -> None:
        """Undo what was done."""

    def close(self) -> None:
        """Give it back."""


class Connection:
    """A connection to the ledger's database, within a transaction."""

    def __init__(self, raw: Raw, dialect: Dialect) -> None:
        self._raw = raw
        self.dialect = dialect

    def rows(self, sql: str, **values: object) -> list[Row]:
        """All rows of an answer."""
        cursor = self._executed(sql, values)
        try:
            return cursor.fetchall()
        finally:
            cursor.close()

    def row(self, sql: str, **values: object) -> Row | None:
        """The first row of an answer, None if there is none."""
        return next(iter(self.rows(sql, **values)), None)

    def value(self, sql: str, **values: object) -> Any:
        """The first value of an answer, None if there is none."""
        return next(iter(self.column(sql, **values)), None)

    def column(self, sql: str, **values: object) -> list[Any]:
        """The first value of each row of an answer."""
        found: list[Any] = self.rows(sql, **values)
        return [row[0] for row in found]

    def change(self, sql: str, **values: object) -> int:
        """Change something; returns how many rows were."""
        cursor = self._executed(sql, values)
        try:
            return cursor.rowcount
        finally:
            cursor.close()

    def change_each(self, sql: str, rows: Iterable[Mapping[str, object]]) -> int:
        """Change something for each of some sets of values; returns how many rows were."""
        bound = [self.dialect.bound(row) for row in rows]
        if not bound:
            return 0
        cursor = self._raw.cursor()
        try:
            cursor.executemany(self.dialect.translated(sql), bound)
            return cursor.rowcount
        finally:
            cursor.close()

    def _executed(self, sql: str, values: Mapping[str, object]) -> Cursor:
        cursor = self._raw.cursor()
        if values:
            cursor.execute(self.dialect.translated(sql), self.dialect.bound(values))
        else:
            cursor.execute(sql)
        return cursor
