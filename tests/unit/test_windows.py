from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.errors import UsageError
from runner.core.spans import Span
from runner.core.windows import Calendar, Grain, Window

ZONES = [
    "UTC",
    "America/New_York",
    "America/Havana",  # midnight happens twice
    "America/Sao_Paulo",  # midnight was skipped
    "America/St_Johns",  # shifted a minute after midnight, until 2011
    "Pacific/Apia",  # 2011-12-30 never happened
    "Pacific/Kwajalein",  # nor did 1993-08-21 here
    "Asia/Kolkata",  # whole hours are half past in UTC
    "Australia/Lord_Howe",  # shifts by half an hour
    "Africa/Cairo",  # midnight is skipped again since 2023
    "Africa/Casablanca",  # four shifts in some years
    "Europe/Dublin",  # its winter time is the negative one
]
NEW_YORK, LORD_HOWE = "America/New_York", "Australia/Lord_Howe"
HOUR = timedelta(hours=1)

SHIFTS = {
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Pacific/Kwajalein", datetime(1993, 8, 21, 12, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),
    ("America/St_Johns", datetime(2010, 3, 14, 3, 31, tzinfo=UTC)),
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),
    ("America/Toronto", datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),  # 23:30 became 00:30
    (NEW_YORK, datetime(2026, 3, 8, 7, tzinfo=UTC)),
    (NEW_YORK, datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2024, 4, 25, 22, tzinfo=UTC)),
}

# Around the shifts of all these zones, as well as anywhere.
transitions = st.sampled_from(sorted(at for _, at in SHIFTS))
instants = st.one_of(
    st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.builds(
        lambda at, seconds: at + timedelta(seconds=seconds),
        transitions,
        st.integers(-3 * 86400, 3 * 86400),
    ),
)
calendars = st.builds(Calendar, st.sampled_from(Grain), st.sampled_from(ZONES).map(ZoneInfo))


def calendar(grain: Grain, zone: str) -> Calendar:
    return Calendar(grain, ZoneInfo(zone))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def aligned(cal: Calendar, start: datetime, count: int) -> Span:
    window = first = cal.window_at(start)
    for _ in range(count - 1):
        window = cal.following(window)
    return Span(first.start, window.end)


# Examples


@pytest.mark.parametrize(
    ("grain", "zone", "label", "start", "end"),
    [
        (Grain.DAY, "UTC", "2026-06-19", "2026-06-19T00:00", "2026-06-20T00:00"),
        (Grain.DAY, "America/New_York", "2026-03-08", "2026-03-08T05:00", "2026-03-09T04:00"),
        (Grain.DAY, "America/New_York", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),
        # The first of two midnights, so the day holds both.
        (Grain.DAY, "America/Havana", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),
        # No midnight: the day starts at 01:00 local.
        (Grain.DAY, "America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", "2018-11-05T02:00"),
        (Grain.DAY, "Africa/Cairo", "2024-04-26", "2024-04-25T22:00", "2024-04-26T21:00"),
        # 23:30 became 00:30: the day starts where midnight would have been.
        (Grain.DAY, "America/Toronto", "1919-03-31", "1919-03-31T05:00", "1919-04-01T04:00"),
        (Grain.DAY, "Pacific/Apia", "2011-12-31", "2011-12-30T10:00", "2011-12-31T10:00"),
        # A week of six days.
        (Grain.WEEK, "Pacific/Apia", "2011-12-26", "2011-12-26T10:00", "2012-01-01T10:00"),
        (Grain.WEEK, "UTC", "2026-06-15", "2026-06-15T00:00", "2026-06-22T00:00"),
        (Grain.MONTH, "UTC", "2024-02-01", "2024-02-01T00:00", "2024-03-01T00:00"),
        (Grain.MONTH, "America/New_York", "2026-03-01", "2026-03-01T05:00", "2026-04-01T04:00"),
        (Grain.HOUR, "Asia/Kolkata", "2026-06-19T05", "2026-06-18T23:30", "2026-06-19T00:30"),
        (Grain.HOUR, NEW_YORK, "2026-11-01T01-04:00", "2026-11-01T05:00", "2026-11-01T06:00"),
        (Grain.HOUR, NEW_YORK, "2026-11-01T01-05:00", "2026-11-01T06:00", "2026-11-01T07:00"),
        # 00:01 became 01:01: one hour of real time, in which the clock goes from 00:00 to 02:00.
        (Grain.HOUR, "America/St_Johns", "2010-03-14T00", "2010-03-14T03:30", "2010-03-14T04:30"),
        # 02:00 became 02:30, and 02:00 became 01:30: 90 minutes each.
        (Grain.HOUR, LORD_HOWE, "2026-10-04T01", "2026-10-03T14:30", "2026-10-03T16:00"),
        (Grain.HOUR, LORD_HOWE, "2026-04-05T01", "2026-04-04T14:00", "2026-04-04T15:30"),
    ],
)  # fmt: skip
def test_a_label_names_its_instants(grain: Grain, zone: str, label: str, start: str, end: str):
    assert calendar(grain, zone).labelled(label) == Window(utc(start), utc(end), label)


