"""What the window macros render, against the calendar of the runner."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
import pytz

from runner.core.spans import Span
from runner.core.windows import Calendar, Grain, Window, are_batches
from tests.integration.macros_project import Project, window_vars

PROJECT_ZONE = "America/New_York"  # dbt_project.yml
FORMS = ("date", "utc", "local", "instant")
# Around a change of clocks: at two in the morning, at midnight, over a whole day, never.
RANGES = {
    "America/New_York": [
        (date(2026, 2, 27), date(2026, 4, 5)),
        (date(2026, 10, 28), date(2026, 11, 9)),
    ],
    "America/Havana": [
        (date(2025, 3, 1), date(2025, 3, 20)),
        (date(2025, 10, 26), date(2025, 11, 3)),
    ],
    "America/Sao_Paulo": [
        (date(2018, 2, 1), date(2018, 2, 20)),
        (date(2018, 11, 4), date(2018, 11, 10)),
    ],
    "Pacific/Apia": [
        (date(2011, 12, 20), date(2012, 1, 10)),
        (date(2011, 12, 31), date(2011, 12, 31)),
    ],
    "Asia/Kolkata": [(date(2026, 1, 15), date(2026, 3, 15))],
    "Europe/London": [
        (date(2026, 3, 20), date(2026, 4, 2)),
        (date(2026, 10, 20), date(2026, 10, 25)),
    ],
    # By half an hour: an hour of 90 minutes, of which the clock shows half twice or not at all.
    "Australia/Lord_Howe": [
        (date(2026, 4, 1), date(2026, 4, 8)),
        (date(2026, 9, 30), date(2026, 10, 6)),
    ],
    "UTC": [(date(2024, 2, 25), date(2024, 3, 3))],
}


def in_window_forms(project: Project, **values: str) -> list[str]:
    calls = [("in_window", {"column": "c", "as": form}) for form in FORMS]
    return project.render(calls, **values)


def test_in_window_of_a_plain_build_is_the_range_of_the_project(project: Project):
    assert in_window_forms(project, start_date="2026-03-01", end_date="2026-03-09") == [
        "(c >= cast('2026-03-01' as date) and c < cast('2026-03-09' as date))",
        "(c >= cast('2026-03-01 05:00:00' as timestamp)"
        " and c < cast('2026-03-09 04:00:00' as timestamp))",
        "(c >= cast('2026-03-01 00:00:00' as timestamp)"
        " and c < cast('2026-03-09 00:00:00' as timestamp))",
        "(c >= cast('2026-03-01 05:00:00+00' as timestamp with time zone)"
        " and c < cast('2026-03-09 04:00:00+00' as timestamp with time zone))",
    ]


def test_in_window_of_the_runner_is_the_window_it_was_given(project: Project):
    given = window_vars("2026-03-08", "2026-03-08")
    assert in_window_forms(project, **given) == in_window_forms(
        project, start_date="2026-03-08", end_date="2026-03-09"
    )


def test_in_window_of_hours_cuts_everything_but_dates(project: Project):
    hour = {
        "window_start": "2026-03-08T01:00:00-05:00",
        "window_end": "2026-03-08T07:00:00+00:00",  # two o'clock, which is three
    }
    calls = [("in_window", {"column": "c", "as": form}) for form in FORMS[1:3]]
    assert project.render(calls, **hour) == [
        "(c >= cast('2026-03-08 06:00:00' as timestamp)"
        " and c < cast('2026-03-08 07:00:00' as timestamp))",
        "(c >= cast('2026-03-08 01:00:00' as timestamp)"
        " and c < cast('2026-03-08 03:00:00' as timestamp))",
    ]
    with pytest.raises(ValueError, match=r"2026-03-08 01:00:00 .* is not where a date begins"):
        project.render([("in_window", {"column": "c"})], **hour)


@pytest.mark.parametrize(
    ("values", "call", "said"),
    [
        ({}, ("in_window", {"column": "c", "as": "time"}), "use 'date', 'utc', 'local', 'inst"),
        ({}, ("window_key", {"column": "c", "as": "time", "grain": "day"}), "no form 'time'"),
        ({}, ("window_key", {"column": "c", "as": "date", "grain": "hour"}), "not say its hour"),
        ({}, ("window_spine", {"grain": "decade"}), "use 'hour', 'day', 'week', 'month' or 'year'"),
        ({"start_date": "1 March"}, ("in_window", {"column": "c"}), "write it like 2026-06-19"),
        ({"start_date": "2026-04-01"}, ("in_window", {"column": "c"}), "move one of these vars"),
        ({"timezone": "New York"}, ("in_window", {"column": "c"}), "a name like America/New_York"),
        (
            {"window_start": "2026-03-08T05:00:00+00:00"},
            ("in_window", {"column": "c"}),
            "pass both or neither",
        ),
        (
            {"window_start": "2026-03-08T05:00:00", "window_end": "2026-03-09T04:00:00+00:00"},
            ("in_window", {"column": "c"}),
            "has no UTC offset",
        ),
        (
            {
                "window_start": "2026-03-09T04:00:00+00:00",
                "window_end": "2026-03-09T04:00:00+00:00",
            },
            ("in_window", {"column": "c"}),
            "make the end later than the start",
        ),
    ],
)
def test_what_makes_no_window_is_refused_with_a_remedy(
    project: Project, values: dict[str, str], call: tuple[str, dict[str, str]], said: str
):
    with pytest.raises(ValueError, match=said):
        project.render([call], **values)


@pytest.mark.parametrize("zone", RANGES)
@pytest.mark.parametrize("grain", Grain)
def test_the_spine_is_the_calendar(project: Project, zone: str, grain: Grain):
    calendar = Calendar(grain, ZoneInfo(zone))
    for first, last in RANGES[zone]:
        span = calendar.span_of_dates(first, last)
        (spine,) = project.render([("window_spine", {"grain": grain})], **vars_of(span, zone))
        expected = [
            (key_of(window, grain), naive(window.start), naive(window.end))
            for window in calendar.windows(span)
        ]
        found = duckdb.sql(
            f"select window_key, window_start, window_end from ({spine}) order by window_start"
        ).fetchall()
        assert found == expected


@pytest.mark.parametrize("zone", RANGES)
def test_the_key_of_a_row_is_that_of_its_window(project: Project, zone: str):
    # A date does not say its hour, and in_window refuses to cut dates by hours.
    pairs = [
        (form, grain) for form in FORMS for grain in Grain if (form, grain) != ("date", "hour")
    ]
    keys = project.render(
        [("window_key", {"column": form, "as": form, "grain": grain}) for form, grain in pairs],
        timezone=zone,
    )
    rows = [(instant, instant.astimezone(ZoneInfo(zone))) for instant in instants(zone)]
    table = ", ".join(
        f"(date '{local:%Y-%m-%d}', timestamp '{naive(instant)}',"
        f" timestamp '{local:%Y-%m-%d %H:%M:%S}', timestamptz '{naive(instant)}+00')"
        for instant, local in rows
    )
    for (form, grain), key in zip(pairs, keys, strict=True):
        found = duckdb.sql(f"select {key} from (values {table}) as rows({', '.join(FORMS)})")
        for (instant, local), (answer,) in zip(rows, found.fetchall(), strict=True):
            if (form, grain) == ("local", "hour") and happens_twice(local, zone):
                continue  # nobody can tell which of the two hours it was
            expected = key_of(Calendar(grain, ZoneInfo(zone)).window_at(instant), grain)
            assert answer == expected, (form, grain, instant)


@pytest.mark.parametrize("grain", Grain)
def test_an_event_time_of_a_batch_is_utc_whatever_its_type(project: Project, grain: Grain):
    window = Calendar(grain, ZoneInfo("UTC")).window_at(datetime(2026, 3, 8, 7, tzinfo=UTC))
    inside = {"column": "sold", "as": "batch"}
    calls = [("in_window", inside), ("window_key", {**inside, "grain": grain})]
    condition, key = project.render(calls, **vars_of(window.span, "UTC"))
    connection = duckdb.connect()
    connection.execute("set timezone = 'Asia/Tokyo'")  # a session's zone changes nothing
    last = window.end - timedelta(seconds=1)
    outside = window.start - timedelta(seconds=1)
    types = ["timestamp", "timestamptz"] + (["date"] if grain is not Grain.HOUR else [])
    for type_ in types:
        zone = "+00" if type_ == "timestamptz" else ""
        values = ", ".join(
            f"(cast('{naive(at)}{zone}' as {type_}))"
            for at in (window.start, last, window.end, outside)
        )
        rows = connection.execute(f"select {condition}, {key} from (values {values}) as rows(sold)")
        found = rows.fetchall()
        assert [is_inside for is_inside, _ in found] == [True, True, False, False], type_
        assert {key for _, key in found[:2]} == {key_of(window, grain)}, type_


def test_the_macros_know_the_same_batches_for_windows_as_the_runner(project: Project):
    for zone in (*RANGES, "Australia/Lord_Howe", "Africa/Abidjan", "Asia/Kathmandu"):
        calls = [("_batches_are_windows", {"size": grain}) for grain in Grain]
        found = [text == "True" for text in project.render(calls, timezone=zone)]
        assert found == [
            grain is not Grain.WEEK and are_batches(grain, ZoneInfo(zone)) for grain in Grain
        ], zone


def test_python_dbt_and_the_database_know_the_same_clocks():
    """Each brings time zones of its own: zoneinfo's, pytz's and ICU's must be equally new.

    They are not always: Havana abolished its winter time in pytz 2026.6 and not in tzdata 2025b.
    """
    noons = [datetime(2017, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(14 * 365)]
    by_zoneinfo = [noon.astimezone(ZoneInfo(PROJECT_ZONE)).replace(tzinfo=None) for noon in noons]
    by_pytz = [noon.astimezone(pytz.timezone(PROJECT_ZONE)).replace(tzinfo=None) for noon in noons]
    by_icu = duckdb.sql(
        f"select noon at time zone 'UTC' at time zone '{PROJECT_ZONE}' from generate_series("
        f"timestamp '{naive(noons[0])}', timestamp '{naive(noons[-1])}', interval 1 day) s(noon)"
    ).fetchall()
    assert by_pytz == by_zoneinfo
    assert [local for (local,) in by_icu] == by_zoneinfo


def vars_of(span: Span, zone: str) -> dict[str, str]:
    return {
        "window_start": span.start.isoformat(),
        "window_end": span.end.isoformat(),
        "timezone": zone,
    }


def key_of(window: Window, grain: Grain) -> date | datetime:
    return naive(window.start) if grain is Grain.HOUR else date.fromisoformat(window.label)


def naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


def instants(zone: str) -> list[datetime]:
    """The first and last seconds of the ranges, and one in every seven hours or so."""
    found = []
    for first, last in RANGES[zone]:
        span = Calendar(Grain.DAY, ZoneInfo(zone)).span_of_dates(first, last)
        minutes = int((span.end - span.start) / timedelta(minutes=1))
        found += [span.start + timedelta(minutes=after) for after in range(0, minutes, 437)]
        found += [span.end - timedelta(seconds=1)]
    return found


def happens_twice(local: datetime, zone: str) -> bool:
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    return first.utcoffset() != second.utcoffset()
