"""Rows of a merge that its code, once changed, no longer selects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.macros_project import Invocation, Trial

MARCH_1, MARCH_2 = "2026-03-01", "2026-03-02"


@pytest.fixture
def trial(trial: Trial) -> Trial:
    trial.events(
        *("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-01'"),
        *("3, 'a', 1, 1, '2026-03-01'", "4, 'a', 1, 1, '2026-03-02'"),
    )
    return trial


def merge(trial: Trial, code: str | None, first: str, last: str, model: str) -> Invocation:
    hashes: dict[str, Any] = {f"model.trial.{model}": code} if code else {}
    return trial.run(model, first, last, code_hashes=hashes)


def test_rows_that_changed_code_no_longer_selects_are_refused(trial: Trial):
    assert merge(trial, "one", MARCH_1, MARCH_2, "merged").success
    before = trial.rows("merged"), trial.markers("merged", "*")
    trial.events("3, 'b', 1, 2, '2026-03-01'")
    changed = merge(trial, "two", MARCH_1, MARCH_2, "merged")
    assert changed.daybreak_error("merged") == (
        "daybreak: 2 rows of merged stand in 2026-03-01 and 1 in other windows that its changed"
        " code no longer selects, and a merge never deletes: rebuild it: `dbt build --full-refresh"
        " --select merged`, then `runner backfill PIPELINE --select merged+ --reprocess all`; if"
        " they are to stay, it says meta: {keeps_rows: true}"
    )
    assert (trial.rows("merged"), trial.markers("merged", "*")) == before
    assert trial.build("merged", "--full-refresh").success
    assert trial.rows("merged", "id, kind") == [(3, "b")]


@pytest.mark.parametrize(("model", "code"), [("merged", "one"), ("merged_that_keeps", "two")])
def test_rows_stay_under_the_same_code_or_where_the_model_says_so(
    trial: Trial, model: str, code: str
):
    assert merge(trial, "one", MARCH_1, MARCH_2, model).success
    trial.events("3, 'b', 1, 2, '2026-03-01'")
    assert merge(trial, code, MARCH_1, MARCH_2, model).success
    assert [id_ for (id_,) in trial.rows(model, "id")] == [1, 2, 3, 4]


def test_rows_that_move_to_another_window_now_are_not_left_over(trial: Trial):
    assert merge(trial, "one", MARCH_1, MARCH_2, "merged").success
    trial.events(*(f"{n}, 'b', 1, 2, '2026-03-02'" for n in range(1, 5)))
    alone = merge(trial, "two", MARCH_1, MARCH_1, "merged").daybreak_error("merged")
    assert "3 rows of merged stand in 2026-03-01 that its changed code" in alone
    assert merge(trial, "two", MARCH_1, MARCH_2, "merged").success
    assert trial.markers("merged", "row_count, code_hash") == [(0, "two"), (4, "two")]


def test_windows_of_the_same_code_are_not_asked(trial: Trial):
    assert merge(trial, "one", MARCH_1, MARCH_1, "merged").success
    assert merge(trial, "two", MARCH_2, MARCH_2, "merged").success
    trial.events(*(f"{n}, 'b', 1, 2, '2026-03-01'" for n in range(1, 4)))
    assert merge(trial, "two", MARCH_1, MARCH_2, "merged").success
    assert trial.rows("merged", "id, kind") == [(1, "b"), (2, "b"), (3, "b"), (4, "a")]


def test_what_a_plain_build_published_is_compared_with_the_code_as_it_is(trial: Trial):
    assert trial.build("merged").success
    trial.events("1, 'b', 1, 2, '2026-03-01'")
    assert merge(trial, "any", MARCH_1, MARCH_1, "merged").success
    trial.sql("update daybreak_publications set code_hash = 'plain:older'")
    changed = merge(trial, "any", MARCH_2, MARCH_2, "merged")
    assert "1 rows of merged stand in 2026-03-02" in changed.daybreak_error("merged")
