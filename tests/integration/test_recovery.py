"""After a crash the warehouse is asked, and believed: its markers were committed with the rows."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from runner.ledger import owners
from tests.conftest import Shop, clone

PUBLISHED = (
    "select model, window_start, fence, published_at from daybreak_publications order by all"
)


@pytest.fixture
def five_days(template: Path, tmp_path: Path) -> Shop:
    shop = clone(template, tmp_path / "shop")
    assert shop.backfill("2017-03-10", "2017-03-14").code == 0
    return shop


def dead_owner() -> str:
    """The name of a process of this machine that has really ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return f"{owners.this_process().rsplit(':', 2)[0]}:{ended.pid}:1"


def lose_the_last_write(shop: Shop, *labels: str) -> None:
    """Put runs back to where they were before their end was recorded, their process dead."""
    with sqlite3.connect(shop.folder / ".daybreak" / "ledger.db") as ledger:
        for label in labels:
            ledger.execute(
                "update runs set state = 'running', finished_at = null, row_count = null, "
                "owner = ?, lease_until = '2099-01-01 00:00:00' where label = ?",
                (dead_owner(), label),
            )
            ledger.execute(
                "delete from model_runs where run in (select id from runs where label = ?)",
                (label,),
            )
            cut_out_of_index(ledger, label)
    ledger.close()


def cut_out_of_index(ledger: sqlite3.Connection, label: str) -> None:
    """Take one window out of the ranges of the index."""
    bounds = "select window_start, window_end from runs where label = ?"
    start, end = ledger.execute(bounds, (label,)).fetchone()
    rest = "standing, code_hash, is_outdated, reason, inputs, has_rows, published_at, checks_hash"
    covering = "window_start <= :start and window_end >= :end"
    window = {"start": start, "end": end}
    after = ledger.execute(
        f"select model, :end, window_end, {rest} "
        f"from model_windows where {covering} and window_end > :end",
        window,
    ).fetchall()
    ledger.execute(f"update model_windows set window_end = :start where {covering}", window)
    ledger.execute("delete from model_windows where window_start = window_end")
    into = f"insert into model_windows (model, window_start, window_end, {rest})"
    ledger.executemany(f"{into} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", after)


def test_what_was_published_and_judged_is_not_run_again(five_days: Shop):
    lose_the_last_write(five_days, "2017-03-12", "2017-03-13")
    published = five_days.query("select * from daybreak_publications order by all")

    looked = five_days.runner("plan", "orders_pipeline", "--as-of", "2017-03-15")
    assert "run  | 2017-03-12 … 2017-03-13" in looked.out, looked.out  # nobody has asked yet

    again = five_days.backfill("2017-03-10", "2017-03-14")
    assert again.code == 0, again.out + again.err
    assert "5 skipped 2017-03-10 … 2017-03-14: already success" in again.out
    assert five_days.query("select * from daybreak_publications order by all") == published
    shown = five_days.runner("show-run", "orders_pipeline", "backfill__2017-03-12")
    assert "markers say so" in shown.out
    assert "stg_transactions         | success | yes | yes     | 5,577" in shown.out


def test_what_was_published_and_not_judged_is_only_judged(five_days: Shop):
    lose_the_last_write(five_days, "2017-03-12", "2017-03-13")
    with duckdb.connect(str(five_days.warehouse)) as warehouse:
        warehouse.execute(
            "update daybreak_publications set verdict = null, judged_at = null "
            "where model = 'fct_orders' and window_start = '2017-03-12 05:00:00'"
        )
    published = five_days.query(PUBLISHED)
    again = five_days.backfill("2017-03-10", "2017-03-14")
    assert again.code == 0, again.out + again.err
    assert "1 run queued (one per day) 2017-03-12, 1 chunk" in again.out
    assert "2017-03-12 ... success" in again.out
    assert five_days.query(PUBLISHED) == published  # nothing was built again
    unjudged = five_days.query("select count(*) from daybreak_publications where verdict is null")
    assert unjudged == [(0,)]


def test_a_lost_ledger_is_filled_from_the_markers(five_days: Shop):
    shutil.rmtree(five_days.folder / ".daybreak")
    published = five_days.query(PUBLISHED)
    again = five_days.backfill("2017-03-10", "2017-03-14")
    assert again.code == 0, again.out + again.err
    assert "the ledger knew nothing: 20 published windows" in again.out
    assert "5 skipped 2017-03-10 … 2017-03-14: already success" in again.out
    assert five_days.query(PUBLISHED) == published
