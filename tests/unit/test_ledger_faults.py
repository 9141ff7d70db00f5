"""What cannot be used: damaged files, full disks, other versions. One line, and what to do."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runner.core.errors import DaybreakError, LedgerError, UsageError
from runner.core.states import RunKind
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger import CheckFinding, IndexChange, Ledger, ModelRun, RunEnd, RunEntry
from runner.ledger.dialects import Sqlite
from tests.postgres import Server
from tests.unit.ledger_fixtures import (
    NOTHING,
    NOW,
    PIPELINE,
    SUCCESS,
    WEEK,
    Location,
    ended,
    finished,
    opened,
    span,
    started,
    states,
)


def error_of(location: Location, kind: type[DaybreakError] = LedgerError) -> str:
    with pytest.raises(kind) as error:
        Ledger.open(location)
    message = str(error.value)
    assert message.isprintable(), "it is more than one line"
    return message


def filled(path: Path) -> None:
    """A ledger with something in every table."""
    with opened(path) as ledger:
        fence = started(ledger, WEEK)
        models = (ModelRun("revenue", WorkResult.SUCCESS, 3, "abc"),)
        findings = (CheckFinding("revenue", "fresh_within", "warn", "1 h", "2 h"),)
        entries = {window.start: RunEntry(models, findings, SUCCESS) for window in WEEK}
        windows = {
            f"model{number}": Timeline(
                (window.span, WindowRecord(WorkResult.SUCCESS, window.label)) for window in WEEK
            )
            for number in range(20)
        }
        ledger.results.record(PIPELINE, fence, entries, IndexChange(windows=windows), NOW)
        ledger.controls.pause("returns", "moving house", NOW)
        ledger.windows.accept_change("revenue", ["a"], "b", NOW)


def used(ledger: Ledger) -> None:
    """Ask a ledger everything, and write a little."""
    ledger.windows.get_records()
    ledger.windows.get_accepted_changes()
    ledger.controls.get_pause("returns")
    ledger.runs.find_unsettled(PIPELINE)
    ledger.leases.find_abandoned(PIPELINE)
    ledger.runs.get_windows_in_flight(PIPELINE)
    ledger.runs.get_usage(PIPELINE, ["revenue"])
    for run in ledger.runs.find(PIPELINE):
        ledger.results.get_models(run)
        ledger.results.get_findings(run)
    finished(ledger, WEEK)


# Versions


def test_a_ledger_of_a_newer_daybreak_is_left_alone(location: Location):
    with opened(location) as ledger, ledger.database.transaction() as connection:
        connection.change("update ledger_version set version = 99")
    message = error_of(location)
    assert "has version 99" in message
    assert "upgrade Daybreak" in message


def test_a_newer_ledger_gets_no_tables_of_ours(tmp_path: Path):
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table ledger_version (version integer)")
        connection.execute("insert into ledger_version values (99)")
    error_of(path)
    with sqlite3.connect(path) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        assert tables.fetchall() == [("ledger_version",)]


def test_a_ledger_of_the_first_version_is_made_anew_by_the_doctor(tmp_path: Path):
    """Version 1 is in the field: it has no index, and no column of the highest fence."""
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table ledger_version (version integer not null)")
        connection.execute("insert into ledger_version values (1)")
        connection.execute("create table runs (id integer primary key, pipeline text not null)")
    message = error_of(path)
    assert str(path) in message
    assert "has version 1" in message
    assert "runner doctor --rebuild" in message
    assert "upgrade" not in message


# Damaged files


def test_a_file_that_is_something_else_is_named_and_kept(tmp_path: Path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database at all " * 100)
    message = error_of(path)
    assert str(path) in message
    assert "file is not a database" in message
    assert "runner doctor" in message
    assert path.read_bytes().startswith(b"this is no database")


def test_a_file_whose_header_is_overwritten(tmp_path: Path):
    path = tmp_path / "ledger.db"
    filled(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)
    message = error_of(path)
    assert str(path) in message
    assert "runner doctor" in message


def test_a_file_whose_middle_is_overwritten(tmp_path: Path):
    path = tmp_path / "ledger.db"
    filled(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(LedgerError, match="malformed") as error, opened(path) as ledger:
        used(ledger)
    assert "runner doctor" in str(error.value)
    assert str(error.value).isprintable()


def test_whatever_bytes_are_overwritten_no_error_is_another(tmp_path: Path):
    """SQLite sees some damage; the rest it hands out as garbage, which is no instant or state."""
    path = tmp_path / "ledger.db"
    filled(path)
    good = path.read_bytes()
    chance = random.Random(17)
    refused = []
    for _ in range(25):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        length = chance.choice([1, 4, 50, 3000])
        at = chance.randrange(len(good) - length)
        path.write_bytes(good[:at] + chance.randbytes(length) + good[at + length :])
        try:
            with opened(path) as ledger:
                used(ledger)
        except LedgerError as error:
            refused.append(str(error))
    assert refused
    assert all(message.isprintable() for message in refused)


def test_garbage_in_a_row_is_damage(tmp_path: Path):
    path = tmp_path / "ledger.db"
    for statement in (
        "update runs set window_start = '2026-06-0?'",
        "update runs set state = 'runnimg'",
        "update model_windows set standing = 7",
        "update model_windows set window_start = 7 where code_hash = '2026-06-03'",
        "update model_windows set window_end = '2001-01-01 00:00:00.000000'",
    ):
        path.unlink(missing_ok=True)
        filled(path)
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()
        with opened(path) as ledger, pytest.raises(LedgerError, match="runner doctor"):
            used(ledger)


# Full and read-only disks


def fill_up(ledger: Ledger) -> None:
    """Write until the free space of the pages that there are is used up."""
    while True:
        started(ledger, WEEK)
        ledger.leases.give_up(PIPELINE, "x" * 10_000, NOW)


def test_a_full_disk_keeps_what_was_there_and_says_so(tmp_path: Path):
    path = tmp_path / "ledger.db"
    filled(path)
    with opened(path) as ledger:
        runs, known = ledger.runs.find(PIPELINE), ledger.windows.get_records()
    ledger = Ledger.open(path)
    ledger.close()  # so that the next connection is made under the limit
    roomy = ledger.database.dialect
    assert isinstance(roomy, Sqlite)
    full = (*roomy.pragmas, "max_page_count=1")  # never below what there is
    ledger.database.dialect = replace(roomy, pragmas=full)
    with pytest.raises(LedgerError, match="database or disk is full") as error:
        fill_up(ledger)
    assert "make room on its disk" in str(error.value)
    assert str(error.value).isprintable()
    assert ledger.windows.get_records() == known
    assert [run for run in ledger.runs.find(PIPELINE) if run.state is runs[0].state] == runs
    ledger.database.dialect = roomy
    ledger.close()
    ledger.leases.give_up(PIPELINE, "the disk was full", NOW)
    used(ledger)  # there is room again
    ledger.close()


def test_a_record_that_fills_the_disk_is_undone(tmp_path: Path):
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        fence = started(ledger, WEEK)
        with ledger.database.transaction() as connection:
            pages = connection.value("PRAGMA page_count")
            connection.rows(f"PRAGMA max_page_count = {pages}")
        huge = RunEntry(outcome=RunEnd(SUCCESS.state, 1, 1, 0.1, "x" * 100_000))
        entries = {**ended(WEEK[:6]), WEEK[6].start: huge}
        with pytest.raises(LedgerError, match="database or disk is full"):
            ledger.results.record(PIPELINE, fence, entries, NOTHING, NOW)
        assert {state.value for state in states(ledger)} == {"running"}
        ledger.results.record(PIPELINE, fence, ended(WEEK), NOTHING, NOW)


@pytest.fixture
def powerless() -> Iterator[None]:
    """Rights matter in the test, even where root runs it."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that everybody may look into, and nobody but its owner write into."""
    with TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder)
        with opened(path / "ledger.db") as ledger:
            ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
        (path / "ledger.db").chmod(0o444)
        path.chmod(0o555)
        yield path
        path.chmod(0o755)


