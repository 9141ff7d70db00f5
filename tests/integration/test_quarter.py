"""The real quarter, end to end, as `make demo` runs it."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import Shop, clone, days

FIRST, LAST = "2017-03-01", "2017-05-31"


def test_the_quarter_has_the_totals_of_the_source(quarter: Shop):
    totals = quarter.query(
        "select count(*), sum(line_count), sum(order_count), sum(revenue) from daily_revenue"
    )
    assert totals == [(92, 371_207, 39_364, Decimal("1154881.57"))]


def test_every_day_equals_its_control_totals(quarter: Shop):
    with (quarter.landing / "control_totals.csv").open() as file:
        control = {
            date.fromisoformat(row["business_date"]): (
                int(row["line_count"]),
                int(row["basket_count"]),
                Decimal(row["sales_value"]),
            )
            for row in csv.DictReader(file)
        }
    published = {
        day: tuple(totals)
        for day, *totals in quarter.query(
            "select sale_date, line_count, order_count, revenue from daily_revenue"
        )
    }
    expected = {day: control[day] for day in days(date(2017, 3, 1), date(2017, 5, 31))}
    assert published == expected


def test_lines_of_unknown_products_stay_and_are_flagged(quarter: Shop):
    unknown = quarter.query(
        "select count(*), count(distinct product_id) from dim_products "
        "right join stg_transactions using (product_id) where dim_products.product_id is null"
    )
    assert unknown == [(1181, 12)]


@pytest.mark.parametrize(
    ("chunk", "last"),
    [pytest.param("1", "2017-03-13", marks=pytest.mark.slow), ("7", "2017-03-18")],
)
def test_the_size_of_the_chunks_does_not_show_in_the_tables(
    quarter: Shop, template: Path, tmp_path: Path, chunk: str, last: str
):
    # A few days, the one of 23 hours among them; all 92 one by one are `make prove-chunks`.
    shop = clone(template, tmp_path / "shop")
    finished = shop.backfill("2017-03-11", last, "--chunk", chunk)
    assert finished.code == 0, finished.out + finished.err
    for table, column in (
        ("stg_transactions", "business_date"),
        ("fct_orders", "business_date"),
        ("daily_revenue", "sale_date"),
        ("daily_department_revenue", "sale_date"),
    ):
        where = f"{column} between '2017-03-11' and '{last}'"
        assert shop.content_hash(table) == quarter.content_hash(table, where), table


@pytest.mark.slow
def test_a_plain_dbt_build_gives_the_same_tables(quarter: Shop, shop: Shop):
    finished = shop.dbt("build")
    assert finished.code == 0, finished.out
    assert shop.hashes() == quarter.hashes()


def test_running_twice_equals_running_once(quarter: Shop, tmp_path: Path):
    shop = clone(quarter.folder, tmp_path / "shop")
    finished = shop.backfill(FIRST, LAST, "--reprocess", "all")
    assert finished.code == 0
    assert "92 runs queued (one per day)" in finished.out
    assert "92 success, 0 incorrect, 0 failed" in finished.out
    assert shop.hashes() == quarter.hashes()


@pytest.mark.slow
def test_neither_empty_nor_a_narrow_refresh_costs_published_rows(quarter: Shop, tmp_path: Path):
    shop = clone(quarter.folder, tmp_path / "shop")
    rehearsed = shop.dbt("build", "--empty")
    assert rehearsed.code == 0, rehearsed.out
    # Tables and views become empty, as dbt has it; what is windowed keeps its rows.
    right = quarter.hashes()
    emptied = {name for name, rows in shop.hashes().items() if rows != right[name]}
    assert emptied == {
        "stg_products",
        "stg_control_totals",
        "dim_products",
        "int_transaction_lines",
    }
    narrow = '{start_date: "2017-03-05", end_date: "2017-03-08"}'
    refused = shop.dbt("build", "--full-refresh", "--vars", narrow)
    assert refused.code != 0
    ((outside,),) = quarter.query(
        "select count(*) from stg_transactions "
        "where business_date not between '2017-03-05' and '2017-03-07'"
    )
    lost = f"would lose {outside} published rows (2017-03-01 to 2017-05-31)"
    assert f"--full-refresh of stg_transactions {lost}" in refused.out
    left = shop.hashes()
    assert {name: left[name] for name in right.keys() - emptied} == {
        name: right[name] for name in right.keys() - emptied
    }
