"""The ledger's contract, over every database that it runs on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import select, update

from runner.errors import DaybreakError, LedgerError, UsageError
from runner.ledger import Finding, Kind, Ledger, ModelRun, Outcome, Run, owners
from runner.ledger.schema import database_now, ledger_version, model_runs, runs
from runner.spans import Span, Spans
from runner.states import State, sources
from runner.windows import Calendar, Grain, Window

PIPELINE = "orders"
NOW = datetime(2026, 6, 19, 5, tzinfo=UTC)
DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
WEEK = list(DAYS.windows(DAYS.span_of_dates(date(2026, 6, 1), date(2026, 6, 7))))
SUCCESS = Outcome(State.SUCCESS, row_count=5, check_count=2, seconds=0.5)
UNFINISHED = (State.QUEUED, State.RUNNING, State.RETRYING)
FORK = multiprocessing.get_context("fork")

Location = Path | str


@pytest.fixture(params=["sqlite"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Where an empty ledger may be made; a database server is one more parameter."""
    assert request.param == "sqlite"
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(location: Location) -> Iterator[Ledger]:
    with opened(location) as ledger:
        yield ledger


@contextmanager
def opened(location: Location) -> Iterator[Ledger]:
    ledger = Ledger.open(location)
    try:
        yield ledger
    finally:
        ledger.close()


def forget(location: Location) -> None:
    """Lose the ledger."""
    assert isinstance(location, Path)
    for path in location.parent.glob(f"{location.name}*"):
        path.unlink()


def span(windows: list[Window]) -> Span:
    return Span(windows[0].start, windows[-1].end)


def outcomes(windows: list[Window], outcome: Outcome = SUCCESS) -> dict[datetime, Outcome]:
    return {window.start: outcome for window in windows}


def starts(found: list[Run]) -> list[datetime]:
    return [run.window_start for run in found]


def states(ledger: Ledger) -> dict[str, State]:
    return {run.run_id: run.state for run in ledger.runs(PIPELINE)}


def expire(ledger: Ledger, owner: str) -> None:
    """Let the lease of an owner run out, by the database's own clock."""
    with ledger._transaction() as connection:
        expired = update(runs).where(runs.c.owner == owner, runs.c.lease_until.is_not(None))
        connection.execute(expired.values(lease_until=database_now(-1)))


