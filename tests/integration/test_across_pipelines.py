"""What one pipeline has made wrong is not right in another, however many steps behind it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Finished, Shop, clone
from tests.integration.test_truth import AT, FIRST, LAST, by_hand

pytestmark = pytest.mark.slow
PIPELINES = f"""
pipelines:
  till: {{select: "+int_transaction_lines", start: {FIRST}, end: {LAST}, schedule: "0 5 * * *"}}
  orders:
    select: fct_orders
    start: {FIRST}
    end: {LAST}
    schedule: "0 5 * * *"
    after: [till]
  takings:
    select: daily_takings best_days
    start: {FIRST}
    end: {LAST}
    schedule: "0 5 * * *"
    after: [orders]
"""
DAILY_TAKINGS = """
{{ config(
    materialized='incremental', incremental_strategy='overwrite_window',
    event_time='business_date', batch_size='day', begin='2017-03-01', on_schema_change='fail'
) }}
select business_date, sum(revenue) as revenue, max(household_id) as household_id
from {{ ref('fct_orders') }}
where {{ daybreak.in_window('business_date') }}
group by business_date
"""
BEST_DAYS = """
{{ config(materialized='table') }}
select business_date, sum(revenue) as revenue, max(household_id) as household_id
from {{ ref('fct_orders') }}
group by business_date order by revenue desc limit 3
"""
CHECKED = """
models:
  - name: daily_takings
    columns: [{name: business_date, data_tests: [unique]}]
  - name: best_days
    columns: [{name: business_date, data_tests: [unique]}]
