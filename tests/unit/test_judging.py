"""What was judged by other checks is judged again, set-based, and nothing of it is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.cli import exits
from runner.core.planning import Reprocess
from runner.core.spans import Spans
from runner.core.states import RunState
from runner.core.status import WindowStatus, WorkResult
from runner.core.timelines import Timeline
from runner.execution.context import RunResult
from runner.project.pipelines import Pipeline
from tests.unit.fake_dbt import (
    FIRST,
    KILLED,
    FakeDbt,
    Fault,
    check,
    days,
    seed,
    shop,
    singular,
    table,
    view,
    windowed,
)
from tests.unit.running import Runner, open_ledger

Change = Callable[..., Runner]
GOOD, BAD, UNJUDGED = WorkResult.SUCCESS, WorkResult.INCORRECT, WorkResult.PUBLISHED


def pipeline(checks_of_lines: str, checks_of_revenue: str = "as before") -> Pipeline:
    """lines → revenue → report, and a seed and a view that only a gate reads."""
    return shop(
        seed("closures"),
        seed("prices"),
        view("totals"),
        replace(windowed("lines", "prices", "closures", "totals"), checks_hash=checks_of_lines),
        replace(windowed("revenue", "lines"), checks_hash=checks_of_revenue),
        table("report", "revenue"),
        replace(check("lines_gate", "lines", "closures", "totals"), is_gate=True),
        check("lines_check", "lines"),
        check("revenue_check", "revenue"),
        check("report_check", "report"),
        singular("revenue_adds_up", "revenue"),
        end=FIRST + timedelta(days=7),
    )


@pytest.fixture
def change(tmp_path: Path) -> Iterator[Change]:
    """Eight days, published; then the project is edited: some checks are others."""
    ledger = open_ledger(tmp_path / "ledger.db")
    first = pipeline("before")
    runner = Runner(first, ledger, FakeDbt(first, nameless={"revenue_adds_up"}))
    assert set(runner.backfill(8).states) == {RunState.SUCCESS}

    def edit(lines: str = "today", revenue: str = "as before") -> Runner:
        edited = pipeline(lines, revenue)
        runner.dbt.pipeline = edited
        runner.dbt.asked.clear()
        return replace(runner, pipeline=edited)

    yield edit
    ledger.close()


def judge(runner: Runner, *, everything: bool = False, chunk: int | None = None) -> RunResult:
    """What the command does."""
    before, markers = len(runner.dbt.built), publications(runner)
    dates = (None, None)
    request = runner.planner.request_judge(
        dates, runner.world.at, everything=everything, chunk=chunk
    )
    done = runner.run(request)
    # Nothing is published, but for what is a part of the checks.
    assert {name for name, _ in runner.dbt.built[before:]} <= {"closures", "totals"}
    assert publications(runner) == markers
    return done


def publications(runner: Runner) -> dict[tuple[str, datetime], tuple[object, ...]]:
    """What the markers say but for the verdicts."""
    markers = runner.dbt.markers.items()
    return {key: (m.published_at, m.fence, m.run_id, m.row_count) for key, m in markers}


def statuses(runner: Runner, model: str) -> dict[WindowStatus, Spans]:
    plan = runner.plan(runner.request(8))
    (found,) = (m.statuses for m in plan.models if m.node.name == model)
    return dict(found)


def verdicts(runner: Runner, model: str) -> list[tuple[str | None, str | None]]:
    markers = sorted(runner.dbt.markers.items(), key=lambda item: item[0][1])
    return [(m.verdict, m.checks_hash) for (name, _), m in markers if name == model]


def labels(runner: Runner, *indexes: int) -> set[str]:
    return runner.labels(*indexes)


def test_a_check_that_has_changed_is_run_over_all_that_is_published_at_once(change: Change):
    runner = change()
    everything = Spans([days(runner.pipeline, 8)])
    assert statuses(runner, "lines") == {WindowStatus.PUBLISHED: everything}
    assert statuses(runner, "revenue") == {WindowStatus.SUCCESS: everything}
    done = judge(runner)
    assert set(done.states.values()) == {RunState.SUCCESS}
    (asked,) = runner.dbt.asked
    # The gate is asked as a test, and what only checks read is made anew.
    assert asked.nodes == ("closures", "totals")
    assert set(asked.checks) == {"lines_gate", "lines_check"}
    assert (asked.exclude, asked.judged) == ((), ("lines",))
    assert statuses(runner, "lines") == {WindowStatus.SUCCESS: everything}
    assert verdicts(runner, "lines") == [("correct", "today")] * 8
    assert judge(runner).states == {}


@pytest.mark.parametrize("found_by", ["lines_gate", "lines_check"])
def test_what_it_condemns_is_incorrect_with_evidence(change: Change, found_by: str):
    runner = change()
    runner.dbt.bad = {found_by: labels(runner, 2, 5)}
    done = judge(runner)
    assert len(runner.dbt.asked) == 1
    assert exits.of_windows(done) == 3
    bad = [state for _, state in sorted(done.states.items())]
    assert [i for i, state in enumerate(bad) if state is RunState.INCORRECT] == [2, 5]
    standings = [GOOD, GOOD, BAD, GOOD, GOOD, BAD, GOOD, GOOD]
    assert runner.standings("lines", 8) == standings
    run = runner.ledger.runs.get(
        "shop", done.run_ids[min(w for w in done.states if done.states[w] is RunState.INCORRECT)]
    )
    (finding,) = runner.ledger.results.get_findings(run)
    assert (finding.model, finding.check, finding.actual) == ("lines", found_by, "7 rows")
    # The next backfill builds it anew, and what reads it.
    runner.dbt.bad.clear()
    runner.dbt.asked.clear()
    assert set(runner.backfill(8).states) == {RunState.SUCCESS}
    assert {i.span for i in runner.dbt.asked} == {
        days(runner.pipeline, 1, 2),
        days(runner.pipeline, 1, 5),
    }


def test_it_is_a_part_of_what_a_backfill_does(change: Change):
    runner = change()
    built = len(runner.dbt.built)
    done = runner.backfill(8)
    assert set(done.states) == {RunState.SUCCESS}
    (asked,) = runner.dbt.asked
    assert asked.judged == ("lines",)
    windows = [one for one in runner.dbt.built[built:] if one[1]]
    assert windows == []


def test_a_check_that_names_nothing_is_narrowed_down(change: Change):
    runner = change("before", "today")
    runner.dbt.bad = {"revenue_adds_up": labels(runner, 3)}
    done = judge(runner)
    assert runner.standings("revenue", 8) == [GOOD] * 3 + [BAD] + [GOOD] * 4
    assert exits.of_windows(done) == 3


def test_a_verdict_that_no_longer_holds_is_given_anew(change: Change):
    runner = change()
    runner.dbt.bad = {"lines_check": labels(runner, 4)}
    judge(runner)
    assert runner.standings("lines", 8)[4] is BAD
    again = change("tomorrow")
    again.dbt.bad.clear()
    assert statuses(again, "lines") == {WindowStatus.PUBLISHED: Spans([days(again.pipeline, 8)])}
    judge(again)
    assert again.standings("lines", 8) == [GOOD] * 8
    assert verdicts(again, "lines") == [("correct", "tomorrow")] * 8


def test_everything_is_judged_again_if_a_person_asks_for_it(change: Change):
    runner = change("before")
    assert judge(runner).states == {}
    runner.dbt.bad = {"revenue_check": labels(runner, 0)}
    done = judge(runner, everything=True, chunk=4)
    assert [i.judged for i in runner.dbt.asked] == [("lines", "revenue")] * 2
    assert runner.standings("revenue", 8) == [BAD] + [GOOD] * 7
    assert exits.of_windows(done) == 3
    runner.dbt.bad.clear()
    judge(runner, everything=True)
    assert runner.standings("revenue", 8) == [GOOD] * 8


def test_of_a_plain_build_of_unknown_code_checks_that_pass_prove_nothing(change: Change):
    runner = change("before")
    for key, marker in runner.dbt.markers.items():
        plain = replace(marker, run_id=None, verdict=None, checks_hash=None, code_hash=None)
        runner.dbt.markers[key] = replace(plain, published_at=marker.published_at + timedelta(1))
    runner.reconcile()
    everything = Spans([days(runner.pipeline, 8)])
    assert statuses(runner, "lines") == {WindowStatus.UNCHECKED: everything}
    assert judge(runner).states == {}
    judge(runner, everything=True)
    assert statuses(runner, "lines") == {WindowStatus.UNCHECKED: everything}
    assert verdicts(runner, "lines") == [("correct", "before")] * 8
    runner.dbt.bad = {"lines_check": labels(runner, 1)}
    judge(runner, everything=True)
    assert runner.standings("lines", 3) == [WorkResult.UNCHECKED, BAD, WorkResult.UNCHECKED]


def test_who_dies_while_it_judges_has_not_judged(change: Change):
    runner = change()
    runner.dbt.faults = [Fault(KILLED)] * 3
    done = judge(runner)
    assert set(done.states.values()) == {RunState.SUCCESS}  # it was tried again
    assert WindowStatus.FAILED not in statuses(runner, "lines")
    assert set(runner.standings("lines", 8)) <= {GOOD, UNJUDGED}
    judge(runner)
    assert statuses(runner, "lines") == {WindowStatus.SUCCESS: Spans([days(runner.pipeline, 8)])}


def test_what_was_judged_by_one_that_died_then_is_known_from_the_markers(change: Change):
    runner = change()
    runner.dbt.bad = {"lines_check": labels(runner, 1)}
    runner.dbt.faults = [Fault(KILLED, after=None)]
    judge(runner)
    assert runner.standings("lines", 8) == [GOOD, BAD] + [GOOD] * 6


def test_what_others_have_judged_is_taken_over_from_the_markers(change: Change):
    runner = change()
    runner.dbt.bad = {"lines_check": labels(runner, 2)}
    judge(runner)
    for verdict, standing in (("correct", GOOD), ("incorrect", BAD), (None, UNJUDGED)):
        for key, marker in runner.dbt.markers.items():
            if key[0] == "lines":
                told = replace(marker, verdict=verdict, checks_hash=f"{verdict} by others")
                runner.dbt.markers[key] = told
        runner.reconcile()
        assert runner.standings("lines", 8) == [standing] * 8
        everything = Spans([days(runner.pipeline, 8)])
        assert statuses(runner, "lines") == {WindowStatus.PUBLISHED: everything}


def test_judged_again_it_is_as_stale_as_it_was(change: Change):
    runner = change("before")
    runner.dbt.bad = {"lines_check": labels(runner, 1)}
    judge(runner, everything=True)
    late = Timeline([(days(runner.pipeline, 1, 1), "late rows: 3")])
    runner.ledger.windows.make_stale({"lines": late})
    runner.dbt.bad.clear()
    judge(runner, everything=True)
    assert statuses(runner, "lines")[WindowStatus.STALE] == Spans([days(runner.pipeline, 1, 1)])


def test_a_model_without_checks_is_left_alone(change: Change):
    runner = change("", "")
    assert statuses(runner, "lines") == {WindowStatus.UNCHECKED: Spans([days(runner.pipeline, 8)])}
    assert judge(runner, everything=True).states == {}
    assert runner.backfill(8).asked == []
    assert runner.backfill(8, reprocess=Reprocess.ALL).asked != []