@pytest.mark.parametrize(
    ("grain", "zone", "label", "says"),
    [
        (Grain.DAY, "UTC", "yesterday", "write it like '2026-06-19'"),
        (Grain.DAY, "UTC", "2026-6-19", "write it like '2026-06-19'"),
        (Grain.DAY, "UTC", "2026-06-19T05", "write it like '2026-06-19'"),
        (Grain.DAY, "UTC", "2026-02-30", "not on the calendar"),
        (Grain.DAY, "UTC", "9999-12-31", "not on the calendar"),
        (Grain.DAY, "Asia/Kolkata", "0001-01-01", "not on the calendar"),
        (Grain.DAY, "Pacific/Apia", "2011-12-30", "did not happen in Pacific/Apia"),
        (Grain.HOUR, "UTC", "2026-06-19", "write it like '2026-06-19T05'"),
        (Grain.HOUR, "UTC", "2026-06-19T24", "not on the calendar"),
        (Grain.HOUR, "UTC", "2026-06-19T05+01:00", "did not happen in UTC"),
        (Grain.HOUR, NEW_YORK, "2026-03-08T02", "did not happen in America/New_York"),
        (Grain.HOUR, NEW_YORK, "2026-11-01T01", "2026-11-01T01-04:00' or '2026-11-01T01-05:00"),
        (Grain.WEEK, "UTC", "2026-06-17", "but weeks start on Monday: write '2026-06-15'"),
        (Grain.MONTH, "UTC", "2026-06-17", "months on the 1st: write '2026-06-01'"),
    ],
)  # fmt: skip
def test_a_label_that_names_no_window_says_what_to_write(
    grain: Grain, zone: str, label: str, says: str
):
    with pytest.raises(UsageError) as error:
        calendar(grain, zone).labelled(label)
    assert label in str(error.value)
    assert says in str(error.value)


def test_an_offset_may_be_given_for_an_hour_that_happens_once():
    cal = calendar(Grain.HOUR, NEW_YORK)
    assert cal.labelled("2026-06-19T05-04:00") == cal.labelled("2026-06-19T05")


def test_dates_are_inclusive_and_cover_every_window_they_touch():
    weeks = calendar(Grain.WEEK, "Europe/Dublin")
    span = weeks.span_of_dates(date(2026, 6, 17), date(2026, 6, 22))
    assert [window.label for window in weeks.windows(span)] == ["2026-06-15", "2026-06-22"]
    hours = calendar(Grain.HOUR, NEW_YORK)
    assert hours.count(hours.span_of_dates(date(2026, 3, 8), date(2026, 3, 8))) == 23
    days = calendar(Grain.DAY, "Pacific/Apia")
    assert days.count(days.span_of_dates(date(2011, 12, 29), date(2011, 12, 31))) == 2


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (date(2026, 6, 2), date(2026, 6, 1), "2026-06-01 is before 2026-06-02"),
        (date(2011, 12, 30), date(2011, 12, 30), "did not happen"),
        (date(2026, 1, 1), date.max, "beyond the calendar"),
    ],
)
def test_dates_that_name_nothing_are_refused(first: date, last: date, says: str):
    with pytest.raises(UsageError, match=says):
        calendar(Grain.DAY, "Pacific/Apia").span_of_dates(first, last)


def test_naive_instants_are_refused_and_other_zones_become_utc():
    naive = datetime(2026, 6, 19)  # noqa: DTZ001
    aware = datetime(2026, 6, 19, tzinfo=ZoneInfo("Asia/Kolkata"))
    days = calendar(Grain.DAY, "UTC")
    for use in (
        days.window_at,
        days.floor,
        days.ceiling,
        lambda at: Span(at, at),
        lambda at: Window(at, at, ""),
    ):
        with pytest.raises(ValueError, match="naive"):
            use(naive)
    span = Span(aware, aware + HOUR)
    assert span == Span(utc("2026-06-18T18:30"), utc("2026-06-18T19:30"))
    assert span.start.tzinfo is UTC
    assert days.window_at(aware).label == "2026-06-18"


def test_a_span_and_a_window_are_never_empty():
    at = utc("2026-06-19")
    with pytest.raises(ValueError, match="never empty"):
        Span(at, at)
    with pytest.raises(ValueError, match="never empty"):
        Window(at, at - HOUR, "backwards")


def test_spans_that_do_not_fall_on_bounds_are_refused_at_once():
    days = calendar(Grain.DAY, "UTC")
    ragged = Span(utc("2026-06-01"), utc("2026-06-07T03:56"))
    for use in (days.windows, days.count, days.halves, lambda span: days.chunks(span, 2)):
        with pytest.raises(ValueError, match="not the bound of a day"):
            use(ragged)


