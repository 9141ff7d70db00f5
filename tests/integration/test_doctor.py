"""What is lost or broken is said in one line, and mended from what the warehouse testifies."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from runner.ledger import owners
from tests.conftest import Shop, clone

FIRST, LAST, AS_OF = "2017-03-10", "2017-03-12", "2017-03-13"


@pytest.fixture(scope="module")
def published(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Three days, published; tests work on copies."""
    shop = clone(template, tmp_path_factory.mktemp("doctor") / "shop")
    config = shop.folder / "pipelines.yml"
    config.write_text(config.read_text().replace("start: 2017-03-01", f"start: {FIRST}"))
    finished = shop.backfill(FIRST, LAST)
    assert finished.code == 0, finished.out + finished.err
    return shop


@pytest.fixture
def patient(published: Shop, tmp_path: Path) -> Shop:
    return clone(published.folder, tmp_path / "shop")


def ledger_of(shop: Shop) -> Path:
    return shop.folder / ".daybreak" / "ledger.db"


def windowed_index(shop: Shop) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(ledger_of(shop))) as ledger:
        return ledger.execute(
            "select model, window_start, window_end, standing, code_hash, is_outdated "
            "from model_windows where window_start < '2017-03-11' order by 1"
        ).fetchall()


def wrong_lines(shop: Shop) -> list[str]:
    finished = shop.runner("doctor", "--format", "json")
    assert finished.code == 1, finished.out + finished.err
    checks = json.loads(finished.out)["checks"]
    return [f"{c['text']}: {c['remedy']}" for c in checks if c["verdict"] == "wrong"]


def test_a_lost_ledger_is_made_anew_and_nothing_runs_again(patient: Shop):
    before = windowed_index(patient)
    markers = patient.query("select * from daybreak_publications order by all")
    for path in ledger_of(patient).parent.glob("ledger.db*"):
        path.unlink()

    rebuilt = patient.runner("doctor", "--rebuild")
    assert rebuilt.code == 0, rebuilt.out + rebuilt.err
    assert "12 windows of 4 models" in rebuilt.out
    assert windowed_index(patient) == before
    with closing(sqlite3.connect(ledger_of(patient))) as ledger:
        ((fence,),) = ledger.execute("select highest_fence from ledger_version").fetchall()
    assert [(fence,)] == patient.query("select max(fence) from daybreak_publications")

    plan = patient.runner("plan", "orders_pipeline", "--as-of", AS_OF)
    # No marker tells of what knows no windows: that is built again, once, and nothing else is.
    assert "stg_transactions " not in plan.out
    assert "skip | 2017-03-10 … 2017-03-11 | 2     | already success" in plan.out
    again = patient.backfill(FIRST, LAST)
    assert again.code == 0, again.out + again.err
    assert patient.query("select * from daybreak_publications order by all") == markers


def test_a_corrupt_ledger_is_said_found_and_set_aside(patient: Shop):
    ledger = ledger_of(patient)
    content = b"no database any more " * 100
    ledger.write_bytes(content)

    looked = patient.runner("status")
    assert (looked.code, looked.out, looked.err.count("\n")) == (1, "", 1)
    assert "runner doctor --rebuild" in looked.err
    (line,) = wrong_lines(patient)
    assert "is damaged (file is not a database)" in line

    rebuilt = patient.runner("doctor", "--rebuild")
    assert rebuilt.code == 0, rebuilt.out + rebuilt.err
    (aside,) = ledger.parent.glob("ledger.db.*.bad")
    assert aside.read_bytes() == content
    status = patient.runner("status", "--as-of", AS_OF)
    assert status.out.splitlines()[5].endswith("...  3 success")


def test_a_deleted_warehouse_is_not_nothing_to_do(patient: Shop):
    patient.warehouse.unlink()
    for command in (("backfill", "orders_pipeline"), ("status",)):
        finished = patient.runner(*command, "--as-of", AS_OF)
        assert (finished.code, finished.out, finished.err.count("\n")) == (1, "", 1), finished
        assert f"{patient.warehouse} is missing" in finished.err
        assert "12 windows" in finished.err
        assert "runner doctor --rebuild" in finished.err
    assert not patient.warehouse.exists()


def test_a_marker_deleted_by_hand_is_found_and_runs_in_flight_keep_their_ledger(patient: Shop):
    with duckdb.connect(str(patient.warehouse)) as warehouse:
        warehouse.execute(
            "delete from daybreak_publications "
            "where model = 'daily_revenue' and window_start = '2017-03-11 05:00:00'"
        )
    line, rows = wrong_lines(patient)
    assert "not in the warehouse: 1 window of daily_revenue, 2017-03-11" in line
    assert "daily_revenue has rows where nothing was published" in rows

    with closing(sqlite3.connect(ledger_of(patient))) as ledger, ledger:
        ledger.execute(
            "update runs set state = 'running', finished_at = null, owner = ?, "
            "lease_until = '2099-01-01 00:00:00' where label = '2017-03-12'",
            (owners.this_process(),),
        )
    refused = patient.runner("doctor", "--rebuild")
    assert refused.code == 1
    assert "runs are in flight (backfill__2017-03-12 of orders_pipeline)" in refused.err
    assert list(ledger_of(patient).parent.glob("*.bad")) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["status", "--as-of", AS_OF], "next: nothing, every window is as it should be"),
        (["watch", "--once", "--as-of", AS_OF], "everything that should be a success"),
        (["tick", "--as-of", AS_OF], "nothing is due"),
    ],
)
def test_looking_imports_nothing_heavy(published: Shop, command: list[str], said: str):
    code = (
        "import sys\n"
        "from runner.cli import main\n"
        "try:\n"
        f"    sys.argv = ['runner', *{command!r}]\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'dbt', 'rich', 'duckdb', 'pydantic'} & set(sys.modules)))\n"
    )
    # Since it was written nobody has asked the warehouse; who looks need not.
    assert command[0] != "tick" or published.runner("tick", "--as-of", AS_OF).code == 0
    looked = subprocess.run(
        [sys.executable, "-c", code],
        cwd=published.folder,
        env=published.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert looked.stdout.splitlines()[-1] == "[]"
    assert said in looked.stdout
