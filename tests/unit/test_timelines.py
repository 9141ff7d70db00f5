from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LENGTH = 10  # days that a naive timeline keeps one by one

Naive = dict[int, str]
Parts = list[tuple[int, int, str]]  # first day, day after the last, value


def span(first: int, end: int) -> Span:
    return Span(START + first * DAY, START + end * DAY)


def timeline(parts: Parts) -> Timeline[str]:
    return Timeline((span(first, end), value) for first, end, value in parts)


def naive(parts: Parts) -> Naive:
    return {day: value for first, end, value in parts for day in range(first, end)}


def day_by_day(found: Timeline[str]) -> Naive:
    values = ((day, found.at(START + day * DAY)) for day in range(-1, LENGTH + 1))
    return {day: value for day, value in values if value is not None}


def days_of(spans: Spans) -> set[int]:
    return {day for day in range(-1, LENGTH + 1) if span(day, day + 1) in spans}


@st.composite
def disjoint_parts(draw: st.DrawFn) -> Parts:
    bounds = sorted(draw(st.sets(st.integers(0, LENGTH), max_size=8)))
    values = [draw(st.sampled_from(["a", "b", "c", None])) for _ in bounds[1:]]
    pairs = zip(bounds, bounds[1:], values, strict=False)
    found = [(first, end, value) for first, end, value in pairs if value is not None]
    return draw(st.permutations(found))


def assert_in_order_and_joined(found: Timeline[str]) -> None:
    parts = list(found)
    for (left, value), (right, following) in pairwise(parts):
        assert left.end < right.start or (left.end == right.start and value != following)


@given(disjoint_parts())
def test_every_instant_has_the_value_of_its_part(parts: Parts):
    found = timeline(parts)
    assert day_by_day(found) == naive(parts)
    assert_in_order_and_joined(found)


@given(disjoint_parts(), disjoint_parts())
def test_painting_replaces_what_is_painted_over_and_nothing_else(below: Parts, above: Parts):
    found = timeline(below).painted((span(f, e), value) for f, e, value in above)
    assert day_by_day(found) == naive(below) | naive(above)
    assert_in_order_and_joined(found)


@given(disjoint_parts(), st.sets(st.sampled_from("abc")))
def test_where_gives_the_spans_whose_value_answers_with_yes(parts: Parts, wanted: set[str]):
    found = timeline(parts).where(lambda value: value in wanted)
    assert days_of(found) == {day for day, value in naive(parts).items() if value in wanted}


@given(disjoint_parts(), st.sets(st.integers(0, LENGTH - 1)))
def test_a_change_touches_what_lies_within_and_adds_nothing(parts: Parts, touched: set[int]):
    within = Spans(span(day, day + 1) for day in touched)
    found = timeline(parts).changed(within, lambda value: value + "!")
    expected = {day: v + "!" * (day in touched) for day, v in naive(parts).items()}
    assert day_by_day(found) == expected
    assert_in_order_and_joined(found)


@given(disjoint_parts())
def test_equal_values_make_equal_timelines_however_they_were_cut(parts: Parts):
    cut = [(day, day + 1, value) for first, end, value in parts for day in range(first, end)]
    assert timeline(cut) == timeline(parts)


@given(disjoint_parts().filter(bool), st.data())
def test_an_overlap_is_refused(parts: Parts, data: st.DataObject):
    first, end, value = data.draw(st.sampled_from(parts))
    day = data.draw(st.integers(first, end - 1))
    with pytest.raises(ValueError, match="an instant has one value"):
        timeline([*parts, (day, day + 1, value)])


def test_neighbours_with_one_value_are_one_part():
    assert list(timeline([(2, 3, "a"), (0, 1, "a"), (1, 2, "a"), (4, 5, "a")])) == [
        (span(0, 3), "a"),
        (span(4, 5), "a"),
    ]


def test_a_span_holds_its_start_and_not_its_end():
    found = timeline([(1, 2, "a")])
    assert found.at(START + DAY) == "a"
    assert found.at(START + 2 * DAY - timedelta.resolution) == "a"
    assert found.at(START + DAY - timedelta.resolution) is None
    assert found.at(START + 2 * DAY) is None


def test_of_nothing_nothing_is_known():
    nothing: Timeline[str] = Timeline()
    assert (list(nothing), nothing.at(START)) == ([], None)
    assert nothing.changed(Spans([span(0, 9)]), str.upper) == nothing
    assert nothing.where(lambda _: True) == Spans()


@given(disjoint_parts(), st.integers(0, LENGTH - 1), st.integers(1, LENGTH))
def test_the_parts_that_touch_a_span_are_those_that_share_an_instant(
    parts: Parts, first: int, length: int
):
    found = timeline(parts)
    asked = span(first, first + length)
    expected = [(part, value) for part, value in found if Spans([asked]).meets(part)]
    assert list(found.touching(asked)) == expected
