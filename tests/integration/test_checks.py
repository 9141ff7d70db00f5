"""The checks that judge windows: good, bad and edge data, as gates and as later tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration import checks_project
from tests.integration.macros_project import Invocation, Project, Trial, started, window_vars

MONDAY = date(2026, 3, 2)
WEEK = timedelta(weeks=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("checks")
    checks_project.write(folder)
    with started(folder) as project:
        yield project


@pytest.fixture
def trial(checks: Project, tmp_path: Path) -> Trial:
    trial = Trial(checks, tmp_path)
    trial.sql(checks_project.ALL_TABLES)
    return trial


def sell(trial: Trial, day: date, count: int, amount: str = "1", kind: str = "'a'") -> None:
    """Let the source have so many events on a day, and no others."""
    trial.sql(
        f"delete from raw.events where day = '{day}'; insert into raw.events"
        f" select n, {kind}, {amount}, 1, '{day}', '{day}' from range({count}) numbers(n)"
    )


def morning(trial: Trial, model: str, day: date, newest: date | None = None) -> Invocation:
    """Run one day as the runner does; ``newest``: the newest complete one, if it is another."""
    return range_of_days(trial, model, day, day, newest)


def range_of_days(
    trial: Trial, model: str, first: date, last: date, newest: date | None = None
) -> Invocation:
    told = window_vars(str(newest or last), str(newest or last))["window_start"]
    return trial.run(model, str(first), str(last), newest_window=told)


def passed(run: Invocation) -> None:
    """Nothing of it has failed; what has is told."""
    bad = {name: n for name, n in run.nodes.items() if n["status"] in ("error", "fail", "skipped")}
    assert (bad, run.exception) == ({}, None), run.told
    assert run.success, run.told


def found(run: Invocation) -> list[dict[str, Any]]:
    """The rows of everything that the later checks found."""
    broken = [node for node in run.nodes.values() if node["status"] == "error"]
    assert (broken, run.exception) == ([], None)
    evidence = run.told_json("DAYBREAK_REPORT ")["evidence"]
    return sorted(
        (row for check in evidence for row in check["rows"]), key=lambda r: str(list(r.values()))
    )


def said(run: Invocation) -> list[tuple[str, str, str]]:
    """The local date or UTC start of each bad window, what was expected and what is there."""
    return [(r["window_start"][:13], r["expected"], r["actual"]) for r in found(run)]


# rows_in_every_window


def test_a_model_that_also_reads_a_source_needs_more_than_empty_parents(trial: Trial):
    sell(trial, MONDAY, 1)
    trial.sql(f"insert into raw.others values (1, '{MONDAY + DAY}')")
    run = range_of_days(trial, "whole mixed", MONDAY, MONDAY + 2 * DAY)
    assert said(run) == [("2026-03-04 05", "rows, or evidence that there are none", "0 rows")]


def test_a_parent_that_has_not_published_a_window_is_no_evidence(trial: Trial):
    sell(trial, MONDAY, 1)
    passed(morning(trial, "whole", MONDAY))
    withheld = morning(trial, "child", MONDAY + DAY)
    assert "rows, or evidence that there are none" in withheld.error("child")
    passed(morning(trial, "whole", MONDAY + DAY))
    passed(morning(trial, "child", MONDAY + DAY))
    trial.sql("update daybreak_publications set verdict = 'incorrect' where model = 'whole'")
    assert not morning(trial, "child", MONDAY + DAY).success


@pytest.mark.parametrize("model", ["local_midnights", "no_windows"])
def test_a_check_that_names_what_is_no_window_lets_none_of_them_pass(trial: Trial, model: str):
    """Local midnight is no window's start in UTC: taken at its word, it would condemn nothing."""
    sell(trial, MONDAY, 1)
    sell(trial, MONDAY + DAY, 1, amount="-1")
    run = range_of_days(trial, model, MONDAY, MONDAY + DAY)
    (evidence,) = run.told_json("DAYBREAK_REPORT ")["evidence"]
    assert not evidence["names_windows"]
    assert trial.markers(model) == [(None,), (None,)]
    morning(trial, model, MONDAY + DAY)
    assert trial.markers(model) == [(None,), ("incorrect",)]


