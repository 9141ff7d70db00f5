"""Ctrl-C at any instant: what is done as a whole is done as a whole."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.core.interrupts import Interrupted, interrupt, listen, shielded
from runner.ledger import Ledger
from tests.unit.ledger_fixtures import NOW, PIPELINE


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    listen()
    signal.signal(signal.SIGALRM, interrupt)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_raised_at_once_where_nothing_shields(number: signal.Signals):
    with pytest.raises(Interrupted):
        signal.raise_signal(number)


def test_a_shield_puts_an_interrupt_off_to_its_end_and_raises_it_once():
    done = []

    def interrupted_twice() -> None:
        with shielded():
            with shielded():
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(Interrupted):
        interrupted_twice()
    assert done == ["inner", "outer"]
    with shielded():
        pass


def test_a_shield_of_another_thread_puts_nothing_off():
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with shielded():
            entered.set()
            leave.wait()

    other = threading.Thread(target=hold)
    other.start()
    entered.wait()
    try:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
    finally:
        leave.set()
        other.join()


def test_an_error_inside_a_shield_does_not_hide_an_interrupt():
    def failing() -> None:
        with shielded():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("of its own")

    with pytest.raises(Interrupted) as caught:
        failing()
    assert isinstance(caught.value.__context__, ValueError)


def test_an_interrupt_at_any_instant_leaves_the_ledger_free(tmp_path: Path):
    """Another process could write at once; it would wait ten seconds for a lock that is kept."""
    mine, theirs = (Ledger.open(tmp_path / "ledger.db") for _ in range(2))
    chance = random.Random(7)
    for _ in range(150):
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.006))
            while True:
                mine.controls.pause(PIPELINE, "for a test", NOW)
                mine.controls.get_pause(PIPELINE)
        except Interrupted:
            theirs.controls.resume(PIPELINE)
            assert mine.controls.get_pause(PIPELINE) is None
    mine.close()
    theirs.close()
