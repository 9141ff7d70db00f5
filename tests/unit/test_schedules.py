from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from runner.core.errors import UsageError
from runner.core.schedules import Schedule
from runner.core.spans import Span
from runner.core.windows import Calendar, Grain

NEW_YORK = "America/New_York"
ZONES = [
    "UTC",
    NEW_YORK,
    "America/Havana",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Cairo",
]
FIXED = [
    "0 5 * * *",
    "30 1 * * *",
    "0 0 * * *",
    "15,45 0-3 * * *",
    "30 2 * * MON",
    "0 6 1 * *",
    "0 9 * * 1-5",
]
WILDCARD = ["0 * * * *", "*/20 * * * *", "*/15 1,2 * * *", "* 0 * * *"]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

transitions = st.sampled_from(
    [
        datetime(2026, 3, 8, 7, tzinfo=UTC),  # New_York forward
        datetime(2026, 11, 1, 6, tzinfo=UTC),  # New_York back
        datetime(2026, 11, 1, 5, tzinfo=UTC),  # Havana back
        datetime(2018, 11, 4, 3, tzinfo=UTC),  # Sao_Paulo forward
        datetime(2018, 2, 18, 2, tzinfo=UTC),  # Sao_Paulo back
        datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia
        datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord_Howe forward
        datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord_Howe back
        datetime(2024, 4, 25, 22, tzinfo=UTC),  # Cairo forward
    ]
)
moments = st.builds(
    lambda at, seconds, rest: at + timedelta(seconds=seconds, microseconds=rest),
    transitions,
    st.integers(-30 * 3600, 30 * 3600),
    st.sampled_from([0, 0, 1, 999_999]),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
schedules = st.builds(Schedule, st.sampled_from(FIXED + WILDCARD), zones)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    found = []
    tick = schedule.tick_at_or_after(start)
    while tick < end:
        found.append(tick)
        tick = schedule.tick_at_or_after(tick + timedelta.resolution)
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        # 02:30 is skipped on 8 March: fires at the end of the gap, 03:00 EDT.
        ("30 2 * * *", NEW_YORK, "2026-03-08", ["2026-03-08T07:00"]),
        ("0,30 2 * * *", NEW_YORK, "2026-03-08", ["2026-03-08T07:00"]),
        # 01:30 happens twice on 1 November: fires the first time only.
        ("30 1 * * *", NEW_YORK, "2026-11-01", ["2026-11-01T05:30"]),
        # Midnight is skipped in Sao Paulo, and twice there in Havana.
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-04", ["2018-11-04T03:00"]),
        ("0 0 * * *", "America/Havana", "2026-11-01", ["2026-11-01T04:00"]),
        # A "*" follows the clock on the wall: nothing at 02:xx, twice at 01:xx.
        ("*/30 2 * * *", NEW_YORK, "2026-03-08", []),
        (
            "*/30 1 * * *",
            NEW_YORK,
            "2026-11-01",
            ["2026-11-01T05:00", "2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30"],
        ),
    ],
)
def test_gaps_and_overlaps(expression: str, zone: str, day: str, expected: list[str]):
    window = Calendar(Grain.DAY, ZoneInfo(zone)).labelled(day)
    found = ticks(Schedule(expression, ZoneInfo(zone)), window.start, window.end)
    assert found == [utc(text) for text in expected]