def test_weeks_and_months_are_closed_on_all_of_their_days(trial: Trial):
    trial.sql(
        "insert into raw.closures select unnest(generate_series(date '2026-03-02',"
        " date '2026-03-08', interval 1 day));"
        "insert into raw.closures select unnest(generate_series(date '2026-03-10',"
        " date '2026-03-15', interval 1 day));"
        # Of the week of the 16th the source says zero, of the next it forgets a day.
        "insert into raw.totals select unnest(generate_series(date '2026-03-16',"
        " date '2026-03-28', interval 1 day)), 0, 0"
    )
    weeks = range_of_days(trial, "closed_weeks", date(2026, 3, 2), date(2026, 3, 29))
    assert [start for start, *_ in said(weeks)] == ["2026-03-09 04", "2026-03-23 04"]
    months = range_of_days(trial, "closed_months", date(2026, 2, 1), date(2026, 3, 31))
    assert [start for start, *_ in said(months)] == ["2026-02-01 05", "2026-03-01 05"]
    trial.sql(
        "delete from raw.totals; insert into raw.totals select"
        " unnest(generate_series(date '2026-02-01', date '2026-03-31', interval 1 day)), 0, 0;"
        # What adds up to nothing is not nothing, and what is unknown is not zero.
        "update raw.totals set row_count = 1 where day = '2026-02-03';"
        "update raw.totals set row_count = -1 where day = '2026-02-04'"
    )
    months = range_of_days(trial, "closed_months", date(2026, 2, 1), date(2026, 3, 31))
    assert [start for start, *_ in said(months)] == ["2026-02-01 05"]
    trial.sql("update raw.totals set row_count = null where day = '2026-03-31'")
    months = range_of_days(trial, "closed_months", date(2026, 3, 1), date(2026, 3, 31))
    assert [start for start, *_ in said(months)] == ["2026-03-01 05"]


def test_an_hour_is_closed_with_its_day(trial: Trial):
    trial.sql(
        "insert into raw.closures values ('2026-03-08');"  # of 23 hours
        "insert into raw.totals values ('2026-03-09', 0, 0), ('2026-03-10', 5, 0);"
        "insert into raw.moments select n, timestamp '2026-03-10 04:30' + interval 1 hour * n,"
        " null from range(23) hours(n)"
    )
    run = range_of_days(trial, "closed_hours", date(2026, 3, 8), date(2026, 3, 10))
    assert [start for start, *_ in said(run)] == ["2026-03-11 03"]


def test_a_day_without_rows_has_no_hour_with_any(trial: Trial):
    sell(trial, MONDAY, 1)
    run = range_of_days(trial, "whole hours_of_days_only", MONDAY, MONDAY + DAY)
    assert len(found(run)) == 24
    assert {row["window_start"] for row in found(run)} >= {
        "2026-03-02 05:00:00",
        "2026-03-03 04:00:00",
    }
    # It reads a source, too.
    run = range_of_days(trial, "whole hours_of_days", MONDAY, MONDAY + DAY)
    assert len(found(run)) == 48


# reconciles_with, as conservation of the rows of a source


def test_a_row_that_is_neither_published_nor_rejected_is_found(trial: Trial):
    sell(trial, MONDAY, 3)
    sell(trial, MONDAY + DAY, 2, "-1")
    passed(range_of_days(trial, "kept", MONDAY, MONDAY + 2 * DAY))
    # Of a NULL the filter of the model says no, and so does that of the check.
    sell(trial, MONDAY, 4, "case n when 0 then null when 1 then -1 else 1 end")
    withheld = range_of_days(trial, "kept", MONDAY, MONDAY + DAY)
    assert (
        "kept_conserves: 2026-03-02: expected 4 rows of the source = 3 published + 1 rejected;"
        " actual 2 published, 1 lost" in withheld.error("kept")
    )
    assert "2026-03-03" not in withheld.error("kept").split("DAYBREAK_EVIDENCE")[0]
    assert trial.rows("kept", "count(*)") == [(3,)]


