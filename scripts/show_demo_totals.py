"""Show what the demo has published: its totals, and a content hash of every table.

Run it twice around a second ``make demo``: the same hashes say that running twice equals
running once. The snapshot and the markers carry times of their own and are left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import duckdb

WAREHOUSE = Path(os.environ.get("DAYBREAK_WAREHOUSE", "data/warehouse.duckdb"))
OWN_TIMES = ("daybreak_publications", "daybreak_schemas", "daybreak_warehouse", "products_snapshot")


def main() -> None:
    """Print the totals of ``daily_revenue``, then a line for every table and view."""
    if not WAREHOUSE.exists():
        sys.exit(f"there is no {WAREHOUSE}: run `make demo` first")
    with duckdb.connect(str(WAREHOUSE), read_only=True) as connection:
        dates, lines, orders, revenue = connection.execute(
            "select count(*), sum(line_count), sum(order_count), sum(revenue) from daily_revenue"
        ).fetchone() or (0, 0, 0, 0)
        print(f"daily_revenue: {dates} dates, {lines:,} lines, {orders:,} orders, {revenue:,}")
        for table, (rows, digest) in content_hashes(connection).items():
            print(f"{table:<26} {rows:>9,} rows  {digest}")


def content_hashes(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, str]]:
    """Rows and content hash of every table and view, those with times of their own left out."""
    tables = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'main' order by 1"
    ).fetchall()
    return {table: content_hash(connection, table) for (table,) in tables if table not in OWN_TIMES}


def content_hash(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, str]:
    """Rows, and a digest that is equal for equal rows in whatever order they lie."""
    found = connection.execute(
        f"select count(*), sum(hash(t)::hugeint), bit_xor(hash(t)) from {table} as t"
    ).fetchone()
    rows, total, parity = found or (0, 0, 0)
    return rows, f"{(total or 0) % (1 << 64):016x}{parity or 0:016x}"


if __name__ == "__main__":
    main()