def in_child(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a process of its own, which has ended."""
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: sender.send(work()))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    assert process.exitcode == 0
    return result


@contextmanager
def living_holder(
    location: Location, windows: list[Window], *, claims: bool
) -> Iterator[tuple[str, int]]:
    """Another process, alive until the end of the block, that holds windows: owner, fence."""
    receiver, sender = FORK.Pipe(duplex=False)

    def hold() -> None:
        with opened(location) as ledger:
            ledger.queue(PIPELINE, Kind.SCHEDULED, windows, NOW)
            fence = ledger.claim(PIPELINE, span(windows), NOW) if claims else 0
            sender.send((owners.this_process(), fence))
            time.sleep(60)

    process = FORK.Process(target=hold)
    process.start()
    sender.close()
    try:
        yield receiver.recv()
    finally:
        process.kill()
        process.join()


# Queue


def test_a_run_is_queued_with_everything_that_is_known_of_it(ledger: Ledger):
    (run,) = ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
    assert run == Run(
        key=run.key,
        pipeline=PIPELINE,
        run_id="backfill__2026-06-01",
        kind=Kind.BACKFILL,
        window_start=WEEK[0].start,
        window_end=WEEK[0].end,
        label="2026-06-01",
        state=State.QUEUED,
        fence=None,
        row_count=None,
        check_count=None,
        seconds=None,
        reason=None,
        queued_at=NOW,
        started_at=None,
        finished_at=None,
    )
    assert ledger.runs(PIPELINE) == [run]


def test_a_window_in_flight_is_not_queued_again(ledger: Ledger):
    first = ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:3], NOW)
    second = ledger.queue(PIPELINE, Kind.MANUAL, WEEK, NOW)
    assert starts(first) == [window.start for window in WEEK[:3]]
    assert starts(second) == [window.start for window in WEEK[3:]]
    assert ledger.queue(PIPELINE, Kind.MANUAL, WEEK, NOW) == []


def test_another_pipeline_has_windows_of_its_own(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    assert len(ledger.queue("returns", Kind.BACKFILL, WEEK, NOW)) == 7
    ledger.claim("returns", span(WEEK), NOW)
    ledger.cancel("returns", "stopped", NOW)
    assert set(states(ledger).values()) == {State.QUEUED}


def test_run_ids_count_the_runs_of_a_kind_and_window(ledger: Ledger):
    for expected in ("backfill__2026-06-01", "backfill__2026-06-01.2", "backfill__2026-06-01.3"):
        (run,) = ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
        assert run.run_id == expected
        ledger.cancel(PIPELINE, "stopped", NOW)
    (run,) = ledger.queue(PIPELINE, Kind.MANUAL, WEEK[:1], NOW)
    assert run.run_id == "manual__2026-06-01"


def test_a_window_of_another_zone_with_the_same_label_gets_an_id_of_its_own(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
    utc = Calendar(Grain.DAY, ZoneInfo("UTC")).labelled("2026-06-01")
    (run,) = ledger.queue(PIPELINE, Kind.BACKFILL, [utc], NOW)
    assert run.run_id == "backfill__2026-06-01.2"


def test_two_ledgers_that_race_queue_each_window_once(location: Location):
    for _ in range(5):
        with opened(location) as one, opened(location) as other:
            found: list[list[Run]] = []
            barrier = threading.Barrier(2)

            def race(ledger: Ledger, found: Any = found, barrier: Any = barrier) -> None:
                barrier.wait()
                found.append(ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW))

            threads = [threading.Thread(target=race, args=(ledger,)) for ledger in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            queued = [start for runs in found for start in starts(runs)]
            assert sorted(queued) == [window.start for window in WEEK]
            one.cancel(PIPELINE, "next round", NOW)


def test_processes_that_race_queue_each_window_once(location: Location):
    # Half of the windows each: halves that overlap, and a ledger that nobody has created yet.
    orders = [WEEK, WEEK[::-1], WEEK[:4], WEEK[3:]]
    for _ in range(3):
        forget(location)
        barrier = FORK.Barrier(len(orders))

        def race(windows: list[Window], sender: Any, barrier: Any = barrier) -> None:
            barrier.wait()
            with opened(location) as ledger:
                sender.send(starts(ledger.queue(PIPELINE, Kind.SCHEDULED, windows, NOW)))

        receivers, processes = [], []
        for order in orders:
            receiver, sender = FORK.Pipe(duplex=False)
            processes.append(FORK.Process(target=race, args=(order, sender)))
            processes[-1].start()
            sender.close()  # or a child that fails would be waited for
            receivers.append(receiver)
        found = [start for receiver in receivers for start in receiver.recv()]
        for process in processes:
            process.join()
        assert sorted(found) == [window.start for window in WEEK]


# Claim


def test_a_claim_starts_the_windows_of_a_span_under_one_fence(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    fence = ledger.claim(PIPELINE, span(WEEK[:3]), NOW)
    found = ledger.runs(PIPELINE)[::-1]
    assert [run.state for run in found] == [State.RUNNING] * 3 + [State.QUEUED] * 4
    assert [run.fence for run in found] == [fence] * 3 + [None] * 4
    assert [run.started_at for run in found] == [NOW] * 3 + [None] * 4


def test_fences_increase_whatever_the_clock_does(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    hours = timedelta(hours=6)
    times = (NOW, NOW, NOW - hours, NOW + hours, NOW)
    fences = [ledger.claim(PIPELINE, w.span, now) for w, now in zip(WEEK[:5], times, strict=True)]
    assert fences == sorted(set(fences))


def test_fences_increase_across_pipelines_that_may_share_a_table(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    ledger.queue("returns", Kind.BACKFILL, WEEK, NOW)
    first = ledger.claim(PIPELINE, span(WEEK), NOW)
    assert ledger.claim("returns", span(WEEK), NOW) > first


def test_fences_increase_across_a_lost_ledger(location: Location):
    fences = []
    for minutes in range(3):
        with opened(location) as ledger:
            ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
            now = NOW + timedelta(minutes=minutes)
            fences += [ledger.claim(PIPELINE, window.span, now) for window in WEEK]
        forget(location)
    assert fences == sorted(set(fences))


def test_a_span_is_claimed_whole_or_not_at_all(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:3] + WEEK[4:], NOW)
    with pytest.raises(LedgerError, match="taken over"):
        ledger.claim(PIPELINE, span(WEEK), NOW)
    assert set(states(ledger).values()) == {State.QUEUED}
    with pytest.raises(LedgerError, match="taken over"):
        ledger.claim(PIPELINE, WEEK[3].span, NOW)


def test_what_another_process_queued_cannot_be_claimed(location: Location, ledger: Ledger):
    with (
        living_holder(location, WEEK, claims=False),
        pytest.raises(LedgerError, match="taken over"),
    ):
        ledger.claim(PIPELINE, span(WEEK), NOW)


# Finish


def test_an_outcome_is_kept_with_its_models_and_findings(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:2], NOW)
    fence = ledger.claim(PIPELINE, span(WEEK[:2]), NOW)
    model = ModelRun("daily_revenue", State.INCORRECT, 3, "abc")
    finding = Finding("daily_revenue", "rows_in_every_window", "error", "some", "none")
    bad = Outcome(State.INCORRECT, 3, 2, 0.25, "too few", (model,), (finding,))
    later = NOW + timedelta(minutes=1)
    ledger.finish(PIPELINE, fence, {WEEK[0].start: bad, WEEK[1].start: SUCCESS}, later)

    found = ledger.run(PIPELINE, "backfill__2026-06-01")
    assert (found.state, found.row_count, found.check_count) == (State.INCORRECT, 3, 2)
    assert (found.seconds, found.reason, found.finished_at) == (0.25, "too few", later)
    assert ledger.model_runs(found) == [model]
    assert ledger.findings(found) == [finding]
    good = ledger.run(PIPELINE, "backfill__2026-06-02")
    assert (good.state, good.row_count) == (State.SUCCESS, 5)
    assert (ledger.model_runs(good), ledger.findings(good)) == ([], [])


def test_no_outcomes_are_nothing_to_record(ledger: Ledger):
    ledger.finish(PIPELINE, 1, {}, NOW)
    assert ledger.runs(PIPELINE) == []


def test_who_is_fenced_off_records_nothing(location: Location, ledger: Ledger):
    """The lease ran out, another process took one of two windows over: both are refused."""
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:2], NOW)
    fence = ledger.claim(PIPELINE, span(WEEK[:2]), NOW)
    expire(ledger, owners.this_process())

    def take_over() -> int:
        with opened(location) as other:
            other.release_abandoned(PIPELINE, NOW)
            other.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
            return other.claim(PIPELINE, WEEK[0].span, NOW)

    newer = in_child(take_over)
    assert newer > fence
    before = ledger.runs(PIPELINE)
    with_models = Outcome(State.SUCCESS, 5, 2, 0.5, models=(ModelRun("m", State.SUCCESS, 5, "a"),))
    with pytest.raises(LedgerError, match="nothing was recorded"):
        ledger.finish(PIPELINE, fence, outcomes(WEEK[:2], with_models), NOW)
    assert ledger.runs(PIPELINE) == before
    with ledger._transaction(reads_only=True) as connection:
        assert connection.execute(select(model_runs)).all() == []
    assert states(ledger) == {
        "backfill__2026-06-01": State.FAILED,
        "backfill__2026-06-01.2": State.RUNNING,
        "backfill__2026-06-02": State.FAILED,
    }


def test_one_lost_window_keeps_the_others_from_being_recorded(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:2], NOW)
    old = ledger.claim(PIPELINE, span(WEEK[:2]), NOW)
    ledger.retry(PIPELINE, old, WEEK[0].span)
    new = ledger.claim(PIPELINE, WEEK[0].span, NOW)
    with pytest.raises(LedgerError, match="taken over"):
        ledger.finish(PIPELINE, old, outcomes(WEEK[:2]), NOW)
    assert set(states(ledger).values()) == {State.RUNNING}
    ledger.finish(PIPELINE, new, outcomes(WEEK[:1]), NOW)
    ledger.finish(PIPELINE, old, outcomes(WEEK[1:2]), NOW)
    assert set(states(ledger).values()) == {State.SUCCESS}


# Transitions


def test_a_run_is_retried_and_claimed_under_a_new_fence(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    fence = ledger.claim(PIPELINE, span(WEEK), NOW)
    for attempt in range(1, 4):
        ledger.retry(PIPELINE, fence, span(WEEK[2:4]))
        assert list(ledger.history(PIPELINE, span(WEEK))[State.RETRYING]) == [span(WEEK[2:4])]
        later = NOW + timedelta(minutes=attempt)
        newer = ledger.claim(PIPELINE, span(WEEK[2:4]), later)
        assert newer > fence
        fence = newer
    ledger.finish(PIPELINE, fence, outcomes(WEEK[2:4]), NOW)
    run = ledger.run(PIPELINE, "backfill__2026-06-03")
    assert (run.state, run.started_at) == (State.SUCCESS, NOW)  # its first start


def reach(ledger: Ledger, state: State) -> int:
    """Bring the first window's run into a state; returns its last fence."""
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
    if state is State.QUEUED:
        return 0
    fence = ledger.claim(PIPELINE, WEEK[0].span, NOW)
    if state is State.RETRYING:
        ledger.retry(PIPELINE, fence, WEEK[0].span)
    elif state.finished:
        ledger.finish(PIPELINE, fence, outcomes(WEEK[:1], Outcome(state, 0, 0, 0.0)), NOW)
    return fence


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("change", ["claim", "finish", "retry", "cancel"])
def test_no_change_leaves_the_table_of_transitions(ledger: Ledger, state: State, change: str):
    fence = reach(ledger, state)
    before = ledger.runs(PIPELINE)
    assert [run.state for run in before] == [state]
    new, act = {
        "claim": (State.RUNNING, lambda: ledger.claim(PIPELINE, WEEK[0].span, NOW)),
        "finish": (
            State.SUCCESS,
            lambda: ledger.finish(PIPELINE, fence, outcomes(WEEK[:1]), NOW),
        ),
        "retry": (State.RETRYING, lambda: ledger.retry(PIPELINE, fence, WEEK[0].span)),
        "cancel": (State.CANCELLED, lambda: ledger.cancel(PIPELINE, "stopped", NOW)),
    }[change]
    if state in sources(new):
        act()
        assert [run.state for run in ledger.runs(PIPELINE)] == [new]
        return
    if change in ("claim", "finish"):
        with pytest.raises(LedgerError):
            act()
    else:
        act()
    assert ledger.runs(PIPELINE) == before


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_run_cannot_end_in_a_state_that_is_not_final(state: State):
    with pytest.raises(ValueError, match="is no end of a run"):
        Outcome(state, 0, 0, 0.0)


def test_cancel_ends_what_this_process_holds_and_nothing_else(location: Location, ledger: Ledger):
    with living_holder(location, WEEK[4:], claims=True):
        ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:4], NOW)
        fence = ledger.claim(PIPELINE, span(WEEK[:3]), NOW)
        ledger.finish(PIPELINE, fence, outcomes(WEEK[:1]), NOW)
        ledger.retry(PIPELINE, fence, WEEK[1].span)
        ledger.cancel(PIPELINE, "stopped by hand", NOW)
        found = ledger.runs(PIPELINE)[::-1]
    assert [run.state for run in found] == (
        [State.SUCCESS] + [State.CANCELLED] * 3 + [State.RUNNING] * 3
    )
    assert [run.reason for run in found] == [None] + ["stopped by hand"] * 3 + [None] * 3
    with pytest.raises(LedgerError, match="taken over"):
        ledger.finish(PIPELINE, fence, outcomes(WEEK[2:3]), NOW)