def test_a_moment_that_is_taken_for_a_date_is_not_lost(trial: Trial):
    trial.sql(f"insert into raw.moments (id, seen_at) values (1, '{MONDAY} 10:00')")
    assert len(said(morning(trial, "moments_of_day", MONDAY))) == 1


def test_conservation_counts_what_the_model_says_and_tolerates(trial: Trial):
    sell(trial, MONDAY, 5, "case when n < 1 then null else 1 end")
    sell(trial, MONDAY + DAY, 5, "case when n < 2 then null else 1 end")
    # A negative amount is published and counts as rejected: one too many is tolerated.
    sell(trial, MONDAY + 2 * DAY, 5, "case when n < 2 then -1 else 1 end")
    run = range_of_days(trial, "counted", MONDAY, MONDAY + 3 * DAY)
    assert said(run) == [
        ("2026-03-03 05", "5 rows of the source = 5 published + 0 rejected", "3 published, 2 lost"),
        (
            "2026-03-04 05",
            "5 rows of the source = 3 published + 2 rejected",
            "5 published, 2 too many",
        ),
    ]


def test_one_of_the_two_forms_has_to_be_chosen(trial: Trial):
    run = morning(trial, "reconciled_with_nothing", MONDAY)
    assert "give one of the two" in run.daybreak_error("reconciled_with_nothing")


# volume_within


def test_a_volume_that_is_out_of_the_ordinary_is_withheld(trial: Trial):
    for week in range(5):
        for weekday in range(7):
            # Sundays are quiet; every other week has a little more.
            count = (10 if weekday == 6 else 100) + week % 2
            sell(trial, MONDAY + week * WEEK + weekday * DAY, count)
    last = MONDAY + 5 * WEEK
    history = range_of_days(trial, "steady", MONDAY, last - DAY)
    assert history.success, history.nodes  # a first backfill has no history
    assert set(trial.markers("steady")) == {("correct",)}

    sell(trial, last, 60)
    withheld = morning(trial, "steady", last)
    assert (
        "steady_volume: 2026-04-06: expected 70 to 130 rows, by the 5 verified windows before it;"
        " actual 60 rows" in withheld.error("steady")
    )
    for count in (131, 0):
        sell(trial, last, count)
        assert f"actual {count} rows" in morning(trial, "steady", last).error("steady")
    assert len(trial.markers("steady")) == 35
    sell(trial, last, 71)
    passed(morning(trial, "steady", last))
    # A Sunday is like other Sundays; its range is taken from them.
    sunday = last + 6 * DAY
    sell(trial, sunday, 71)
    assert "expected 7 to 13 rows" in morning(trial, "steady", sunday).error("steady")
    sell(trial, sunday, 12)
    passed(morning(trial, "steady", sunday))


def test_old_windows_are_not_judged_and_later_ones_are_no_history(trial: Trial):
    for week in range(12):
        sell(trial, MONDAY + week * WEEK, 100)
    passed(range_of_days(trial, "steady", MONDAY + 2 * WEEK, MONDAY + 10 * WEEK))
    # Judged as if it were news it would be compared with nothing: all of the others come after.
    sell(trial, MONDAY + WEEK, 5)
    passed(morning(trial, "steady", MONDAY + WEEK))
    # An old window with a strange volume is old.
    sell(trial, MONDAY + 8 * WEEK, 5)
    newest = MONDAY + 9 * WEEK
    assert morning(trial, "steady", MONDAY + 8 * WEEK, newest - DAY).error("steady")
    passed(morning(trial, "steady", MONDAY + 8 * WEEK, newest))


