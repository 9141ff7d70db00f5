"""What the peers read: the real quarter, or till lines that are generated."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb

from peers.environments import PROJECT
from peers.peers import Range

LINES_PER_ORDER = 10
REAL_DAY = Range(date(2017, 3, 1), date(2017, 3, 1))  # for its catalogue
PRODUCTS = 50_000  # the catalogue has more; a step of 97 never meets one twice within an order


def land_real(target: Path, days: Range) -> Path:
    """The real till lines of the days."""
    script = PROJECT / "scripts" / "land_demo_data.py"
    dates = ["--start", f"{days.first}", "--end", f"{days.last}"]
    subprocess.run(
        [sys.executable, script, *dates, "--target", target], check=True, stdout=subprocess.DEVNULL
    )
    return target


def land_generated(target: Path, days: Range, lines: int) -> Path:
    """About so many lines, the same number on every day, and the source's figures of them.

    Orders of ten lines each, from eight in the morning to midnight, of products of the real
    catalogue; the same arguments give the same rows.
    """
    per_day = max(1, round(lines / days.days / LINES_PER_ORDER))
    land_real(target, days=REAL_DAY)
    for path in (target / "transactions").glob("*.parquet"):
        path.unlink()
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"create table catalogue as select product_id, row_number() over (order by product_id)"
            f" - 1 as place from read_parquet('{target}/products.parquet') limit {PRODUCTS}"
        )
        connection.execute("create table totals (business_date date, line_count bigint, "
                           "basket_count bigint, sales_value decimal(18, 2))")  # fmt: skip
        for number in range(days.days):
            _land_day(connection, target, days, number, per_day)
        connection.execute(
            f"copy (from totals order by 1) to '{target}/control_totals.csv' (format csv, header)"
        )
    return target


def _land_day(
    connection: duckdb.DuckDBPyConnection, target: Path, days: Range, number: int, per_day: int
) -> None:
    first = number * per_day  # orders are numbered through, so that the days may be cut anyhow
    day = f"(date '{days.first}' + {number})"
    connection.execute(
        f"""
        create or replace temp table day as
        select
            1 + o % 2500 as household_id,
            1 + o % 400 as store_id,
            1000000000 + o as basket_id,
            catalogue.product_id,
            1 + (o + l) % 3 as quantity,
            (100 + (o * 31 + l * 17) % 900) / 100.0::double as sales_value,
            ((o + l) % 4) / 10.0::double as retail_disc,
            0.0::double as coupon_disc,
            0.0::double as coupon_match_disc,
            1 + {number} // 7 as week,
            timezone('UTC', timezone('America/New_York', {day} + interval '8 hours'
                + to_seconds(57500 - ((o - {first}) * 7919) % 57000))) as transaction_timestamp,
            timezone('UTC', timezone('America/New_York', {day} + interval '26 hours'))
                as extracted_at
        from range({first}, {first + per_day}) as orders(o)
        cross join range({LINES_PER_ORDER}) as lines(l)
        inner join catalogue on catalogue.place = (o * 7919 + l * 97) % {PRODUCTS}
        """
    )
    name = connection.execute(f"select {day}").fetchall()[0][0]
    path = target / "transactions" / f"{name}.parquet"
    connection.execute(f"copy (from day order by basket_id) to '{path}' (format parquet)")
    connection.execute(
        f"insert into totals select {day}, count(*), count(distinct basket_id), "
        f"sum(sales_value::decimal(12, 2)) from day"
    )