# Abandoned


def test_the_runs_of_a_dead_process_are_released(location: Location, ledger: Ledger):
    def work() -> None:
        with opened(location) as other:
            other.queue(PIPELINE, Kind.BACKFILL, WEEK[:4], NOW)
            fence = other.claim(PIPELINE, span(WEEK[:3]), NOW)
            other.finish(PIPELINE, fence, outcomes(WEEK[:1]), NOW)
            other.retry(PIPELINE, fence, WEEK[1].span)

    in_child(work)
    ledger.release_abandoned(PIPELINE, NOW)
    found = ledger.runs(PIPELINE)[::-1]
    expected = [State.SUCCESS, State.FAILED, State.FAILED, State.CANCELLED]
    assert [run.state for run in found] == expected
    assert found[1].reason == "its runner died; run the same command again"
    assert starts(ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)) == [WEEK[0].start]


def test_a_killed_process_is_dead_before_anybody_waits_for_it(location: Location, ledger: Ledger):
    with living_holder(location, WEEK, claims=True) as (owner, _):
        os.kill(int(owner.split(":")[1]), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not owners.is_dead(owner) and time.monotonic() < deadline:
            time.sleep(0.01)
        ledger.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger).values()) == {State.FAILED}


def test_a_living_process_keeps_its_runs_until_its_lease_runs_out(
    location: Location, ledger: Ledger
):
    with living_holder(location, WEEK, claims=True) as (owner, _):
        ledger.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger).values()) == {State.RUNNING}
        expire(ledger, owner)
        ledger.release_abandoned("returns", NOW)
        assert set(states(ledger).values()) == {State.RUNNING}
        ledger.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger).values()) == {State.FAILED}