@pytest.mark.parametrize("verdict", ["'incorrect'", "'unchecked'", "null"])
def test_unverified_windows_are_no_history(trial: Trial, verdict: str):
    for week in range(5):
        sell(trial, MONDAY + week * WEEK, 100)
    passed(range_of_days(trial, "steady", MONDAY, MONDAY + 3 * WEEK))
    sell(trial, MONDAY + 4 * WEEK, 1)
    assert morning(trial, "steady", MONDAY + 4 * WEEK).error("steady")
    trial.sql(
        f"update daybreak_publications set verdict = {verdict}"
        f" where window_start::date = '{MONDAY + WEEK}'"
    )
    passed(morning(trial, "steady", MONDAY + 4 * WEEK))  # three are too few


def test_a_later_test_judges_the_newest_windows_by_those_verified_before(trial: Trial):
    for n in range(29):
        sell(trial, MONDAY + n * DAY, 20)
    passed(range_of_days(trial, "watched", MONDAY, MONDAY + 20 * DAY))
    for n, count in ((21, 1), (26, 1), (27, 26), (28, 27)):
        sell(trial, MONDAY + n * DAY, count)
    last = MONDAY + 28 * DAY
    run = range_of_days(trial, "watched", MONDAY + 21 * DAY, last)
    # The Monday of the 21st day is not yet verified when the 28th is judged; it is too old itself.
    expected = "14 to 26 rows, by the 3 verified windows before it"
    assert said(run) == [("2026-03-30 04", expected, "27 rows")]
    assert trial.markers("watched")[-2:] == [("correct",), ("incorrect",)]

    sell(trial, last, 0)
    assert [actual for *_, actual in said(morning(trial, "watched", last))] == ["0 rows"]
    trial.sql(f"insert into raw.closures values ('{last}')")
    passed(morning(trial, "watched", last))


def test_without_a_newest_window_it_is_the_last_of_the_project(trial: Trial):
    # The project ends with 2026-03-10, a Tuesday.
    for n in range(-21, 9):
        sell(trial, MONDAY + n * DAY, 20)
    first = MONDAY - 21 * DAY
    passed(range_of_days(trial, "watched", first, MONDAY + 8 * DAY))
    trial.sql("delete from watched where day in ('2026-03-08', '2026-03-10') and id > 0")
    tested = trial.project.invoke(trial.folder, "test", "--select", "watched")
    assert tested.error("watched_volume") == "Got 1 result, configured to fail if != 0"
    # In a plain build what was published before is replaced by what nobody has verified.
    assert trial.project.invoke(trial.folder, "build", "--select", "watched").success


@pytest.mark.parametrize(
    ("model", "first", "before", "last"),
    [
        ("steady_weeks", date(2026, 2, 2), date(2026, 2, 22), date(2026, 3, 1)),
        ("steady_months", date(2025, 12, 1), date(2026, 2, 28), date(2026, 3, 31)),
    ],
)
def test_weeks_and_months_are_compared_with_those_before(
    trial: Trial, model: str, first: date, before: date, last: date
):
    for n in range((last - first).days + 1):
        sell(trial, first + n * DAY, 1)
    passed(range_of_days(trial, model, first, before))
    start = before + DAY
    told = window_vars(str(start), str(start))["window_start"]
    good = trial.run(model, str(start), str(last), newest_window=told)
    assert good.success, good.nodes
    sell(trial, last, 30)
    (bad,) = said(trial.run(model, str(start), str(last), newest_window=told))
    assert "by the 3 verified windows before it" in bad[1]


