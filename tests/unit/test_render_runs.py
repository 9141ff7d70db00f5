"""What a person reads of a run and of a plan: two verdicts, evidence, and gates that are none."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from runner.core.config import WaitFor
from runner.core.planning import RunRequest, make_plan
from runner.core.proofs import Proof, ProofVerdict, Property
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState
from runner.core.status import WindowStatus, WorkResult
from runner.ledger import CheckFinding, ModelRun, Run, RunDetails
from runner.overview.pipeline import PipelineSummary
from runner.project.pipelines import Pipeline
from runner.render.columns import as_json
from runner.render.listings import PIPELINES
from runner.render.plan import plan_page, plan_record
from runner.render.progress import ProgressDisplay
from runner.render.runs import RUNS, run_page, run_record
from tests.unit import planned_nodes
from tests.unit.fake_dbt import check, shop, table, windowed
from tests.unit.planned_nodes import DAYS, day, from_to

NOW = datetime(2026, 6, 19, 5, tzinfo=UTC)
LATE = "gate totals_key judges totals after it is built: a table has no window to hold back"


def run_in(state: RunState) -> Run:
    window = planned_nodes.WEEK[0]
    return Run(
        key=1,
        pipeline="orders",
        run_id="backfill__2026-03-05",
        kind=RunKind.BACKFILL,
        window_start=window.start,
        window_end=window.end,
        label=window.label,
        state=state,
        fence=1,
        row_count=10,
        check_count=2,
        seconds=0.5,
        reason=None,
        queued_at=NOW,
        started_at=NOW,
        finished_at=NOW,
        is_unsettled=False,
    )


VERDICTS = {
    RunState.SUCCESS: ("yes", "yes"),
    RunState.INCORRECT: ("yes", "no"),
    RunState.UNCHECKED: ("yes", "-"),
    RunState.FAILED: ("no", "-"),
    RunState.CANCELLED: ("-", "-"),
    RunState.QUEUED: ("-", "-"),
}


@pytest.mark.parametrize(("state", "words"), VERDICTS.items())
def test_a_run_tells_ran_and_correct_apart(state: RunState, words: tuple[str, str]):
    ran, correct = ({"yes": True, "no": False, "-": None}[word] for word in words)
    run = run_in(state)
    listed = RUNS.text([run]).splitlines()[2].split(" | ")
    assert tuple(cell.strip() for cell in listed[3:5]) == words
    shown = run_page(RunDetails(run, [], [], []), ZoneInfo("UTC"))
    assert f"{state} (ran: {words[0]}, correct: {words[1]})" in shown
    record = RUNS.record(run)
    assert (record["ran"], record["correct"]) == (ran, correct)


def test_the_models_of_a_run_tell_them_apart_too():
    models = [
        ModelRun("lines", WorkResult.SUCCESS, 10, "c0de"),
        ModelRun("held", WorkResult.INCORRECT, None, "c0de"),
        ModelRun("late", WorkResult.PUBLISHED, 5, "c0de"),
        ModelRun("broken", WorkResult.FAILED, None, "c0de"),
    ]
    page = run_page(
        RunDetails(run_in(RunState.FAILED), models, [], []), ZoneInfo("UTC")
    ).splitlines()
    rows = [[cell.strip() for cell in line.split(" | ")][:5] for line in page if " | " in line]
    assert rows[1:] == [
        ["lines", "success", "yes", "yes", "10"],
        ["held", "incorrect", "yes", "no", ""],
        ["late", "published", "yes", "-", "5"],
        ["broken", "failed", "no", "-", ""],
    ]
    told = run_record(RunDetails(run_in(RunState.FAILED), models, [], []))["models"]
    assert [(model["ran"], model["correct"]) for model in told] == [
        (True, True),
        (True, False),
        (True, None),
        (False, None),
    ]


def test_sample_rows_are_shown_with_their_check():
    findings = [
        CheckFinding("lines", "no_rows", "error", "rows", "0 rows"),
        CheckFinding(
            "lines", "ids_are_known", "warn", None, "2 rows", ("id NULL, day 1", "id NULL")
        ),
    ]
    run = run_in(RunState.INCORRECT)
    page = run_page(RunDetails(run, [], findings, []), ZoneInfo("UTC"))
    assert page.endswith("\n\nrows behind ids_are_known\n  id NULL, day 1\n  id NULL")
    assert "ids_are_known | lines | warn     |          | 2 rows" in page
    told = json.loads(as_json(run_record(RunDetails(run, [], findings, []))))["findings"]
    assert [found["sample"] for found in told] == [[], ["id NULL, day 1", "id NULL"]]


def test_every_status_of_a_plan_has_both_verdicts():
    plan = planned_nodes.plan_of([planned_nodes.planned("a", "sif.pcu")])
    page = plan_page(orders(), plan, {}).text()
    rows = [[cell.strip() for cell in line.split(" | ")][1:4] for line in page.splitlines()]
    assert rows[4:9] == [
        ["failed", "no", "-"],
        ["incorrect", "yes", "no"],
        ["published", "yes", "-"],
        ["stale", "yes", "-"],
        ["missing", "-", "-"],
    ]
    told = plan_record(orders(), plan)["models"][0]["windows"]
    assert {found["status"]: (found["ran"], found["correct"]) for found in told} == {
        status: (status.verdict.ran, status.verdict.correct)
        for status in set(WindowStatus) - {WindowStatus.IN_FLIGHT, WindowStatus.BLOCKED}
    }


def orders() -> Pipeline:
    """A pipeline with a gate on a table."""
    late = replace(check("totals_key", "totals"), is_marked_as_gate=True)
    return shop(windowed("lines"), table("totals", "lines"), late)


def test_a_gate_that_cannot_hold_back_is_said_in_a_plan():
    plan = make_plan(DAYS, [], Spans(), RunRequest(Spans([day(1)])))
    assert LATE in plan_page(orders(), plan, {}).text().splitlines()
    assert plan_record(orders(), plan)["late_gates"] == [
        {"check": "totals_key", "node": "totals", "kind": "table"}
    ]
    without = shop(windowed("lines"))
    assert "gate" not in plan_page(without, plan, {}).text()


def test_a_gate_that_cannot_hold_back_is_said_when_something_runs():
    written = io.StringIO()
    plan = planned_nodes.plan_of([planned_nodes.planned("lines", "...")])
    assert plan.span == from_to(1, 3)
    ProgressDisplay(Console(file=written, width=200), "backfill", orders()).announce(
        plan, reaches_today=True
    )
    assert f"[backfill] {LATE}" in written.getvalue().splitlines()


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        (1, "1 table, view or seed without windows is built once"),
        (2, "2 tables, views and seeds without windows are built once"),
    ],
)
def test_how_many_tables_are_built_once_is_said_in_the_right_number(tables: int, says: str):
    written = io.StringIO()
    plan = planned_nodes.plan_of([planned_nodes.planned("lines", "...")])
    pipeline = shop(windowed("lines"), *(table(f"total_{n}", "lines") for n in range(tables)))
    ProgressDisplay(Console(file=written, width=200), "backfill", pipeline).announce(
        plan, reaches_today=True
    )
    assert f"[backfill] {says}" in written.getvalue().splitlines()


def test_a_list_of_pipelines_tells_how_the_newest_window_ended():
    listed = PipelineSummary(orders(), NOW, run_in(RunState.INCORRECT), None, {})
    record = PIPELINES.record(listed)
    assert (record["last_ran"], record["last_correct"]) == (True, False)
    headings, _, line = PIPELINES.text([listed]).splitlines()
    cells = dict(zip(headings.split("|"), line.split("|"), strict=True))
    found = {heading.strip(): cell.strip() for heading, cell in cells.items()}
    assert (found["last state"], found["ran"], found["correct"]) == ("incorrect", "yes", "no")


@pytest.mark.parametrize(
    ("config", "when"),
    [
        ({}, "by hand"),
        ({"schedule": "0 5 * * *"}, "0 5 * * *"),
        ({"after": ("lines", "stores")}, "after lines, stores"),
        ({"schedule": "0 5 * * *", "after": ("lines",)}, "0 5 * * *, after lines"),
        ({"wait_for": (WaitFor(file="a.csv"),)}, "as files land"),
    ],
)
def test_a_list_of_pipelines_says_what_lets_them_run(config: dict[str, Any], when: str):
    listed = PipelineSummary(shop(windowed("lines"), **config), NOW, None, None, {})
    assert PIPELINES.text([listed]).splitlines()[2].split(" | ")[1].strip() == when
    assert PIPELINES.record(listed)["after"] == config.get("after", ())


def test_a_plan_says_that_a_disproved_model_will_be_refused_and_how_it_is_allowed():
    plan = planned_nodes.plan_of([planned_nodes.planned("a", "sif.")])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    wrong = Proof("a", "abc", ProofVerdict.DISPROVED, (Property.COMMUTES,), "2026-03-04", at)
    line = plan_page(orders(), plan, {"a": wrong}).text().splitlines()[-1]
    assert line == (
        "a is refused, and nothing runs with it: disproved by replaying it; commutes failed over "
        "2026-03-04: mend it and run runner prove shop --select a; or write "
        "`allow_unsafe: [a: why]` into pipelines.yml"
    )
    allowed = replace(orders(), config=replace(orders().config, allow_unsafe=(("a", "known"),)))
    assert "refused" not in plan_page(allowed, plan, {"a": wrong}).text()
    done = planned_nodes.plan_of([planned_nodes.planned("a", "ss")])
    assert "refused" not in plan_page(orders(), done, {"a": wrong}).text()
