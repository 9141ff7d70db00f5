"""How many windows a chunk may hold, and how it is cut."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.chunks import (
    EVERYTHING,
    LANDED_BYTES_PER_ROW,
    SHARE_OF_TIMEOUT,
    UNKNOWN_SIZE,
    Chunk,
    Sizing,
    cut,
    first_part,
)
from runner.core.spans import Span
from runner.planner import memory
from tests.unit.planned_nodes import DAYS, WEEK, from_to

CHUNK = Chunk(from_to(1, 7), ("orders", "totals"), ("tax",), ("failed", "missing"))
sizes = st.integers(1, 10)


def numbers(chunk: Chunk) -> list[int]:
    """Which days of the week a chunk holds, from 1 to 7."""
    return [WEEK.index(window) + 1 for window in DAYS.windows(chunk.span)]


# How many


def test_a_persons_wish_beats_every_budget():
    sizing = Sizing(fixed=7, rows_per_window=1e12, seconds_per_window=1e6, row_budget=1)
    assert sizing.size == 7
    assert sizing.learned(7, 7_000_000, 1e9).size == 7


def test_while_nobody_knows_a_chunk_holds_a_year():
    assert Sizing().size == UNKNOWN_SIZE == 366
    assert Sizing(seconds_per_window=90).size == UNKNOWN_SIZE


def test_while_nobody_knows_a_chunk_holds_everything_that_cannot_be_much():
    budget = 1_000_000
    little = budget * LANDED_BYTES_PER_ROW
    assert Sizing(row_budget=budget, landed_bytes=little).size == EVERYTHING
    assert Sizing(row_budget=budget, landed_bytes=little + 1).size == UNKNOWN_SIZE
    assert Sizing(row_budget=budget, landed_bytes=0, rows_per_window=budget / 10).size == 10
    assert Sizing(fixed=3, landed_bytes=0).size == 3


def test_a_chunk_holds_as_many_windows_as_its_rows_fit_into_the_budget():
    assert Sizing(rows_per_window=1000, row_budget=9999).size == 9
    assert Sizing(rows_per_window=1000, row_budget=10_000).size == 10


def test_a_chunk_takes_a_share_of_the_time_after_which_it_is_killed():
    by_time = Sizing(rows_per_window=1, seconds_per_window=60, timeout=timedelta(hours=2))
    assert by_time.size == 7200 // SHARE_OF_TIMEOUT // 60 == 30


def test_the_scarcer_of_memory_and_time_decides():
    by_rows = Sizing(rows_per_window=10, seconds_per_window=1, row_budget=50)
    by_time = Sizing(rows_per_window=1, seconds_per_window=300, row_budget=50)
    assert (by_rows.size, by_time.size) == (5, 3)


def test_the_machines_memory_is_a_number_of_bytes():
    assert 2**26 < memory() < 2**50


@pytest.mark.parametrize(
    "sizing",
    [
        Sizing(rows_per_window=100, row_budget=1),
        Sizing(rows_per_window=1, seconds_per_window=1e9),
        Sizing(rows_per_window=1, timeout=timedelta(0), seconds_per_window=1),
    ],
    ids=["rows", "seconds", "no time at all"],
)
def test_a_chunk_holds_at_least_one_window(sizing: Sizing):
    assert sizing.size == 1


def test_windows_without_rows_and_time_are_not_divided_by():
    assert Sizing(rows_per_window=0, seconds_per_window=0, row_budget=5).size == 5


@given(
    st.floats(0, 1e15),
    st.none() | st.floats(0, 1e9),
    st.integers(0, 10**12),
    st.timedeltas(timedelta(0), timedelta(days=7)),
)
def test_the_size_is_within_both_budgets_unless_it_is_one(
    rows: float, seconds: float | None, budget: int, timeout: timedelta
):
    sizing = Sizing(None, rows, seconds, timeout, budget)
    assert sizing.size >= 1
    if sizing.size > 1:
        assert sizing.size * rows <= (budget or Sizing().row_budget) * (1 + 1e-9)
        patience = timeout.total_seconds() / SHARE_OF_TIMEOUT
        assert sizing.size * (seconds or 0) <= patience * (1 + 1e-9)


def test_it_learns_from_the_chunk_before():
    learned = Sizing(timeout=timedelta(hours=1), row_budget=300).learned(10, 1000, 5.0)
    assert (learned.rows_per_window, learned.seconds_per_window) == (100, 0.5)
    assert (learned.size, learned.timeout, learned.row_budget) == (3, timedelta(hours=1), 300)
    assert learned.learned(3, 30, 900.0).size == 3  # of rows there is little now, but it is slow


# How it is cut


@pytest.mark.parametrize(
    ("size", "oldest", "newest"),
    [
        (1, [1], [7]),
        (3, [1, 2, 3], [5, 6, 7]),
        (6, [1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7]),
        (7, [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]),
        (8, [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_first_part_holds_the_oldest_windows_or_the_newest(
    size: int, oldest: list[int], newest: list[int]
):
    assert numbers(first_part(CHUNK, DAYS, size, newest=False)) == oldest
    assert numbers(first_part(CHUNK, DAYS, size, newest=True)) == newest


def test_what_is_cut_keeps_its_models_checks_and_reasons():
    for part in (*cut(CHUNK, DAYS, 2), first_part(CHUNK, DAYS, 2, newest=True)):
        assert (part.models, part.checks, part.reasons) == (
            CHUNK.models,
            CHUNK.checks,
            CHUNK.reasons,
        )


@given(sizes)
def test_a_chunk_in_parts_is_the_same_windows(size: int):
    parts = [numbers(part) for part in cut(CHUNK, DAYS, size)]
    assert [number for part in parts for number in part] == [1, 2, 3, 4, 5, 6, 7]
    assert all(len(part) == size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= size


@given(sizes)
def test_newest_first_leaves_the_smaller_part_to_the_oldest(size: int):
    parts = [numbers(part) for part in cut(CHUNK, DAYS, size, newest=True)]
    assert [number for part in reversed(parts) for number in part] == [1, 2, 3, 4, 5, 6, 7]
    assert all(len(part) == size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= size


@given(st.lists(sizes, min_size=7, max_size=7), st.booleans())
def test_first_parts_one_after_the_other_cover_each_window_once(sizes: list[int], newest: bool):
    """The size may be another each time: it is learned on the way."""
    left: Chunk | None = CHUNK
    found: list[int] = []
    for size in sizes:
        if left is None:
            break
        part = first_part(left, DAYS, size, newest=newest)
        found += reversed(numbers(part)) if newest else numbers(part)
        start, end = left.span.start, left.span.end
        rest = (start, part.span.start) if newest else (part.span.end, end)
        left = Chunk(Span(*rest), left.models) if rest[0] < rest[1] else None
    assert left is None
    assert found == ([7, 6, 5, 4, 3, 2, 1] if newest else [1, 2, 3, 4, 5, 6, 7])


@given(sizes, st.booleans())
def test_the_first_part_is_the_first_of_all_parts(size: int, newest: bool):
    first, *_ = cut(CHUNK, DAYS, size, newest=newest)
    assert first == first_part(CHUNK, DAYS, size, newest=newest)
