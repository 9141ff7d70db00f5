"""`success` means that the rows that stand there are right, whatever happened behind our back."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

import runner
from runner.core.chunks import Chunk
from runner.dbt.target import stamp_of
from runner.ledger import Ledger
from tests.conftest import Finished, Shop, clone
from tests.warm_dbt import forked_servers

FIRST, LAST = "2017-03-10", "2017-03-14"
DAYS = ("--start-date", FIRST, "--end-date", LAST)
AT = "2017-03-15T12:00"


@pytest.fixture(scope="module")
def baked(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = clone(template, tmp_path_factory.mktemp("baked") / "shop")
    assert shop.backfill(FIRST, LAST).code == 0
    return shop.folder


@pytest.fixture
def shop(baked: Path, tmp_path: Path) -> Shop:
    """Five days, published and judged."""
    return Shop(shutil.copytree(baked, tmp_path / "shop", symlinks=True))


@pytest.fixture
def right(shop: Shop) -> dict[str, str]:
    """What the tables hold if nobody meddles."""
    return shop.hashes()


def by_hand(shop: Shop, *statements: str) -> None:
    with duckdb.connect(str(shop.warehouse)) as warehouse:
        for statement in statements:
            warehouse.execute(statement)


def statuses(shop: Shop) -> dict[str, dict[str, int]]:
    """How many of the five days of each model are what."""
    plan = json.loads(shop.runner("plan", "orders_pipeline", *DAYS, "--format", "json").out)
    return {
        model["model"]: {
            status: sum(w["count"] for w in model["windows"] if w["status"] == status)
            for status in sorted({w["status"] for w in model["windows"]})
        }
        for model in plan["models"]
    }


def let_it_end(shop: Shop) -> None:
    """Let the pipeline have these five days and no others."""
    pipelines = shop.folder / "pipelines.yml"
    text = pipelines.read_text().replace("2017-03-01", FIRST).replace("2017-12-31", LAST)
    pipelines.write_text(text)


def mended(shop: Shop) -> Finished:
    return shop.backfill(FIRST, LAST, "--reprocess", "stale")


def published(shop: Shop, model: str) -> list[tuple[Any, ...]]:
    return shop.query(
        "select window_start, row_count, contents from daybreak_publications "
        f"where model = '{model}' order by 1"
    )


WINDOWED = {
    "stg_transactions": "business_date",
    "fct_orders": "business_date",
    "daily_revenue": "sale_date",
    "daily_department_revenue": "sale_date",
}
MEDDLING = {
    "rows deleted": "delete from {model} where {day} = '2017-03-11'",
    "a row inserted": "insert into {model} from {model} where {day} = '2017-03-11' limit 1",
    "the table emptied": "delete from {model}",
    "the table made again with less": "create or replace table {model} as "
    "select * from {model} where {day} < '2017-03-12'",
}


@pytest.mark.parametrize(
    ("model", "day"),
    [
        pytest.param("stg_transactions", "business_date", marks=pytest.mark.slow),
        ("daily_revenue", "sale_date"),
    ],
)
@pytest.mark.parametrize(
    "meddling",
    ["rows deleted", *(pytest.param(m, marks=pytest.mark.slow) for m in [*MEDDLING][1:])],
)
def test_rows_changed_by_hand_are_found_by_the_next_backfill(
    shop: Shop, right: dict[str, str], model: str, day: str, meddling: str
):
    by_hand(shop, MEDDLING[meddling].format(model=model, day=day))
    found = mended(shop)
    assert "its rows are not those that were published" in found.out
    assert (found.code, shop.hashes()) == (0, right)
    assert {tuple(s) for s in statuses(shop).values()} == {("success",)}


@pytest.mark.slow
def test_values_changed_by_hand_are_found_by_verify(shop: Shop, right: dict[str, str]):
    """As many rows as before: only their contents tell."""
    assert shop.runner("verify", "orders_pipeline").code == 0
    by_hand(shop, "update fct_orders set revenue = 0 where business_date = '2017-03-11'")
    found = shop.runner("verify", "orders_pipeline", "--format", "json")
    assert found.code == 3
    (different,) = json.loads(found.out)["different"]
    assert (different["model"], different["window"]) == ("fct_orders", "2017-03-11")
    assert (different["published"], different["found"]) == (different["found"],) * 2
    assert different["differs"] == "contents"
    assert statuses(shop)["fct_orders"] == {"stale": 1, "success": 4}
    assert mended(shop).code == 0
    assert shop.hashes() == right
    assert shop.runner("verify", "orders_pipeline").code == 0


@pytest.mark.slow
def test_verify_looks_at_the_dates_that_it_is_given(shop: Shop):
    by_hand(shop, "delete from fct_orders where business_date = '2017-03-11'")
    late = "verify", "orders_pipeline", "--start-date", "2017-03-12", "--end-date", LAST
    assert shop.runner(*late).code == 0
    early = "verify", "orders_pipeline", "--start-date", FIRST, "--end-date", "2017-03-11"
    assert shop.runner(*early).code == 3


@pytest.mark.slow
def test_rows_where_nothing_was_published_are_told(shop: Shop):
    by_hand(
        shop,
        "insert into fct_orders by name select * replace (date '2016-01-01' as business_date) "
        "from fct_orders limit 2",
    )
    found = shop.runner("verify", "orders_pipeline")
    assert found.code == 3
    assert "fct_orders | 2016-01-01 |           | 2     | nothing was published there" in found.out
    assert "rows where nothing was published: delete them" in found.out
    by_hand(shop, "insert into fct_orders from fct_orders where business_date = '2016-01-01'")
    assert "fct_orders holds 4 rows where nothing was published, 2016-01-01" in mended(shop).out


def test_a_dropped_table_is_missing_and_a_new_day_does_not_hide_it(
    shop: Shop, right: dict[str, str]
):
    by_hand(shop, "drop table daily_revenue")
    day = shop.backfill("2017-03-15", "2017-03-15")
    assert day.code == 0
    assert "5 windows of daily_revenue, 2017-03-10 … 2017-03-14 are missing again" in day.out
    assert "main.daily_revenue is not there" in day.out
    assert statuses(shop)["daily_revenue"] == {"missing": 5}
    assert len(published(shop, "daily_revenue")) == 1
    assert shop.backfill(FIRST, LAST).code == 0
    by_hand(shop, *(f"delete from {m} where {d} > '2017-03-14'" for m, d in WINDOWED.items()))
    assert shop.hashes() == right


@pytest.mark.slow
def test_a_tick_makes_a_dropped_table_again(shop: Shop, right: dict[str, str]):
    by_hand(shop, "drop table daily_revenue")
    let_it_end(shop)
    tick = shop.runner("tick", "--as-of", AT)
    assert tick.code == 0, tick.out + tick.err
    assert shop.hashes() == right
    assert "nothing" in shop.runner("tick", "--as-of", AT).out


@pytest.mark.slow
def test_a_plain_table_that_is_gone_is_built_again(shop: Shop):
    by_hand(shop, "drop table dim_products")
    let_it_end(shop)
    found = shop.runner("backfill", "orders_pipeline")
    assert "dim_products is missing again: main.dim_products is not there" in found.out
    assert shop.query("select count(*) > 0 from dim_products") == [(True,)]


TABLES_CHANGED = {
    "delete from store_closures": "its rows are not those that were built: 1 then, 0 now",
    "alter table dim_products add column x int": "its columns are not those of its build",
    "create or replace view stg_products as select 1 as one": "its query is not the one of its",
}


@pytest.mark.slow
def test_what_has_no_windows_and_was_changed_by_hand_is_built_again(
    shop: Shop, right: dict[str, str]
):
    let_it_end(shop)
    by_hand(shop, *TABLES_CHANGED)
    looked = shop.runner("backfill", "orders_pipeline")
    for said in TABLES_CHANGED.values():
        assert said in looked.out
    assert statuses(shop)["store_closures"] == {"stale": 1}
    assert mended(shop).code == 0
    assert shop.hashes() == right
    assert shop.runner("verify", "orders_pipeline").code == 0


@pytest.mark.slow
def test_tables_and_views_that_an_empty_build_has_emptied_are_built_again(
    shop: Shop, right: dict[str, str]
):
    let_it_end(shop)
    assert shop.dbt("build", "--empty").code == 0
    assert shop.hashes() != right
    assert mended(shop).code == 0
    assert shop.hashes() == right


def test_values_of_a_small_table_are_compared_before_a_run(shop: Shop, right: dict[str, str]):
    let_it_end(shop)
    by_hand(shop, "update dim_products set manufacturer_id = 0 where product_id = 25671")
    assert "dim_products: its rows are not those that were built" in mended(shop).out
    assert shop.hashes() == right


@pytest.mark.slow
def test_values_of_a_table_without_windows_are_compared_by_verify(
    shop: Shop, right: dict[str, str]
):
    let_it_end(shop)
    by_hand(shop, "update dim_products set manufacturer_id = 0 where product_id = 25671")
    found = shop.runner("verify", "orders_pipeline")
    assert found.code == 3
    assert "dim_products: its rows are not those that were built: 92,331 then and now" in found.out
    again = shop.runner("verify", "orders_pipeline", "--format", "json")
    assert json.loads(again.out)["changed"].keys() == {"dim_products"}
    deep = shop.runner("doctor", "--deep")
    assert "dim_products: its rows are not those that were built" in deep.out
    assert mended(shop).code == 0
    assert shop.hashes() == right


@pytest.mark.slow
def test_a_relation_of_another_name_has_nothing_of_the_old(shop: Shop):
    model = shop.folder / "models/marts/sales/daily_revenue.sql"
    text = model.read_text()
    model.write_text("{{ config(alias='revenue_by_day') }}\n" + text)
    assert statuses(shop)["daily_revenue"] == {"missing": 5}
    assert shop.backfill("2017-03-10", "2017-03-11").code == 0
    assert statuses(shop)["daily_revenue"] == {"missing": 3, "success": 2}
    model.write_text(text)
    assert shop.backfill(FIRST, LAST).code == 0
    assert len(shop.query("select * from daily_revenue")) == 5
    assert statuses(shop)["daily_revenue"] == {"success": 5}


@pytest.fixture
def elsewhere(shop: Shop) -> Shop:
    """The same project, but another warehouse."""
    return Shop(shop.folder, {"DAYBREAK_WAREHOUSE": str(shop.folder / "other.duckdb")})


@pytest.mark.slow
def test_another_warehouse_is_another_index(shop: Shop, elsewhere: Shop):
    assert {tuple(s) for s in statuses(elsewhere).values()} == {("missing",)}
    found = elsewhere.backfill(FIRST, "2017-03-11")
    assert (found.code, "2 success" in found.out) == (0, True)
    assert statuses(elsewhere)["daily_revenue"] == {"missing": 3, "success": 2}
    assert statuses(shop)["daily_revenue"] == {"success": 5}
    header = elsewhere.runner("status", "orders_pipeline", "--as-of", AT).out.splitlines()[0]
    assert "other.duckdb" in header


@pytest.mark.slow
def test_a_file_put_in_the_place_of_another_counts_as_what_it_holds(shop: Shop, elsewhere: Shop):
    assert elsewhere.backfill(FIRST, "2017-03-11").code == 0
    shutil.copy(shop.folder / "other.duckdb", shop.warehouse)
    found = shop.backfill("2017-03-12", LAST)
    assert "this is another warehouse than the last time" in found.out
    assert "3 windows of daily_revenue, 2017-03-12 … 2017-03-14 are missing again" in found.out
    assert (found.code, "3 success" in found.out) == (0, True)
    assert len(shop.query("select * from daily_revenue")) == 5


@pytest.mark.slow
def test_a_backup_from_before_a_day_was_published_has_it_run_again(
    shop: Shop, right: dict[str, str]
):
    backup = shop.folder / "backup.duckdb"
    shutil.copy(shop.warehouse, backup)
    assert shop.backfill("2017-03-15", "2017-03-15").code == 0
    shutil.copy(backup, shop.warehouse)
    found = shop.backfill("2017-03-15", "2017-03-15")
    assert "2017-03-15 are missing again: no marker speaks of them" in found.out
    assert (found.code, "1 success" in found.out) == (0, True)
    by_hand(shop, *(f"delete from {m} where {d} > '2017-03-14'" for m, d in WINDOWED.items()))
    assert shop.hashes() == right


@pytest.mark.slow
def test_what_has_no_windows_is_as_old_as_the_backup(shop: Shop):
    """No marker tells of it, but those of the windows tell that the file is an older one."""
    let_it_end(shop)
    backup = shutil.copy(shop.warehouse, shop.folder / "backup.duckdb")
    with (shop.folder / "seeds" / "store_closures.csv").open("a") as seed:
        seed.write("2017-12-26,Boxing Day\n")
    assert shop.backfill(LAST, LAST, "--reprocess", "all").code == 0
    assert shop.query("select count(*) from store_closures") == [(2,)]
    shutil.copy(backup, shop.warehouse)
    assert "what has no windows is stale too" in mended(shop).out
    assert shop.query("select count(*) from store_closures") == [(2,)]


@pytest.mark.slow
def test_what_another_checkout_has_published_counts_as_its_codes(
    shop: Shop, right: dict[str, str], tmp_path: Path
):
    folder = shutil.copytree(shop.folder, tmp_path / "other", symlinks=True)
    shutil.rmtree(folder / ".daybreak")
    other = Shop(folder, {"DAYBREAK_WAREHOUSE": str(shop.warehouse)})
    model = folder / "models/marts/sales/daily_department_revenue.sql"
    model.write_text(model.read_text().replace("sum(discount)", "7 * sum(discount)"))
    done = other.backfill(FIRST, "2017-03-11", "--reprocess", "all")
    assert done.code == 0, done.out
    assert shop.hashes() != right
    found = mended(shop)
    assert "2017-03-10 … 2017-03-11 were published by others" in found.out
    assert (found.code, shop.hashes()) == (0, right)


@pytest.mark.parametrize(
    ("tampering", "is_found"),
    [
        ("row_count = row_count + 1", "its rows are not those that were published"),
        pytest.param("code_hash = 'abc'", "success", marks=pytest.mark.slow),
        pytest.param("verdict = null", "success", marks=pytest.mark.slow),
    ],
)
def test_a_marker_that_was_tampered_with(
    shop: Shop, right: dict[str, str], tampering: str, is_found: str
):
    where = "model = 'daily_revenue' and window_start = '2017-03-11 05:00:00'"
    by_hand(shop, f"update daybreak_publications set {tampering} where {where}")
    found = mended(shop)
    assert is_found in found.out
    assert "1 run queued" in found.out
    assert (found.code, shop.hashes()) == (0, right)


def test_what_looks_says_that_the_warehouse_has_changed(shop: Shop):
    said = "has changed since it was last looked at"
    assert shop.runner("verify", "orders_pipeline").code == 0
    assert said not in shop.runner("status", "orders_pipeline", "--as-of", AT).out
    by_hand(shop, "delete from daily_revenue")
    assert said in shop.runner("status", "orders_pipeline", "--as-of", AT).out
    assert said in shop.runner("plan", "orders_pipeline", *DAYS).out


@pytest.mark.slow
def test_a_second_look_asks_nothing(shop: Shop):
    """While the file is as it was: then a pass with nothing to do starts no dbt."""
    assert shop.runner("verify", "orders_pipeline").code == 0
    day = "--start-date", FIRST, "--end-date", FIRST
    assert "already success" in shop.runner("backfill", "orders_pipeline", *day).out
    before = shop.warehouse.stat().st_mtime_ns
    assert "already success" in shop.runner("backfill", "orders_pipeline", *day).out
    assert shop.warehouse.stat().st_mtime_ns == before


def seen_as(shop: Shop) -> str | None:
    """What the ledger knows of the warehouse's file."""
    with closing(Ledger.open(shop.folder / ".daybreak" / "ledger.db")) as ledger:
        known = ledger.warehouses.get()
    return known.stamp if known else None