def test_a_heartbeat_extends_the_lease_of_this_process_alone(location: Location, ledger: Ledger):
    with living_holder(location, WEEK[:3], claims=True) as (owner, _):
        ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[3:], NOW)
        expire(ledger, owner)
        expire(ledger, owners.this_process())
        ledger.keep_alive(PIPELINE)
        ledger.release_abandoned(PIPELINE, NOW)
        history = ledger.history(PIPELINE, span(WEEK))
    assert history == {
        State.FAILED: Spans([span(WEEK[:3])]),
        State.QUEUED: Spans([span(WEEK[3:])]),
    }


def test_a_process_is_not_taken_for_one_that_had_its_number():
    host, pid, started = owners.this_process().rsplit(":", 2)
    assert not owners.is_dead(f"{host}:{pid}:{started}")
    assert owners.is_dead(f"{host}:{pid}:{int(started) - 1}")
    assert not owners.is_dead(f"elsewhere:{pid}:{int(started) - 1}")


# Reading


def test_history_is_the_newest_state_of_each_window_as_ranges(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:6], NOW)
    fence = ledger.claim(PIPELINE, span(WEEK[:5]), NOW)
    failed = Outcome(State.FAILED, 0, 0, 0.1, "no file")
    ledger.finish(PIPELINE, fence, outcomes(WEEK[:4], failed), NOW)
    ledger.queue(PIPELINE, Kind.MANUAL, WEEK[1:3], NOW)
    newer = ledger.claim(PIPELINE, span(WEEK[1:3]), NOW)
    ledger.finish(PIPELINE, newer, outcomes(WEEK[1:3]), NOW)
    assert ledger.history(PIPELINE, span(WEEK)) == {
        State.FAILED: Spans([WEEK[0].span, WEEK[3].span]),
        State.SUCCESS: Spans([span(WEEK[1:3])]),
        State.RUNNING: Spans([WEEK[4].span]),
        State.QUEUED: Spans([WEEK[5].span]),
    }
    assert ledger.history(PIPELINE, WEEK[2].span) == {State.SUCCESS: Spans([WEEK[2].span])}
    assert ledger.history("returns", span(WEEK)) == {}


