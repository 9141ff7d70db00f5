"""Verdicts: who may write them and when, by checks alone too, and what the runner is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.macros_project import Invocation, Project, Trial, window_vars

MARCH_1, MARCH_2, MARCH_3 = (f"2026-03-0{day}" for day in (1, 2, 3))
STARTS = tuple(f"2026-03-0{day} 05:00:00" for day in (1, 2, 3, 4))
PLAIN_DAY_1 = ("--vars", '{"start_date": "2026-03-01", "end_date": "2026-03-02"}')
HALVED = "model.trial.halved"
CHECKS_OF_HALVED = "not_null_halved_id halved_amounts"


def publish(trial: Trial, models: str, first: str, last: str, **more: Any) -> Invocation:
    """Publish as the runner does and leave it unjudged, as a crash before the tests would."""
    run = trial.run(models, first, last, "--exclude-resource-type", "test", **more)
    assert run.success, run.nodes
    return run


def told(run: Invocation) -> list[list[Any]]:
    """The windows of a report, without the instants that nobody can foretell."""
    groups: list[list[Any]] = run.told_json("DAYBREAK_REPORT ")["publications"]
    assert all(at.startswith("20") for *_, at, _ in groups)
    return sorted(
        [model.removeprefix("model.trial."), *window, *judged]
        for model, *judged, _, windows in groups
        for *window, _ in windows
    )


def one(model: str, day: int, verdict: str | None, rows: int = 1) -> list[Any]:
    """How a report tells of a day that ``publish`` has published."""
    return [model, STARTS[day - 1], STARTS[day], rows, verdict, 1, "trial", None, None]


# Checks alone


def test_checks_alone_judge_what_is_published(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    published = publish(trial, "halved", MARCH_1, MARCH_2)
    assert told(published) == [one("halved", 1, None), one("halved", 2, None)]
    columns = "run_id, fence, row_count, published_at"
    before = trial.rows("halved"), trial.markers("halved", columns)
    checked = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_2, run_id="again", fence=2)
    ran = {name for name in checked.nodes if not name.startswith("daybreak-on-run-")}
    assert ran == set(CHECKS_OF_HALVED.split())
    assert trial.markers("halved") == [("correct",), ("correct",)]
    assert (trial.rows("halved"), trial.markers("halved", columns)) == before
    assert told(checked) == [one("halved", 1, "correct"), one("halved", 2, "correct")]


def test_checks_alone_condemn_the_windows_that_they_name(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "3, 'a', 1, 1, '2026-03-03'")
    publish(trial, "judged", MARCH_1, MARCH_3)
    checked = trial.run("judged_has_rows", MARCH_1, MARCH_3)
    assert trial.markers("judged") == [("correct",), ("incorrect",), ("correct",)]
    assert told(checked) == [
        one("judged", 1, "correct"),
        one("judged", 2, "incorrect", rows=0),
        one("judged", 3, "correct"),
    ]


def test_one_invocation_builds_some_models_and_only_tests_others(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 1, 1, '2026-03-02'")
    publish(trial, "halved", MARCH_1, MARCH_1)
    run = trial.run(f"judged {CHECKS_OF_HALVED}", MARCH_1, MARCH_2)
    assert run.success, run.nodes
    # The second day of `halved` was never published: there is nothing to judge.
    assert sorted(told(run)) == [
        one("halved", 1, "correct"),
        one("judged", 1, "correct"),
        one("judged", 2, "correct"),
    ]


def test_a_check_that_names_no_window_is_narrowed_down_to_one(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 101, 1, '2026-03-02'")
    publish(trial, "halved", MARCH_1, MARCH_3)
    all_days = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_3)
    unjudged = [one("halved", 1, None), one("halved", 2, None), one("halved", 3, None, rows=0)]
    assert told(all_days) == unjudged
    assert trial.markers("halved") == [(None,)] * 3

    first = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_1)
    assert told(first) == [one("halved", 1, "correct")]
    rest = trial.run(CHECKS_OF_HALVED, MARCH_2, MARCH_3)
    assert told(rest) == unjudged[1:]
    second = trial.run(CHECKS_OF_HALVED, MARCH_2, MARCH_2)
    assert told(second) == [one("halved", 2, "incorrect")]
    assert trial.markers("halved") == [("correct",), ("incorrect",), (None,)]


@pytest.mark.parametrize(("verdict", "amount"), [("correct", 101), ("incorrect", 1)])
def test_who_has_a_verdict_keeps_it(trial: Trial, verdict: str, amount: int):
    publish(trial, "halved", MARCH_1, MARCH_1)
    trial.sql(f"update daybreak_publications set verdict = '{verdict}'")
    trial.sql(f"insert into halved (amount, id, day) values ({amount}, 1, '2026-03-01')")
    before = trial.markers("halved", "*")
    checked = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_1)
    assert checked.success == (verdict == "incorrect")
    assert told(checked) == []
    assert trial.markers("halved", "*") == before


def test_a_good_verdict_that_nobody_was_told_of_is_told_when_it_is_confirmed(trial: Trial):
    publish(trial, "judged", MARCH_1, MARCH_3)
    trial.sql("update daybreak_publications set verdict = 'correct'")
    trial.sql("insert into judged (id, day) values (1, '2026-03-01'), (3, '2026-03-03')")
    before = trial.markers("judged", "*")
    checked = trial.run("judged_has_rows", MARCH_1, MARCH_3)
    assert told(checked) == [one("judged", day, "correct", rows=0) for day in (1, 3)]
    assert trial.markers("judged", "*") == before


def test_a_built_window_alone_is_condemned_by_a_check_that_names_none(trial: Trial):
    trial.events("1, 'a', 101, 1, '2026-03-01'")
    run = trial.run("halved", MARCH_1, MARCH_1)
    assert told(run) == [one("halved", 1, "incorrect")]


def test_a_check_that_could_not_run_condemns_nothing(trial: Trial):
    publish(trial, "halved", MARCH_1, MARCH_1)
    trial.sql("alter table halved rename column amount to price")
    checked = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_1)
    assert checked.nodes["halved_amounts"]["status"] == "error"
    assert told(checked) == [one("halved", 1, None, rows=0)]


def test_what_a_check_names_is_condemned_though_another_names_nothing(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "null, 'a', 1, 1, '2026-03-03'")
    publish(trial, "left_side", MARCH_1, MARCH_3)
    trial.run("left_is_known left_has_rows", MARCH_1, MARCH_3)
    assert trial.markers("left_side") == [(None,), ("incorrect",), (None,)]


def test_two_checks_of_one_name_each_condemn_their_own_model(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', -1, 1, '2026-03-02'")
    run = trial.run("twin_of_all twin_of_positive", MARCH_1, MARCH_3)
    assert trial.markers("twin_of_all") == [("correct",), ("correct",), ("incorrect",)]
    assert trial.markers("twin_of_positive") == [("correct",), ("incorrect",), ("incorrect",)]
    evidence = run.told_json("DAYBREAK_REPORT ")["evidence"]
    assert sorted((found["model"], found["failures"]) for found in evidence) == [
        ("model.trial.twin_of_all", 1),
        ("model.trial.twin_of_positive", 2),
    ]
    assert {found["check"] for found in evidence} == {"twin_has_rows"}
    assert len({found["test"] for found in evidence}) == 2


def test_a_check_condemns_windows_that_it_names_and_that_did_not_run(trial: Trial):
    trial.events(*(f"{day}, 'a', 1, 1, '2026-03-0{day}'" for day in (1, 2, 3)))
    plain = trial.project.invoke(trial.folder, "build", "--select", "looks_far", *PLAIN_DAY_1)
    assert plain.success, plain.nodes
    assert trial.run("looks_far", MARCH_2, MARCH_2).success
    assert trial.markers("looks_far")[:2] == [(None,), ("correct",)]
    trial.sql("update looks_far set amount = -1 where id < 3")
    run = trial.run("looks_far", MARCH_3, MARCH_3, fence=2)
    assert run.nodes["looks_at_all"]["status"] == "fail"
    assert trial.markers("looks_far")[:3] == [("incorrect",), ("incorrect",), ("correct",)]
    first, second, third = told(run)
    assert first[:5] == ["looks_far", STARTS[0], STARTS[1], 1, "incorrect"]
    assert second == one("looks_far", 2, "incorrect")
    assert third[4] == "correct"
    # Those of a newer run it may not have seen.
    trial.sql("update daybreak_publications set fence = 9, verdict = 'correct' where fence < 2")
    trial.run("looks_far", MARCH_3, MARCH_3, fence=3)
    assert trial.markers("looks_far")[:3] == [("correct",), ("correct",), ("correct",)]


def test_what_is_to_be_judged_again_loses_its_verdict(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'", "2, 'a', 101, 1, '2026-03-02'")
    publish(trial, "halved", MARCH_1, MARCH_3)
    trial.sql("update daybreak_publications set verdict = 'correct', checks_hash = 'old'")
    today = {"judged": [HALVED], "checks_hashes": {HALVED: "new"}}
    told_of_all = told(trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_3, **today))
    assert [(found[4], found[-1]) for found in told_of_all] == [(None, None)] * 3
    assert trial.markers("halved", "verdict, checks_hash, judged_at") == [(None, None, None)] * 3
    for day in (MARCH_1, MARCH_2, MARCH_3):
        trial.run(CHECKS_OF_HALVED, day, day, **today)
    assert trial.markers("halved", "verdict, checks_hash") == [
        ("correct", "new"),
        ("incorrect", "new"),
        ("correct", "new"),
    ]


def test_what_a_plain_build_has_published_is_judged_if_it_is_asked_for(not_asked_before: Trial):
    trial = not_asked_before
    checked = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_1, judged=[HALVED])
    assert checked.success, checked.nodes
    assert trial.markers("halved", "verdict, run_id")[:2] == [("correct", None), (None, None)]


@pytest.fixture
def not_asked_before(trial: Trial) -> Trial:
    assert trial.project.invoke(trial.folder, "build", "--select", "halved").success
    return trial


def test_the_hash_of_the_checks_stands_with_every_verdict(trial: Trial):
    models = "tells_without_tests tells_with_gates tells_with_tests"
    hashes = {f"model.trial.{name}": f"checks of {name}" for name in models.split()}
    trial.run(models, MARCH_1, MARCH_1, "--exclude-resource-type", "test", checks_hashes=hashes)
    assert trial.rows("daybreak_publications", "model, checks_hash") == [
        ("tells_with_gates", "checks of tells_with_gates"),
        ("tells_with_tests", None),
        ("tells_without_tests", "checks of tells_without_tests"),
    ]
    trial.run("not_null_tells_with_tests_id", MARCH_1, MARCH_1, checks_hashes=hashes)
    assert trial.markers("tells_with_tests", "verdict, checks_hash") == [
        ("correct", "checks of tells_with_tests")
    ]


def test_markers_of_an_earlier_version_say_nothing_of_checks(trial: Trial):
    publish(trial, "halved", MARCH_1, MARCH_1)
    for column in ("unique_id", "relation", "contents", "contents_since", "checks_hash"):
        trial.sql(f"alter table daybreak_publications drop column {column}")
    trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_1, checks_hashes={HALVED: "today"})
    assert trial.markers("halved", "verdict, checks_hash") == [("correct", "today")]


def negative(trial: Trial, *counts: int) -> None:
    """So many negative amounts on each of the first days."""
    trial.events(
        *(
            f"{10 * day + n}, 'a', -{n + 1}, 1, '2026-03-0{day}'"
            for day, count in enumerate(counts, start=1)
            for n in range(count)
        )
    )


def named(evidence: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Severity and the start of the window of every row, by check."""
    return [
        (found["severity"], sorted(row["window_start"] for row in found["rows"]))
        for found in evidence
    ]


