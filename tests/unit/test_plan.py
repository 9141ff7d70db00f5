from datetime import UTC, date, datetime
from itertools import zip_longest
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.plan import Chunk, Plan, Reprocess, Skipped, make_plan
from runner.spans import Span, Spans
from runner.states import State
from runner.windows import Calendar, Grain, Window

DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
WEEK = list(DAYS.windows(DAYS.span_of_dates(date(2026, 3, 5), date(2026, 3, 11))))
IN_FLIGHT = {State.QUEUED, State.RUNNING, State.RETRYING}
# Whether each policy takes a window in a state that is not in flight; None: it never ran.
TAKEN = {
    Reprocess.MISSING: {None, State.CANCELLED},
    Reprocess.FAILED: {None, State.CANCELLED, State.FAILED, State.INCORRECT},
    Reprocess.ALL: {None, *State} - IN_FLIGHT,
}

States = list[State | None]


def history_of(windows: list[Window], states: States) -> dict[State, Spans]:
    """As the ledger gives it: ranges by state."""
    return {
        state: Spans(w.span for w, s in zip(windows, states, strict=True) if s is state)
        for state in dict.fromkeys(states)
        if state is not None
    }


def plan_of(states: States, reprocess: Reprocess, size: int | None = None) -> Plan:
    windows = WEEK[: len(states)]
    desired = Spans(window.span for window in windows)
    return make_plan(DAYS, desired, history_of(windows, states), reprocess, size)


def labels(span: Span, calendar: Calendar = DAYS) -> list[str]:
    return [window.label for window in calendar.windows(span)]


# Reasons


def test_nothing_done_is_one_chunk():
    span = Span(WEEK[0].start, WEEK[-1].end)
    plan = plan_of([None] * 7, Reprocess.FAILED)
    assert plan == Plan(DAYS, (Chunk(span, ("missing",)),), ())
    assert (plan.window_count, plan.span) == (7, span)


def test_nothing_desired_is_an_empty_plan():
    plan = make_plan(DAYS, Spans(), {}, Reprocess.ALL, None)
    assert (plan.chunks, plan.skipped, plan.window_count, plan.span) == ((), (), 0, None)


def test_everything_done_is_skipped_as_one_range():
    plan = plan_of([State.SUCCESS] * 7, Reprocess.FAILED)
    assert plan.chunks == ()
    assert plan.skipped == (Skipped(Span(WEEK[0].start, WEEK[-1].end), State.SUCCESS),)


def test_a_chunk_says_what_its_windows_are_now():
    states: States = [
        State.SUCCESS,
        State.UNCHECKED,
        State.CANCELLED,
        State.INCORRECT,
        State.FAILED,
        None,
    ]
    (chunk,) = plan_of(states, Reprocess.ALL).chunks
    everything = ("failed", "incorrect", "cancelled", "unchecked", "success", "missing")
    assert chunk.reasons == everything
    by_one = plan_of(states, Reprocess.ALL, size=1).chunks
    assert [chunk.reasons for chunk in by_one] == [(str(state or "missing"),) for state in states]


@pytest.mark.parametrize("state", sorted(State))
@pytest.mark.parametrize("reprocess", Reprocess)
def test_a_window_runs_or_is_skipped_with_its_reason(state: State, reprocess: Reprocess):
    plan = plan_of([state], reprocess)
    span = WEEK[0].span
    if state in IN_FLIGHT:
        assert (plan.chunks, plan.skipped) == ((), (Skipped(span, None),))
    elif state in TAKEN[reprocess]:
        assert (plan.chunks, plan.skipped) == ((Chunk(span, (str(state),)),), ())
    else:
        assert (plan.chunks, plan.skipped) == ((), (Skipped(span, state),))


def test_windows_in_flight_are_skipped_as_one_range_whatever_they_wait_for():
    states: States = [State.RUNNING, State.RETRYING, State.QUEUED, None]
    plan = plan_of(states, Reprocess.ALL)
    assert plan.skipped == (Skipped(Span(WEEK[0].start, WEEK[2].end), None),)


def test_chunks_are_cut_where_windows_are_skipped_and_run_oldest_first():
    plan = plan_of([None, None, None, State.SUCCESS, State.FAILED, None, None], Reprocess.FAILED, 2)
    assert [(labels(chunk.span), chunk.reasons) for chunk in plan.chunks] == [
        (["2026-03-05", "2026-03-06"], ("missing",)),
        (["2026-03-07"], ("missing",)),
        (["2026-03-09", "2026-03-10"], ("failed", "missing")),
        (["2026-03-11"], ("missing",)),
    ]
    assert plan.span == Span(WEEK[0].start, WEEK[-1].end)


def test_what_was_done_outside_the_range_is_not_mentioned():
    history = {State.SUCCESS: Spans([Span(WEEK[0].start, WEEK[-1].end)])}
    plan = make_plan(DAYS, Spans([WEEK[3].span]), history, Reprocess.FAILED, None)
    assert plan.skipped == (Skipped(WEEK[3].span, State.SUCCESS),)


# Every plan