def test_an_hour_is_compared_with_the_same_hour_of_the_week(trial: Trial):
    trial.sql(
        "insert into raw.moments select n, timestamp '2026-02-16 14:10' + interval 7 day * w, null"
        " from range(20) numbers(n), range(3) weeks(w) where not (w = 2 and n > 4);"
        # By the local clock: after the change of clocks, an hour earlier in UTC.
        "insert into raw.moments select n, timestamp '2026-03-09 13:10', null from range(3) s(n);"
        "insert into raw.moments select n, timestamp '2026-03-09 14:10', null from range(9) s(n)"
    )
    day = date(2026, 2, 16)

    def hour(start: str, end: str) -> Invocation:
        values = {
            "window_start": f"{start}+00:00",
            "window_end": f"{end}+00:00",
            "newest_window": f"{start}+00:00",
        }
        return trial.run("steady_hours", str(day), str(day), **values)

    for monday in ("2026-02-16", "2026-02-23"):
        passed(hour(f"{monday}T14:00", f"{monday}T15:00"))
        passed(hour(f"{monday}T15:00", f"{monday}T16:00"))  # nobody comes at ten
    expected = "14 to 26 rows, by the 2 verified windows before it"
    assert said(hour("2026-03-02T14:00", "2026-03-02T15:00")) == [
        ("2026-03-02 14", expected, "5 rows")
    ]
    assert said(hour("2026-03-09T13:00", "2026-03-09T14:00")) == [
        ("2026-03-09 13", expected, "3 rows")
    ]
    assert said(hour("2026-03-09T14:00", "2026-03-09T15:00")) == [
        ("2026-03-09 14", "0 to 0 rows, by the 2 verified windows before it", "9 rows")
    ]


def test_a_where_would_compare_some_rows_with_all(trial: Trial):
    run = morning(trial, "filtered filtered_gate", MONDAY)
    assert "take the where out of its config" in run.daybreak_error("filtered_volume")
    assert "take the where out of its config" in run.daybreak_error("filtered_gate")


# null_rate_within


def test_a_column_that_becomes_null_is_withheld_the_same_morning(trial: Trial):
    for week in range(4):
        sell(trial, MONDAY + week * WEEK, 100, "case when n < 2 then null else 1 end")
    last = MONDAY + 4 * WEEK
    passed(range_of_days(trial, "filled", MONDAY, last - DAY))
    sell(trial, last, 100, "null")
    withheld = morning(trial, "filled", last)
    assert (
        "filled_amount: 2026-03-30: expected amount 7.0% NULL at most, by the 4 verified windows"
        " before it; actual amount 100.0% NULL" in withheld.error("filled")
    )
    assert trial.rows("filled", "count(*)") == [(400,)]
    sell(trial, last, 100, "case when n < 7 then null else 1 end")
    passed(morning(trial, "filled", last))
    # Replayed, it is not its own history; and an old window is not judged.
    sell(trial, last, 100, "case when n < 8 then null else 1 end")
    assert "by the 4 verified" in morning(trial, "filled", last).error("filled")
    passed(morning(trial, "filled", last, last + WEEK))


def test_a_window_says_which_of_its_columns_are_null(trial: Trial):
    days = [MONDAY + n * WEEK for n in range(5)]
    for day in days[:3]:
        sell(trial, day, 10)
    sell(trial, days[3], 10, "null")
    passed(range_of_days(trial, "filled_later", days[0], days[2]))
    usual = "20.0% NULL at most, by the 3 verified windows before it"
    assert said(morning(trial, "filled_later", days[3])) == [
        ("2026-03-23 04", f"amount {usual}", "amount 100.0% NULL")
    ]
    # What was found incorrect is no history.
    sell(trial, days[4], 10, "case when n < 3 then null else 1 end", "null")
    assert said(morning(trial, "filled_later", days[4])) == [
        ("2026-03-30 04", f'amount 20.0%, "kind" {usual}', 'amount 30.0%, "kind" 100.0% NULL')
    ]
    # A window without rows is left to rows_in_every_window.
    sell(trial, days[4] + WEEK, 0)
    passed(morning(trial, "filled_later", days[4] + WEEK))


def test_a_null_rate_needs_its_columns(trial: Trial):
    run = morning(trial, "filled_nowhere", MONDAY)
    assert "name them, columns: [" in run.daybreak_error("filled_nowhere")


# columns_match


def recorded(trial: Trial) -> list[tuple[Any, ...]]:
    return trial.sql(
        "select relation, column_name, data_type, position from daybreak_schemas order by all"
    )