def test_what_cannot_be_cut_is_refused():
    days = calendar(Grain.DAY, "UTC")
    window = days.labelled("2026-06-19")
    with pytest.raises(ValueError, match="single window"):
        days.halves(window.span)
    with pytest.raises(ValueError, match="1 or more"):
        days.chunks(window.span, 0)


# Properties


@pytest.mark.parametrize(("zone", "shift"), sorted(SHIFTS))
@pytest.mark.parametrize("grain", Grain)
def test_around_a_shift_windows_tile(grain: Grain, zone: str, shift: datetime):
    local = [(shift - at).astimezone(ZoneInfo(zone)).utcoffset() for at in (HOUR, 0 * HOUR)]
    assert local[0] != local[1], "not a shift: the test would prove nothing"
    cal = calendar(grain, zone)
    previous = cal.window_at(shift - 4 * HOUR)
    for minutes in range(-235, 240, 5):
        instant = shift + timedelta(minutes=minutes)
        window = cal.window_at(instant)
        assert window.start <= instant < window.end
        assert window == previous or window.start == previous.end
        assert cal.labelled(window.label) == window
        previous = window


@given(calendars, instants)
def test_a_window_contains_its_instant_and_its_neighbours_touch_it(
    cal: Calendar, instant: datetime
):
    window = cal.window_at(instant)
    assert window.start <= instant < window.end
    assert cal.window_at(window.start) == window
    assert cal.window_at(window.end - timedelta.resolution) == window
    after, before = cal.following(window), cal.preceding(window)
    assert (before.end, after.start) == (window.start, window.end)
    assert cal.preceding(after) == window == cal.following(before)
    assert cal.floor(instant) == window.start
    assert cal.ceiling(instant) == (window.start if instant == window.start else window.end)


@given(calendars, instants)
def test_labels_round_trip(cal: Calendar, instant: datetime):
    window = cal.window_at(instant)
    assert cal.labelled(window.label) == window


@given(calendars, instants, st.integers(1, 60))
def test_windows_tile_a_span_without_gap_or_overlap(cal: Calendar, start: datetime, count: int):
    span = aligned(cal, start, count)
    windows = list(cal.windows(span))
    assert (windows[0].start, windows[-1].end) == (span.start, span.end)
    assert all(left.end == right.start for left, right in pairwise(windows))
    assert len(windows) == cal.count(span) == count
    assert len({window.label for window in windows}) == count


@given(st.sampled_from(ZONES), instants)
def test_a_day_is_its_local_midnights_wherever_there_is_just_one(zone: str, instant: datetime):
    window = calendar(Grain.DAY, zone).window_at(instant)
    local = window.start.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(local.date(), datetime.min.time())
    earlier = (window.start - timedelta.resolution).astimezone(ZoneInfo(zone))
    assert window.label == local.date().isoformat() > earlier.date().isoformat()
    assert local.replace(tzinfo=None) == midnight or earlier.utcoffset() != local.utcoffset()


@given(st.sampled_from(ZONES), instants)
def test_an_hour_is_an_hour_that_starts_on_a_whole_local_hour(zone: str, instant: datetime):
    window = calendar(Grain.HOUR, zone).window_at(instant)
    bounds = [at.astimezone(ZoneInfo(zone)) for at in (window.start, window.end)]
    assert all((at.minute, at.second, at.microsecond) == (0, 0, 0) for at in bounds)
    shift = (bounds[1].utcoffset() or timedelta()) - (bounds[0].utcoffset() or timedelta())
    assert window.end - window.start == (HOUR if not shift % HOUR else timedelta(minutes=90))


@given(calendars, instants, st.integers(1, 60), st.integers(1, 25))
def test_chunks_partition_a_span(cal: Calendar, start: datetime, count: int, size: int):
    span = aligned(cal, start, count)
    chunks = list(cal.chunks(span, size))
    assert (chunks[0].start, chunks[-1].end) == (span.start, span.end)
    assert all(left.end == right.start for left, right in pairwise(chunks))
    sizes = [cal.count(chunk) for chunk in chunks]
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert sum(sizes) == count
    assert 1 <= sizes[-1] <= size


@given(calendars, instants, st.integers(2, 60))
def test_halves_partition_a_span(cal: Calendar, start: datetime, count: int):
    span = aligned(cal, start, count)
    left, right = cal.halves(span)
    assert (left.start, left.end, right.end) == (span.start, right.start, span.end)
    assert 0 <= cal.count(right) - cal.count(left) <= 1


@pytest.mark.parametrize("zone", ["America/St_Johns", "Pacific/Apia", LORD_HOWE])
def test_the_hours_of_a_year_are_those_found_one_by_one(zone: str):
    hours = calendar(Grain.HOUR, zone)
    window = hours.labelled("2010-12-31T23")
    found = []
    while window.label != "2012-01-01T05":
        window = hours.following(window)
        found.append(window)
    span = Span(found[0].start, found[-1].end)
    assert list(hours.windows(span)) == found
    assert hours.count(span) == len(found)
