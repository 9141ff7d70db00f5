"""Real processes that race for the same windows, over every database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from runner.core.errors import FencedOffError, LedgerError
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState
from runner.core.windows import Window
from runner.ledger import Ledger, Run, owners
from tests.unit.ledger_fixtures import (
    FORK,
    NOTHING,
    NOW,
    PIPELINE,
    WEEK,
    Location,
    acting,
    ended,
    expire,
    in_children,
    opened,
    span,
    started,
    starts,
    states,
)


def test_two_ledgers_that_race_queue_each_window_once(location: Location):
    with opened(location) as one, opened(location) as other:
        for _ in range(5):
            found: list[list[Run]] = []
            barrier = threading.Barrier(2)

            def race(ledger: Ledger, found: Any = found, barrier: Any = barrier) -> None:
                barrier.wait()
                found.append(ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW))

            threads = [threading.Thread(target=race, args=(ledger,)) for ledger in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            queued = [start for runs in found for start in starts(runs)]
            assert sorted(queued) == starts(WEEK)
            one.leases.give_up(PIPELINE, "next round", NOW)


def test_processes_that_race_make_one_ledger_and_queue_each_window_once(
    location: Location, forget: Callable[[Location], None]
):
    # Half of the windows each: halves that overlap, and a ledger that nobody has created yet.
    orders = [WEEK, WEEK[::-1], WEEK[:4], WEEK[3:]]
    for _ in range(3):
        forget(location)
        barrier = FORK.Barrier(len(orders))

        def race(windows: list[Window], barrier: Any = barrier) -> list[datetime]:
            barrier.wait()
            with opened(location) as ledger:
                return starts(ledger.leases.queue(PIPELINE, RunKind.SCHEDULED, windows, NOW))

        found = in_children([lambda order=order: race(order) for order in orders])  # type: ignore[misc]
        assert sorted(start for part in found for start in part) == starts(WEEK)
        with opened(location) as ledger, ledger.database.transaction(reads_only=True) as connection:
            assert len(connection.rows("select * from ledger_version")) == 1


def test_of_those_who_race_to_take_over_one_does(location: Location, ledger: Ledger):
    for round_number in range(3):
        gone = f"elsewhere:{round_number}:1"
        with acting(gone):
            old = started(ledger, WEEK)
        expire(ledger, gone)
        barrier = FORK.Barrier(3)

        def take_over(barrier: Any = barrier) -> int | None:
            barrier.wait()
            with opened(location) as other:
                other.leases.release_abandoned(PIPELINE, NOW)
                other.leases.queue(PIPELINE, RunKind.SCHEDULED, WEEK, NOW)
                try:
                    fence = other.leases.claim(PIPELINE, span(WEEK), NOW)
                except FencedOffError:
                    return None
                other.results.record(PIPELINE, fence, ended(WEEK), NOTHING, NOW)
                return fence

        fences = [fence for fence in in_children([take_over] * 3) if fence is not None]
        # A second may come after the first has ended, never in between.
        assert len(set(fences)) == len(fences) >= 1
        assert min(fences) > old
        assert ledger.runs.get_windows_in_flight(PIPELINE) == Spans()
    assert set(states(ledger)) <= {RunState.FAILED, RunState.SUCCESS, RunState.CANCELLED}


def test_fences_of_processes_that_race_are_different(location: Location, ledger: Ledger):
    barrier = FORK.Barrier(4)

    def claim(pipeline: str) -> list[int]:
        with opened(location) as other:
            other.leases.queue(pipeline, RunKind.SCHEDULED, WEEK, NOW)
            barrier.wait()
            return [other.leases.claim(pipeline, window.span, NOW) for window in WEEK]

    names = [f"pipeline{number}" for number in range(4)]
    found = in_children([lambda name=name: claim(name) for name in names])  # type: ignore[misc]
    assert len({fence for fences in found for fence in fences}) == 4 * len(WEEK)
    assert all(fences == sorted(fences) for fences in found)
    assert all(ledger.runs.get_windows_in_flight(name) == Spans([span(WEEK)]) for name in names)


def test_a_window_is_never_in_two_hands_even_if_a_program_thinks_so(ledger: Ledger):
    """The database itself refuses it; the message is one line for a person."""
    started(ledger, WEEK[:1])
    twice = """
        insert into runs (
            pipeline, run_id, kind, window_start, window_end, label, state, owner, queued_at,
            is_unsettled
        )
        values (
            :pipeline, 'manual__2026-06-01', 'manual', :start, :end, '2026-06-01', 'running',
            :owner, :now, false
        )
    """
    with (
        pytest.raises(LedgerError, match="cannot be used") as error,
        ledger.database.transaction() as connection,
    ):
        connection.change(
            twice,
            pipeline=PIPELINE,
            start=WEEK[0].start,
            end=WEEK[0].end,
            owner=owners.this_process(),
            now=NOW,
        )
    assert str(error.value).isprintable()
    assert len(ledger.runs.find(PIPELINE)) == 1
