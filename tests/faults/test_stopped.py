"""Runners that are stopped: politely, or so long that others take over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.faults.bakery import Bakery, assert_undisturbed, kill, until

pytestmark = pytest.mark.slow  # processes are started and killed

RECORDED = "select id, run_id, state, fence, row_count, reason, finished_at from runs order by id"
CHUNK = ("--chunk", "10")
TAKEN_OVER = ("no longer holds its windows", "another process has taken over these windows")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing for a while, as if its machine slept."""
    kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(pid, signal.SIGCONT)


def expire_leases(bakery: Bakery) -> None:
    """As if more than a minute had gone by."""
    bakery.write_ledger(
        "update runs set lease_until = '2020-01-01 00:00:00' "
        "where state in ('queued', 'running', 'retrying')"
    )


def a_child(bakery: Bakery) -> int:
    """The child that writes rows, not one that only asks."""
    running = "select 1 from runs where state = 'running' limit 1"
    until(lambda: bakery.glimpse(running), "a claim")
    return int(until(lambda: bakery.pids("child"), "a child")[0])


def test_who_slept_past_the_lease_records_nothing(
    bakery: Bakery, undisturbed: Mapping[str, str]
) -> None:
    process = bakery.start("backfill", "bakery", *CHUNK)
    a_child(bakery)
    with stopped(process.pid):
        until(lambda: not bakery.pids("child"), "the end of its child")
        expire_leases(bakery)
        other = bakery.bake(*CHUNK)
        assert other.code == 0, other.out + other.err
        recorded = bakery.told(RECORDED)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert len(err.splitlines()) == 1
    assert any(words in err for words in TAKEN_OVER), err
    assert bakery.told(RECORDED) == recorded
    # It may have published after the other had asked: the next command asks the markers again.
    assert bakery.told("select count(*) from runs where is_unsettled") != [(0,)]
    assert bakery.bake(*CHUNK).code == 0
    assert_undisturbed(bakery, undisturbed)


@pytest.mark.chaos
def test_who_slept_with_its_child_is_waited_for_and_fenced_off(
    bakery: Bakery, undisturbed: Mapping[str, str]
) -> None:
    """The child holds the file meanwhile, so the other runner waits until both have woken."""
    process = bakery.start("backfill", "bakery", *CHUNK)
    child = a_child(bakery)
    until(bakery.is_writing, "a transaction")
    with stopped(process.pid), stopped(child):
        expire_leases(bakery)
        other = bakery.start("backfill", "bakery", *CHUNK)
        assert other.stdout is not None
        assert "who holds the warehouse" in other.stdout.readline()
    out, err = process.communicate(timeout=120)
    rest, other_err = other.communicate(timeout=120)
    assert other.returncode in (0, 1), rest + other_err
    assert "Traceback" not in out + err + rest + other_err
    last = bakery.bake(*CHUNK)
    assert last.code == 0, last.out + last.err
    assert_undisturbed(bakery, undisturbed)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="ctrl-c"),
        pytest.param(signal.SIGTERM, id="sigterm", marks=pytest.mark.chaos),
    ],
)
def test_an_interrupt(
    bakery: Bakery, undisturbed: Mapping[str, str], number: signal.Signals
) -> None:
    process = bakery.start("backfill", "bakery", *CHUNK)
    a_child(bakery)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "2026-03-01 … 2026-03-10 abandoned" in out
    assert not bakery.processes()
    finished = bakery.bake(*CHUNK)
    assert finished.code == 0, finished.out + finished.err
    assert_undisturbed(bakery, undisturbed)


@pytest.mark.chaos
def test_a_child_that_hangs_is_killed_at_its_timeout(
    bakery: Bakery, undisturbed: Mapping[str, str]
) -> None:
    """One that is stopped hears no polite signal either."""
    config = bakery.folder / "pipelines.yml"
    written = config.read_text()
    config.write_text(written.replace("timeout: 2m", "timeout: 20s"))
    process = bakery.start("backfill", "bakery", "--end-date", "2026-03-01")
    with stopped(a_child(bakery)):
        out, err = process.communicate(timeout=240)
    assert "timed out after 0:00:20 and was killed" in out
    assert process.returncode == 0, out + err
    config.write_text(written)
    finished = bakery.bake(*CHUNK)
    assert finished.code == 0, finished.out + finished.err
    assert_undisturbed(bakery, undisturbed)