def test_runs_are_listed_newest_window_first_and_filtered(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:2], NOW)
    fence = ledger.claim(PIPELINE, WEEK[0].span, NOW)
    ledger.finish(PIPELINE, fence, outcomes(WEEK[:1]), NOW)
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
    ids = ["backfill__2026-06-02", "backfill__2026-06-01.2", "backfill__2026-06-01"]
    assert [run.run_id for run in ledger.runs(PIPELINE)] == ids
    assert [run.run_id for run in ledger.runs(PIPELINE, limit=2)] == ids[:2]
    assert [run.run_id for run in ledger.runs(PIPELINE, state=State.SUCCESS)] == ids[2:]
    assert [run.run_id for run in ledger.runs(PIPELINE, limit=1, state=State.QUEUED)] == ids[:1]


def test_an_unknown_run_is_answered_with_the_nearest(ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK[:1], NOW)
    with pytest.raises(UsageError, match=r"Did you mean 'backfill__2026-06-01'\?"):
        ledger.run(PIPELINE, "backfil__2026-06-01")


def test_what_one_ledger_wrote_another_reads(location: Location, ledger: Ledger):
    ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    with opened(location) as other:
        assert other.runs(PIPELINE) == ledger.runs(PIPELINE)


# What cannot be used


def error_of(location: Location) -> str:
    with pytest.raises(DaybreakError) as error:
        Ledger.open(location)
    assert isinstance(error.value, UsageError if isinstance(location, str) else LedgerError)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_ledger_of_a_newer_daybreak_is_left_alone(location: Location):
    with opened(location) as ledger, ledger._transaction() as connection:
        connection.execute(update(ledger_version).values(version=99))
    assert "has version 99" in error_of(location)
    assert "upgrade Daybreak" in error_of(location)


