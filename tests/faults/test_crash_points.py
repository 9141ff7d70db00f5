"""A runner that is killed at each of its named points: the next command goes on from there."""

from __future__ import annotations

import signal
from collections.abc import Mapping

import pytest

from tests.faults.bakery import Bakery, assert_undisturbed, until

pytestmark = pytest.mark.slow  # processes are started and killed

# In the order of a backfill; the number is that of the time it is reached.
POINTS = (
    "before-queue",
    "after-queue",
    "after-claim",
    "after-ask",
    "after-build",
    "before-record",
    "before-commit",
    "after-record",
    "between-chunks",
    "after-claim:2",
    "after-build:3",
    "between-chunks:3",
)
# Reached by the next command, after one that was killed with its rows published.
WHILE_RECOVERING = ("after-ask", "recovery-told", "recovery-recorded", "recovery-released")
# Where a window has failed that the table over all of them waited for.
CLOSING = ("before-commit:4", "after-record:4")
CHUNK = ("--chunk", "10")
LOSES = {"BAKERY_LOSES": "2026-03-30"}


def crash(bakery: Bakery, point: str, **environment: str) -> None:
    crashed = bakery.bake(*CHUNK, DAYBREAK_CRASH=point, **environment)
    assert crashed.code == -signal.SIGKILL, crashed.out + crashed.err
    until(lambda: not bakery.processes(), "the end of its children")


def assert_mended(bakery: Bakery, undisturbed: Mapping[str, str]) -> None:
    mended = bakery.bake(*CHUNK)
    assert mended.code == 0, mended.out + mended.err
    assert_undisturbed(bakery, undisturbed)


def test_one_crash_after_another(bakery: Bakery, undisturbed: Mapping[str, str]) -> None:
    for point in ("after-claim", "before-commit", "recovery-told", "after-record:2"):
        crash(bakery, point)
    assert_mended(bakery, undisturbed)


@pytest.mark.chaos
@pytest.mark.parametrize("point", POINTS)
def test_a_crash(bakery: Bakery, undisturbed: Mapping[str, str], point: str) -> None:
    crash(bakery, point)
    assert_mended(bakery, undisturbed)


@pytest.mark.chaos
@pytest.mark.parametrize("point", WHILE_RECOVERING)
def test_a_crash_while_recovering(
    bakery: Bakery, undisturbed: Mapping[str, str], point: str
) -> None:
    crash(bakery, "before-record:2")
    crash(bakery, point)
    assert_mended(bakery, undisturbed)


@pytest.mark.chaos
@pytest.mark.parametrize("point", CLOSING)
def test_a_crash_with_the_closing_tables(
    bakery: Bakery, undisturbed: Mapping[str, str], point: str
) -> None:
    crash(bakery, point, **LOSES)
    assert_mended(bakery, undisturbed)


@pytest.mark.parametrize(
    "node", [2, *(pytest.param(n, marks=pytest.mark.chaos) for n in (1, 3, 4, 5, 6))]
)
def test_a_child_that_always_dies_after_a_node(
    bakery: Bakery, undisturbed: Mapping[str, str], node: int
) -> None:
    """As for a lack of memory: the windows are failed, and say why."""
    one_day = ("--end-date", "2026-03-01")
    dying = bakery.bake(*one_day, DAYBREAK_CRASH=f"node-finished:{node}")
    assert "is tried again in" in dying.out
    if dying.code != 0:  # else what an attempt published was left out of the next
        assert dying.code == 1
        assert "2026-03-01 ... failed" in dying.out
        assert "dbt ended without a result (signal 9)" in dying.out
    assert_mended(bakery, undisturbed)


@pytest.mark.parametrize("node", [3, pytest.param(5, marks=pytest.mark.chaos)])
def test_who_reads_what_a_killed_run_has_replaced_is_built_again(
    bakery: Bakery, undisturbed: Mapping[str, str], node: int
) -> None:
    """All windows were done; what they are made from has been corrected since."""
    early = bakery.bake("--chunk", "30", BAKERY_SALES="9")
    assert early.code == 0, early.out + early.err
    crashed = bakery.bake("--reprocess", "all", DAYBREAK_CRASH=f"node-finished:{node},after-build")
    assert crashed.code == -signal.SIGKILL
    mended = bakery.bake("--reprocess", "stale")
    assert mended.code == 0, mended.out + mended.err
    assert bakery.hashes() == undisturbed
