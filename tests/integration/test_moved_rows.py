"""Rows that a merge takes over from another window, with the runner: nobody keeps them twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults import bakery as bakeries
from tests.faults.bakery import Bakery

# The bakery's orders; one is changed on another day, with a newer version.
ORDERS = """
{{ config(
    event_time='ordered_on', incremental_strategy='merge', unique_key='order_id',
    version_column='version'
) }}
select order_id, amount, version, ordered_on
from read_csv(
    'data/orders.csv',
    columns = {
        'order_id': 'integer', 'amount': 'integer', 'version': 'integer', 'ordered_on': 'date'
    }
)
where {{ daybreak.in_window('ordered_on') }}
"""
DAILY = """
{{ config(event_time='ordered_on') }}
select ordered_on, count(*) as order_count, cast(sum(amount) as integer) as amount
from {{ ref('orders') }}
where {{ daybreak.in_window('ordered_on') }}
group by ordered_on
"""
SCHEMA = """
models:
  - name: orders
    columns:
      - name: order_id
        data_tests: [not_null, unique]
  - name: daily_orders
    columns:
      - name: ordered_on
        data_tests: [not_null]
"""
PIPELINES = """
pipelines:
  bakery: {select: "+daily_orders", schedule: "0 5 * * *", start: 2026-03-01, end: 2026-03-03}
"""


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    folder = tmp_path / "bakery"
    bakeries.make_template(folder)
    for path in [*folder.glob("models/*"), *folder.glob("seeds/*")]:
        path.unlink()
    (folder / "models" / "orders.sql").write_text(ORDERS)
    (folder / "models" / "daily_orders.sql").write_text(DAILY)
    (folder / "models" / "schema.yml").write_text(SCHEMA)
    (folder / "pipelines.yml").write_text(PIPELINES)
    project = folder / "dbt_project.yml"
    project.write_text(project.read_text().split("seeds:")[0])
    return Bakery(folder)


def land(bakery: Bakery, *orders: tuple[int, int, int, str]) -> None:
    lines = ["order_id,amount,version,ordered_on", *(",".join(map(str, row)) for row in orders)]
    (bakery.folder / "data" / "orders.csv").write_text("\n".join(lines) + "\n")


def known(bakery: Bakery) -> list[tuple[Any, ...]]:
    return bakery.told(
        "select model, standing, is_outdated, substr(window_start, 1, 10) from model_windows "
        "order by model, window_start"
    )


@pytest.mark.slow
def test_a_moved_order_is_counted_once(bakery: Bakery):
    land(bakery, (1, 4, 1, "2026-03-01"), (2, 3, 1, "2026-03-01"), (3, 5, 1, "2026-03-02"))
    assert bakery.bake().code == 0
    assert {row[1:3] for row in known(bakery)} == {("success", 0)}
    # Order 2 is changed on the 3rd.
    land(bakery, (1, 4, 1, "2026-03-01"), (3, 5, 1, "2026-03-02"), (2, 3, 2, "2026-03-03"))
    last = ("--start-date", "2026-03-03", "--end-date", "2026-03-03", "--reprocess", "all")
    moved = bakery.bake(*last)
    assert moved.code == 0, moved.out + moved.err
    said = "orders has taken rows over from 1 window, 2026-03-01"
    assert said in moved.out + moved.err
    days = ("2026-03-01", "2026-03-02", "2026-03-03")
    assert known(bakery) == [
        *(("daily_orders", "success", int(day == days[0]), day) for day in days),
        *(("orders", "published" if day == days[0] else "success", 0, day) for day in days),
    ]
    again = bakery.bake("--reprocess", "stale")
    assert again.code == 0, again.out + again.err
    assert {row[1:3] for row in known(bakery)} == {("success", 0)}
    assert bakery.query("select order_count, amount from daily_orders order by ordered_on") == [
        (1, 4),
        (1, 5),
        (1, 3),
    ]
    verified = bakery.runner("verify", "bakery")
    assert verified.code == 0, verified.out + verified.err