@pytest.mark.parametrize("days", [(MARCH_1, MARCH_3), (MARCH_2, MARCH_3), (MARCH_3, MARCH_3)])
def test_thresholds_hold_for_each_window_whatever_runs_with_it(trial: Trial, days: tuple[str, str]):
    negative(trial, 3, 2, 1)
    run = trial.run("tolerant", *days)
    every = ["incorrect", "correct", "correct"]
    expected = every[int(days[0][-1]) - 1 :]
    assert trial.markers("tolerant") == [(verdict,) for verdict in expected]
    status = {3: "fail", 2: "warn", 1: "pass"}[len(expected)]
    assert run.nodes["tolerant_of_two"]["status"] == status
    evidence = named(run.told_json("DAYBREAK_REPORT ")["evidence"])
    both = [("error", [STARTS[0]] * 3), ("warn", [STARTS[1]] * 2)]
    assert evidence == both[3 - len(expected) :]


def test_thresholds_of_a_gate_hold_for_each_window(trial: Trial):
    negative(trial, 3, 2, 1)
    withheld = trial.run("tolerant_gate", MARCH_1, MARCH_3)
    error = withheld.error("tolerant_gate")
    evidence = json.loads(error.partition("DAYBREAK_EVIDENCE ")[2].splitlines()[0])
    assert named(evidence) == [("error", [STARTS[0]] * 3), ("warn", [STARTS[1]] * 2)]
    text = error.partition("DAYBREAK_EVIDENCE ")[0]
    assert text.count("2026-03-01: expected nothing below 0") == 3
    assert "2026-03-02" not in text
    assert trial.run("tolerant_gate", MARCH_2, MARCH_3).success
    assert trial.markers("tolerant_gate") == [("correct",), ("correct",)]


