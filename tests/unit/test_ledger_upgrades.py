"""Ledgers of earlier versions: upgraded in place, once, with a copy of what they were."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from runner.core.errors import LedgerError
from runner.ledger.connection import Connection
from runner.ledger.maintenance import file_version
from runner.ledger.schema import TABLES, VERSION, create_tables
from tests.postgres import Server
from tests.unit.ledger_fixtures import NOW, PIPELINE, WEEK, Location, in_children, opened, started

DDL = Path(__file__).parent / "ledgers"
ROWS = """
insert into ledger_version (version, highest_fence) values (3, 7);
insert into runs (pipeline, run_id, kind, window_start, window_end, label, state, queued_at,
                  finished_at, is_unsettled)
values ('orders', 'scheduled__2026-06-01', 'scheduled', '2026-06-01 04:00:00',
        '2026-06-02 04:00:00', '2026-06-01', 'success', '2026-06-02 05:00:00',
        '2026-06-02 05:00:01', {false});
insert into pauses (pipeline, reason, paused_at)
values ('orders', 'by hand', '2026-06-02 06:00:00');
"""

OldLedger = Callable[[int], Location]


@pytest.fixture
def old_ledger(location: Location, request: pytest.FixtureRequest) -> OldLedger:
    """A ledger as version 3 made it, said to be of some version."""

    def make(version: int) -> Location:
        kind, false = ("sqlite", "0") if isinstance(location, Path) else ("postgresql", "false")
        script = (DDL / f"version_3_{kind}.sql").read_text() + ROWS.format(false=false)
        script += f"update ledger_version set version = {version};"
        if isinstance(location, Path):
            with closing(sqlite3.connect(location)) as connection:
                connection.execute("pragma journal_mode=wal")
                connection.executescript(script)
            return location
        server: Server = request.getfixturevalue("postgres")
        with server.connect() as connection:
            connection.execute(f"set search_path to {schema_of(location)}".encode())
            connection.execute(script.encode())
        return location

    return make


def schema_of(url: str) -> str:
    return url.rpartition("%3D")[2]


def open_and_read(location: Location) -> tuple[list[str], str | None]:
    with opened(location) as ledger:
        pause = ledger.controls.get_pause(PIPELINE)
        return [run.run_id for run in ledger.runs.find(PIPELINE)], pause and pause.reason


EVERYTHING = (["scheduled__2026-06-01"], "by hand")


def test_an_upgraded_ledger_knows_what_it_knew_and_takes_what_is_new(old_ledger: OldLedger):
    location = old_ledger(3)
    assert open_and_read(location) == EVERYTHING
    with opened(location) as ledger:
        assert ledger.database._version() == VERSION
        with ledger.database.transaction(reads_only=True) as connection:
            for table in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", TABLES):
                assert connection.row(ledger.database.dialect.has_table, name=table)
        ledger.scheduler.record_heartbeat("tick", None, NOW)
        assert ledger.scheduler.get_heartbeat() is not None
        assert started(ledger, WEEK[1:2]) > 7


def test_of_two_who_open_it_at_once_one_upgrades_and_both_go_on(old_ledger: OldLedger):
    location = old_ledger(3)
    found = in_children([partial(open_and_read, location)] * 4)
    assert found == [EVERYTHING] * 4
    assert open_and_read(location) == EVERYTHING


@pytest.mark.parametrize(("version", "remedy"), [(2, "--rebuild"), (VERSION + 1, "upgrade Day")])
def test_what_cannot_be_upgraded_is_left_alone(old_ledger: OldLedger, version: int, remedy: str):
    location = old_ledger(version)
    with pytest.raises(LedgerError, match=remedy), opened(location):
        pass
    if isinstance(location, Path):
        assert file_version(location) == version
        assert not list(location.parent.glob("*.v*"))


def test_beside_a_file_lies_a_copy_with_what_was_only_in_its_log(tmp_path: Path):
    file = tmp_path / "ledger.db"
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("pragma journal_mode=wal")
        writer.executescript((DDL / "version_3_sqlite.sql").read_text() + ROWS.format(false="0"))
        assert file.with_name("ledger.db-wal").stat().st_size > 0
        assert open_and_read(file) == EVERYTHING  # while another still has it open
    copy = tmp_path / "ledger.db.v3"
    assert file_version(copy) == 3
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("select run_id from runs").fetchall() == [
            ("scheduled__2026-06-01",)
        ]
        assert not connection.execute(
            "select 1 from sqlite_master where name = 'heartbeats'"
        ).fetchall()
    assert sorted(p.name for p in tmp_path.glob("*.v3*")) == ["ledger.db.v3"]


def test_without_a_copy_nothing_is_upgraded(tmp_path: Path):
    file = tmp_path / "ledger.db"
    with closing(sqlite3.connect(file)) as writer:
        writer.executescript((DDL / "version_3_sqlite.sql").read_text() + ROWS.format(false="0"))
    (tmp_path / "ledger.db.v3").mkdir()  # where no file can be put
    with pytest.raises(LedgerError, match="cannot be copied before its upgrade"), opened(file):
        pass
    assert file_version(file) == 3
    (tmp_path / "ledger.db.v3").rmdir()
    assert open_and_read(file) == EVERYTHING


def test_an_upgrade_that_fails_half_way_has_changed_nothing(
    old_ledger: OldLedger, monkeypatch: pytest.MonkeyPatch
):
    location = old_ledger(3)
    with monkeypatch.context() as broken:

        def breaks(connection: Connection) -> None:
            create_tables(connection)
            raise ZeroDivisionError

        broken.setattr("runner.ledger.schema._STEPS", {3: breaks})
        with pytest.raises(ZeroDivisionError), opened(location):
            pass
    if isinstance(location, Path):
        assert file_version(location) == 3
        with closing(sqlite3.connect(location)) as connection:
            found = connection.execute("select name from sqlite_master where name = 'heartbeats'")
            assert not found.fetchall()
    else:
        with psycopg.connect(location) as connection:
            assert connection.execute("select to_regclass('heartbeats')").fetchone() == (None,)
    assert open_and_read(location) == EVERYTHING