def test_a_source_is_recorded_at_first_sight_and_its_changes_are_told(trial: Trial):
    trial.sql(f"insert into raw.shapes values (1, '{MONDAY}', 1, 'x')")
    passed(morning(trial, "shaped", MONDAY))
    assert recorded(trial) == [
        ("raw.shapes", "day", "DATE", 2),
        ("raw.shapes", "id", "INTEGER", 1),
        ("raw.shapes", "note", "VARCHAR", 4),
        ("raw.shapes", "price", "DECIMAL(9,2)", 3),
    ]
    trial.sql(
        "alter table raw.shapes rename column note to remark;"
        "alter table raw.shapes alter column price type double;"
        "alter table raw.shapes add column is_gift boolean"
    )
    before = recorded(trial)
    run = range_of_days(trial, "shaped", MONDAY, MONDAY + DAY)
    changes = (
        "note VARCHAR, price DECIMAL(9,2), no column is_gift",
        "note looks renamed to remark, price was retyped to DOUBLE, is_gift BOOLEAN was added",
    )
    assert said(run) == [("2026-03-02 05", *changes), ("2026-03-03 05", *changes)]
    assert trial.markers("shaped") == [("incorrect",), ("incorrect",)]
    assert recorded(trial) == before

    # Attached to the source itself it names the columns.
    plain = trial.project.invoke(trial.folder, "build", "--select", "source:raw.shapes")
    assert plain.error("shapes_match") == "Got 3 results, configured to fail if != 0"

    told = trial.project.invoke(
        trial.folder,
        "run-operation",
        "daybreak.accept_schema",
        "--args",
        '{"source_name": "raw.shapes"}',
    )
    assert told.success, told.told
    schema = told.told_json("DAYBREAK_REPORT ")["schema"]
    assert len(schema["changes"]) == 3
    passed(range_of_days(trial, "shaped", MONDAY, MONDAY + DAY))
    assert trial.project.invoke(trial.folder, "build", "--select", "source:raw.shapes").success


def test_as_a_gate_it_withholds_what_a_changed_source_gives(trial: Trial):
    trial.sql(f"insert into raw.shapes values (1, '{MONDAY}', 1, 'x')")
    passed(morning(trial, "shaped_gate", MONDAY))
    assert len(recorded(trial)) == 4
    trial.sql("alter table raw.shapes drop column price; alter table raw.shapes drop column note")
    withheld = morning(trial, "shaped_gate", MONDAY)
    assert "price was dropped, note was dropped" in withheld.error("shaped_gate")
    assert trial.markers("shaped_gate") == [("correct",)]
    # A withheld model is no first sight.
    trial.sql("delete from daybreak_schemas")
    trial.sql("alter table raw.shapes rename column id to key")
    assert not morning(trial, "shaped_gate", MONDAY).success
    assert recorded(trial) == []


def test_a_source_alone_is_recorded_too(trial: Trial):
    assert trial.run("source:raw.shapes", "2026-03-01", "2026-03-01").success
    assert len(recorded(trial)) == 4
    build = ("build", "--select", "source:raw.shapes")
    trial.sql("alter table raw.shapes rename column price to cost")
    assert not trial.project.invoke(trial.folder, *build).success
    # --empty says nothing of the source, and records nothing.
    assert trial.project.invoke(trial.folder, *build, "--empty").success


def land(checks: Project, day: date, columns: str, form: str = "parquet") -> None:
    with duckdb.connect() as connection:
        file = checks.folder / "landing" / f"{day}.{form}"
        query = f"select {columns}, date '{day}' as day"
        connection.execute(f"copy ({query}) to '{file}' (format {form})")