def test_a_shared_test_does_not_speak_for_all_tests_of_a_model(trial: Trial):
    trial.events("1, 'a', 1, 1, '2026-03-01'")
    publish(trial, "left_side right_side", MARCH_1, MARCH_1)
    trial.run("left_is_known left_has_rows sides_agree", MARCH_1, MARCH_1)
    assert trial.markers("left_side") == [("correct",)]
    assert trial.markers("right_side") == [(None,)]
    # One that reads what the model is not built from may be out of reach.
    trial.run("right_is_known", MARCH_1, MARCH_1)
    assert trial.markers("right_side") == [("correct",)]


def test_without_the_tests_that_read_its_parents_too_a_model_is_not_judged(trial: Trial):
    publish(trial, "+checked", MARCH_1, MARCH_1)
    trial.run("checked_is_fresh checked_event_times", MARCH_1, MARCH_1)
    assert trial.markers("checked") == [(None,)]


@pytest.fixture
def not_ours(trial: Trial) -> Iterator[Trial]:
    """Three windows of ``halved`` that checks on the first two days must leave alone."""
    # With a var of somebody's own nobody knows which code it is.
    built = trial.project.invoke(trial.folder, "build", "--select", "halved", "--vars", "{x: 1}")
    assert built.success
    assert trial.markers("halved", "distinct run_id, code_hash, verdict") == [(None, None, None)]
    publish(trial, "halved", MARCH_2, MARCH_3)
    trial.sql(
        f"update daybreak_publications set fence = 9 where window_start = '{STARTS[1]}';"
        "update daybreak_publications set window_end = window_end + interval 1 hour "
        f"where window_start = '{STARTS[2]}'"
    )
    before = trial.markers("halved", "*")
    yield trial
    assert trial.markers("halved", "*") == before


