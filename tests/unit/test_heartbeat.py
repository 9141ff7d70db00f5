"""The heartbeat: a lost lease is seen once, a busy ledger ends nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.core.errors import LedgerError
from runner.execution.heartbeat import BEATS_PER_LEASE, Heartbeat, repeating
from runner.ledger import Leases
from tests.unit.ledger_fixtures import NOW, PIPELINE, WEEK, opened, started, wait_until

BEAT = 0.0005


class FakeLeases(Leases):
    """Leases that count what they are asked, and answer as they are told."""

    def __init__(self) -> None:
        self.asked: list[int] = []  # fences
        self.extended: list[int] = []  # how often it had been asked then
        self.answer: Callable[[], bool] = lambda: True
        self.extend: Callable[[], None] = lambda: None

    def is_held(self, pipeline: str, fence: int) -> bool:
        assert pipeline == PIPELINE
        self.asked.append(fence)
        return self.answer()

    def get_loss_reason(self, pipeline: str, fence: int) -> str:
        return f"{pipeline} {fence} was cancelled"

    def renew(self, pipeline: str) -> None:
        assert pipeline == PIPELINE
        self.extended.append(len(self.asked))
        self.extend()


@contextmanager
def beating(leases: Leases, on_lost: Callable[[], object]) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(leases, PIPELINE, on_lost)
    with repeating(heartbeat.beat, BEAT):
        yield heartbeat


def busy() -> bool:
    raise LedgerError("the ledger is busy")


def test_who_holds_its_windows_is_left_alone():
    leases, killed = FakeLeases(), threading.Event()
    with beating(leases, killed.set) as heartbeat:
        heartbeat.watch(7)
        wait_until(lambda: len(leases.asked) > 30)
    assert set(leases.asked) == {7}
    assert (killed.is_set(), heartbeat.lost) == (False, None)


def test_a_lost_lease_is_told_once():
    leases, kills = FakeLeases(), []
    leases.answer = lambda: False
    with beating(leases, lambda: kills.append(1)) as heartbeat:
        heartbeat.watch(7)
        wait_until(lambda: len(leases.extended) > 2)  # it goes on, for what else is held
    assert kills == [1]
    assert leases.asked == [7]
    assert heartbeat.lost == f"{PIPELINE} 7 was cancelled"


def test_nothing_is_watched_before_and_after_an_invocation():
    leases, killed = FakeLeases(), threading.Event()
    leases.answer = lambda: False
    with beating(leases, killed.set) as heartbeat:
        wait_until(lambda: len(leases.extended) > 1)
        assert leases.asked == []
        heartbeat.watch(7)
        wait_until(killed.is_set)
        killed.clear()
        heartbeat.watch(8)
        heartbeat.watch(None)
        killed.clear()
        count = len(leases.extended)
        wait_until(lambda: len(leases.extended) > count + 1)
    assert not killed.is_set()


def test_a_watch_that_has_ended_kills_nothing_later():
    """Whoever was being asked about is asked to its end before the watch changes."""
    leases, killed = FakeLeases(), threading.Event()
    asking, may_answer = threading.Event(), threading.Event()

    def slow() -> bool:
        asking.set()
        may_answer.wait()
        return False

    leases.answer = slow
    with beating(leases, killed.set) as heartbeat:
        heartbeat.watch(7)
        wait_until(asking.is_set)
        ends = threading.Thread(target=heartbeat.watch, args=(None,))
        ends.start()
        may_answer.set()
        ends.join()
        assert killed.is_set()
        assert heartbeat.lost is not None


def test_a_busy_ledger_ends_nothing():
    leases, killed = FakeLeases(), threading.Event()
    leases.answer = busy
    leases.extend = busy  # type: ignore[assignment]
    with beating(leases, killed.set) as heartbeat:
        heartbeat.watch(7)
        wait_until(lambda: len(leases.asked) > 30)
        assert (killed.is_set(), heartbeat.lost) == (False, None)
        leases.answer = lambda: False
        wait_until(killed.is_set)


def test_the_lease_is_extended_now_and_then_and_soon_again_after_a_failure():
    leases = FakeLeases()
    with beating(leases, lambda: None) as heartbeat:
        heartbeat.watch(7)
        wait_until(lambda: len(leases.extended) > 3)
    gaps = [b - a for a, b in zip(leases.extended[1:], leases.extended[2:], strict=False)]
    assert set(gaps) == {BEATS_PER_LEASE}

    leases = FakeLeases()
    leases.extend = busy  # type: ignore[assignment]
    with beating(leases, lambda: None) as heartbeat:
        heartbeat.watch(7)
        wait_until(lambda: len(leases.extended) > 3)
    gaps = [b - a for a, b in zip(leases.extended[1:], leases.extended[2:], strict=False)]
    assert set(gaps) == {1}


def test_an_error_in_the_block_stops_the_beat():
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), beating(FakeLeases(), lambda: None):
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= before


def test_what_another_cancels_in_a_real_ledger_ends_the_child(tmp_path: Path):
    killed = threading.Event()
    with opened(tmp_path / "ledger.db") as ledger, opened(tmp_path / "ledger.db") as other:
        fence = started(ledger, WEEK)
        with beating(ledger.leases, killed.set) as heartbeat:
            heartbeat.watch(fence)
            other.controls.cancel_runs(PIPELINE, "cancelled by hand", NOW)
            wait_until(killed.is_set)
        assert heartbeat.lost == "cancelled by hand"