@pytest.mark.parametrize(
    ("zone", "shift"),
    [
        (NEW_YORK, "2026-03-08"),
        (NEW_YORK, "2026-11-01"),
        ("America/Havana", "2026-11-01"),
        ("America/Sao_Paulo", "2018-11-04"),
        ("Pacific/Apia", "2011-12-30"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("Africa/Cairo", "2024-04-26"),
    ],
)
@pytest.mark.parametrize("expression", [*FIXED, "0 * * * *"])
def test_around_a_shift_the_ticks_are_those_of_cronsim(expression: str, zone: str, shift: str):
    start, end = utc(shift) - timedelta(days=9), utc(shift) + timedelta(days=40)
    cron = CronSim(expression, (start - MINUTE).astimezone(ZoneInfo(zone)))
    theirs = (tick.astimezone(UTC) for tick in cron)
    expected = list(takewhile(lambda tick: tick < end, theirs))
    assert ticks(Schedule(expression, ZoneInfo(zone)), start, end) == expected


@given(schedules, moments)
def test_looking_back_and_looking_ahead_agree(schedule: Schedule, moment: datetime):
    after, before = schedule.tick_at_or_after(moment), schedule.tick_at_or_before(moment)
    assert before <= moment <= after
    assert after.tzinfo is before.tzinfo is UTC
    assert schedule.tick_at_or_before(after) == schedule.tick_at_or_after(after) == after
    assert schedule.tick_at_or_before(before) == schedule.tick_at_or_after(before) == before
    if before < moment < after:
        assert schedule.tick_at_or_after(before + timedelta.resolution) == after
        assert schedule.tick_at_or_before(after - timedelta.resolution) == before


@given(
    schedules,
    st.builds(Calendar, st.sampled_from([Grain.HOUR, Grain.DAY, Grain.WEEK]), zones),
    moments,
)
def test_due_end_and_next_due_agree_with_asking_every_window(
    schedule: Schedule, calendar: Calendar, now: datetime
):
    bound = schedule.due_end(calendar, now)
    upcoming, due = schedule.next_due(calendar, now)
    near = Span(
        calendar.floor(bound - timedelta(days=15)),
        calendar.ceiling(max(bound, now) + timedelta(days=2)),
    )
    windows = list(calendar.windows(near))
    some = windows if len(windows) < 60 else [w for w in windows if abs(w.end - bound) < 9 * HOUR]
    assert all((schedule.due_at(window) <= now) == (window.end <= bound) for window in some)
    later = [window for window in windows if window.end > bound]
    assert upcoming == later[0]
    assert due == schedule.due_at(upcoming) > now


def test_a_weekly_tick_makes_a_week_of_days_due_at_once():
    mondays = Schedule("0 5 * * MON", ZoneInfo("UTC"))
    days = Calendar(Grain.DAY, ZoneInfo("UTC"))
    before, after = utc("2026-06-22T04:59:59"), utc("2026-06-22T05:00")
    assert mondays.due_end(days, before) == utc("2026-06-15")
    assert mondays.next_due(days, before) == (days.labelled("2026-06-15"), after)
    assert mondays.due_end(days, after) == utc("2026-06-22")
    assert mondays.next_due(days, after) == (days.labelled("2026-06-22"), utc("2026-06-29T05:00"))


def test_a_window_is_due_at_a_tick_at_its_very_end():
    schedule = Schedule("0 0 * * *", ZoneInfo(NEW_YORK))
    window = Calendar(Grain.DAY, ZoneInfo(NEW_YORK)).labelled("2026-06-19")
    assert schedule.due_at(window) == window.end


def test_the_schedule_and_the_windows_may_have_different_zones():
    schedule = Schedule("0 5 * * *", ZoneInfo("Asia/Kolkata"))
    window = Calendar(Grain.DAY, ZoneInfo("UTC")).labelled("2026-06-19")
    assert schedule.due_at(window) == utc("2026-06-20T23:30")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 25 * * *", "bad hour"),
        ("0 5 31 2 *", "bad day-of-month"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("@daily", "it has 1 fields"),
        ("0 0 5 * * *", "it has 6 fields"),
        ("", "it has 0 fields"),
        ("0 0 * * MON-SUN", "bad day-of-week"),
        ("0 0 */30 2 SUN#3", "never fires"),
    ],
)
def test_a_bad_expression_is_named_with_an_example(expression: str, says: str):
    with pytest.raises(UsageError) as error:
        Schedule(expression, ZoneInfo("UTC"))
    assert repr(expression) in str(error.value)
    assert says in str(error.value)
    assert "such as '0 5 * * *'" in str(error.value)


def test_naive_instants_are_refused():
    schedule = Schedule("0 5 * * *", ZoneInfo("UTC"))
    naive = datetime(2026, 6, 19)  # noqa: DTZ001
    for use in (schedule.tick_at_or_after, schedule.tick_at_or_before):
        with pytest.raises(ValueError, match="naive"):
            use(naive)
