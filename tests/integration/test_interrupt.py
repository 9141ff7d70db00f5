"""A backfill that is stopped, politely or not: nothing is left behind, and it can be resumed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from tests.conftest import RUNNER, Shop

FIRST, LAST = "2017-03-01", "2017-03-04"
RANGE = "between '2017-03-01' and '2017-03-04'"
# Hours of work for a model, whatever the machine.
ENDLESS = "where (select sum(a.range * b.range) from range(10000000) a, range(1000000) b) > 0"
TABLES = {
    "stg_transactions": "business_date",
    "fct_orders": "business_date",
    "daily_revenue": "sale_date",
    "daily_department_revenue": "sale_date",
}


@contextmanager
def backfilling(shop: Shop, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A backfill of the first four days in a process group of its own, as a terminal gives it."""
    process = subprocess.Popen(
        [
            RUNNER,
            "backfill",
            "orders_pipeline",
            "--start-date",
            FIRST,
            "--end-date",
            LAST,
            *arguments,
        ],
        cwd=shop.folder,
        env=shop.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        for left_over in processes_in(shop.folder):  # none, unless the test has failed
            os.kill(left_over, signal.SIGKILL)


def until(condition: Callable[[], object], what: str) -> None:
    """Poll until a process has reached a state; the bound is no measure of speed."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, f"{what} never happened"
        time.sleep(0.01)


def processes_in(folder: Path) -> dict[int, str]:
    """Every living process that works in a folder, with its command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has just ended, or is somebody else's
    return found


def is_writing(shop: Shop) -> bool:
    """Whether dbt is at work: DuckDB keeps what is not yet in the file beside it until its end."""
    log = shop.warehouse.with_name("warehouse.duckdb.wal")
    return log.exists()


def after_the_first_verdict(process: subprocess.Popen[str]) -> str:
    """What it has printed up to its first success; the next invocation follows at once."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "... success" in line:
            return said
    raise AssertionError(f"it ended without a success: {said}")


def states(shop: Shop) -> dict[str, str]:
    """The state of the newest run of every window."""
    listed = shop.runner("list-runs", "orders_pipeline", "--limit", "1000", "--format", "json")
    return {run["window"]: run["state"] for run in reversed(json.loads(listed.out))}


def assert_resumes(shop: Shop, quarter: Shop) -> None:
    """The same command, and the tables are those of an undisturbed quarter."""
    with duckdb.connect(str(shop.warehouse)):
        pass  # nobody holds the file
    finished = shop.backfill(FIRST, LAST)
    assert finished.code == 0, finished.out + finished.err
    assert "0 incorrect, 0 failed" in finished.out
    assert set(states(shop).values()) == {"success"}
    for table, column in TABLES.items():
        where = f"{column} {RANGE}"
        assert shop.content_hash(table) == quarter.content_hash(table, where), table


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGTERM, id="sigterm")]
)
def test_an_interrupted_backfill_leaves_nothing_behind(
    shop: Shop, quarter: Shop, number: signal.Signals
):
    with backfilling(shop, "--chunk", "1") as process:
        said = after_the_first_verdict(process)
        os.killpg(process.pid, number)
        rest, error = process.communicate(timeout=300)
    assert process.returncode == 130, error
    assert error == (
        "runner: interrupted; what was published stays. Run the same command to go on.\n"
    )
    assert "Traceback" not in said + rest
    assert not processes_in(shop.folder)
    after = states(shop)
    assert set(after.values()) == {"success", "cancelled"}
    assert after["2017-03-01"] == "success"
    if number is signal.SIGINT:  # one handler serves both, and a resumed backfill is dear
        assert_resumes(shop, quarter)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["warm", "plain"])
def test_a_killed_backfill_takes_its_children_along(shop: Shop, quarter: Shop, engine: str):
    revenue = shop.folder / "models" / "marts" / "sales" / "daily_revenue.sql"
    written = revenue.read_text()
    revenue.write_text(written.replace("select * from daily", f"select * from daily {ENDLESS}"))
    with backfilling(shop, "--engine", engine) as process:
        until(lambda: is_writing(shop), "the first write")
        assert len(processes_in(shop.folder)) >= 2
        process.kill()
        process.wait()
        # Left to themselves they would work on the endless model.
        until(lambda: not processes_in(shop.folder), "the end of its children")
    revenue.write_text(written)
    if engine == "plain":
        with duckdb.connect(str(shop.warehouse)):
            return  # nobody holds the file
    # The dead owner's windows are free at once, not when its lease runs out.
    assert_resumes(shop, quarter)
    failed = shop.runner("list-runs", "orders_pipeline", "--state", "failed", "--format", "json")
    assert {run["reason"] for run in json.loads(failed.out)} == {
        "its runner died; run the same command again"
    }


def test_ctrl_c_while_dbt_is_still_starting(shop: Shop):
    with backfilling(shop) as process:
        until(lambda: len(processes_in(shop.folder)) >= 2, "the start of dbt")
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=300)
    assert process.returncode == 130, error
    assert error.startswith("runner: interrupted")
    assert out == ""
    # Started a moment before, dbt's process ends with ours, not before it.
    until(lambda: not processes_in(shop.folder), "the end of dbt")
    assert not shop.warehouse.exists()
