"""The index of model windows: painting, ranges, outdated readers. Over every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger import IndexChange, Ledger
from tests.conftest import of_hundred
from tests.unit.ledger_fixtures import (
    NOW,
    PIPELINE,
    WEEK,
    Location,
    change_index,
    opened,
    span,
    started,
)

DONE = WindowRecord(WorkResult.SUCCESS, "abc")
OUTDATED = replace(DONE, is_outdated=True)
BROKEN = WindowRecord(WorkResult.FAILED, "abc", False, "no file", "digest of what was read")
MODEL = "daily_revenue"


def painted(*parts: tuple[Span, WindowRecord], model: str = MODEL) -> IndexChange:
    return IndexChange(windows={model: Timeline(parts)})


def index(ledger: Ledger, model: str = MODEL) -> list[tuple[Span, WindowRecord]]:
    return list(ledger.windows.get_records().get(model, Timeline()))


def row_count(ledger: Ledger) -> int:
    with ledger.database.transaction(reads_only=True) as connection:
        return int(connection.value("select count(*) from model_windows"))


def test_nothing_is_known_at_first(ledger: Ledger):
    assert ledger.windows.get_records() == {}
    change_index(ledger, IndexChange())
    assert ledger.windows.get_records() == {}


def test_everything_that_is_known_is_kept(location: Location, ledger: Ledger):
    change_index(ledger, painted((span(WEEK[:2]), BROKEN), (span(WEEK[4:]), OUTDATED)))
    with opened(location) as other:
        assert index(other) == [(span(WEEK[:2]), BROKEN), (span(WEEK[4:]), OUTDATED)]


def test_windows_of_which_the_same_is_known_are_one_row(ledger: Ledger):
    for window in (WEEK[2], WEEK[0], WEEK[1], *WEEK[3:]):
        change_index(ledger, painted((window.span, DONE)))
    assert index(ledger) == [(span(WEEK), DONE)]
    assert row_count(ledger) == 1


def test_what_is_painted_later_covers_what_was_there(ledger: Ledger):
    change_index(ledger, painted((span(WEEK), DONE)))
    change_index(ledger, painted((span(WEEK[2:4]), BROKEN)))
    before, after = (span(WEEK[:2]), DONE), (span(WEEK[4:]), DONE)
    assert index(ledger) == [before, (span(WEEK[2:4]), BROKEN), after]
    change_index(ledger, painted((span(WEEK[2:4]), DONE)))
    assert index(ledger) == [(span(WEEK), DONE)]
    assert row_count(ledger) == 1


def test_gaps_stay_gaps(ledger: Ledger):
    change_index(ledger, painted((WEEK[0].span, DONE), (WEEK[6].span, DONE)))
    change_index(ledger, painted((WEEK[3].span, BROKEN)))
    expected = [(WEEK[0].span, DONE), (WEEK[3].span, BROKEN), (WEEK[6].span, DONE)]
    assert index(ledger) == expected


def test_models_do_not_touch_each_other(ledger: Ledger):
    change_index(ledger, painted((span(WEEK), DONE)))
    change_index(ledger, painted((span(WEEK), BROKEN), model="others"))
    change_index(ledger, IndexChange(outdated={"others": Spans([span(WEEK)])}))
    assert index(ledger) == [(span(WEEK), DONE)]
    assert index(ledger, "others") == [(span(WEEK), replace(BROKEN, is_outdated=True))]


def test_readers_of_what_was_published_again_are_outdated(ledger: Ledger):
    change_index(ledger, painted((span(WEEK[1:6]), DONE)))
    change_index(ledger, IndexChange(outdated={MODEL: Spans([span(WEEK[:2]), WEEK[4].span])}))
    assert index(ledger) == [
        (WEEK[1].span, OUTDATED),
        (span(WEEK[2:4]), DONE),
        (WEEK[4].span, OUTDATED),
        (WEEK[5].span, DONE),
    ]
    # What does not exist is not outdated; what is published again is not either.
    change_index(ledger, painted((span(WEEK[1:6]), DONE)))
    change_index(ledger, IndexChange(outdated={"nobody": Spans([span(WEEK)]), MODEL: Spans()}))
    assert ledger.windows.get_records() == {MODEL: Timeline([(span(WEEK[1:6]), DONE)])}


def test_published_and_outdated_by_the_same_change_is_outdated(ledger: Ledger):
    change = replace(painted((span(WEEK), DONE)), outdated={MODEL: Spans([WEEK[0].span])})
    change_index(ledger, change)
    assert index(ledger) == [(WEEK[0].span, OUTDATED), (span(WEEK[1:]), DONE)]


def test_of_a_table_without_windows_only_the_last_word_is_kept(ledger: Ledger):
    for window, known in zip(WEEK, [DONE, BROKEN] * 3, strict=False):
        change_index(ledger, IndexChange(whole={"report": (window.span, known)}))
    assert index(ledger, "report") == [(WEEK[5].span, BROKEN)]


def test_the_index_is_replaced_at_once(ledger: Ledger):
    change_index(ledger, painted((span(WEEK), DONE)))
    ledger.windows.replace_all([("others", Timeline([(span(WEEK[:2]), BROKEN)]))])
    assert ledger.windows.get_records() == {"others": Timeline([(span(WEEK[:2]), BROKEN)])}

    def dies():
        yield "new", Timeline([(span(WEEK), DONE)])
        raise ZeroDivisionError

    try:
        ledger.windows.replace_all(dies())
    except ZeroDivisionError:
        assert ledger.windows.get_records() == {"others": Timeline([(span(WEEK[:2]), BROKEN)])}
    else:
        raise AssertionError("the generator has died")


def test_a_rebuilt_index_remembers_the_fences_of_the_warehouse(ledger: Ledger):
    """Or what is published from now on would be refused as older than what is there."""
    seen = 10**15
    ledger.windows.replace_all([], seen)
    assert started(ledger, WEEK) == seen + 1
    ledger.windows.replace_all([], 7)
    ledger.leases.give_up(PIPELINE, "stopped", NOW)
    assert started(ledger, WEEK) == seen + 2


STEPS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(1, 7),
        st.sampled_from([DONE, BROKEN, None]),  # None: outdated
    ),
    max_size=8,
)


def check_against_days(ledger: Ledger, steps: list[tuple[int, int, WindowRecord | None]]) -> None:
    """Paint, and do the same to a list of days."""
    ledger.windows.replace_all([])
    days: list[WindowRecord | None] = [None] * 7
    for first, length, known in steps:
        windows = WEEK[first : first + length]
        if known is not None:
            change_index(ledger, painted((span(windows), known)))
        else:
            change_index(ledger, IndexChange(outdated={MODEL: Spans([span(windows)])}))
        for day in range(first, first + len(windows)):
            old = days[day]
            days[day] = known or (replace(old, is_outdated=True) if old else None)
    found = ledger.windows.get_records().get(MODEL, Timeline())
    assert [found.at(window.start) for window in WEEK] == days
    changes = sum(
        new is not None and new != old for old, new in zip([None, *days], days, strict=False)
    )
    assert row_count(ledger) == len(list(found)) == changes  # as few rows as can be


@pytest.mark.hypothesis
def test_the_index_is_like_a_list_of_days(ledger: Ledger):
    @settings(max_examples=of_hundred(25))
    @given(steps=STEPS)
    def check(steps: list[tuple[int, int, WindowRecord | None]]) -> None:
        check_against_days(ledger, steps)

    check()


# Accepted changes


def test_accepted_changes_are_kept_once(location: Location, ledger: Ledger):
    assert ledger.windows.get_accepted_changes() == {}
    ledger.windows.accept_change(MODEL, ["a", "b"], "c", NOW)
    ledger.windows.accept_change(MODEL, ["b", "x"], "c", NOW)  # again, by two who did so at once
    ledger.windows.accept_change(MODEL, ["c"], "d", NOW)
    ledger.windows.accept_change("others", [], "d", NOW)
    with opened(location) as other:
        accepted = other.windows.get_accepted_changes()
    assert accepted.keys() == {MODEL}
    assert sorted(accepted[MODEL]) == [("a", "c"), ("b", "c"), ("c", "d"), ("x", "c")]


def test_windows_that_miss_late_rows_are_outdated_and_say_so(ledger: Ledger):
    change_index(ledger, painted((span(WEEK[:3]), DONE), (WEEK[3].span, BROKEN)))
    late = Timeline([(WEEK[1].span, "late rows: 17"), (span(WEEK[3:5]), "late rows: 3")])
    change_index(ledger, IndexChange(late={MODEL: late, "nobody": late}))
    expected = [
        (WEEK[0].span, DONE),
        (WEEK[1].span, replace(DONE, is_outdated=True, reason="late rows: 17")),
        (WEEK[2].span, DONE),
        # Why it is broken is worse, and a window that is not there misses nothing.
        (WEEK[3].span, replace(BROKEN, is_outdated=True)),
    ]
    assert index(ledger) == expected
    assert ledger.windows.get_records().keys() == {MODEL}
    more = Timeline([(WEEK[1].span, "late rows: 18")])
    change_index(ledger, IndexChange(late={MODEL: more}, outdated={MODEL: Spans([WEEK[1].span])}))
    assert index(ledger)[1][1].reason == "late rows: 18"
    # Published again it has them.
    change_index(ledger, painted((WEEK[1].span, DONE)))
    assert index(ledger)[0] == (span(WEEK[:3]), DONE)


# Windows that lose rows to a merge


def test_what_loses_rows_to_a_merge_is_judged_again_and_a_failure_stays_one(ledger: Ledger):
    published = replace(OUTDATED, has_rows=True, published_at=NOW)
    withheld = replace(BROKEN, published_at=NOW)
    later = NOW + timedelta(hours=1)
    first, second, third, fourth = (span([window]) for window in WEEK[:4])
    change_index(ledger, painted((span(WEEK[:2]), published), (third, withheld)))
    lost = Timeline([(second, later), (third, later), (fourth, later)])  # of the last nobody knows
    change_index(ledger, IndexChange(touched={MODEL: lost}))
    why = "a merge has taken rows over from it since it was judged"
    unjudged = replace(published, standing=WorkResult.PUBLISHED, reason=why, published_at=later)
    assert index(ledger) == [
        (first, published),
        (second, unjudged),
        (third, replace(withheld, published_at=later)),
    ]
