"""What a doctor says of what it is shown."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.core.spans import Spans
from runner.core.states import RunKind
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain
from runner.doctor import checks
from runner.doctor.checks import Diagnosis, Health
from runner.ledger import Ledger, Pause
from runner.ledger.dialects import ledger_file
from runner.ledger.maintenance import file_version
from runner.ledger.schema import VERSION
from runner.project.manifest import Node, Project
from runner.render.doctor import doctor_page, doctor_record
from runner.render.terminal import Terminal
from runner.warehouse.lock import Holder, stray_engines
from runner.warehouse.markers import Differences

NEW_YORK = ZoneInfo("America/New_York")
DAYS = Calendar(Grain.DAY, NEW_YORK)
WEEK = DAYS.span_of_dates(date(2026, 3, 2), date(2026, 3, 8))
NOW = datetime(2026, 3, 9, tzinfo=UTC)
PROJECT = Project(
    zone=NEW_YORK,
    nodes={"model.shop.a": Node("model.shop.a", "a", "model", "incremental", (), Grain.DAY)},
    selections={},
    fingerprint="",
)


def verdicts(found: Iterator[Diagnosis]) -> list[Health]:
    return [line.verdict for line in found]


# The ledger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    return path


def test_a_sound_ledger_is_ok(file: Path):
    assert checks.ledger_on_disk(file).verdict is Health.OK
    with closing(Ledger.open(file)) as ledger:
        journal = ledger.maintenance.get_journal()
    assert journal == ("wal", 2)
    assert checks.ledger_in_use(file, journal).verdict is Health.OK
    assert checks.ledger_in_use(file, ("delete", 1)).verdict is Health.WARNING


def test_looking_at_a_ledger_that_is_not_there_does_not_make_it(tmp_path: Path):
    path = tmp_path / "ledger.db"
    assert checks.ledger_on_disk(path).verdict is Health.OK
    assert not path.exists()


@pytest.mark.parametrize("damage", ["header", "page", "dangling"])
def test_a_damaged_ledger_is_wrong(file: Path, damage: str):
    if damage == "dangling":
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(
                "insert into model_runs (run, model, standing, is_same) values (9, 'a', 'x', false)"
            )
    else:
        content = bytearray(file.read_bytes())
        start = 0 if damage == "header" else 4096
        content[start : start + 200] = b"garbage!" * 25
        file.write_bytes(content)
    line = checks.ledger_on_disk(file)
    assert line.verdict is Health.WRONG
    assert line.remedy == "runner doctor --rebuild makes it anew"


def test_a_ledger_that_we_may_not_open_is_not_called_damaged(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checks.os, "access", lambda *_: False)  # root may open everything
    line = checks.ledger_on_disk(file)
    assert line.verdict is Health.WRONG
    assert line.text == f"{file} cannot be opened: it is not ours to read and write"


@pytest.mark.parametrize(
    ("version", "remedy"), [(VERSION + 1, "upgrade Daybreak"), (2, "--rebuild")]
)
def test_a_ledger_of_another_version_is_wrong(file: Path, version: int, remedy: str):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update ledger_version set version = ?", (version,))
    assert file_version(file) == version
    line = checks.ledger_on_disk(file)
    assert line.verdict is Health.WRONG
    assert remedy in str(line.remedy)


def test_only_sqlite_has_a_file(tmp_path: Path):
    assert ledger_file(tmp_path / "a.db") == tmp_path / "a.db"
    assert ledger_file("sqlite:////var/lib/a.db") == Path("/var/lib/a.db")
    assert ledger_file("postgresql://server/daybreak") is None
    assert ledger_file("what is this") is None


def test_a_new_index_comes_with_the_highest_fence(file: Path):
    index = {"a": Timeline([(WEEK, WindowRecord(WorkResult.SUCCESS))])}
    with closing(Ledger.open(file)) as ledger:
        ledger.windows.replace_all(index.items(), highest_fence=10**15)
        ledger.windows.replace_all(index.items(), highest_fence=5)  # never lowered
        ledger.leases.queue("orders", RunKind.BACKFILL, DAYS.windows(WEEK), NOW)
        assert ledger.leases.claim("orders", WEEK, NOW) == 10**15 + 1
        assert ledger.windows.get_records() == index


# Runs, pauses, processes


def test_runs_in_flight_are_no_illness(file: Path):
    with closing(Ledger.open(file)) as ledger:
        assert verdicts(checks.open_runs(ledger.runs.find_open(), [])) == [Health.OK]
        queued = ledger.leases.queue("orders", RunKind.BACKFILL, DAYS.windows(WEEK), NOW)
        runs = ledger.runs.find_open()
    assert runs == queued
    (line,) = checks.open_runs(runs, [])
    assert (line.verdict, line.text) == (Health.OK, "7 of orders are in flight")
    flying, gone = checks.open_runs(runs, [runs[0].key])
    assert flying.text == "6 of orders are in flight"
    assert gone.verdict is Health.WARNING
    assert "runner backfill orders" in str(gone.remedy)


def test_runs_that_were_cut_off_are_to_be_settled(file: Path):
    with closing(Ledger.open(file)) as ledger:
        ledger.leases.queue("orders", RunKind.BACKFILL, DAYS.windows(WEEK), NOW)
        ledger.leases.claim("orders", WEEK, NOW)
        ledger.leases.give_up("orders", "interrupted", NOW)
        (line,) = checks.open_runs(ledger.runs.find_open(), [])
    assert line.verdict is Health.WARNING
    assert line.text.startswith("7 of orders were cut off")


def test_a_pause_says_since_when_and_how_to_end_it():
    (line,) = checks.pauses({"orders": Pause("late files", NOW), "returns": None})
    assert line.text == "orders is paused since 2026-03-09 00:00 UTC (late files)"
    assert line.remedy == "runner resume orders"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_dbt_process_that_outlived_its_runner_is_found(tmp_path: Path):
    # A process that looks like dbt's server, started by one that has ended since.
    looks = f"exec -a runner.dbt.server {sys.executable} -c 'import time; time.sleep(60)'"
    command = ["bash", "-c", f"({looks}) > /dev/null 2>&1 & echo $!"]
    started = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    pid = int(started.stdout)
    try:
        deadline = time.monotonic() + 10
        while not (found := stray_engines(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [process.pid for process in found] == [pid]
        assert stray_engines(tmp_path.parent) == []
    finally:
        os.kill(pid, 9)
    (line,) = checks.strays([Holder(pid, "runner.dbt.server")])
    assert line.remedy == f"kill {pid}"


# The warehouse


def test_a_missing_warehouse_is_wrong_if_something_was_published():
    path = Path("/srv/warehouse.duckdb")
    assert checks.no_warehouse(path, {}, PROJECT).verdict is Health.OK
    line = checks.no_warehouse(path, {"a": Spans([WEEK])}, PROJECT)
    assert line.verdict is Health.WRONG
    assert "7 windows of a, 2026-03-02 … 2026-03-08" in line.text


def test_differences_are_said_with_their_dates():
    week = {"a": Spans([WEEK])}
    found = list(checks.compared([], Differences(week, week, week), PROJECT))
    assert [line.verdict for line in found] == [Health.WRONG, Health.WRONG, Health.WARNING]
    assert all("7 windows of a, 2026-03-02 … 2026-03-08" in line.text for line in found)
    (line,) = checks.compared([], Differences({}, {}, {}), PROJECT)
    assert line.verdict is Health.OK


def test_models_that_the_project_has_no_more_are_named():
    line = checks.index({"a": Timeline(), "gone": Timeline()}, PROJECT)
    assert line.verdict is Health.WARNING
    assert "gone" in line.text


# Versions and disks


def test_versions_out_of_range_are_wrong():
    found = {"dbt-core": "1.12.6", "dbt-duckdb": "1.11.0rc1", "duckdb": "1.5.6"}
    found |= {"dbt-adapters": "1.24.5", "dbt-common": "1.39.0"}
    found |= {"jinja2": "3.1.6", "mashumaro": "3.17"}
    assert verdicts(checks.versions(found.get)) == [Health.OK]
    assert verdicts(checks.versions({**found, "duckdb": "2.0.0"}.get))[0] is Health.WRONG
    del found["dbt-core"]
    missing = next(checks.versions(found.get))
    assert missing.remedy == 'pip install "dbt-core>=1.10,<1.13"'


def test_what_is_installed_here_is_supported():
    assert verdicts(checks.versions(checks.installed)) == [Health.OK]


def test_a_full_disk_is_a_warning(tmp_path: Path):
    assert checks.disk(tmp_path, 1 << 29).verdict is Health.WARNING
    assert checks.disk(tmp_path, 1 << 31).verdict is Health.OK
    both = checks.disks([tmp_path / "a" / "ledger.db", tmp_path / "b" / "warehouse.duckdb"])
    assert len(list(both)) == 1  # one file system, asked once


# Rendering


def test_a_page_has_a_line_for_each_check_and_a_total():
    found = [
        Diagnosis("ledger", Health.OK, "it is sound"),
        Diagnosis("pauses", Health.WARNING, "orders is paused", "runner resume orders"),
        Diagnosis("warehouse", Health.WRONG, "it is missing", "restore it"),
    ]
    assert doctor_page(found, Terminal()).splitlines() == [
        "ok       ledger     it is sound",
        "warning  pauses     orders is paused: runner resume orders",
        "wrong    warehouse  it is missing: restore it",
        "",
        "1 wrong, 1 to know about",
    ]
    record = doctor_record(found)
    assert record["is_sound"] is False
    assert [check["verdict"] for check in record["checks"]] == ["ok", "warning", "wrong"]
    assert doctor_page(found[:1], Terminal()).endswith("nothing wrong, 0 to know about")