"""
LINES = "models/staging/landing/stg_transactions.sql"
OTHER_ROWS = ("        household_id,\n", "        household_id + 1 as household_id,\n")
VARS = f"{{start_date: '{FIRST}', end_date: '2017-03-15'}}"


@pytest.fixture(scope="module")
def baked(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = clone(template, tmp_path_factory.mktemp("baked") / "shop")
    (shop.folder / "pipelines.yml").write_text(PIPELINES)
    models = shop.folder / "models"
    (models / "daily_takings.sql").write_text(DAILY_TAKINGS)
    (models / "best_days.sql").write_text(BEST_DAYS)
    (models / "takings.yml").write_text(CHECKED)
    for pipeline in ("till", "orders", "takings"):
        done = shop.runner("backfill", pipeline)
        assert done.code == 0, done.out + done.err
    return shop.folder


@pytest.fixture
def shop(baked: Path, tmp_path: Path) -> Shop:
    """Five days in three pipelines, each of which reads what the one before makes."""
    return Shop(shutil.copytree(baked, tmp_path / "shop", symlinks=True))


def statuses(shop: Shop, pipeline: str) -> dict[str, dict[str, int]]:
    """How many of the windows of each model are what."""
    plan = json.loads(shop.runner("plan", pipeline, "--format", "json").out)
    found: dict[str, dict[str, int]] = {}
    for model in plan["models"]:
        counts = found.setdefault(model["model"], {})
        for windows in model["windows"]:
            counts[windows["status"]] = counts.get(windows["status"], 0) + windows["count"]
    return {model: dict(sorted(counts.items())) for model, counts in found.items()}


def mended(shop: Shop, pipeline: str) -> Finished:
    return shop.runner("backfill", pipeline, "--reprocess", "stale")


def edit(shop: Shop, file: str, old: str, new: str) -> None:
    path = shop.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def days_of(shop: Shop) -> dict[str, dict[str, int]]:
    """The statuses of the windowed models of all three."""
    found: dict[str, dict[str, int]] = {}
    for pipeline in ("till", "orders", "takings"):
        found |= statuses(shop, pipeline)
    return {model: found[model] for model in ("stg_transactions", "fct_orders", "daily_takings")}


def test_an_edit_is_seen_two_pipelines_further_and_takes_its_way_through_them(shop: Shop):
    edit(shop, LINES, *OTHER_ROWS)
    assert shop.runner("plan", "till").code == 0  # parsed
    assert {tuple(s.items()) for s in days_of(shop).values()} == {(("stale", 5),)}

    early = mended(shop, "takings")
    assert "made from stg_transactions, which is stale" in early.out
    assert "--reprocess stale runs it again" not in early.out
    assert days_of(shop)["daily_takings"] == {"stale": 5}

    before = shop.hashes()
    for pipeline in ("till", "orders", "takings"):
        assert mended(shop, pipeline).code == 0
    assert {tuple(s.items()) for s in days_of(shop).values()} == {(("success", 5),)}
    now = shop.hashes()
    assert {name for name in now if now[name] != before[name]} >= {"daily_takings", "best_days"}


def test_an_edit_that_changes_no_row_costs_only_its_own_pipeline(shop: Shop):
    edit(shop, LINES, "cast(quantity as bigint)", "cast(quantity + 0 as bigint)")
    assert shop.runner("plan", "till").code == 0  # parsed
    assert days_of(shop)["daily_takings"] == {"stale": 5}
    assert mended(shop, "till").code == 0
    assert {tuple(s.items()) for s in days_of(shop).values()} == {(("success", 5),)}


def test_rows_changed_by_hand_are_told_in_every_pipeline_behind(shop: Shop):
    right = shop.hashes()
    by_hand(shop, "delete from stg_transactions where business_date = '2017-03-11'")
    assert "its rows are not those" in shop.runner("backfill", "takings").out
    assert {tuple(s.items()) for s in days_of(shop).values()} == {(("stale", 1), ("success", 4))}
    why = shop.runner("why", "daily_takings", "--window", "2017-03-11")
    assert "stg_transactions" in why.out.split("first cause")[1]

    ticked = shop.runner("tick", "--as-of", AT)
    assert (ticked.code, shop.hashes()) == (0, right), ticked.out
    assert {tuple(s.items()) for s in days_of(shop).values()} == {(("success", 5),)}


def test_what_was_read_from_rows_changed_by_hand_is_read_again(shop: Shop):
    """Published again as it was, the window is not as its readers have read it."""
    right = shop.hashes()
    by_hand(shop, "update fct_orders set household_id = 0 where business_date = '2017-03-11'")
    day = ("--start-date", "2017-03-11", "--end-date", "2017-03-11")
    assert shop.runner("backfill", "takings", *day, "--reprocess", "all").code == 0
    assert shop.hashes()["daily_takings"] != right["daily_takings"]
    assert shop.runner("verify", "orders").code == 3
    assert days_of(shop)["daily_takings"]["stale"] == 1
    assert mended(shop, "orders").code == 0
    assert mended(shop, "takings").code == 0
    assert shop.hashes() == right


def test_a_table_of_another_pipeline_is_built_again_when_its_windows_have_changed(shop: Shop):
    before = shop.content_hash("best_days")
    edit(shop, LINES, *OTHER_ROWS)
    for pipeline in ("till", "orders"):
        assert mended(shop, pipeline).code == 0
    assert statuses(shop, "takings")["best_days"] == {"stale": 1}
    ticked = shop.runner("tick", "--as-of", AT)
    assert ticked.code == 0, ticked.out
    assert statuses(shop, "takings").get("best_days", {}) == {}
    assert shop.content_hash("best_days") != before


def test_a_table_is_built_again_when_others_have_changed_the_windows_it_is_made_from(shop: Shop):
    before = shop.content_hash("best_days")
    edit(shop, LINES, *OTHER_ROWS)
    assert shop.dbt("run", "--select", "+fct_orders", "--vars", VARS).code == 0
    assert mended(shop, "takings").code == 0
    assert shop.content_hash("best_days") != before


VIEW = "models/intermediate/int_transaction_lines.sql"
OTHER_VIEW = (
    "        transactions.household_id,\n",
    "        transactions.household_id + 1 as household_id,\n",
)


def test_windows_wait_for_the_view_of_another_pipeline_that_they_are_read_through(shop: Shop):
    """Its code is theirs: made from the old view, they would count as made by the new one."""
    before = shop.hashes()
    edit(shop, VIEW, *OTHER_VIEW)
    early = mended(shop, "orders")
    assert "fct_orders waits: int_transaction_lines is stale" in early.out
    assert days_of(shop)["fct_orders"] == {"stale": 5}
    assert shop.hashes()["fct_orders"] == before["fct_orders"]

    for pipeline in ("till", "orders"):
        done = mended(shop, pipeline)
        assert done.code in (0, 3), done.out + done.err
    assert days_of(shop)["fct_orders"] == {"success": 5}
    assert shop.hashes()["fct_orders"] != before["fct_orders"]
