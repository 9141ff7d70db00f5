"""The strategies, gates, markers and checks, each tried on a real warehouse."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import yaml

from runner.dbt.package import package_folder
from runner.dbt.protocol import Evidence
from runner.dbt.reports import invocation_result
from tests.integration.macros_project import Project, Trial

MARCH_1, MARCH_2, MARCH_3 = (f"2026-03-0{day}" for day in (1, 2, 3))


# Replaying


def test_a_day_that_lost_its_rows_is_withheld(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    assert trial.build("daily").success
    before = trial.rows("daily", "id"), trial.markers("daily", "row_count")
    trial.events("2, 'a', 1, 1, '2026-03-02'")
    error = trial.run("daily", MARCH_1, MARCH_2).error("daily")
    (found,) = evidence_of(error)
    assert (found.check, [w.window_start.day for w in found.windows]) == ("may_be_empty", [1])
    assert found.windows[0].actual == "0 rows, 1 stand there"
    assert (trial.rows("daily", "id"), trial.markers("daily", "row_count")) == before
    assert trial.run("daily", MARCH_2, MARCH_2).success


def test_a_day_that_lost_its_rows_becomes_empty_where_it_may(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    assert trial.build("sparse").success
    trial.events("2, 'a', 1, 1, '2026-03-02'")
    assert trial.run("sparse", MARCH_1, MARCH_1).success
    assert trial.rows("sparse", "id") == [(2,)]
    assert trial.markers("sparse", "row_count")[:2] == [(0,), (1,)]


def test_rows_of_a_table_that_had_no_windows_are_not_emptied_either(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    trial.sql("create table daily as from raw.events")
    trial.events()
    error = trial.run("daily", MARCH_1, MARCH_1).error("daily")
    assert "may_be_empty: 2026-03-01: expected rows" in error
    assert trial.rows("daily", "id") == [(1,)]


def test_a_day_whose_parents_have_lost_their_rows_is_empty_by_that_evidence(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    for model in ("sparse", "of_sparse"):
        assert trial.build(model).success
    trial.events()
    assert trial.run("sparse", MARCH_1, MARCH_1).success
    assert trial.run("of_sparse", MARCH_1, MARCH_1).success
    assert trial.rows("of_sparse", "id") == []


def test_only_the_window_is_replaced(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    assert trial.build("daily").success
    trial.events("1, 'b', 2, 1, '2026-03-01'", "2, 'b', 2, 1, '2026-03-02'")
    assert trial.run("daily", MARCH_2, MARCH_2).success
    assert trial.rows("daily", "id, kind") == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "model", ["daily", "merged", "odd_names", "odd_names_merged", "documented"]
)
def test_running_twice_equals_running_once(trial: Trial, model: str):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'b', 2, 1, '2026-03-02'")
    assert trial.build(model).success
    once = trial.rows(model)
    again = trial.build(model)
    assert again.success, again.nodes
    assert len(once) == 2
    assert trial.rows(model) == once


@pytest.mark.slow
@pytest.mark.parametrize("model", ["daily", "merged"])
def test_the_order_of_the_windows_does_not_show(trial: Trial, model: str):
    # Order 1 moved from the 1st to the 2nd when its version grew.
    trial.events("1, 'a', 1, 1, '2026-03-01'", "1, 'b', 2, 2, '2026-03-02'")
    for day in (MARCH_1, MARCH_2):
        assert trial.run(model, day, day).success
    forward = trial.rows(model)
    trial.sql(f"drop table {model}")
    for day in (MARCH_2, MARCH_1, MARCH_2):
        assert trial.run(model, day, day).success
    assert trial.rows(model) == forward


def test_a_full_refresh_as_wide_as_the_table_rebuilds_it(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("daily").success
    trial.events("1, 'b', 1, 1, '2026-03-01'")
    assert trial.build("daily", "--full-refresh").success
    assert trial.rows("daily", "kind") == [("b",)]


def test_a_narrower_full_refresh_is_refused(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-05'")
    assert trial.build("daily").success
    before = trial.rows("daily"), trial.markers("daily", "*")
    refused = trial.run("daily", MARCH_1, MARCH_2, "--full-refresh")
    assert "would lose 1 published rows (2026-03-05 to 2026-03-05)" in refused.daybreak_error(
        "daily"
    )
    assert "leave --full-refresh out" in refused.daybreak_error("daily")
    assert (trial.rows("daily"), trial.markers("daily", "*")) == before


def test_a_full_refresh_that_cannot_tell_what_it_would_lose_is_refused(trial: Trial):
    trial.sql("create table daily as select 1 as id")
    refused = trial.build("daily", "--full-refresh")
    assert "without a column day" in refused.daybreak_error("daily")
    assert trial.rows("daily") == [(1,)]


def test_weeks_of_a_plain_build_are_whole(trial: Trial):
    # 2026-03-01 is a Sunday and 2026-03-11 a Wednesday: one whole week lies between.
    trial.events(*(f"{n}, 'a', 1, 1, '2026-03-{n:02}'" for n in range(1, 15)))
    assert trial.build("weekly").success
    assert [day for (day,) in trial.rows("weekly", "day")] == [
        date(2026, 3, n) for n in range(2, 9)
    ]
    assert trial.markers("weekly", "row_count") == [(7,)]


def test_half_a_week_is_refused(trial: Trial):
    refused = trial.run("weekly", MARCH_2, MARCH_3)
    assert "no week of weekly begins at 2026-03-04 00:00:00" in refused.daybreak_error("weekly")
    assert not trial.has("weekly")


def test_hours_are_replaced_across_the_clock_change(trial: Trial):
    trial.sql(
        "insert into raw.moments select n, timestamp '2026-03-08 05:30' + n * interval 1 hour "
        "from range(23) r(n)"
    )
    assert trial.run("hourly", "2026-03-08", "2026-03-08").success
    counts = trial.markers("hourly", "row_count")
    assert counts == [(1,)] * 23


# Merges that take rows over from other windows


def marked(trial: Trial, model: str) -> list[tuple[Any, ...]]:
    """Of each of the first windows: rows, verdict, whether the rows are newer than the marker."""
    found = trial.markers(model, "row_count, verdict, contents_since > published_at")
    return found[:4]


def test_a_window_that_loses_a_row_to_a_merge_is_marked_so(trial: Trial):
    rows = [
        "1, 'a', 1, 1, '2026-03-01'",
        "2, 'a', 1, 1, '2026-03-01'",
        "3, 'a', 1, 1, '2026-03-02'",
    ]
    trial.events(*rows)
    assert trial.run("merged", MARCH_1, "2026-03-04").success
    assert marked(trial, "merged") == [(n, "unchecked", False) for n in (2, 1, 0, 0)]
    identity = "run_id, fence, code_hash, published_at"
    before = trial.markers("merged", identity)
    # Row 2 moves from the 1st to the 3rd, row 3 as an older version: that stays.
    trial.events("2, 'a', 1, 2, '2026-03-03'", "3, 'a', 1, 0, '2026-03-03'")
    moved = trial.run("merged", MARCH_3, MARCH_3, run_id="mover", fence=2)
    assert moved.success
    assert marked(trial, "merged") == [
        (1, None, True),
        (1, "unchecked", False),
        (1, "unchecked", False),
        (0, "unchecked", False),
    ]
    after = trial.markers("merged", identity)
    assert (after[:2], after[3]) == (before[:2], before[3])
    told = invocation_result([], told_line(moved), None, 0).touched
    assert [(one.model, one.window_start.day, one.row_count, one.is_same) for one in told] == [
        ("model.trial.merged", 1, 1, False)
    ]
    assert told[0].stands_since > told[0].published_at
    # What the markers say is what is there, to the last value.
    assert differing(trial, "merged") == []


def test_a_window_that_loses_all_rows_to_a_merge_has_none(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    assert trial.run("merged", MARCH_1, MARCH_2).success
    trial.events("1, 'a', 1, 1, '2026-03-02'")
    assert trial.run("merged", MARCH_2, MARCH_2).success
    assert trial.markers("merged", "row_count") == [(0,), (2,)]
    assert differing(trial, "merged") == []


def test_a_move_within_the_windows_of_an_invocation_touches_no_other(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.run("merged", MARCH_1, MARCH_2).success
    trial.events("1, 'a', 1, 2, '2026-03-02'")
    moved = trial.run("merged", MARCH_1, MARCH_2)
    assert invocation_result([], told_line(moved), None, 0).touched == ()
    assert marked(trial, "merged") == [(0, "unchecked", False), (1, "unchecked", False)]


def told_line(invocation: Any) -> str:
    (line,) = [text for text in invocation.told if text.startswith("DAYBREAK_REPORT ")]
    return line


def differing(trial: Trial, model: str) -> list[Any]:
    """Where the rows of a model are not what its markers say."""
    arguments = f'{{"models": ["model.trial.{model}"], "contents": true}}'
    asked = trial.project.invoke(
        trial.folder, "run-operation", "daybreak.verify_publications", "--args", arguments
    )
    found: list[Any] = asked.told_json("DAYBREAK_REPORT ")["differences"]
    return found


# Overwritten windows whose rows have a key


def test_a_key_that_another_window_holds_is_withheld(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    assert trial.run("overwritten_by_key", MARCH_1, MARCH_2).success
    before = trial.rows("overwritten_by_key"), trial.markers("overwritten_by_key", "*")
    # Event 1 is now of the 3rd, and the 1st has not been asked again.
    trial.events("1, 'a', 1, 1, '2026-03-03'", "4, 'a', 1, 1, '2026-03-04'")
    withheld = trial.run("overwritten_by_key", MARCH_3, "2026-03-04")
    error = withheld.error("overwritten_by_key")
    assert "withheld overwritten_by_key, its published rows stay as they were" in error
    (found,) = evidence_of(error)
    assert (found.model, found.check) == ("model.trial.overwritten_by_key", "unique_key")
    (window,) = found.windows
    assert (window.window_start.day, window.expected) == (3, "each unique_key (id) once")
    assert window.actual == (
        "1 rows of other windows have one too, such as id 1 in 2026-03-01: run these windows in"
        " one chunk, or use merge"
    )
    assert (trial.rows("overwritten_by_key"), trial.markers("overwritten_by_key", "*")) == before
    # Together they are right.
    assert trial.run("overwritten_by_key", MARCH_1, "2026-03-04").success
    assert trial.rows("overwritten_by_key", "id") == [(1,), (4,)]


@pytest.mark.parametrize("is_first_build", [True, False])
@pytest.mark.parametrize(
    ("model", "rows", "said"),
    [
        (
            "overwritten_by_key",
            ["1, 'a', 1, 1, '2026-03-01'", "1, 'b', 1, 1, '2026-03-02'"],
            ["1 rows share one, such as id 1", "1 rows share one, such as id 1"],
        ),
        (
            "overwritten_by_key",
            ["null, 'a', 1, 1, '2026-03-01'", "null, 'b', 1, 1, '2026-03-01'"],
            ["2 rows have a NULL in it"],
        ),
        ("overwritten_by_two", ["1, 'a', 1, 1, '2026-03-01'", "1, 'b', 1, 1, '2026-03-01'"], []),
        (
            "overwritten_by_two",
            [
                "1, 'a', 1, 1, '2026-03-01'",
                "1, 'a', 2, 1, '2026-03-01'",
                "1, null, 1, 1, '2026-03-02'",
            ],
            ["2 rows share one, such as id 1, kind a", "1 rows have a NULL in it"],
        ),
    ],
)
def test_new_rows_have_each_key_once(
    trial: Trial, model: str, rows: list[str], said: list[str], *, is_first_build: bool
):
    if not is_first_build:
        assert trial.run(model, MARCH_1, MARCH_1).success
    trial.events(*rows)
    built = trial.run(model, MARCH_1, MARCH_2)
    if not said:
        assert built.success
    else:
        (found,) = evidence_of(built.error(model))
        assert [window.actual for window in found.windows] == said
        assert trial.has(model) != is_first_build


# What is refused, with nothing written


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("no_event_time", "config(event_time='business_date')"),
        ("by_decade", "'hour', 'day', 'week', 'month' or 'year'"),
        ("no_unique_key", "config(unique_key='order_id')"),
        ("no_version_column", "config(version_column='extracted_at')"),
        ("in_python", "materialize it as a table"),
    ],
)
def test_a_config_that_is_not_safe_is_refused(trial: Trial, model: str, said: str):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert said in trial.build(model).daybreak_error(model)
    assert not trial.has(model)


def test_a_sample_is_refused(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("daily").success
    refused = trial.build("daily", "--sample", "1 day")
    assert "narrow the vars" in refused.daybreak_error("daily")
    assert trial.rows("daily", "id") == [(1,)]


def test_a_profile_without_transactions_is_refused(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    refused = trial.build("daily", DAYBREAK_NO_TRANSACTIONS="True")
    assert "take disable_transactions out" in refused.daybreak_error("daily")
    assert not trial.has("daily")


@pytest.mark.parametrize("is_first_build", [True, False])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("9, 'a', 1, 1, '2026-04-01'", "1 from 2026-04-01 to 2026-04-01"),
        ("9, 'a', 1, 1, null", "1 with a NULL day"),
    ],
)
def test_a_row_outside_the_window_is_refused(
    trial: Trial, row: str, said: str, is_first_build: bool
):
    good = "1, 'a', 1, 1, '2026-03-01'"
    trial.events(good)
    if not is_first_build:
        assert trial.build("unfiltered").success
    trial.events(good, row)
    refused = trial.build("unfiltered").daybreak_error("unfiltered")
    assert said in refused
    assert "filter it with daybreak.in_window('day')" in refused
    assert trial.has("unfiltered") != is_first_build
    if not is_first_build:
        assert trial.rows("unfiltered", "id") == [(1,)]


@pytest.mark.parametrize("is_first_build", [True, False])
@pytest.mark.parametrize(
    ("model", "row", "said"),
    [
        (
            "merged",
            "1, 'b', 1, 1, '2026-03-02'",
            "several rows of one unique_key, for example id 1",
        ),
        ("merged", "null, 'b', 1, 1, '2026-03-02'", "1 rows with a NULL in its unique_key"),
        ("merged_on_two", "1, 'a', 1, 1, '2026-03-02'", "for example id 1, kind a, times 2"),
        ("merged_on_two", "1, null, 1, 1, '2026-03-02'", "1 rows with a NULL in its unique_key"),
    ],
)
def test_a_bad_merge_key_is_refused(
    trial: Trial, model: str, row: str, said: str, is_first_build: bool
):
    good = "1, 'a', 1, 1, '2026-03-01'"
    trial.events(good)
    if not is_first_build:
        assert trial.build(model).success
    trial.events(good, row)
    assert said in trial.build(model).daybreak_error(model)
    assert trial.has(model) != is_first_build
    if not is_first_build:
        assert trial.rows(model, "id, kind") == [(1, "a")]


def test_a_lower_fence_is_refused_and_an_equal_one_is_not(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.run("daily", MARCH_1, MARCH_2, fence=7).success
    assert trial.run("daily", MARCH_2, MARCH_3, fence=7).success
    trial.events("1, 'b', 1, 1, '2026-03-01'")
    refused = trial.run("daily", MARCH_1, MARCH_1, fence=6)
    assert "a newer run (fence 7) has published" in refused.daybreak_error("daily")
    assert trial.rows("daily", "kind") == [("a",)]
    # Another window was never published by the newer run.
    assert trial.run("daily", "2026-03-05", "2026-03-05", fence=6).success


def test_a_plain_build_lets_no_older_run_back_in(trial: Trial):
    assert trial.run("daily", MARCH_1, MARCH_1, fence=7).success
    assert trial.build("daily").success
    assert not trial.run("daily", MARCH_1, MARCH_1, fence=6).success


# Merging


def test_an_older_version_never_wins_and_an_equal_one_replaces(trial: Trial):
    trial.events("1, 'a', 5, 2, '2026-03-01'", "2, 'a', 5, 2, '2026-03-01'")
    assert trial.build("merged").success
    trial.events(
        "1, 'older', 6, 1, '2026-03-01'",
        "2, 'equal', 6, 2, '2026-03-01'",
        "3, 'new', 6, null, '2026-03-01'",
    )
    assert trial.build("merged").success
    assert trial.rows("merged", "id, kind") == [(1, "a"), (2, "equal"), (3, "new")]
    trial.events("1, 'none', 7, null, '2026-03-01'", "3, 'newer', 7, 1, '2026-03-01'")
    assert trial.build("merged").success
    # Order 2 has left the source and stays: merge never deletes.
    assert trial.rows("merged", "id, kind") == [(1, "a"), (2, "equal"), (3, "newer")]


# --empty


@pytest.mark.parametrize("model", ["daily", "merged", "hooked"])
def test_empty_keeps_what_is_published(trial: Trial, model: str):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    trial.sql("insert into raw.kinds values ('a')")
    assert trial.build(model).success
    before = trial.rows(model), trial.markers(model, "*"), trial.rows("raw.log")
    rehearsed = trial.build(model, "--empty")
    assert rehearsed.success, rehearsed.nodes
    assert len(before[0]) == 1
    assert (trial.rows(model), trial.markers(model, "*"), trial.rows("raw.log")) == before


def test_an_event_time_alone_makes_no_windowed_model(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("appended").success
    assert trial.build("appended").success
    assert len(trial.rows("appended")) == 2
    assert not trial.has("daybreak_publications")


@pytest.mark.parametrize("model", ["plain_table", "plain_incremental", "kinds", "exported"])
def test_empty_is_dbts_own_where_there_are_no_windows(trial: Trial, model: str):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    trial.sql("insert into raw.kinds values ('a')")
    assert trial.build(model).success
    assert len(trial.rows(model)) == 1
    assert trial.build(model, "--empty").success
    # dbt adds its no rows to what an incremental model holds, and puts them into another's place.
    assert len(trial.rows(model)) == (1 if model == "plain_incremental" else 0)


def test_empty_still_runs_the_query(trial: Trial):
    assert trial.build("daily").success
    trial.sql("alter table raw.events rename column day to hour")
    assert '"day" not found' in trial.build("daily", "--empty").error("daily")


def test_a_first_build_with_empty_makes_a_table_without_rows_or_markers(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("daily", "--empty").success
    assert trial.rows("daily") == []
    assert trial.markers("daily") == []


# Shapes


def test_a_new_column_is_appended_if_the_model_says_so(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("grows").success
    assert trial.build("never_grows").success
    trial.sql("alter table raw.events add column colour varchar default 'red'")
    assert trial.run("grows", MARCH_2, MARCH_2).success
    assert trial.run("grows", MARCH_1, MARCH_1).success
    assert trial.rows("grows", "id, colour") == [(1, "red")]
    assert "out of sync" in trial.run("never_grows", MARCH_1, MARCH_1).error("never_grows")
    assert trial.rows("never_grows", "id") == [(1,)]


def test_a_column_that_is_gone_is_an_error_and_no_null(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("daily").success
    trial.sql("alter table raw.events drop column amount")
    assert "amount" in trial.build("daily").error("daily")
    assert trial.rows("daily", "amount") == [(1,)]


def test_a_view_becomes_a_table_or_stays(trial: Trial):
    trial.sql("create view unfiltered as select 'view' as kind")
    trial.events("1, 'a', 1, 1, null")
    assert not trial.build("unfiltered").success
    assert trial.rows("unfiltered") == [("view",)]
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("unfiltered").success
    assert trial.rows("unfiltered", "kind") == [("a",)]


def test_a_key_constraint_survives_a_replay(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    assert trial.build("keyed").success
    again = trial.build("keyed")
    assert again.success, again.nodes
    assert trial.rows("keyed", "id") == [(1,), (2,)]


def test_comments_are_persisted(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    for _ in range(2):
        assert trial.build("documented").success
        assert trial.sql("select comment from duckdb_tables() where table_name = 'documented'") == [
            ("One row per event.",)
        ]
        assert ("Key of the event.",) in trial.sql(
            "select comment from duckdb_columns() where table_name = 'documented'"
        )


def test_a_model_of_another_database_has_its_markers_there(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    for _ in range(2):
        assert trial.build("elsewhere").success
    assert trial.rows("other.main.elsewhere", "id") == [(1,)]
    assert trial.markers("elsewhere") == []
    markers = "select count(*), sum(row_count) from other.main.daybreak_publications"
    assert trial.sql(markers) == [(10, 1)]


def test_hooks_run_and_what_they_change_is_judged(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert trial.build("hooked").success
    assert trial.rows("hooked", "amount") == [(2,)]
    assert trial.sql("from raw.log") == [("inside; -- commit",)]
    # The hook adds one to a hundred, and the gate on the result rolls back all of it.
    trial.events("1, 'a', 100, 1, '2026-03-01'")
    assert "withheld hooked" in trial.build("hooked").error("hooked")
    assert trial.rows("hooked", "amount") == [(2,)]
    assert trial.sql("from raw.log") == [("inside; -- commit",)]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("hooked_before", "has a hook outside its transaction"),
        ("hooked_after", "or in on-run-start or on-run-end"),
        ("hook_commits", "has a hook with 'Commit'"),
        ("hook_calls_commit", "has a hook with 'commit'"),
    ],
)
def test_a_hook_that_could_leave_rows_unjudged_is_refused(trial: Trial, model: str, said: str):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    assert said in trial.build(model).daybreak_error(model)
    assert not trial.has(model)
    assert trial.rows("raw.log") == []


def test_a_hook_that_commits_behind_our_back_is_an_error(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    failed = trial.build("hook_commits_unseen")
    assert "has ended the transaction" in failed.daybreak_error("hook_commits_unseen")
    assert trial.markers("hook_commits_unseen") == []


# Gates

GOOD = "1, 'a', 1, 1, '2026-03-01'"


@pytest.mark.parametrize("is_first_build", [True, False])
@pytest.mark.parametrize(
    ("rows", "gate"),
    [
        (["1, 'b', 1, 1, '2026-03-02'"], "gated_id_is_unique"),
        (["null, 'b', 1, 1, '2026-03-02'"], "gated_id_is_known"),
        (["2, 'z', 1, 1, '2026-03-02'"], "gated_kind_is_accepted"),
        (["2, 'c', 1, 1, '2026-03-02'"], "gated_kind_is_related"),
        (["2, 'a', null, 1, '2026-03-02'"], "gated_amount_of_a"),
        ([f"{n}, 'b', -1, 1, '2026-03-02'" for n in (2, 3, 4)], "gated_few_negative"),
    ],
)
def test_a_gate_withholds_the_window(
    trial: Trial, rows: list[str], gate: str, is_first_build: bool
):
    trial.sql("insert into raw.kinds values ('a'), ('b')")
    assert trial.build("kinds").success
    trial.events(GOOD)
    if not is_first_build:
        assert trial.build("gated").success
    markers = trial.markers("gated", "*")
    trial.events(GOOD, *rows)
    withheld = trial.build("gated")
    error = withheld.error("gated")
    assert "daybreak: withheld gated, its published rows stay as they were:" in error
    assert f"{gate}: " in error
    assert "DAYBREAK_EVIDENCE" not in error  # nobody types a run_id: it is a person's build
    assert trial.has("gated") != is_first_build
    if not is_first_build:
        assert trial.rows("gated", "id") == [(1,)]
    assert trial.markers("gated", "*") == markers


def test_what_a_gate_allows_is_published(trial: Trial):
    trial.sql("insert into raw.kinds values ('a'), ('b')")
    assert trial.build("kinds").success
    # A NULL amount of kind b: `where` leaves it out, and severity warn never withholds.
    trial.events(GOOD, "2, 'b', null, 1, '2026-03-01'", "3, 'b', -1, 1, '2026-03-01'")
    built = trial.build("gated")
    assert built.success, built.nodes
    assert [text for text in built.told if "gated_few_negative found 1 (warn_if >0)" in text]


def test_what_a_gate_only_warns_of_is_told_to_the_runner(trial: Trial):
    trial.sql("insert into raw.kinds values ('a'), ('b')")
    assert trial.build("kinds").success
    trial.events(GOOD, "3, 'b', -1, 1, '2026-03-01'")
    run = trial.run("gated", MARCH_1, MARCH_1)
    assert run.success, run.nodes["gated"]["message"]
    (found,) = evidence_of(run.nodes["gated"]["message"])
    assert (found.check, found.severity, found.failures) == ("gated_few_negative", "warn", 1)
    assert found.sample == ("found 1",)
    assert trial.rows("gated", "id") == [(1,), (3,)]


def test_a_gate_looks_at_its_window_alone(trial: Trial):
    trial.sql("insert into raw.kinds values ('a')")
    assert trial.build("kinds").success
    trial.events(GOOD)
    assert trial.build("gated").success
    trial.sql("update gated set kind = 'wrong'")
    trial.events("2, 'a', 1, 1, '2026-03-02'")
    assert trial.run("gated", MARCH_2, MARCH_2, "--exclude-resource-type", "test").success


def test_a_gate_reads_parents_and_sources_and_nothing_else(trial: Trial):
    trial.events(GOOD)
    trial.sql("insert into raw.totals values ('2026-03-01', 1, 1)")
    refused = trial.build("gate_reads_stranger").daybreak_error("gate_reads_stranger")
    assert "the gate stranger_gate reads model.trial.totals" in refused
    assert "add '-- depends_on: {{ ref(…) }}' to the model" in refused
    assert not trial.has("gate_reads_stranger")
    assert trial.build("gate_reads_source").success
    trial.sql("update raw.totals set row_count = 3")
    withheld = trial.build("gate_reads_source").error("gate_reads_source")
    assert "source_gate: 2026-03-01: expected order 3; actual order 1" in withheld


def test_a_singular_test_cannot_be_a_gate(trial: Trial):
    trial.events(GOOD)
    refused = trial.build("gate_is_singular").daybreak_error("gate_is_singular")
    assert "the gate singular_gate is a singular test" in refused
    assert "make it a generic test of gate_is_singular" in refused
    assert not trial.has("gate_is_singular")


@pytest.mark.parametrize("is_first_build", [True, False])
def test_a_gate_withholds_what_would_be_merged(trial: Trial, *, is_first_build: bool):
    if not is_first_build:
        trial.events(GOOD)
        assert trial.run("merged_through_gates", MARCH_1, MARCH_1).success
    assert trial.build("kinds").success  # so that there are markers to look at
    markers = trial.markers("merged_through_gates", "*")
    misplaced = [f"{n}, 'b', {n}, 2, '2026-03-01'" for n in range(1, 8)]
    trial.events(*misplaced, "8, 'b', null, 1, '2026-03-01'")
    withheld = trial.run("merged_through_gates", MARCH_1, MARCH_1)
    error = withheld.error("merged_through_gates")
    assert "merged_event_times: 2026-03-01: expected every row of its own day; actual 7" in error
    found = {evidence.check: evidence for evidence in evidence_of(error)}
    (named,) = found["merged_event_times"].windows
    assert [row.split(",")[0] for row in named.sample] == [f"id {n}" for n in range(1, 6)]
    (nameless,) = found["merged_amount_is_known"].sample
    assert nameless == "id 8, kind b, amount NULL, version 1, day 2026-03-01, seen_at NULL"
    assert trial.has("merged_through_gates") != is_first_build
    if not is_first_build:
        assert trial.rows("merged_through_gates", "id, kind") == [(1, "a")]
    assert trial.markers("merged_through_gates", "*") == markers


def evidence_of(error: str) -> tuple[Evidence, ...]:
    """What the runner reads in the message of a model whose gates have failed."""
    node = {"unique_id": "model.m", "status": "error", "message": error, "execution_time": 0.0}
    return invocation_result([node], None, None, 0.0).evidence


def test_a_gate_that_only_warns_is_judged_after_and_told(trial: Trial):
    trial.sql("insert into raw.kinds values ('b')")
    assert trial.build("kinds").success
    trial.events("1, 'b', null, 1, '2026-03-01'")
    run = trial.run("gated", MARCH_1, MARCH_1)
    told = run.told_json("DAYBREAK_REPORT ")["evidence"]
    assert [(e["check"], e["severity"], e["failures"]) for e in told] == [
        ("gated_amount_warns", "warn", 1)
    ]
    assert [row["id"] for row in told[0]["rows"]] == ["1"]
    assert trial.rows("gated", "id") == [(1,)]


def test_a_gate_that_neither_passes_nor_fails_is_an_error(trial: Trial):
    trial.events(GOOD)
    refused = trial.build("gate_gives_null").daybreak_error("gate_gives_null")
    assert "wrap it in coalesce(…, 0)" in refused
    assert not trial.has("gate_gives_null")


# Checks and verdicts


@pytest.mark.parametrize(
    ("actual", "expected", "differs"),
    [
        ("1", "1", False),
        ("1", "2", True),
        ("null::int", "null::int", False),
        ("null::int", "0", True),
        ("0", "null::int", True),
        ("1", "'nan'::double", True),
        ("'nan'::double", "1", True),
        ("'nan'::double", "'nan'::double", True),
        ("'inf'::double", "'inf'::double", True),
        ("1", "'inf'::double", True),
        ("260.00000002::double", "260::double", False),
        ("260.000002::double", "260::double", True),
        ("1.01::decimal(18, 2)", "1.00::decimal(18, 2)", True),
        ("99999999999999999.98::decimal(38, 2)", "99999999999999999.99::decimal(38, 2)", True),
    ],
)
def test_numbers_are_compared_as_what_they_are(
    project: Project, actual: str, expected: str, *, differs: bool
):
    none = {"tolerance": "0", "relative_tolerance": "0"}
    (sql,) = project.render([("_differs", {"actual": "a", "expected": "e", **none})])
    with duckdb.connect() as connection:
        found = connection.execute(f"select {sql} from (select {actual} as a, {expected} as e)")
        assert found.fetchone() == (differs,)


def test_a_time_beyond_the_end_does_not_hide_a_day_that_was_cut_off(trial: Trial):
    trial.sql(
        "insert into raw.events values (1, 'a', 5, 1, '2026-03-02', '2026-03-02 17:00'),"
        " (2, 'a', 5, 1, '2026-03-02', '2026-03-05 12:00');"
        "insert into raw.totals values ('2026-03-02', 2, 10)"
    )
    built = trial.run("+checked", "2026-03-02", "2026-03-02")
    evidence = built.told_json("DAYBREAK_REPORT ")["evidence"]
    (fresh,) = [found for found in evidence if found["check"] == "checked_is_fresh"]
    (row,) = fresh["rows"]
    assert row["expected"] == "newest seen_at at 2026-03-02 23:00:00 UTC or later"
    assert row["actual"] == "2026-03-02 17:00:00, and 1 beyond its end"


def test_every_check_names_the_bad_windows_and_no_other(trial: Trial):
    closed, zero, missing, tolerated, wrong, stale, moved, nulls, unexpected = (
        f"2026-03-{day:02}" for day in range(1, 10)
    )
    rows = [
        *[(tolerated, 5, f"{tolerated} 22:00")] * 11,
        *[(wrong, 5, f"{wrong} 22:00")] * 10,
        (stale, 5, f"{stale} 22:59"),
        (moved, 5, "2026-03-20 12:00"),
        (nulls, "null", None),
        *[(unexpected, 5, f"{unexpected} 23:00")] * 2,
    ]
    values = ", ".join(
        f"({n}, 'a', {amount}, 1, '{day}', " + (f"'{at}')" if at else "null)")
        for n, (day, amount, at) in enumerate(rows)
    )
    # New York is five hours behind until the 8th: local 22:00 is 03:00 UTC of the day after.
    trial.sql(
        f"insert into raw.events values {values};"
        "update raw.events set seen_at = seen_at + interval 5 hour;"
        f"update raw.events set seen_at = timestamp '{stale} 22:59' where day = '{stale}';"
        f"insert into raw.closures values ('{closed}');"
        f"insert into raw.totals values ('{closed}', 4, 0), ('{zero}', 0, 0),"
        f" ('{tolerated}', 10, 50), ('{wrong}', 13, 50), ('{stale}', 1, 5), ('{moved}', 1, 5),"
        f" ('{nulls}', 1, null)"
    )
    built = trial.run("+checked", closed, unexpected)
    evidence = {found["check"]: found for found in built.told_json("DAYBREAK_REPORT ")["evidence"]}
    named = {
        check: [row["window_start"][:10] for row in sorted_rows(found["rows"])]
        for check, found in evidence.items()
    }
    assert named == {
        "checked_has_rows": [missing],
        "checked_reconciles": [closed, wrong, unexpected],
        "checked_is_fresh": [stale, moved, nulls, unexpected],
        "checked_event_times": [tolerated, wrong, moved, nulls, unexpected],
    }
    reconciled = sorted_rows(evidence["checked_reconciles"]["rows"])
    assert [(row["expected"], row["actual"]) for row in reconciled] == [
        ("order 4", "order 0"),
        ("order 13", "order 10"),
        ("no row", "order 2, amount 10.00"),
    ]
    verdicts = [verdict for (verdict,) in trial.markers("checked")]
    assert verdicts == ["incorrect", "correct", *["incorrect"] * 7]

    def sampled(check: str) -> dict[str, list[int]]:
        rows = sorted_rows(evidence[check]["rows"])
        return {row["window_start"][:10]: [int(r["id"]) for r in row["sample"]] for row in rows}

    # A check that gives the rows at fault has these shown; of any other, rows of the window.
    assert sampled("checked_has_rows") == {missing: []}
    assert sampled("checked_event_times") == {
        tolerated: [0, 1, 10, 2, 3],  # ordered as text
        wrong: [11, 12, 13, 14, 15],
        moved: [22],
        nulls: [23],
        unexpected: [24, 25],
    }
    of_window = sampled("checked_reconciles")
    assert {day: len(ids) for day, ids in of_window.items()} == {closed: 0, wrong: 5, unexpected: 2}
    assert set(of_window[wrong]) <= set(range(11, 21))


def sorted_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["window_start"])


def test_empty_parents_are_evidence_through_a_view(trial: Trial):
    trial.events("1, 'a', 0, 1, '2026-03-01'", "2, 'a', 5, 1, '2026-03-02'")
    others = ("--exclude", "checked_*", "seen_has_rows")
    run = trial.run("checked seen from_checked", MARCH_1, MARCH_3, *others)
    evidence = run.told_json("DAYBREAK_REPORT ")["evidence"]
    # The 1st has a row that the model drops; on the 3rd nobody has one.
    assert [row["window_start"] for found in evidence for row in found["rows"]] == [
        "2026-03-01 05:00:00"
    ]
    verdicts = [verdict for (verdict,) in trial.markers("from_checked")]
    assert verdicts == ["incorrect", "correct", "correct"]


def test_a_check_on_a_model_without_windows_says_so(trial: Trial):
    trial.events(GOOD)
    run = trial.run("checked seen", MARCH_1, MARCH_1, "--exclude", "checked_*")
    error = run.daybreak_error("seen_has_rows")
    assert "rows_in_every_window judges windows, and seen has none" in error


def test_markers_carry_what_the_runner_told_and_what_was_found(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-07'", "2, 'a', 1, 1, '2026-03-08'")
    hashes = {"model.trial.judged": "it's a hash"}
    run = trial.run("judged", "2026-03-07", "2026-03-08", run_id="r'1", fence=5, code_hashes=hashes)
    assert run.success, run.nodes
    columns = (
        "window_start::varchar, window_end::varchar, run_id, fence, code_hash, row_count, verdict,"
        " judged_at is not null"
    )
    told = ("r'1", 5, "it's a hash", 1, "correct", True)
    # The 8th has 23 hours.
    assert trial.markers("judged", columns) == [
        ("2026-03-07 05:00:00", "2026-03-08 05:00:00", *told),
        ("2026-03-08 05:00:00", "2026-03-09 04:00:00", *told),
    ]


def test_the_windows_that_a_check_names_are_incorrect_and_the_others_correct(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "3, 'a', 1, 1, '2026-03-03'")
    run = trial.run("judged", MARCH_1, MARCH_3)
    assert not run.success
    assert trial.markers("judged") == [("correct",), ("incorrect",), ("correct",)]


def test_a_model_without_checks_is_unchecked(trial: Trial):
    assert trial.run("unjudged", MARCH_1, MARCH_2).success
    assert trial.markers("unjudged") == [("unchecked",), ("unchecked",)]


@pytest.mark.parametrize(
    ("rows", "check"),
    [
        (["null, 'a', 1, 1, '2026-03-01'"], "not_null_halved_id"),
        (["1, 'a', 101, 1, '2026-03-01'"], "halved_amounts"),
    ],
)
def test_a_failed_test_that_names_no_window_leaves_all_unjudged(
    trial: Trial, rows: list[str], check: str
):
    trial.events(*rows)
    run = trial.run("halved", MARCH_1, MARCH_2)
    assert run.nodes[check]["status"] == "fail"
    assert trial.markers("halved") == [(None,), (None,)]
    (found,) = run.told_json("DAYBREAK_REPORT ")["evidence"]
    assert (found["check"], found["names_windows"]) == (check, False)


def test_a_plain_build_publishes_unverified(trial: Trial):
    trial.events(GOOD)
    assert trial.project.invoke(trial.folder, "build", "--select", "halved").success
    columns = "run_id, code_hash[:6], verdict, fence, row_count"
    assert trial.markers("halved", columns)[:2] == [
        (None, "plain:", None, 0, 1),
        (None, "plain:", None, 0, 0),
    ]


def test_an_amount_keeps_its_decimals(trial: Trial):
    trial.events("1, 'a', 1.10, 1, '2026-03-01'")
    assert trial.build("daily").success
    assert trial.rows("daily", "amount") == [(Decimal("1.10"),)]


# Documentation

_MACRO = re.compile(r"{%-?\s*(macro|test)\s+(\w+)\((.*?)\)\s*-?%}", re.DOTALL)
_ARGUMENT = re.compile(r"(\w+)\s*(?:=[^,]*)?(?:,|$)")


def test_every_public_macro_and_each_of_its_arguments_is_documented():
    folder = package_folder() / "macros"
    public = {
        ("test_" if tag == "test" else "") + name: _ARGUMENT.findall(arguments.strip())
        for path in folder.rglob("*.sql")
        for tag, name, arguments in _MACRO.findall(path.read_text())
        if not name.startswith(("_", "default__", "duckdb__"))
    }
    documented = yaml.safe_load((folder / "_macros.yml").read_text())["macros"]
    assert all(macro["description"] for macro in documented)
    assert {
        macro["name"]: [argument["name"] for argument in macro.get("arguments", [])]
        for macro in documented
    } == public