@pytest.mark.slow
def test_what_a_run_has_left_itself_is_not_asked_about(template: Path, tmp_path: Path):
    """Neither after the first run of all, which has made the file, nor after the next."""
    shop = clone(template, tmp_path / "shop")
    assert shop.backfill(FIRST, FIRST).code == 0
    assert seen_as(shop) == stamp_of(shop.warehouse)
    assert shop.backfill(FIRST, FIRST, "--reprocess", "all").code == 0
    assert seen_as(shop) == stamp_of(shop.warehouse)


@pytest.mark.slow
def test_what_others_write_between_two_chunks_is_found(
    shop: Shop, right: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    class Meddler(runner.Observer):
        def invoking(self, chunk: Chunk) -> None:
            if chunk.span.start.day == 11:
                by_hand(shop, f"delete from daily_revenue where sale_date = '{LAST}'")

    monkeypatch.chdir(shop.folder)
    for name in os.environ.keys() - shop.environment.keys():
        monkeypatch.delenv(name)
    with forked_servers():
        days = date(2017, 3, 10), date(2017, 3, 12)
        runner.OpenProject(".").backfill(
            "orders_pipeline", *days, reprocess="all", chunk=1, observer=Meddler()
        )
    assert seen_as(shop) != stamp_of(shop.warehouse)
    assert "were published" in mended(shop).out
    assert shop.hashes() == right


@pytest.mark.slow
def test_markers_of_the_version_before_are_brought_up_to_date(shop: Shop, right: dict[str, str]):
    """Before the first question about them; or everything would be missing."""
    when = "select model, window_start, published_at from daybreak_publications order by all"
    before = shop.query(when)
    by_hand(
        shop,
        *(
            f"alter table daybreak_publications drop column {column}"
            for column in ("unique_id", "relation", "contents", "contents_since", "checks_hash")
        ),
        "drop table daybreak_warehouse",
    )
    found = shop.backfill(FIRST, LAST)
    assert "missing again" not in found.out
    assert shop.query(when) == before  # no window is built again: what it says is judged once
    assert (found.code, shop.hashes()) == (0, right)
    assert statuses(shop)["daily_revenue"] == {"success": 5}


@pytest.mark.slow
def test_an_emptied_identity_is_another_warehouse_and_nothing_is_lost(shop: Shop):
    assert shop.runner("verify", "orders_pipeline").code == 0
    by_hand(shop, "delete from daybreak_warehouse")
    found = shop.backfill(FIRST, LAST)
    assert (found.code, "already success" in found.out) == (0, True), found


@pytest.mark.slow
def test_of_a_plain_build_on_a_view_that_it_did_not_build_nobody_knows_the_code(shop: Shop):
    """What stands in the warehouse may be of another file than the one that is there now."""
    edited = shop.folder / "dbt_project.yml"
    edited.write_text(
        edited.read_text()
        .replace('start_date: "2017-03-01"', 'start_date: "2017-03-10"')
        .replace('end_date: "2017-06-01"', 'end_date: "2017-03-12"')
    )
    assert shop.dbt("build", "--select", "daily_revenue").code == 0
    assert shop.backfill(FIRST, LAST).code == 3
    assert statuses(shop)["daily_revenue"] == {"success": 3, "unchecked": 2}
