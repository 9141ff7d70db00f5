"""What the tests of the ledger share: a week of windows, and processes that hold some of them."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

from runner.core.spans import Span
from runner.core.states import RunKind, RunState
from runner.core.windows import Calendar, Grain, Window
from runner.ledger import IndexChange, Ledger, Run, RunEnd, RunEntry, owners
from runner.ledger.windows import apply_change

PIPELINE = "orders"
NOW = datetime(2026, 6, 19, 5, tzinfo=UTC)
DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
WEEK = list(DAYS.windows(DAYS.span_of_dates(date(2026, 6, 1), date(2026, 6, 7))))
SUCCESS = RunEnd(RunState.SUCCESS, row_count=5, check_count=2, seconds=0.5)
FAILED = RunEnd(RunState.FAILED, row_count=None, check_count=0, seconds=0.1, reason="no file")
UNFINISHED = (RunState.QUEUED, RunState.RUNNING, RunState.RETRYING)
NOTHING = IndexChange()
FORK = multiprocessing.get_context("fork")

Location = Path | str  # of an SQLite file, or a URL


@contextmanager
def opened(location: Location) -> Iterator[Ledger]:
    ledger = Ledger.open(location)
    try:
        yield ledger
    finally:
        ledger.close()


def span(windows: list[Window]) -> Span:
    return Span(windows[0].start, windows[-1].end)


def ended(windows: Iterable[Window], outcome: RunEnd | None = SUCCESS) -> dict[datetime, RunEntry]:
    """The entries that end the runs of windows; None: that let them wait."""
    return {window.start: RunEntry(outcome=outcome) for window in windows}


def started(ledger: Ledger, windows: list[Window], kind: RunKind = RunKind.BACKFILL) -> int:
    """Queue contiguous windows and claim them; returns the fence."""
    ledger.leases.queue(PIPELINE, kind, windows, NOW)
    return ledger.leases.claim(PIPELINE, span(windows), NOW)


def finished(ledger: Ledger, windows: list[Window], outcome: RunEnd = SUCCESS) -> None:
    """Bring a run of each of some contiguous windows to its end."""
    fence = started(ledger, windows)
    ledger.results.record(PIPELINE, fence, ended(windows, outcome), NOTHING, NOW)


def starts(found: Iterable[Run | Window]) -> list[datetime]:
    return [item.window_start if isinstance(item, Run) else item.start for item in found]


def oldest_first(ledger: Ledger) -> list[Run]:
    return ledger.runs.find(PIPELINE)[::-1]


def states(ledger: Ledger) -> list[RunState]:
    """The states of the runs, oldest window first."""
    return [run.state for run in oldest_first(ledger)]


def lease_ends(ledger: Ledger, owner: str, seconds: int) -> None:
    """Let the lease of an owner end in some seconds, by the database's own clock."""
    leased = """
        update runs set lease_until = ledger_now(:seconds)
        where owner = :owner and lease_until is not null
    """
    with ledger.database.transaction() as connection:
        connection.change(leased, owner=owner, seconds=seconds)


def expire(ledger: Ledger, owner: str) -> None:
    lease_ends(ledger, owner, -1)


@contextmanager
def acting(actor: str) -> Iterator[None]:
    """Be another process, as far as the ledger knows."""
    with mock.patch.object(owners, "this_process", return_value=actor):
        yield


def in_child(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a process of its own, which has ended."""
    (result,) = in_children([work])
    return result


def in_children(works: Iterable[Callable[[], Any]]) -> list[Any]:
    """What each of ``works`` returns in a process of its own, all at once; all have ended."""
    receivers, processes = [], []
    for work in works:
        receiver, sender = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_send_result, args=(work, sender))
        process.start()
        sender.close()  # or a child that fails would be waited for
        receivers.append(receiver)
        processes.append(process)
    results = [receiver.recv() for receiver in receivers]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return results


def _send_result(work: Callable[[], Any], sender: Connection) -> None:
    sender.send(work())


@contextmanager
def living_holder(
    location: Location, windows: list[Window], *, claims: bool
) -> Iterator[tuple[str, int]]:
    """Another process, alive until the end of the block, that holds windows: owner, fence."""
    receiver, sender = FORK.Pipe(duplex=False)

    def hold() -> None:
        with opened(location) as ledger:
            ledger.leases.queue(PIPELINE, RunKind.SCHEDULED, windows, NOW)
            fence = ledger.leases.claim(PIPELINE, span(windows), NOW) if claims else 0
            sender.send((owners.this_process(), fence))
            signal.pause()

    process = FORK.Process(target=hold)
    process.start()
    sender.close()
    try:
        yield receiver.recv()
    finally:
        process.kill()
        process.join()


def wait_until(is_true: Callable[[], bool]) -> None:
    """Poll for an event; AssertionError if it never comes."""
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.005)


def change_index(ledger: Ledger, change: IndexChange) -> None:
    """Change the index without a run."""
    with ledger.database.transaction() as connection:
        apply_change(connection, change)