def test_of_landed_files_the_window_of_the_changed_one_is_named(checks: Project, trial: Trial):
    days = [MONDAY + n * DAY for n in range(7)]
    land(checks, days[0], "1 as id, 'x' as very_old")
    for day in days[1:4]:
        land(checks, day, "1 as id, 1.5 as price")
    passed(range_of_days(trial, "landed", days[0], days[3]))
    assert [column for _, column, *_ in recorded(trial)] == ["day", "id", "price"]
    # What nobody has read yet is not taken for right, nor does it matter that it is broken.
    trial.sql("delete from daybreak_schemas")
    (checks.folder / "landing" / f"{days[6]}.parquet").write_text("cut off")
    passed(range_of_days(trial, "landed", days[0], days[3]))
    assert [column for _, column, *_ in recorded(trial)] == ["day", "id", "price"]
    land(checks, days[4], "1 as id, 1.5 as cost")
    land(checks, days[5], "1 as id, 1.5 as price")
    run = range_of_days(trial, "landed", days[4], days[5])
    named = ("2026-03-06 05", "price DECIMAL(2,1)", "price looks renamed to cost")
    assert said(run) == [named]
    withheld = range_of_days(trial, "landed_gate", days[4], days[5]).error("landed_gate")
    assert "landed_gate_match: 2026-03-06: expected price DECIMAL(2,1)" in withheld
    passed(morning(trial, "landed_gate", days[5]))
    # As it was long before, nobody is to be told of again.
    passed(morning(trial, "landed", days[0], days[5]))
    assert said(morning(trial, "landed", days[0], days[1])) != []


@pytest.mark.parametrize("form", ["csv", "json"])
def test_of_landed_text_only_the_names_of_columns_are_compared(
    checks: Project, trial: Trial, form: str
):
    days = [MONDAY + n * DAY for n in range(4)]
    prices = ("1.5 as price", "2 as price", "'free' as price", "1.5 as cost")
    for day, price in zip(days, prices, strict=True):
        land(checks, day, f"1 as id, {price}", form)
    for day in days[:3]:
        passed(morning(trial, f"landed_{form}", day))
    assert recorded(trial) == [
        (f"text.{form}", "day", "untyped", 3),
        (f"text.{form}", "id", "untyped", 1),
        (f"text.{form}", "price", "untyped", 2),
    ]
    run = morning(trial, f"landed_{form}", days[3])
    assert said(run) == [("2026-03-05 05", "price untyped", "price looks renamed to cost")]


def test_a_backfill_of_old_files_does_not_say_what_is_right_today(checks: Project, trial: Trial):
    last = MONDAY + 20 * DAY
    land(checks, MONDAY, "1 as id")
    land(checks, last, "1 as id, 5 as extra")
    passed(range_of_days(trial, "landed_gate", MONDAY, MONDAY, newest=last))
    assert recorded(trial) == []
    passed(morning(trial, "landed_gate", last))
    assert [column for _, column, *_ in recorded(trial)] == ["day", "extra", "id"]


def test_only_a_source_is_watched(trial: Trial):
    run = morning(trial, "no_source shaped_like_a_model", MONDAY)
    assert "columns_match watches a source" in run.daybreak_error("like_a_model")


# late_rows


def test_rows_that_came_after_their_window_was_published_are_counted(trial: Trial):
    sell(trial, MONDAY, 3)
    sell(trial, MONDAY + DAY, 3)
    passed(range_of_days(trial, "timely", MONDAY, MONDAY + DAY))
    trial.sql("update daybreak_publications set published_at = published_at - interval 2 day")
    late = "now()::timestamp - interval 1 day"
    row = "insert into raw.events select n, 'a', 1, 1"
    trial.sql(f"set timezone='UTC'; {row}, '{MONDAY}', {late} from range(17) numbers(n)")
    # A window that nobody has published has no late rows; when NULL was loaded nobody knows.
    trial.sql(f"set timezone='UTC'; {row}, '{MONDAY + 9 * DAY}', {late} from range(2) numbers(n)")
    trial.sql(f"{row}, '{MONDAY + DAY}', null from range(2) numbers(n)")
    run = morning(trial, "timely", MONDAY + 2 * DAY)
    assert run.success  # it warns, whichever window it is about
    assert run.nodes["timely_late"]["status"] == "warn"
    (evidence,) = run.told_json("DAYBREAK_REPORT ")["evidence"]
    assert (evidence["severity"], evidence["makes_stale"]) == ("warn", True)
    assert [(row["window_start"], row["actual"]) for row in evidence["rows"]] == [
        ("2026-03-02 05:00:00", "late rows: 17")
    ]
    # What came late for other windows says nothing of the rows of these.
    assert trial.markers("timely") == [("unchecked",)] * 3

    trial.sql(f"set timezone='UTC'; update raw.events set seen_at = {late} - interval 2 day")
    assert morning(trial, "timely", MONDAY).nodes["timely_late"]["status"] == "pass"