def test_a_newer_ledger_gets_no_tables_of_ours(tmp_path: Path):
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table ledger_version (version integer)")
        connection.execute("insert into ledger_version values (99)")
    error_of(path)
    with sqlite3.connect(path) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        assert tables.fetchall() == [("ledger_version",)]


def test_a_corrupt_file_is_named_and_kept(tmp_path: Path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database at all " * 100)
    message = error_of(path)
    assert str(path) in message
    assert "file is not a database" in message
    assert path.read_bytes().startswith(b"this is no database")


def test_a_file_corrupted_later_is_an_error_of_the_command_that_meets_it(tmp_path: Path):
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(LedgerError, match="malformed") as error:
        Ledger.open(path).runs(PIPELINE)
    assert "\n" not in str(error.value)


@pytest.fixture
def powerless() -> Iterator[None]:
    """Rights matter in the test, even where root runs it."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, and nobody but its owner write into."""
    with TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder)
        with opened(path / "ledger.db") as ledger:
            ledger.queue(PIPELINE, Kind.BACKFILL, WEEK, NOW)
        (path / "ledger.db").chmod(0o444)
        path.chmod(0o555)
        yield path
        path.chmod(0o755)


@pytest.mark.usefixtures("open_folder", "powerless")
def test_a_folder_that_cannot_be_written_into(open_folder: Path):
    for path in (open_folder / "ledger.db", open_folder / "new.db", open_folder / "sub" / "new.db"):
        assert str(path) in error_of(path)


def test_a_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "home").write_text("")
    assert "make its folder writable" in error_of(tmp_path / "home" / "ledger.db")


@pytest.mark.parametrize(
    "url", ["/var/lib/ledger.db", "oracle9://host/db", "postgresql+nodriver://host/db"]
)
def test_a_url_that_opens_nothing(url: str):
    assert "write DAYBREAK_LEDGER like" in error_of(url)


def test_a_path_is_never_read_as_a_url(tmp_path: Path):
    path = tmp_path / "50% #1?" / "ledger.db"
    with opened(path):
        assert path.is_file()


# The state machine

STEPS = WEEK[:4]
ACTORS = ("elsewhere:1:1", "elsewhere:2:2")
FINAL = sorted(state for state in State if state.finished)
ranges = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda ends: (min(ends), max(ends)))
actors = st.sampled_from(ACTORS)


