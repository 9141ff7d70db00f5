"""Sets of instants and values over time, against sets of whole hours counted one by one."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline

BASE = datetime(2026, 6, 19, tzinfo=UTC)
HOUR = timedelta(hours=1)
hour_sets = st.frozensets(st.integers(0, 30))


def spans(hours: frozenset[int]) -> Spans:
    return Spans(Span(BASE + hour * HOUR, BASE + (hour + 1) * HOUR) for hour in hours)


def hours_of(found: Spans) -> frozenset[int]:
    return frozenset(
        hour
        for span in found
        for hour in range((span.start - BASE) // HOUR, (span.end - BASE) // HOUR)
    )


@given(hour_sets, hour_sets)
def test_spans_behave_like_sets_of_hours(left: frozenset[int], right: frozenset[int]):
    for found, expected in (
        (spans(left) | spans(right), left | right),
        (spans(left) & spans(right), left & right),
        (spans(left) - spans(right), left - right),
    ):
        assert hours_of(found) == expected
        assert bool(found) == bool(expected)
        assert found == spans(expected)
        assert hash(found) == hash(spans(expected))
        assert all(one.end < other.start for one, other in pairwise(found))
    assert (spans(left) == spans(right)) == (left == right)


@given(hour_sets, st.integers(0, 30), st.integers(1, 4))
def test_a_span_or_window_is_in_a_set_when_all_of_it_is(
    hours: frozenset[int], first: int, length: int
):
    inside = set(range(first, first + length)) <= hours
    start, end = BASE + first * HOUR, BASE + (first + length) * HOUR
    assert (Span(start, end) in spans(hours)) == inside


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9))))
def test_overlapping_spans_merge_in_any_order(pairs: list[tuple[int, int]]):
    made = Spans(Span(BASE + at * HOUR, BASE + (at + size) * HOUR) for at, size in pairs)
    assert made == spans(frozenset(h for at, size in pairs for h in range(at, at + size)))


def test_spans_cannot_be_changed():
    with pytest.raises(AttributeError):
        spans(frozenset({1}))._spans = ()  # type: ignore[misc]


@given(hour_sets, st.integers(0, 30), st.integers(1, 9))
def test_a_span_is_parted_into_what_is_inside_and_what_is_outside(
    hours: frozenset[int], first: int, length: int
):
    found, span = spans(hours), Span(BASE + first * HOUR, BASE + (first + length) * HOUR)
    inside, outside = list(found.inside(span)), list(found.outside(span))
    assert Spans(inside) == found & Spans([span])
    assert Spans(outside) == Spans([span]) - found
    assert (inside, outside) == (list(Spans(inside)), list(Spans(outside)))
    assert found.meets(span) == bool(inside)


@given(st.dictionaries(st.integers(0, 30), st.sampled_from("ab")), hour_sets)
def test_what_is_changed_within_spans_is_changed_hour_by_hour(
    values: dict[int, str], within: frozenset[int]
):
    parts = ((Span(BASE + at * HOUR, BASE + (at + 1) * HOUR), v) for at, v in values.items())
    changed = Timeline(parts).changed(spans(within), str.upper)
    for at in range(31):
        value = values.get(at)
        expected = value.upper() if value and at in within else value
        assert changed.at(BASE + at * HOUR) == expected