@pytest.mark.parametrize("model", ["timely", "timely_local", "timely_instant"])
def test_when_a_row_was_loaded_is_read_in_its_zone(trial: Trial, model: str):
    days = [MONDAY + n * DAY for n in range(4)]
    for day in days:
        sell(trial, day, 1)
    passed(range_of_days(trial, model, days[0], days[-1]))
    trial.sql("update daybreak_publications set published_at = published_at - interval 3 hour")
    hours = 3 if model == "timely_local" else 0  # New York's clock shows four or five hours less
    trial.sql(
        "update raw.events set seen_at = (select max(published_at) from daybreak_publications)"
        f" - interval 1 hour * {hours} + interval 1 minute;"
        f"update raw.events set seen_at = '2026-01-01' where day = '{days[2]}'"
    )
    tested = trial.project.invoke(trial.folder, "test", "--select", model)
    # `timely_local` looks back two windows only, one of which has nothing late.
    late = 1 if model == "timely_local" else 3
    (check,) = (node for name, node in tested.nodes.items() if name.endswith("_late"))
    assert check["message"].startswith(f"Got {late} result")
    trial.sql("update raw.events set seen_at = seen_at - interval 2 minute - interval 3 hour")
    tested = trial.project.invoke(trial.folder, "test", "--select", model)
    assert {node["status"] for node in tested.nodes.values()} <= {"pass", "success"}


def test_late_rows_of_hours(trial: Trial):
    trial.sql("insert into raw.moments values (1, '2026-03-02 14:10', '2026-03-02 15:00')")
    passed(morning(trial, "timely_hours", MONDAY))
    trial.sql("update daybreak_publications set published_at = published_at - interval 2 hour")
    late = "now() at time zone 'UTC' - interval 1 hour"
    trial.sql(f"insert into raw.moments values (2, '2026-03-02 16:10', {late})")
    tested = trial.project.invoke(trial.folder, "test", "--select", "timely_hours")
    assert tested.nodes["hours_late"]["status"] == "warn"


def test_rows_that_say_they_were_loaded_in_the_future_are_not_counted_and_said_once(trial: Trial):
    """They would be late after every run, and their windows would run for ever."""
    sell(trial, MONDAY, 3)
    passed(morning(trial, "timely", MONDAY))
    row = f"insert into raw.events select n, 'a', 1, 1, '{MONDAY}'"
    trial.sql(f"{row}, timestamp '9999-12-31' from range(2) numbers(n)")
    trial.sql(f"{row}, now()::timestamp + interval 2 day from range(5) numbers(n)")
    run = morning(trial, "timely", MONDAY + DAY)
    (evidence,) = run.told_json("DAYBREAK_REPORT ")["evidence"]
    assert (evidence["names_windows"], evidence["makes_stale"]) == (False, False)
    (found,) = evidence["rows"]
    assert found["actual"] == (
        "not counted, as loaded in the future: 7 rows, up to 9999-12-31 00:00:00 UTC"
    )
    # Beside them, rows that are late are found.
    trial.sql("update daybreak_publications set published_at = published_at - interval 2 day")
    trial.sql(f"{row}, now()::timestamp - interval 1 day from range(4) numbers(n)")
    late, future = morning(trial, "timely", MONDAY + 2 * DAY).told_json("DAYBREAK_REPORT ")[
        "evidence"
    ]
    assert (late["makes_stale"], future["makes_stale"]) == (True, False)
    assert [found["actual"] for found in late["rows"]] == ["late rows: 4"]


def test_late_rows_hold_nothing_back(trial: Trial):
    assert "take the gate mark off" in morning(trial, "late_gate", MONDAY).daybreak_error(
        "late_gate"
    )