class LedgerMachine(RuleBasedStateMachine):
    """Two runners and one ledger, against lists of dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.ledger = Ledger.open(Path(self.folder.name) / "ledger.db")
        self.runs: list[dict[str, Any]] = []  # in the order in which they were queued
        self.fences: list[int] = []

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def mine(self, actor: str, *wanted: State) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["owner"] == actor and run["state"] in wanted]

    @initialize()
    def empty(self) -> None:
        assert self.ledger.runs(PIPELINE) == []

    @rule(actor=actors, picked=st.sets(st.integers(0, 3)), kind=st.sampled_from(Kind))
    def queue(self, actor: str, picked: set[int], kind: Kind) -> None:
        held = {run["window"] for run in self.runs if run["state"] in UNFINISHED}
        with acting(actor):
            windows = [STEPS[index] for index in sorted(picked)]
            queued = self.ledger.queue(PIPELINE, kind, windows, NOW)
        assert starts(queued) == [STEPS[index].start for index in sorted(picked - held)]
        for index, run in zip(sorted(picked - held), queued, strict=True):
            earlier = [r for r in self.runs if r["window"] == index and r["kind"] == kind]
            number = f".{len(earlier) + 1}" if earlier else ""
            assert run.run_id == f"{kind}__{STEPS[index].label}{number}"
            self.runs.append(
                {
                    "window": index,
                    "kind": kind,
                    "owner": actor,
                    "state": State.QUEUED,
                    "fence": None,
                }
            )

    @rule(actor=actors, ends=ranges)
    def claim(self, actor: str, ends: tuple[int, int]) -> None:
        first, last = ends
        ready = [
            run
            for run in self.mine(actor, State.QUEUED, State.RETRYING)
            if first <= run["window"] <= last
        ]
        with acting(actor):
            try:
                fence = self.ledger.claim(PIPELINE, span(STEPS[first : last + 1]), NOW)
            except LedgerError:
                assert len(ready) < last - first + 1
                return
        assert len(ready) == last - first + 1
        assert all(fence > earlier for earlier in self.fences)
        self.fences.append(fence)
        for run in ready:
            run.update(state=State.RUNNING, fence=fence)

    @precondition(lambda self: self.fences)
    @rule(data=st.data(), picked=st.sets(st.integers(0, 3), min_size=1))
    def finish(self, data: st.DataObject, picked: set[int]) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        state = data.draw(st.sampled_from(FINAL))
        running = {
            run["window"]: run
            for run in self.runs
            if run["fence"] == fence and run["state"] is State.RUNNING
        }
        ended = outcomes([STEPS[index] for index in picked], Outcome(state, 0, 0, 0.0))
        if picked <= running.keys():
            self.ledger.finish(PIPELINE, fence, ended, NOW)
            for index in picked:
                running[index]["state"] = state
        else:
            with pytest.raises(LedgerError):
                self.ledger.finish(PIPELINE, fence, ended, NOW)

    @precondition(lambda self: self.fences)
    @rule(data=st.data(), ends=ranges)
    def retry(self, data: st.DataObject, ends: tuple[int, int]) -> None:
        first, last = ends
        fence = data.draw(st.sampled_from(self.fences))
        self.ledger.retry(PIPELINE, fence, span(STEPS[first : last + 1]))
        for run in self.runs:
            is_running = run["state"] is State.RUNNING and run["fence"] == fence
            if is_running and first <= run["window"] <= last:
                run["state"] = State.RETRYING

    @rule(actor=actors)
    def cancel(self, actor: str) -> None:
        with acting(actor):
            self.ledger.cancel(PIPELINE, "stopped", NOW)
        for run in self.mine(actor, *UNFINISHED):
            run["state"] = State.CANCELLED

    @rule(expired=st.sets(actors), alive=st.sets(actors))
    def release(self, expired: set[str], alive: set[str]) -> None:
        for actor in expired:
            expire(self.ledger, actor)
        for actor in alive:
            with acting(actor):
                self.ledger.keep_alive(PIPELINE)
        self.ledger.release_abandoned(PIPELINE, NOW)
        for actor in expired - alive:
            for run in self.mine(actor, *UNFINISHED):
                is_queued = run["state"] is State.QUEUED
                run["state"] = State.CANCELLED if is_queued else State.FAILED

    @invariant()
    def the_ledger_agrees(self) -> None:
        found = sorted(self.ledger.runs(PIPELINE), key=lambda run: run.key)
        assert [(run.window_start, run.kind, run.state, run.fence) for run in found] == [
            (STEPS[run["window"]].start, run["kind"], run["state"], run["fence"])
            for run in self.runs
        ]
        newest = {
            run["window"]: run["state"]
            for run in self.runs
            # cancelled before it started: it says nothing about its window
            if not (run["state"] is State.CANCELLED and run["fence"] is None)
        }
        history = self.ledger.history(PIPELINE, span(STEPS))
        for index, window in enumerate(STEPS):
            states = [state for state, spans in history.items() if window.span in spans]
            assert states == ([newest[index]] if index in newest else [])

    @invariant()
    def a_window_is_in_one_hand(self) -> None:
        in_flight = [run["window"] for run in self.runs if run["state"] in UNFINISHED]
        assert len(in_flight) == len(set(in_flight))


@contextmanager
def acting(actor: str) -> Iterator[None]:
    with mock.patch.object(owners, "this_process", return_value=actor):
        yield


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
