"""Bad input gets one clear line and its exit code, and no table loses a row."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Finished, Shop, clone

DAY = "2017-03-05"
ONE_DAY = ("--start-date", DAY, "--end-date", DAY, "--reprocess", "all")
BACKFILL = ("backfill", "orders_pipeline")


@pytest.fixture(scope="module")
def open_shop(quarter: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose quarter is published; every test leaves it as it was."""
    shop = clone(quarter.folder, tmp_path_factory.mktemp("bad input") / "shop")
    assert shop.runner("plan", "orders_pipeline").code == 0  # parsed here: from now on it is quick
    return shop


def fingerprint(shop: Shop) -> str:
    """Of the warehouse file itself: not even opened for writing."""
    return hashlib.sha256(shop.warehouse.read_bytes()).hexdigest()


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with another text for a while."""
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


def assert_refused(finished: Finished, code: int, *says: str) -> None:
    """Nothing ran: one line on stderr, none on stdout, the exit code."""
    assert finished.code == code, finished.out + finished.err
    assert finished.out == ""
    assert len(finished.err.splitlines()) == 1, finished.err
    assert finished.err.startswith("runner: ")
    for text in says:
        assert text in finished.err


def assert_failed(finished: Finished, *says: str) -> None:
    """It was tried: its window failed for one reason, said in one line."""
    assert finished.code == 1, finished.out + finished.err
    assert finished.err == ""
    assert "0 success, 0 incorrect, 1 failed" in finished.out
    said = re.search(rf"{DAY} \.\.\. failed.*\n(.*)", finished.out)
    assert said is not None, finished.out
    reason = said[1]
    for text in says:
        assert text in reason
    assert "Traceback" not in finished.out


REFUSED = {
    "unknown pipeline": (
        ("backfill", "order_pipeline"),
        "there is no pipeline 'order_pipeline'. Did you mean 'orders_pipeline'?",
    ),
    "unknown pipeline of a command that looks": (
        ("list-runs", "order_pipeline"),
        "Did you mean 'orders_pipeline'?",
    ),
    "unknown run": (
        ("show-run", "orders_pipeline", "backfill__2017-03-32"),
        "Did you mean 'backfill__2017-03-3",
    ),
    "unknown model": (("why", "daily_revenu"), "Did you mean 'daily_revenue'?"),
    "a model that no pipeline knows the window of": (
        ("why", "daily_revenue", "--window", "2017-02-28"),
        "before the first window of orders_pipeline, 2017-03-01: start there",
    ),
    "no window": (
        ("why", "daily_revenue", "--window", "2017-03-32"),
        "'2017-03-32' is not on the calendar",
    ),
    "a window that no text shows": (
        ("dag", "orders_pipeline", "--window", "2017-03-01"),
        "only the picture shows a window: add --format svg",
    ),
    "a chunk of nothing": ((*BACKFILL, "--chunk", "0"), "--chunk 0 is no size"),
    "a chunk beyond all": ((*BACKFILL, "--chunk", "9" * 30), "is no size"),
    "a time that no calendar reaches": (
        ("list", "--as-of", "9999-12-31T23:59:59"),
        "lies outside the years 1970 to 9000",
    ),
    "a start after everything": (
        (*BACKFILL, "--start-date", "2030-01-01"),
        "2030-01-01 lies after the last window of orders_pipeline, 2017-12-31",
    ),
    "a chunk that is no number": ((*BACKFILL, "--chunk", "many"), "--chunk many is no size"),
    "no timestamp": ((*BACKFILL, "--as-of", "nonsense"), "--as-of nonsense is no timestamp"),
    "no date": ((*BACKFILL, "--end-date", "31.5.2017"), "--end-date 31.5.2017 is no date"),
    "end before start": (
        (*BACKFILL, "--start-date", "2017-03-05", "--end-date", "2017-03-01"),
        "2017-03-01 is before 2017-03-05: give the earlier date first",
    ),
    "before the first window": (
        (*BACKFILL, "--start-date", "2017-02-28", "--end-date", "2017-03-01"),
        "start there, or move `start` in pipelines.yml",
    ),
    "after the last window": (
        (*BACKFILL, "--end-date", "2018-01-01"),
        "end earlier, or move `end` in pipelines.yml",
    ),
    "not yet complete": (
        (*BACKFILL, "--end-date", "2017-06-19", "--as-of", "2017-06-19T23:59"),
        "the newest complete one is 2017-06-18, end there",
    ),
    "in the future": (
        ("run", "orders_pipeline", "--window", "2017-07-01", "--as-of", "2017-06-19"),
        "the newest complete one is 2017-06-18",
    ),
    "no window at all": (
        ("run", "orders_pipeline", "--window", "2017-02-30"),
        "write it like '2026-06-19'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused(open_shop: Shop, name: str):
    arguments, says = REFUSED[name]
    before = fingerprint(open_shop)
    assert_refused(open_shop.runner(*arguments), 2, says)
    assert fingerprint(open_shop) == before


WRONG_CONFIG = {
    "unknown key": ("schedule:", "scedule:", "Did you mean 'schedule'?"),
    "bad cron": ('"0 5 * * *"', '"0 25 * * *"', "'0 25 * * *' is not a cron expression"),
    "bad zone": ("America/New_York", "America/New_Yrok", "Did you mean 'America/New_York'?"),
    "end before start": ("end: 2017-12-31", "end: 2016-12-31", "is before start 2017-03-01"),
}


@pytest.mark.parametrize("name", WRONG_CONFIG)
def test_a_wrong_pipelines_yml_is_refused_with_its_line(open_shop: Shop, name: str):
    old, new, says = WRONG_CONFIG[name]
    config = open_shop.folder / "pipelines.yml"
    line = next(n for n, text in enumerate(config.read_text().splitlines(), 1) if old in text)
    before = fingerprint(open_shop)
    with edited(config, old, new):
        finished = open_shop.script(*BACKFILL, "--start-date", DAY, "--end-date", DAY)
    assert_refused(finished, 2, f"pipelines.yml:{line}: ", says)
    assert fingerprint(open_shop) == before


def test_a_select_that_matches_nothing_is_refused(open_shop: Shop):
    before = fingerprint(open_shop)
    config = open_shop.folder / "pipelines.yml"
    select = '"+exposure:weekly_revenue_review products_snapshot"'
    with edited(config, select, '"weekly_revenue"'):
        finished = open_shop.backfill(DAY, DAY)
    assert_refused(finished, 2, "'weekly_revenue' matches no model", "mend pipelines.yml")
    assert fingerprint(open_shop) == before


def test_a_folder_without_a_project_is_refused(open_shop: Shop, tmp_path: Path):
    finished = open_shop.runner("list", "--project-dir", str(tmp_path))
    assert_refused(finished, 2, f"there is no dbt_project.yml in {tmp_path}", "--project-dir")


def test_a_locked_warehouse_says_who_holds_it(open_shop: Shop, quarter: Shop):
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(open_shop.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        impatient = "    start: 2017-03-01\n    lock_timeout: 1s"
        with edited(open_shop.folder / "pipelines.yml", "    start: 2017-03-01", impatient):
            finished = open_shop.runner(*BACKFILL, *ONE_DAY)
        holder.communicate("\n")
    assert finished.code == 1, finished.out + finished.err
    waiting = rf"waiting for python[0-9.]* \(pid {holder.pid}\), who holds the warehouse"
    assert re.search(waiting, finished.out)
    assert f"runner: {open_shop.warehouse} is still locked after 0:00:01 of waiting" in finished.err
    assert open_shop.hashes() == quarter.hashes()


def test_a_missing_landing_folder_says_what_to_land(open_shop: Shop, quarter: Shop):
    away = open_shop.landing.with_name("away")
    open_shop.landing.rename(away)
    try:
        finished = open_shop.runner(*BACKFILL, *ONE_DAY)
    finally:
        away.rename(open_shop.landing)
    assert_failed(finished, "no file matches data/landing/", "land it, or set DAYBREAK_LANDING")
    assert open_shop.hashes() == quarter.hashes()


def test_a_merge_without_a_unique_key_says_what_to_write(open_shop: Shop, quarter: Shop):
    orders = open_shop.folder / "models" / "marts" / "sales" / "fct_orders.sql"
    with edited(orders, "unique_key='order_id',", ""):
        refused = open_shop.runner(*BACKFILL, *ONE_DAY)
        finished = open_shop.runner(*BACKFILL, *ONE_DAY, "--allow-unsafe", "fct_orders")
    assert_refused(refused, 2, "DB05", "fct_orders.sql:1: merge without unique_key")
    assert_failed(
        finished, "fct_orders merges without a unique_key", "config(unique_key='order_id')"
    )
    assert open_shop.hashes() == quarter.hashes()


def test_duplicate_merge_keys_say_which(open_shop: Shop, quarter: Shop):
    orders = open_shop.folder / "models" / "marts" / "sales" / "fct_orders.sql"
    # On one day only, of which the unit tests know nothing.
    twice = f"select * from orders union all select * from orders where business_date = '{DAY}'"
    with edited(orders, "select * from orders", twice):
        finished = open_shop.runner(*BACKFILL, *ONE_DAY)
    assert_failed(
        finished,
        "fct_orders selects several rows of one unique_key, for example order_id ",
        "make its query give one row for each ",
    )
    assert open_shop.hashes() == quarter.hashes()