def test_a_plain_build_a_newer_run_and_half_a_window_are_left_alone(not_ours: Trial):
    checked = not_ours.run(CHECKS_OF_HALVED, MARCH_1, MARCH_3)
    assert checked.success, checked.nodes
    assert told(checked) == []


def test_a_plain_build_that_says_of_which_code_it_is_is_judged(trial: Trial):
    built = trial.project.invoke(trial.folder, "build", "--select", "halved")
    assert built.success
    checked = trial.run(CHECKS_OF_HALVED, MARCH_1, MARCH_1, judged=[HALVED])
    assert checked.success, checked.nodes
    assert trial.markers("halved", "distinct run_id, verdict")[:2] == [
        (None, "correct"),
        (None, None),
    ]


def test_without_later_tests_the_verdict_is_committed_with_the_rows(trial: Trial):
    models = "tells_without_tests tells_with_gates tells_with_tests"
    run = trial.run(f"{models} told_at_once", MARCH_1, MARCH_1)
    assert trial.rows("told_at_once") == [
        ("tells_with_gates", "correct"),
        ("tells_with_tests", None),
        ("tells_without_tests", "unchecked"),
    ]
    assert sorted(told(run)) == [
        one("tells_with_gates", 1, "correct", rows=0),
        one("tells_with_tests", 1, "correct", rows=0),
        one("tells_without_tests", 1, "unchecked", rows=0),
    ]
    judged = "select count(*) from daybreak_publications where judged_at = published_at"
    assert trial.sql(judged) == [(3,)]
    # A plain build has nobody who would answer for it.
    assert trial.project.invoke(trial.folder, "build", "--select", models).success
    assert trial.sql("select distinct verdict, judged_at from daybreak_publications") == [
        (None, None)
    ]


