"""Columns of a windowed model's query that are new, gone, of another type or written otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.macros_project import Trial

MARCH_1, MARCH_2 = "2026-03-01", "2026-03-02"


@pytest.fixture
def trial(trial: Trial) -> Trial:
    trial.events("1, 'a', 1.25, 1, '2026-03-01'", "2, '7', 2.5, 1, '2026-03-02'")
    return trial


def columns(trial: Trial, model: str) -> dict[str, str]:
    described = trial.sql(f"select column_name, column_type from (describe {model})")
    return dict(described)


def differences(trial: Trial, model: str) -> list[list[Any]]:
    arguments = json.dumps({"models": [f"model.trial.{model}"], "contents": True})
    verified = trial.project.invoke(
        trial.folder, "run-operation", "verify_publications", "--args", arguments
    )
    assert verified.success, verified.told
    found: list[list[Any]] = verified.told_json("DAYBREAK_REPORT ")["differences"]
    return found


@pytest.mark.parametrize("model", ["synced", "synced_merged"])
def test_another_type_is_taken_over_with_the_rows_of_all_windows(trial: Trial, model: str):
    assert trial.build(model).success
    trial.sql("alter table raw.events alter column amount set data type double")
    trial.sql("alter table raw.events add column colour varchar default 'red'")
    trial.sql("alter table raw.events drop column seen_at")
    trial.sql("update raw.events set amount = 9.125, version = 2 where id = 1")
    once = trial.run(model, MARCH_1, MARCH_1)
    assert once.success, once.nodes
    assert trial.rows(model, "id, amount, colour") == [(1, 9.125, "red"), (2, 2.5, None)]
    assert columns(trial, model)["amount"] == "DOUBLE"
    assert "seen_at" not in columns(trial, model)
    assert trial.run(model, MARCH_2, MARCH_2).success
    assert trial.rows(model, "id, amount, colour") == [(1, 9.125, "red"), (2, 2.5, "red")]


def test_a_type_that_standing_rows_do_not_fit_is_refused_with_the_remedy(trial: Trial):
    assert trial.build("synced").success
    before = trial.rows("synced"), trial.markers("synced", "*")
    trial.sql("update raw.events set kind = '1'")
    trial.sql("alter table raw.events alter column kind set data type integer")
    assert trial.run("synced", MARCH_2, MARCH_2).daybreak_error("synced") == (
        "daybreak: 1 rows of synced stand with a value of kind that is no INTEGER, which its query"
        " makes of it now: rebuild it: `dbt build --full-refresh --select synced`, then `runner"
        " backfill PIPELINE --select synced+ --reprocess all`"
    )
    assert (trial.rows("synced"), trial.markers("synced", "*")) == before
    assert trial.build("synced", "--full-refresh").success
    assert trial.rows("synced", "id, kind") == [(1, 1), (2, 1)]


def test_what_differs_is_said_in_one_line_where_nothing_may(trial: Trial):
    assert trial.build("never_grows").success
    trial.sql("alter table raw.events alter column amount set data type double")
    trial.sql("alter table raw.events add column colour varchar")
    trial.sql("alter table raw.events drop column seen_at")
    error = trial.run("never_grows", MARCH_1, MARCH_1).daybreak_error("never_grows")
    assert (
        "out of sync (colour is new, seen_at is gone, amount is DOUBLE, was DECIMAL(9,2))" in error
    )
    assert "`dbt build --full-refresh --select never_grows`" in error


@pytest.mark.parametrize("model", ["grows", "grows_merged"])
def test_a_column_that_has_gone_stays_and_its_new_rows_have_none(trial: Trial, model: str):
    trial.sql("alter table raw.events add column colour varchar default 'red'")
    assert trial.build(model).success
    trial.sql("alter table raw.events drop column colour")
    once = trial.run(model, MARCH_2, MARCH_2)
    assert once.success, once.nodes
    assert trial.rows(model, "id, colour") == [(1, "red"), (2, None)]


@pytest.mark.parametrize("model", ["grows", "grows_merged", "synced", "synced_merged"])
def test_a_column_may_change_its_case(trial: Trial, model: str):
    assert trial.build(model).success
    trial.sql("alter table raw.events rename column amount to Amount")
    trial.sql("alter table raw.events rename column day to Day")
    trial.sql("update raw.events set amount = 9.5")
    once = trial.run(model, MARCH_2, MARCH_2)
    assert once.success, once.nodes
    assert trial.rows(model, "id, amount") == [(1, 1.25), (2, 9.5)]
    assert ("Amount" in columns(trial, model)) == model.startswith("synced")


@pytest.mark.parametrize("model", ["quoted_key", "quoted_key_merged"])
def test_names_in_the_config_may_be_quoted(trial: Trial, model: str):
    for _ in range(2):
        once = trial.run(model, MARCH_1, MARCH_2)
        assert once.success, once.nodes
    assert trial.rows(model, '"Order Id"') == [(1,), (2,)]


@pytest.mark.parametrize("model", ["grows", "synced", "synced_merged"])
def test_other_windows_are_found_as_they_were_published(trial: Trial, model: str):
    assert trial.build(model).success
    since = trial.markers(model, "window_start, contents_since")
    trial.sql("alter table raw.events add column colour varchar default 'red'")
    if model != "grows":
        trial.sql("alter table raw.events alter column amount set data type double")
        trial.sql("alter table raw.events drop column seen_at")
    assert trial.run(model, MARCH_1, MARCH_1).success
    assert differences(trial, model) == []
    assert trial.markers(model, "window_start, contents_since")[1:] == since[1:]


def test_rows_that_somebody_has_changed_are_found_after_it_too(trial: Trial):
    assert trial.build("grows").success
    trial.sql("update grows set amount = 99 where id = 2")
    trial.sql("alter table raw.events add column colour varchar default 'red'")
    assert trial.run("grows", MARCH_1, MARCH_1).success
    assert [found[3] for found in differences(trial, "grows")] == ["2026-03-02"]