@pytest.mark.usefixtures("closed_folder", "powerless")
def test_a_folder_that_cannot_be_written_into(closed_folder: Path):
    for name in ("ledger.db", "new.db", "sub/new.db"):
        message = error_of(closed_folder / name)
        assert str(closed_folder / name) in message
        assert "make its folder writable" in message


def test_a_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "home").write_text("")
    assert "make its folder writable" in error_of(tmp_path / "home" / "ledger.db")


def test_a_writer_that_never_ends_is_waited_for_and_named(
    location: Location, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("runner.ledger.dialects.PATIENCE_SECONDS", 0.05)
    with opened(location) as other, ledger.database.transaction():
        with pytest.raises(LedgerError, match="another process keeps it busy"):
            other.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
        assert other.runs.find(PIPELINE) == []  # who reads waits for nobody
    with opened(location) as other:
        assert len(other.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)) == 7


# Addresses


@pytest.mark.parametrize(
    "url",
    ["/var/lib/ledger.db", "oracle9://host/db", "mysql://host/db", "postgresql+nodriver://host/db"],
)
def test_a_url_that_opens_nothing(url: str):
    assert "write DAYBREAK_LEDGER like" in error_of(url, UsageError)


def test_a_path_is_never_read_as_a_url(tmp_path: Path):
    path = tmp_path / "50% #1?" / "ledger.db"
    with opened(path):
        assert path.is_file()


def test_a_file_by_url_is_the_same_ledger(tmp_path: Path):
    path = tmp_path / "ledger.db"
    filled(path)
    with opened(f"sqlite:///{path}") as by_url, opened(path) as by_path:
        assert by_url.runs.find(PIPELINE) == by_path.runs.find(PIPELINE) != []


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path):
    message = error_of(f"postgresql://me:secret@/shop?host={tmp_path}")
    assert "postgresql://me:***@/shop" in message
    assert "look whether its server answers" in message
    assert "secret" not in message


def test_a_connection_that_broke_is_made_again(postgres: Server):
    """The server was restarted between two commands to it."""
    with opened(postgres.new_schema()) as ledger:
        started(ledger, WEEK)
        with ledger.database.transaction(reads_only=True) as connection:
            mine = connection.value("select pg_backend_pid()")
        with postgres.connect() as other:
            other.execute("select pg_terminate_backend(%s, 10000)", (mine,))
        assert len(ledger.runs.find(PIPELINE)) == 7


def test_a_server_with_other_defaults_is_told_what_we_need(postgres: Server):
    """A writer whose snapshot is older than its lock would queue what another has queued."""
    url = postgres.new_schema()
    options = "%20".join(
        ("-cdefault_transaction_isolation=serializable", "-cTimeZone=America/New_York")
    )
    with opened(url) as ledger, opened(f"{url}%20{options}") as strange:
        started(ledger, WEEK[:3])
        assert len(strange.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)) == 4
        strange.leases.claim(PIPELINE, span(WEEK[3:]), NOW)
        assert strange.runs.find(PIPELINE) == ledger.runs.find(PIPELINE)
        assert {run.started_at for run in strange.runs.find(PIPELINE)} == {NOW}