# What the runner is told when it asks


def asked(trial: Trial, *arguments: str) -> list[list[Any]]:
    return told(trial.project.invoke(trial.folder, "run-operation", *arguments))


def test_the_warehouse_tells_what_it_is_asked_for(trial: Trial):
    hashes = {"model.trial.judged": "1e5", "model.trial.elsewhere": "null"}
    publish(trial, "judged elsewhere", MARCH_1, MARCH_2, run_id="007", code_hashes=hashes)
    publish(trial, "judged", MARCH_3, MARCH_3, fence=2)
    by_hand = ("run", "--select", "unjudged", "--vars", "{x: 1}")
    assert trial.project.invoke(trial.folder, *by_hand).success

    def row(model: str, day: int, *more: object) -> list[object]:
        return [model, STARTS[day - 1], STARTS[day], 0, *more, None]

    first_two = [
        row("elsewhere", 1, "unchecked", 1, "007", "null"),
        row("elsewhere", 2, "unchecked", 1, "007", "null"),
        row("judged", 1, None, 1, "007", "1e5"),
        row("judged", 2, None, 1, "007", "1e5"),
    ]

    window = window_vars(MARCH_2, MARCH_3)
    in_window = asked(trial, "daybreak.report_publications", "--vars", str(window))
    expected = [first_two[1], first_two[3], row("judged", 3, None, 2, "trial", None)]
    plain = [row("unjudged", day, None, 0, None, None) for day in (2, 3)]
    assert sorted(in_window, key=str) == sorted([*expected, *plain], key=str)
    # No vars: every marker that there is, also outside the project's range.
    trial.sql("update daybreak_publications set window_start = '2020-01-01' where fence = 2")
    everything = asked(trial, "daybreak.report_publications")
    assert len(everything) == 4 + 1 + 10
    assert "2020-01-01 00:00:00" in [start for _, start, *_ in everything]


def test_a_warehouse_without_markers_tells_of_none(project: Project, trial: Trial, tmp_path: Path):
    assert asked(trial, "daybreak.report_publications") == []
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert told(project.invoke(fresh, "run-operation", "daybreak.report_publications")) == []