ZONES = ["UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"]
calendars = st.builds(Calendar, st.sampled_from(Grain), st.sampled_from(ZONES).map(ZoneInfo))
instants = st.datetimes(datetime(2011, 12, 1), datetime(2012, 4, 30)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=UTC)
)
states = st.sampled_from([None, *State])
sizes = st.none() | st.integers(1, 5)
policies = st.sampled_from(Reprocess)


@st.composite
def windows_in_a_row(draw: st.DrawFn) -> tuple[Calendar, list[Window]]:
    calendar = draw(calendars)
    windows = [calendar.window_at(draw(instants))]
    for _ in range(draw(st.integers(0, 11))):
        windows.append(calendar.following(windows[-1]))
    return calendar, windows


@given(st.data(), windows_in_a_row(), policies, sizes)
def test_every_desired_window_runs_once_or_is_skipped_once(
    data: st.DataObject,
    row: tuple[Calendar, list[Window]],
    reprocess: Reprocess,
    size: int | None,
):
    calendar, windows = row
    found = data.draw(st.lists(states, min_size=len(windows), max_size=len(windows)))
    is_desired = data.draw(
        st.lists(st.booleans(), min_size=len(windows), max_size=len(windows)), label="desired"
    )
    desired = [window for window, wanted in zip(windows, is_desired, strict=True) if wanted]
    history = history_of(windows, found)
    plan = make_plan(calendar, Spans(w.span for w in desired), history, reprocess, size)

    state_of = dict(zip(windows, found, strict=True))
    runs = [window for chunk in plan.chunks for window in calendar.windows(chunk.span)]
    assert runs == [window for window in desired if state_of[window] in TAKEN[reprocess]]
    assert plan.window_count == len(runs)
    skipped = [(w, skip.reason) for skip in plan.skipped for w in calendar.windows(skip.span)]
    assert skipped == [
        (window, "in flight" if state_of[window] in IN_FLIGHT else f"already {state_of[window]}")
        for window in desired
        if window not in runs
    ]
    for chunk in plan.chunks:
        inside = {state_of[window] for window in calendar.windows(chunk.span)}
        assert set(chunk.reasons) == {str(state or "missing") for state in inside}
        assert len(chunk.reasons) == len(set(chunk.reasons))


@given(windows_in_a_row(), st.data(), sizes)
def test_a_chunk_has_its_size_but_the_last_of_a_range(
    row: tuple[Calendar, list[Window]], data: st.DataObject, size: int | None
):
    calendar, windows = row
    found = data.draw(
        st.lists(
            st.sampled_from([None, State.SUCCESS]),
            min_size=len(windows),
            max_size=len(windows),
        )
    )
    desired = Spans(window.span for window in windows)
    plan = make_plan(calendar, desired, history_of(windows, found), Reprocess.FAILED, size)
    for chunk, following in zip_longest(plan.chunks, plan.chunks[1:]):
        continues = following is not None and following.span.start == chunk.span.end
        if size is None:
            assert not continues
        else:
            count = calendar.count(chunk.span)
            assert count == size if continues else 1 <= count <= size


@given(st.data(), policies, sizes)
def test_a_grain_that_was_changed_still_gives_whole_windows(
    data: st.DataObject, reprocess: Reprocess, size: int | None
):
    """Days were run, now the pipeline is weekly: half a week is not done, and never runs alone."""
    weekly = Calendar(Grain.WEEK, DAYS.zone)
    first = weekly.window_at(data.draw(instants))
    weeks = [first, weekly.following(first)]
    days = list(DAYS.windows(Span(weeks[0].start, weeks[-1].end)))
    found = data.draw(st.lists(states, min_size=len(days), max_size=len(days)))
    desired = Spans(week.span for week in weeks)
    plan = make_plan(weekly, desired, history_of(days, found), reprocess, size)

    runs = [window for chunk in plan.chunks for window in weekly.windows(chunk.span)]
    state_of = dict(zip(days, found, strict=True))
    for week in weeks:
        inside = {state_of[day] for day in DAYS.windows(week.span)}
        if inside & IN_FLIGHT:
            assert week not in runs
        elif len(inside) == 1:
            assert (week in runs) == (inside <= TAKEN[reprocess])
    parts = Spans([*(c.span for c in plan.chunks), *(s.span for s in plan.skipped)])
    assert parts == desired


def test_ten_years_of_days_are_few_ranges():
    span = DAYS.span_of_dates(date(2016, 1, 1), date(2025, 12, 31))
    plan = make_plan(DAYS, Spans([span]), {}, Reprocess.MISSING, None)
    assert len(plan.chunks) == 1
    assert plan.window_count == 3653


@given(st.integers(-3, 0))
def test_a_chunk_of_no_windows_is_our_bug(size: int):
    with pytest.raises(ValueError, match="pass 1 or more"):
        plan_of([None], Reprocess.FAILED, size)


@given(st.data(), windows_in_a_row())
def test_meets_is_a_cut_that_is_not_empty(data: st.DataObject, row: tuple[Calendar, list[Window]]):
    _, windows = row
    some = Spans(window.span for window in data.draw(st.lists(st.sampled_from(windows))))
    edges = sorted({edge for window in windows for edge in (window.start, window.end)})
    start, end = sorted(data.draw(st.tuples(st.sampled_from(edges), st.sampled_from(edges))))
    assume(start < end)
    assert some.meets(Span(start, end)) == bool(some & Spans([Span(start, end)]))
