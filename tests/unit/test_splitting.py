"""How a range that failed is cut when no check has named its bad windows."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.spans import Span, Spans
from runner.core.status import WorkResult
from runner.core.windows import Calendar, Grain
from runner.execution.results import Failure
from runner.execution.splitting import around, halves, mentioned, probes
from tests.unit.planned_nodes import DAYS, WEEK, day, from_to

HOURS = Calendar(Grain.HOUR, ZoneInfo("UTC"))
TWO_HUNDRED = list(
    islice(DAYS.windows(DAYS.span_of_dates(date(2026, 1, 1), date(2026, 12, 31))), 200)
)
ranges = st.tuples(st.integers(1, 7), st.integers(1, 7)).map(sorted).map(lambda pair: tuple(pair))


def failure(reason: str) -> Failure:
    return Failure(reason, reason, None, False, WorkResult.FAILED, is_systematic=False)


# By what it mentions


def test_a_range_is_cut_around_the_windows_that_a_failure_mentions():
    said = failure("orders: cannot read data/landing/2026-03-07.parquet, nor '2026-03-08'")
    assert mentioned(DAYS, from_to(1, 7), said) == [from_to(1, 2), day(3), day(4), from_to(5, 7)]


def test_a_window_at_the_end_of_the_range_is_cut_off():
    said = failure("no file 2026-03-05.csv")
    assert mentioned(DAYS, from_to(1, 7), said) == [day(1), from_to(2, 7)]


@pytest.mark.parametrize(
    "reason",
    [
        "orders: no such column",
        "no file 2026-03-12.csv",  # it lies outside the range
        "row 12026-03-07 of 92",  # part of another number
        "no file 2026-03-070.csv",
    ],
)
def test_what_mentions_no_window_of_the_range_cuts_nothing(reason: str):
    assert mentioned(DAYS, from_to(1, 7), failure(reason)) == []


def test_a_single_window_that_is_mentioned_cannot_be_cut():
    assert mentioned(DAYS, day(3), failure("no file 2026-03-07.csv")) == []


def test_an_hour_is_mentioned_by_its_own_label_only():
    first = HOURS.labelled("2026-03-07T05")
    span = Span(first.start, first.start + timedelta(hours=3))
    assert mentioned(HOURS, span, failure("no file 2026-03-07T06.csv")) == [
        first.span,
        HOURS.labelled("2026-03-07T06").span,
        HOURS.labelled("2026-03-07T07").span,
    ]
    assert mentioned(HOURS, span, failure("no file 2026-03-07.csv")) == []


@given(st.sets(st.integers(1, 7)))
def test_what_is_cut_is_the_whole_range_in_order(numbers: set[int]):
    said = failure(" ".join(WEEK[number - 1].label for number in numbers))
    parts = mentioned(DAYS, from_to(1, 7), said)
    assert parts == sorted(parts)
    assert all(left.end == right.start for left, right in pairwise(parts))
    if numbers:
        assert Spans(parts) == Spans([from_to(1, 7)])
        assert {part for part in parts if DAYS.count(part) == 1} >= {day(n) for n in numbers}
    else:
        assert parts == []


# At a few windows, then in halves


@pytest.mark.parametrize(
    ("count", "numbers"), [(3, [1, 2, 3]), (4, [1, 3, 4]), (5, [1, 3, 5]), (7, [1, 4, 7])]
)
def test_both_ends_and_one_window_between_are_tried_alone(count: int, numbers: list[int]):
    assert probes(WEEK[:count]) == [WEEK[number - 1] for number in numbers]


def test_what_is_left_around_the_probes_is_halved():
    assert around(from_to(1, 7), probes(WEEK), DAYS) == [day(2), day(3), day(5), day(6)]


def test_around_the_probes_of_three_windows_nothing_is_left():
    assert around(from_to(1, 3), probes(WEEK[:3]), DAYS) == []


@given(ranges)
def test_probes_and_what_is_around_them_are_the_whole_range_once(bounds: tuple[int, int]):
    span = from_to(*bounds)
    windows = list(DAYS.windows(span))
    tried = probes(windows)
    left = around(span, tried, DAYS)
    assert Spans([*left, *(window.span for window in tried)]) == Spans([span])
    assert sum(map(DAYS.count, left)) + len(set(tried)) == len(windows)


@given(ranges)
def test_halves_differ_by_one_window_at_most_and_one_window_stays_whole(bounds: tuple[int, int]):
    span = from_to(*bounds)
    parts = halves(DAYS, span)
    counts = [DAYS.count(part) for part in parts]
    assert Spans(parts) == Spans([span])
    assert sum(counts) == DAYS.count(span)
    assert len(parts) == min(2, DAYS.count(span))
    assert max(counts) - min(counts) <= 1


@given(st.sets(st.integers(0, 199), max_size=3))
def test_poison_is_found_in_a_number_of_tries_that_grows_with_its_count(poison: set[int]):
    """O(k log n): the file's own promise, by halving alone."""
    windows = TWO_HUNDRED
    poisoned = [windows[number] for number in poison]
    ahead, found, tries = [Span(windows[0].start, windows[-1].end)], set(), 0
    while ahead:
        span = ahead.pop()
        tries += 1
        if any(window.start >= span.start and window.end <= span.end for window in poisoned):
            if DAYS.count(span) == 1:
                found.add(span)
            else:
                ahead.extend(halves(DAYS, span))
    assert found == {window.span for window in poisoned}
    assert tries <= 1 + 2 * 8 * len(poison)  # 200 windows are halved 8 times at most
