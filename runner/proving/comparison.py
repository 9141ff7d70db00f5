"""Show a person how two tables differ: columns, and rows side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path

import duckdb

from runner.proving.contents import Buckets, lasting, literal, opened
from runner.proving.results import SAMPLE_SIZE, Difference, Row
from runner.proving.scope import Target, quoted


def difference(
    reference: Path, work: Path, target: Target, buckets: Buckets, differing: Sequence[int]
) -> Difference:
    """Compare the rows of the first differing bucket of a model between two files."""
    with opened(":memory:") as connection:
        for side, file in (("expected", reference), ("found", work)):
            connection.execute(f"attach {literal(str(file))} as {side}_file (read_only)")
            connection.execute(
                f"create view {side} as from {lasting(connection, target, f'{side}_file.')} "
                f"where {buckets.of_row(target)} = {differing[0]}"
            )
        comparison = _Comparison(connection)
        other_columns = {*comparison.header} ^ {*connection.sql("from found").columns}
        columns, sample = (sorted(other_columns), ()) if other_columns else comparison.rows()
        return Difference(
            where=buckets.label(differing[0]),
            others=len(differing) - 1,
            expected_rows=comparison.count("expected"),
            found_rows=comparison.count("found"),
            columns=tuple(columns),
            header=comparison.header,
            sample=tuple(sample),
        )


class _Comparison:
    """Two views of the rows that are compared, `expected` and `found`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.header = tuple(connection.sql("from expected").columns)

    def rows(self) -> tuple[list[str], Iterable[tuple[Row | None, Row | None]]]:
        """Return the columns that differ, and some rows side by side."""
        for name, side, other in (("missing", "expected", "found"), ("extra", "found", "expected")):
            rows = f"(from {side}) except all (from {other})"
            self._connection.execute(f"create temp table {name} as {rows}")
        pairs = self._pairs()
        if pairs is None:  # whole rows are missing, or too many
            return [], [*self._unpaired()][:SAMPLE_SIZE]
        columns = self._columns_where("bool_or(m.{0} is distinct from e.{0})", f"from {pairs}")
        found = self._query(
            f"select m.* exclude (place), e.* exclude (place) from {pairs} "  # noqa: S608
            f"order by all limit {SAMPLE_SIZE}"
        )
        width = len(self.header)
        return columns, [(row[:width], row[width:]) for row in found]

    def count(self, source: str) -> int:
        """Count the rows of what may stand after FROM."""
        return int(str(self._query(f"select count(*) from {source}")[0][0]))  # noqa: S608

    def _pairs(self) -> str | None:
        """Join each missing row with the one that came instead, as SQL; None if none can be.

        Rows belong together that agree in the columns which hold the same values on both sides:
        the first few of those that tell the rows apart, else all of them, and then their order.
        """
        row_count = self.count("missing")
        if row_count != self.count("extra"):
            return None
        agreeing = self._columns_where(
            "not exists (select {0} from missing except all select {0} from extra)"
        )
        names = [quoted(column) for column in agreeing]
        prefixes = (names[:size] for size in range(1, len(names) + 1))
        key = next((some for some in prefixes if self._count_distinct(some) == row_count), names)
        parts = f"partition by {', '.join(key)} " if key else ""
        place = f"row_number() over ({parts}order by {', '.join(map(quoted, self.header))})"
        same = "".join(f" and m.{name} is not distinct from e.{name}" for name in key)
        pairs = (
            f"(select {place} as place, * from missing) as m "  # noqa: S608
            f"join (select {place} as place, * from extra) as e on m.place = e.place{same}"
        )
        return pairs if self.count(pairs) == row_count else None

    def _count_distinct(self, names: Sequence[str]) -> int:
        return self.count(f"(select distinct {', '.join(names)} from missing)")  # noqa: S608

    def _unpaired(self) -> Iterator[tuple[Row | None, Row | None]]:
        missing, extra = (
            self._query(f"from {name} order by all limit {SAMPLE_SIZE}")
            for name in ("missing", "extra")
        )
        yield from ((row, None) for row in missing[: SAMPLE_SIZE // 2 if extra else SAMPLE_SIZE])
        yield from ((None, row) for row in extra)

    def _columns_where(self, condition: str, source: str = "") -> list[str]:
        """Return the columns, `{0}` in an SQL condition, for which it holds."""
        conditions = ", ".join(condition.format(quoted(column)) for column in self.header)
        return list(compress(self.header, self._query(f"select {conditions} {source}")[0]))

    def _query(self, sql: str) -> list[Row]:
        return self._connection.execute(sql).fetchall()
