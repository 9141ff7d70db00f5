"""The room that speaks SQL: where a ledger is kept, what goes in and out, and what stays open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Barrier, Thread

import pytest

from runner.core.errors import LedgerError, UsageError
from runner.core.states import RunKind
from runner.ledger import CheckFinding, Ledger, RunEntry
from runner.ledger.connection import Connection
from runner.ledger.dialects import Postgres, Sqlite, dialect_of, ledger_file
from tests.postgres import Server
from tests.unit.ledger_fixtures import (
    NOTHING,
    NOW,
    PIPELINE,
    SUCCESS,
    WEEK,
    Location,
    in_child,
    opened,
    span,
    started,
)

# Addresses


@pytest.mark.parametrize(
    ("url", "name", "options"),
    [
        (
            "postgresql://me:se%20cret@db.example:5433/shop",
            "postgresql://me:***@db.example:5433/shop",
            {
                "host": "db.example",
                "port": "5433",
                "dbname": "shop",
                "user": "me",
                "password": "se cret",
            },
        ),
        (
            "postgresql://me:p@ss/w:o?rd@db.example:5433/shop?application_name=a%40b",
            "postgresql://me:***@db.example:5433/shop",
            {
                "host": "db.example",
                "port": "5433",
                "dbname": "shop",
                "user": "me",
                "password": "p@ss/w:o?rd",
                "application_name": "a@b",
            },
        ),
        (
            "postgresql+psycopg://me:a/b?c@[::1]/shop?sslmode=require",
            "postgresql://me:***@[::1]/shop",
            {
                "host": "::1",
                "dbname": "shop",
                "user": "me",
                "password": "a/b?c",
                "sslmode": "require",
            },
        ),
        (
            "postgresql://me@/shop?host=/run/pg&password=secret&connect_timeout=3",
            "postgresql://me@/shop",
            {
                "host": "/run/pg",
                "dbname": "shop",
                "user": "me",
                "password": "secret",
                "connect_timeout": "3",
            },
        ),
        ("postgresql://db", "postgresql://db/", {"host": "db"}),
    ],
)
def test_a_server_by_url(url: str, name: str, options: dict[str, str]):
    found = dialect_of(url)
    assert isinstance(found, Postgres)
    assert (found.name, found.options) == (name, options)
    assert "cret" not in f"{found.name} {found!r}"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///a.db?mode=ro", "no options"),
        ("sqlite://host/a.db", "no host"),
        ("sqlite+aiosqlite:///a.db", "not kept in"),
        ("postgresql://me:secret@host:port:/db", "no URL"),
    ],
)
def test_a_url_that_names_no_ledger(url: str, why: str):
    with pytest.raises(UsageError, match=why) as error:
        dialect_of(url)
    assert "secret" not in str(error.value)
    assert ledger_file(url) is None


def test_a_file_stays_where_it_was_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with opened("sqlite:///ledger.db") as ledger:
        started(ledger, WEEK)
        ledger.close()
        monkeypatch.chdir("/")
        assert len(ledger.runs.find(PIPELINE)) == 7


# What goes in and out


@pytest.mark.parametrize(
    "sql", ["select 1::text", "select '10:30'", "select 7 % 2", "select 1 -- of :them"]
)
def test_what_databases_read_differently_is_refused(ledger: Ledger, sql: str):
    with (
        ledger.database.transaction() as connection,
        pytest.raises(ValueError, match="write it without"),
    ):
        connection.rows(sql, them=1)


@pytest.mark.parametrize("reads_only", [True, False])
def test_an_instant_without_a_zone_is_refused(ledger: Ledger, *, reads_only: bool):
    """It is a mistake of ours, and no damage of the file."""
    naive = datetime(2026, 6, 1)  # noqa: DTZ001
    with (
        pytest.raises(RuntimeError, match="has no time zone"),
        ledger.database.transaction(reads_only=reads_only) as connection,
    ):
        connection.rows("select * from runs where queued_at < :naive", naive=naive)


def test_text_that_no_database_keeps_is_found_again(ledger: Ledger):
    ledger.controls.pause("na\0me \ud83d", "be\0cause", NOW)
    found = ledger.controls.get_pause("na\0me \ud83d")
    assert found is not None
    assert found.reason == "be\N{REPLACEMENT CHARACTER}cause"
    fence = started(ledger, WEEK[:1])
    entry = RunEntry(
        (), (CheckFinding(None, "a", "warn", None, None, ("ro\0w", "\ud83d", "ü")),), SUCCESS
    )
    ledger.results.record(PIPELINE, fence, {WEEK[0].start: entry}, NOTHING, NOW)
    (finding,) = ledger.results.get_findings(ledger.runs.find(PIPELINE)[0])
    assert finding.sample == ("ro\N{REPLACEMENT CHARACTER}w", "?", "ü")


def test_nothing_is_among_no_models(ledger: Ledger):
    assert ledger.results.find_work([], span(WEEK)) == []
    assert ledger.results.find_last_work([]) == []
    assert ledger.runs.get_usage(PIPELINE, []) is None
    assert ledger.inputs.get_files([]) == {}


def test_a_file_holds_instants_as_it_always_did(tmp_path: Path):
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        started(ledger, WEEK[:1])
    with closing(sqlite3.connect(path)) as file:
        (kept,) = file.execute("select window_start, started_at, is_unsettled from runs").fetchall()
        (lease,) = file.execute("select length(lease_until) from runs").fetchone()
    assert kept == ("2026-06-01 04:00:00.000000", "2026-06-19 05:00:00.000000", 0)
    assert lease == len("2026-06-01 04:00:00.000")


# What stays open


def test_one_after_another_shares_a_connection(ledger: Ledger):
    for _ in range(3):
        ledger.runs.find(PIPELINE)
        started(ledger, WEEK)
        ledger.controls.cancel_runs(PIPELINE, "by hand", NOW)
    assert len(ledger.database._idle) == 1


def test_at_once_each_has_its_own(ledger: Ledger):
    both_read = Barrier(2, timeout=30)
    found: list[Connection] = []

    def read() -> None:
        with ledger.database.transaction(reads_only=True) as connection:
            found.append(connection)
            both_read.wait()

    threads = [Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0]._raw is not found[1]._raw
    ledger.close()
    assert ledger.runs.find(PIPELINE) == []  # another is made


def test_after_a_fork_no_connection_is_shared(ledger: Ledger):
    started(ledger, WEEK)
    mine = set(map(id, ledger.database._idle))

    def child() -> tuple[int, set[int]]:
        count = len(ledger.runs.find(PIPELINE))
        others = set(map(id, ledger.database._idle))
        ledger.close()
        return count, others

    count, others = in_child(child)
    assert count == 7
    assert others
    assert not others & mine
    ledger.leases.queue("other", RunKind.BACKFILL, WEEK, NOW)
    assert set(map(id, ledger.database._idle)) == mine, "the parent's own is as it was"


def test_an_error_gives_the_connection_back(ledger: Ledger):
    for _ in range(3):
        with pytest.raises(LedgerError), ledger.database.transaction() as connection:
            connection.rows("select * from nowhere")
    assert len(ledger.database._idle) == 1
    started(ledger, WEEK)


def test_every_connection_to_a_server_that_was_restarted_is_left(postgres: Server):
    with opened(postgres.new_schema()) as ledger:
        with (
            ledger.database.transaction(reads_only=True),
            ledger.database.transaction(reads_only=True),
        ):
            pass
        pids = "select pg_backend_pid()"
        with (
            ledger.database.transaction(reads_only=True) as one,
            ledger.database.transaction() as other,
        ):
            open_ones = [connection.value(pids) for connection in (one, other)]
        with postgres.connect() as killer:
            for pid in open_ones:
                killer.execute("select pg_terminate_backend(%s, 10000)", (pid,))
        started(ledger, WEEK)
        assert len(ledger.database._idle) == 1


def test_a_new_ledger_is_as_durable_as_it_says(new_location: Callable[[], Location]):
    with opened(new_location()) as ledger:
        is_file = isinstance(ledger.database.dialect, Sqlite)
        assert ledger.maintenance.get_journal() == (("wal", 2) if is_file else None)
