"""Count what a model's table holds, by the column that is to say which day a row belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

_FEW, _MANY = 10, 1_000_000  # rows a day: below, windows are months; above, hours


@dataclass(frozen=True)
class Extent:
    """The rows of a table over time."""

    first: date
    last: date
    rows: int
    type: str  # of the column, as DuckDB names it

    @property
    def batch_size(self) -> str:
        """The windows in which there is enough to do: days, but for very few or very many rows."""
        days = (self.last - self.first).days + 1
        if self.rows / days < _FEW and days > 366:
            return "month"
        is_timed = self.type.startswith("TIMESTAMP")
        return "hour" if is_timed and self.rows / days > _MANY else "day"

    def __str__(self) -> str:
        """Say how much there is of it."""
        days = (self.last - self.first).days + 1
        return f"{self.rows:,} rows over {days:,} days"


def measure(file: Path | None, relation: str, column: str) -> Extent | None:
    """Return the extent of a relation (schema.identifier) in a DuckDB file; None: not to be seen.

    The file is opened to read only, and not at all if somebody writes it.
    """
    if file is None or not file.exists():
        return None
    import duckdb

    schema, _, name = relation.partition(".")
    quoted = column.replace('"', '""')
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            found = connection.execute(
                f'select min("{quoted}")::date, max("{quoted}")::date, count(*),'  # noqa: S608
                f' any_value(typeof("{quoted}")) from "{schema}"."{name}"'
                f' where "{quoted}" is not null'
            ).fetchone()
    except duckdb.Error:
        return None
    if found is None or found[0] is None:
        return None
    return Extent(*found)
