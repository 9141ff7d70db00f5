"""Show a person how two tables differ: columns, and rows side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from runner.proving.contents import Buckets, literal, opened
from runner.proving.results import SAMPLE_SIZE, Difference, Row
from runner.proving.scope import Relation, Target, quoted


def difference(
    reference: Path, work: Path, target: Target, buckets: Buckets, differing: Sequence[int]
) -> Difference:
    """Compare the rows of the first differing bucket of a model between two files."""
    with opened(":memory:") as connection:
        connection.execute(f"attach {literal(str(reference))} as expected (read_only)")
        connection.execute(f"attach {literal(str(work))} as found (read_only)")
        inside = f"{buckets.of_row(target)} = {differing[0]}"
        comparison = _Comparison(connection, target.relation, inside)
        other_columns = comparison.other_columns
        columns, sample = (other_columns, ()) if other_columns else comparison.rows()
        return Difference(
            where=buckets.label(differing[0]),
            others=len(differing) - 1,
            expected_rows=comparison.count(f"expected.{target.relation} where {inside}"),
            found_rows=comparison.count(f"found.{target.relation} where {inside}"),
            columns=columns,
            header=comparison.header,
            sample=sample,
        )


@dataclass(frozen=True)
class _Comparison:
    """Two tables, attached as `expected` and `found`, and the rows that are compared."""

    connection: duckdb.DuckDBPyConnection
    relation: Relation
    inside: str  # SQL: whether a row is compared

    @property
    def header(self) -> tuple[str, ...]:
        return self._columns("expected")

    @property
    def other_columns(self) -> tuple[str, ...]:
        """The columns that only one of them has."""
        return tuple(sorted({*self._columns("expected")} ^ {*self._columns("found")}))

    def rows(self) -> tuple[tuple[str, ...], tuple[tuple[Row | None, Row | None], ...]]:
        """Return the columns that differ, and some rows side by side."""
        self._keep_what_differs()
        pairs = self._pairs()
        if pairs is None:  # whole rows are missing, or too many
            return (), tuple(self._unpaired())[:SAMPLE_SIZE]
        columns = tuple(column for column in self.header if self._differs(column, pairs))
        width = len(self.header)
        found = self._query(
            f"select m.* exclude (place), e.* exclude (place) from {pairs} "  # noqa: S608
            f"order by all limit {SAMPLE_SIZE}"
        )
        return columns, tuple((row[:width], row[width:]) for row in found)

    def count(self, source: str) -> int:
        """Count the rows of what may stand after FROM."""
        return int(str(self._query(f"select count(*) from {source}")[0][0]))  # noqa: S608

    def _keep_what_differs(self) -> None:
        for name, side, other in (("missing", "expected", "found"), ("extra", "found", "expected")):
            self.connection.execute(
                f"create temp table {name} as "  # noqa: S608
                f"select * from {side}.{self.relation} where {self.inside} "
                f"except all select * from {other}.{self.relation} where {self.inside}"
            )

    def _pairs(self) -> str | None:
        """Join each missing row with the one that came instead, as SQL; None if none can be.

        Rows belong together that agree in the columns which hold the same values on both sides:
        the first few of those that tell the rows apart, else all of them, and then their order.
        """
        row_count = self.count("missing")
        if row_count != self.count("extra"):
            return None
        agreeing = [column for column in self.header if self._agrees(column)]
        prefixes = [agreeing[:size] for size in range(1, len(agreeing) + 1)]
        unique = [columns for columns in prefixes if self._is_unique(columns)]
        key = [quoted(column) for column in (unique[0] if unique else agreeing)]
        parts = f"partition by {', '.join(key)} " if key else ""
        place = f"row_number() over ({parts}order by {', '.join(map(quoted, self.header))})"
        same = "".join(f" and m.{name} is not distinct from e.{name}" for name in key)
        pairs = (
            f"(select {place} as place, * from missing) as m "  # noqa: S608
            f"join (select {place} as place, * from extra) as e on m.place = e.place{same}"
        )
        return pairs if self.count(pairs) == row_count else None

    def _agrees(self, column: str) -> bool:
        """Return True if a column holds the same values in the missing and the extra rows."""
        name = quoted(column)
        return not self.count(
            f"(select {name} from missing except all select {name} from extra)"  # noqa: S608
        )

    def _is_unique(self, columns: Sequence[str]) -> bool:
        names = ", ".join(map(quoted, columns))
        return self.count(f"(select distinct {names} from missing)") == self.count("missing")  # noqa: S608

    def _differs(self, column: str, pairs: str) -> bool:
        name = quoted(column)
        return bool(self.count(f"{pairs} where m.{name} is distinct from e.{name}"))

    def _unpaired(self) -> Iterator[tuple[Row | None, Row | None]]:
        missing = self._query(f"from missing order by all limit {SAMPLE_SIZE}")
        extra = self._query(f"from extra order by all limit {SAMPLE_SIZE}")
        yield from ((row, None) for row in missing[: SAMPLE_SIZE // 2 if extra else SAMPLE_SIZE])
        yield from ((None, row) for row in extra)

    def _columns(self, side: str) -> tuple[str, ...]:
        rows = self.connection.execute(
            "select column_name from duckdb_columns() where database_name = ? "
            "and schema_name = ? and table_name = ? order by column_index",
            [side, self.relation.schema, self.relation.name],
        ).fetchall()
        return tuple(name for (name,) in rows)

    def _query(self, sql: str) -> list[Row]:
        return self.connection.execute(sql).fetchall()
