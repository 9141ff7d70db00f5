"""How a plan is executed: every good window succeeds, once, at the price of few invocations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count as counting
from math import ceil, log2
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.cli import exits
from runner.core.chunks import Sizing
from runner.core.config import Retries
from runner.core.errors import LedgerError
from runner.core.planning import Reprocess, RunRequest
from runner.core.spans import Span, Spans
from runner.core.states import RunKind, RunState
from runner.core.status import WindowRecord, WorkResult
from runner.core.windows import Window
from runner.dbt.protocol import Invocation
from runner.ledger import Ledger
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.run import MEANWHILE
from tests.conftest import of_hundred
from tests.unit.fake_dbt import (
    FIRST,
    KILLED,
    FakeDbt,
    Fault,
    check,
    days,
    file_of,
    gate,
    seed,
    shop,
    singular,
    snapshot,
    table,
    unit_test,
    value_in,
    view,
    windowed,
)
from tests.unit.running import NOW, Executed, Runner, open_ledger

LOCK = 'IO Error: Could not set lock on file "shop.duckdb": Conflicting lock is held in dbt (PID 7)'
SHAKY = 'IO Error: Could not read from file "shop.duckdb": Input/output error'
FULL = 'IO Error: Could not write file "shop.duckdb.wal": No space left on device'
OUT_OF_MEMORY = "Out of Memory Error: could not allocate block of size 256.0 KiB"
TIMED_OUT = "timed out after 1:00:00 and was killed: raise `timeout`"
BROKEN = "Binder Error: no column quantity"

# lines → revenue, both by day; the rest knows no day.
NODES = (
    seed("prices"),
    windowed("lines", "prices"),
    windowed("revenue", "lines"),
    view("recent", "revenue"),
    table("report", "revenue"),
    check("report_check", "report"),
    gate("lines_gate", "lines"),
    check("lines_check", "lines"),
    check("revenue_check", "revenue"),
)
UNIT_TESTS = (unit_test("lines_add_up", "lines"), unit_test("adds_up", "revenue"))
RETRIES = Retries(attempts=3, backoff=timedelta(seconds=10), max_backoff=timedelta(minutes=1))
SHOP = shop(*NODES, *UNIT_TESTS, retries=RETRIES)
# The same without what knows no day: its invocations are only about windows.
PLAIN_SHOP = shop(windowed("lines"), windowed("revenue", "lines"), *NODES[-3:], retries=RETRIES)
Open = Callable[..., Runner]


@contextmanager
def opened(pipeline: Pipeline, **dbt: Any) -> Iterator[Runner]:
    """A runner with a ledger of its own."""
    with TemporaryDirectory() as folder:
        ledger = open_ledger(Path(folder) / "ledger.db")
        try:
            yield Runner(pipeline, ledger, FakeDbt(pipeline, **dbt))
        finally:
            ledger.close()


@pytest.fixture
def open_runner(tmp_path: Path) -> Iterator[Open]:
    """Makes runners, each with a ledger of its own unless it is given one."""
    ledgers: list[Ledger] = []
    numbers = counting()

    def make(pipeline: Pipeline = SHOP, ledger: Ledger | None = None, **dbt: Any) -> Runner:
        if ledger is None:
            ledger = open_ledger(tmp_path / f"ledger{next(numbers)}.db")
            ledgers.append(ledger)
        return Runner(pipeline, ledger, FakeDbt(pipeline, **dbt))

    yield make
    for ledger in ledgers:
        ledger.close()


def labels(pipeline: Pipeline, indexes: set[int]) -> set[str]:
    return {
        window.label
        for index in indexes
        for window in pipeline.calendar.windows(days(pipeline, 1, index))
    }


def of(done: Executed, invocation: Invocation) -> list[int]:
    """The windows of an invocation, counted from the first."""
    calendar = done.runner.pipeline.calendar
    every = [window.label for window in calendar.windows(days(done.runner.pipeline, 400))]
    return [every.index(window.label) for window in calendar.windows(invocation.span)]


def without(everything: int, some: set[int]) -> set[int]:
    return set(range(everything)) - some


@st.composite
def chunks_with_poison(draw: st.DrawFn) -> tuple[int, set[int]]:
    count = draw(st.integers(1, 40))
    return count, draw(st.sets(st.integers(0, count - 1), max_size=5))


def good_ranges(count: int, poison: set[int]) -> int:
    """Into how many contiguous ranges the good days fall."""
    return sum(day not in poison and (day == 0 or day - 1 in poison) for day in range(count))


# Nothing goes wrong


def test_a_chunk_without_poison_is_one_invocation_and_one_run_per_window(open_runner: Open):
    runner = open_runner()
    done = runner.backfill(92)
    assert set(done.states) == {RunState.SUCCESS}
    assert [invocation.span for invocation in done.asked] == [days(SHOP, 92)]
    runs = runner.runs()
    assert len({run.run_id for run in runs}) == len(runs) == 92
    assert {(run.state, run.row_count) for run in runs} == {(RunState.SUCCESS, 20)}
    # A gate and three checks; each has its share of the second that the invocation took.
    assert {run.check_count for run in runs} == {4}
    assert sum(run.seconds or 0 for run in runs) == pytest.approx(1.0)
    assert runner.standings("revenue", 92) == [WorkResult.SUCCESS] * 92
    assert runner.backfill(92).asked == []


def test_gates_are_never_run_again_as_tests(open_runner: Open):
    done = open_runner(bad={"lines_gate": labels(SHOP, {3})}).backfill(6)
    assert {invocation.exclude for invocation in done.asked} == {("lines_gate",)}


def test_a_gate_that_shares_its_name_leaves_nothing_else_out(open_runner: Open):
    shared = [
        gate("has_rows", "lines"),
        check("has_rows", "revenue"),
        gate("revenue_gate", "revenue"),
    ]
    twins = [replace(node, unique_id=f"{node.unique_id}.{i}") for i, node in enumerate(shared)]
    pipeline = shop(windowed("lines"), windowed("revenue", "lines"), *twins)
    done = open_runner(pipeline, bad={"has_rows": labels(pipeline, {3})}).backfill(6)
    assert {invocation.exclude for invocation in done.asked} == {("revenue_gate",)}
    assert done.of(RunState.INCORRECT) == {3}


def test_a_window_that_a_check_names_is_condemned_though_it_does_not_run(open_runner: Open):
    runner = open_runner(PLAIN_SHOP, far={"lines_check"})
    runner.backfill(4)
    runner.dbt.bad = {"lines_check": labels(PLAIN_SHOP, {1, 2})}
    done = runner.backfill(3, skip=4)
    # What runs is right, and so is what reads it: one more invocation, as dbt has skipped it.
    assert done.states == [RunState.SUCCESS] * 3
    assert [i.nodes for i in done.asked] == [("lines", "revenue"), ("revenue",)]
    assert done.done.condemned == {"lines": Spans([days(PLAIN_SHOP, 2, 1)])}
    assert exits.of_windows(done.done) == 3
    condemned = [(model, reason) for model, _, reason in runner.witness.condemnations]
    assert condemned == [("lines", "lines_check: expected 100 rows; actual 7 rows")] * 2
    good, bad = WorkResult.SUCCESS, WorkResult.INCORRECT
    assert runner.standings("lines", 7) == [good, bad, bad, *[good] * 4]
    record = runner.ledger.windows.get_records()["lines"].at(days(PLAIN_SHOP, 1, 1).start)
    assert record is not None
    assert record.has_rows
    # What is condemned runs again, and then no more is said of it.
    runner.dbt.bad.clear()
    mended = runner.backfill(7)
    assert [i.span for i in mended.asked] == [days(PLAIN_SHOP, 2, 1)]
    assert (mended.done.condemned, exits.of_windows(mended.done)) == ({}, 0)


def test_what_runs_after_it_was_condemned_is_as_good_as_it_then_is(open_runner: Open):
    runner = open_runner(PLAIN_SHOP, far={"lines_check"})
    runner.backfill(4)
    runner.dbt.bad = {"lines_check": labels(PLAIN_SHOP, {3})}

    def mend(invocation: Invocation) -> None:
        if invocation.span.end == days(PLAIN_SHOP, 4).end:
            runner.dbt.bad.clear()

    runner.dbt.before = mend
    done = runner.backfill(4, chunk=2, reprocess=Reprocess.ALL)
    assert set(done.states) == {RunState.SUCCESS}
    assert done.done.condemned == {}


def test_dbt_is_told_the_newest_window_whichever_it_runs(open_runner: Open):
    done = open_runner(bad={"lines": labels(SHOP, {4})}).backfill(9)
    assert len(done.asked) > 1
    complete = SHOP.complete(NOW)
    assert complete is not None
    newest = SHOP.calendar.preceding(SHOP.calendar.window_at(complete.end))
    assert {invocation.newest for invocation in done.asked} == {newest.start}


def test_every_invocation_has_a_higher_fence_than_the_one_before(open_runner: Open):
    done = open_runner(bad={"lines": labels(SHOP, {4, 17})}).backfill(30)
    fences = [invocation.fence for invocation in done.asked]
    assert len(fences) > 3
    assert fences == sorted(set(fences))


def test_an_invocation_is_named_by_its_first_and_last_window(open_runner: Open):
    runner = open_runner()
    assert runner.backfill(3).asked[0].run_id == "backfill__2017-03-01__2017-03-03"
    assert runner.backfill(1, skip=3).asked[0].run_id == "backfill__2017-03-04"


def test_models_that_nobody_checks_are_unchecked(open_runner: Open):
    runner = open_runner(shop(windowed("lines")))
    assert set(runner.backfill(3).states) == {RunState.UNCHECKED}


# Gates and checks that name windows


def test_a_chunk_is_cut_at_the_windows_that_a_gate_names(open_runner: Open):
    runner = open_runner(bad={"lines_gate": labels(SHOP, {2, 6})})
    done = runner.backfill(9)
    assert done.of(RunState.INCORRECT) == {2, 6}
    assert done.of(RunState.SUCCESS) == without(9, {2, 6})
    assert [of(done, invocation) for invocation in done.asked[1:]] == [[0, 1], [3, 4, 5], [7, 8]]
    assert len(runner.runs()) == 9
    published = {marker.window_start for marker in runner.dbt.markers.values()}
    windows = list(SHOP.calendar.windows(days(SHOP, 9)))
    assert published == {windows[day].start for day in without(9, {2, 6})}
    assert done.reasons == {"lines_gate: expected 100 rows; actual 7 rows"}
    bad = runner.runs()[2]
    assert [(m.model, m.standing) for m in runner.ledger.results.get_models(bad)] == [
        ("lines", WorkResult.INCORRECT)
    ]
    assert [f.check for f in runner.ledger.results.get_findings(bad)] == ["lines_gate"]
    assert bad.row_count is None


def test_what_was_published_before_a_gate_held_another_model_back_is_not_built_again(
    open_runner: Open,
):
    pipeline = shop(*NODES, gate("revenue_gate", "revenue"))
    runner = open_runner(pipeline, bad={"revenue_gate": labels(pipeline, {1})})
    done = runner.backfill(5)
    assert done.of(RunState.INCORRECT) == {1}
    assert done.times_built("lines") == 1
    assert [of(done, i) for i in done.asked if "revenue" in i.nodes] == [
        [0, 1, 2, 3, 4],
        [0],
        [2, 3, 4],
    ]
    assert all("lines_check" not in invocation.checks for invocation in done.asked[1:])
    assert sorted(runner.dbt.built) == sorted(set(runner.dbt.built))


@settings(max_examples=of_hundred(10))
@given(chunks_with_poison())
def test_windows_that_a_gate_names_cost_one_invocation_per_range_of_good_ones(
    drawn: tuple[int, set[int]],
):
    count, poison = drawn
    with opened(PLAIN_SHOP, bad={"lines_gate": labels(SHOP, poison)}) as runner:
        done = runner.backfill(count)
    assert done.of(RunState.INCORRECT) == poison
    assert done.of(RunState.SUCCESS) == without(count, poison)
    assert len(done.asked) == 1 + (good_ranges(count, poison) if poison else 0)


def test_downstream_that_a_failed_check_skipped_runs_for_the_good_windows_only(open_runner: Open):
    runner = open_runner(bad={"lines_check": labels(SHOP, {2})})
    done = runner.backfill(6)
    assert done.of(RunState.INCORRECT) == {2}
    assert done.of(RunState.SUCCESS) == without(6, {2})
    assert done.times_built("lines") == 1
    assert [of(done, i) for i in done.asked if "revenue" in i.nodes][1:] == [[0, 1], [3, 4, 5]]
    assert ("revenue", runner.label(2)) not in runner.dbt.built
    # Published and incorrect: its rows are there, and the day after it is held back no longer.
    assert runner.runs()[2].row_count == 10
    assert runner.standings("revenue", 4) == [
        WorkResult.SUCCESS,
        WorkResult.SUCCESS,
        None,
        WorkResult.SUCCESS,
    ]


def test_a_check_of_the_last_model_that_names_a_window_needs_no_second_invocation(
    open_runner: Open,
):
    runner = open_runner(PLAIN_SHOP, bad={"revenue_check": labels(SHOP, {3})})
    done = runner.backfill(10)
    assert done.of(RunState.INCORRECT) == {3}
    assert len(done.asked) == 1
    bad = runner.runs()[3]
    assert {m.model: m.standing for m in runner.ledger.results.get_models(bad)} == {
        "lines": WorkResult.SUCCESS,
        "revenue": WorkResult.INCORRECT,
    }
    assert bad.reason == "revenue_check: expected 100 rows; actual 7 rows"
    assert bad.row_count == 20


def test_a_check_that_warns_condemns_nothing_and_is_kept(open_runner: Open):
    runner = open_runner(bad={"lines_check": labels(SHOP, {1})}, warning={"lines_check"})
    done = runner.backfill(3)
    assert set(done.states) == {RunState.SUCCESS}
    assert len(done.asked) == 1
    found = [[f.severity for f in runner.ledger.results.get_findings(run)] for run in runner.runs()]
    assert found == [[], ["warn"], []]


# Failures that name no window


def test_a_check_that_names_nothing_is_narrowed_down_by_checks_alone(open_runner: Open):
    runner = open_runner(
        PLAIN_SHOP, bad={"revenue_check": labels(SHOP, {5})}, nameless={"revenue_check"}
    )
    done = runner.backfill(16)
    assert done.of(RunState.INCORRECT) == {5}
    assert done.of(RunState.SUCCESS) == without(16, {5})
    assert done.asked[0].nodes == ("lines", "revenue")
    assert {(i.nodes, i.checks) for i in done.asked[1:]} == {((), ("revenue_check",))}
    assert len(runner.dbt.built) == 2 * 16
    assert runner.standings("revenue", 16)[5] is WorkResult.INCORRECT
    found = runner.ledger.results.get_findings(runner.runs()[5])
    assert [(f.actual, f.sample) for f in found] == [("1 row", ("id 7",))]


def test_below_a_model_that_a_nameless_check_condemns_the_good_windows_run(open_runner: Open):
    runner = open_runner(
        PLAIN_SHOP, bad={"lines_check": labels(SHOP, {5})}, nameless={"lines_check"}
    )
    done = runner.backfill(16)
    assert done.of(RunState.INCORRECT) == {5}
    assert done.of(RunState.SUCCESS) == without(16, {5})
    assert done.times_built("lines") == 1
    built = [label for model, label in runner.dbt.built if model == "revenue"]
    assert sorted(built) == sorted(labels(SHOP, without(16, {5})))


POISONS = {1: {97}, 2: {3, 300}, 5: {0, 61, 62, 180, 364}}


@pytest.mark.parametrize("poisoned", ["lines", "lines_check", "revenue_check"])
@pytest.mark.parametrize("count", [1, 2, 3, 31, 92, 365])
@pytest.mark.parametrize("bad", [1, 2, 5])
def test_k_poisoned_windows_among_n_cost_k_times_log_n_invocations(
    bad: int, count: int, poisoned: str
):
    poison = {day * count // 365 for day in POISONS[bad]}
    kinds = {"bad": {poisoned: labels(SHOP, poison)}, "nameless": {poisoned}}
    with opened(PLAIN_SHOP, **kinds) as runner:
        done = runner.backfill(count)
    wrong = RunState.FAILED if poisoned == "lines" else RunState.INCORRECT
    assert done.of(wrong) == poison
    assert done.of(RunState.SUCCESS) == without(count, poison)
    # The chunk, three probes, the four parts between them; two halves per level and poison.
    assert len(done.asked) <= 1 + 3 + 4 + 2 * len(poison) * ceil(log2(max(count, 2)))


@settings(max_examples=of_hundred(10))
@given(chunks_with_poison())
def test_failures_that_name_nothing_are_halved_down_to_each_poisoned_window(
    drawn: tuple[int, set[int]],
):
    count, poison = drawn
    with opened(PLAIN_SHOP, bad={"lines": labels(SHOP, poison)}) as runner:
        done = runner.backfill(count)
        assert len(runner.runs()) == count
    assert done.of(RunState.FAILED) == poison
    assert done.of(RunState.SUCCESS) == without(count, poison)
    assert len(done.asked) <= 8 + 2 * len(poison) * ceil(log2(max(count, 2)))


@settings(max_examples=of_hundred(10))
@given(chunks_with_poison())
def test_an_error_that_mentions_a_window_is_cut_there(drawn: tuple[int, set[int]]):
    count, poison = drawn
    bad = {"lines": labels(SHOP, poison)}
    with opened(PLAIN_SHOP, bad=bad, says=lambda _, window: file_of(window)) as runner:
        done = runner.backfill(count)
    assert done.of(RunState.FAILED) == poison
    assert done.of(RunState.SUCCESS) == without(count, poison)
    # For each poison: what lies before it, itself, what lies after it.
    assert len(done.asked) <= 1 + 3 * len(poison)
    for window, outcome in done.outcomes.items():
        assert (outcome.reason or window.label).count(window.label) == 1


def test_a_mention_is_a_hint_and_no_verdict(open_runner: Open):
    # The error blames the second day, but it is the fifth that is poisoned.
    innocent = next(SHOP.calendar.windows(days(SHOP, 1, 1)))
    bad = {"lines": labels(SHOP, {4})}
    done = open_runner(PLAIN_SHOP, bad=bad, says=lambda *_: file_of(innocent)).backfill(8)
    assert done.of(RunState.FAILED) == {4}
    assert done.of(RunState.SUCCESS) == without(8, {4})


def test_the_same_failure_at_both_ends_and_in_the_middle_is_not_bisected(open_runner: Open):
    bad = {"lines": labels(SHOP, set(range(92)))}
    runner = open_runner(bad=bad, says=lambda *_: BROKEN)
    done = runner.backfill(92)
    assert set(done.states) == {RunState.FAILED}
    assert done.sizes == [92, 1, 1, 1]
    assert done.reasons == {f"lines: {BROKEN}"}
    assert len(runner.witness.cuts) == 1


def test_a_filter_that_never_holds_is_not_bisected_though_its_counts_differ(open_runner: Open):
    def say(_: str, window: Window) -> str:
        return f"lines has {window.start.day} rows outside its window: mend its filter"

    bad = {"lines": labels(SHOP, set(range(40)))}
    done = open_runner(bad=bad, says=say).backfill(40)
    assert set(done.states) == {RunState.FAILED}
    assert len(done.asked) == 4


# What knows no window fails


@pytest.mark.parametrize("broken", ["prices", "totals"])
def test_a_failure_outside_the_windows_is_tried_once_and_nothing_after_it(
    open_runner: Open, broken: str
):
    pipeline = shop(seed("prices"), table("totals"), windowed("lines", "prices", "totals"))
    runner = open_runner(pipeline, broken={broken: "no file matches data/products.parquet: land"})
    done = runner.backfill(8, chunk=3)
    assert done.states == [RunState.FAILED] * 3 + [RunState.CANCELLED] * 5
    assert len(done.asked) == 1
    assert runner.witness.cuts == []
    assert [(span, reason.split(":")[0]) for span, reason in runner.witness.left_out] == [
        (Span(days(pipeline, 4).end - timedelta(days=1), days(pipeline, 8).end), broken)
    ]


def test_what_failed_for_the_sake_of_another_is_tried_again_when_that_is_mended(open_runner: Open):
    pipeline = shop(seed("prices"), windowed("lines", "prices"))
    runner = open_runner(pipeline, broken={"prices": "Conversion Error: 'x' is no price"})
    assert runner.backfill(3).states == [RunState.FAILED] * 3
    runner.dbt.broken.clear()
    assert runner.backfill(3).states == [RunState.UNCHECKED] * 3


def test_a_table_is_made_again_after_a_pause_cut_off_the_chunk_that_should_have(open_runner: Open):
    runner = open_runner()
    runner.backfill(4)
    runner.dbt.before = lambda _: runner.ledger.controls.pause("shop", "by hand", runner.world.at)
    runner.backfill(4, chunk=2, reprocess=Reprocess.ALL)
    runner.dbt.before = lambda _: None
    runner.ledger.controls.resume("shop")
    assert runner.dbt.built.count(("report", "")) == 1
    runner.backfill(4)
    assert runner.dbt.built.count(("report", "")) == 2


def test_a_check_of_what_knows_no_window_stops_all_that_reads_it(open_runner: Open):
    pipeline = shop(seed("prices"), windowed("lines", "prices"), check("prices_check", "prices"))
    runner = open_runner(pipeline, broken={"prices_check": "Got 1 result"})
    done = runner.backfill(4, chunk=2)
    assert done.states == [RunState.INCORRECT] * 2 + [RunState.CANCELLED] * 2
    assert len(done.asked) == 1
    del runner.dbt.broken["prices_check"]
    assert set(runner.backfill(4, chunk=2).states) == {RunState.UNCHECKED}


def test_a_failing_unit_test_is_said_in_one_line_and_stops_all(open_runner: Open):
    diff = "actual differs from expected:\n\n@@ ,day,revenue\n+++,2017-03-01,7"
    unit_tests = {"lines_add_up": "lines"}
    runner = open_runner(unit_tests=unit_tests, broken={"lines_add_up": diff})
    done = runner.backfill(5, chunk=3)
    assert done.states == [RunState.FAILED] * 3 + [RunState.CANCELLED] * 2
    assert len(done.asked) == 1
    assert {outcome.reason for outcome in done.outcomes.values()} == {
        "lines fails its unit test lines_add_up: see `dbt test --select lines_add_up`, "
        "and mend the model or the test"
    }


def test_a_table_that_nobody_reads_fails_alone_and_is_tried_again(open_runner: Open):
    pipeline = shop(table("totals"), windowed("lines"), check("lines_check", "lines"))
    runner = open_runner(pipeline, broken={"totals": BROKEN})
    done = runner.backfill(6, chunk=2)
    # The windows are right; the newest of each chunk says what happened beside them.
    assert runner.standings("lines", 6) == [WorkResult.SUCCESS] * 6
    assert done.of(RunState.FAILED) == {1, 3, 5}
    assert done.times_built("totals") == 3
    runner.dbt.broken.clear()
    again = runner.backfill(6)
    assert [i.nodes for i in again.asked] == [("totals",)]
    assert runner.backfill(6).asked == []


def test_a_window_that_runs_for_a_table_alone_is_tried_again_if_dbt_is_killed(open_runner: Open):
    runner = open_runner(
        shop(seed("prices"), windowed("lines", "prices"), table("totals", "lines"))
    )
    runner.dbt.broken["totals"] = BROKEN
    assert runner.backfill(2).of(RunState.FAILED) == {1}
    runner.dbt.broken.clear()
    runner.dbt.faults = [Fault(KILLED)]
    done = runner.backfill(4)
    assert [i.nodes for i in done.asked] == [("prices",), ("prices",), ("totals", "lines")]
    assert done.states == [RunState.SUCCESS] + [RunState.UNCHECKED] * 2
    assert len(runner.witness.waits) == 1


def test_who_is_killed_each_time_for_a_table_alone_has_failed(open_runner: Open):
    runner = open_runner(shop(table("totals"), windowed("lines")), broken={"totals": BROKEN})
    runner.backfill(2)
    runner.dbt.broken.clear()
    runner.dbt.faults = [Fault(KILLED), Fault(KILLED)]
    done = runner.backfill(2)
    assert (done.states, done.reasons) == ([RunState.FAILED], {KILLED})
    assert len(done.asked) == 2
    assert runner.backfill(2).states == [RunState.UNCHECKED]  # of a table without any check


# What may pass by itself


def test_a_locked_warehouse_is_tried_again_with_backoff_and_only_what_is_left(open_runner: Open):
    locked = Fault(SHAKY, by="revenue")
    runner = open_runner(faults=[locked, locked])
    runner.world.chance = 0.5
    states: list[set[RunState]] = []

    def look(_: float) -> None:
        states.append({run.state for run in runner.ledger.runs.find("shop")})

    runner.world.while_asleep = look
    done = runner.backfill(7)
    assert set(done.states) == {RunState.SUCCESS}
    assert [i.nodes for i in done.asked] == [
        ("prices", "recent", "report", "lines", "revenue"),
        ("recent", "report", "revenue"),
        ("recent", "report", "revenue"),
    ]
    # Half of 10 and of 20 seconds; meanwhile the ledger says that they wait.
    assert runner.witness.waits == [5.0, 10.0]
    assert runner.ledger.runs.get_statistics("shop").retries == 2
    assert states == [{RunState.RETRYING}, {RunState.RETRYING}]
    assert len(runner.runs()) == 7


def test_a_lock_that_stays_is_an_obstacle_after_the_last_attempt(open_runner: Open):
    runner = open_runner(broken={"lines": SHAKY})
    done = runner.backfill(9, chunk=3)
    assert done.states == [RunState.FAILED] * 3 + [RunState.CANCELLED] * 6
    assert done.sizes == [3, 3, 3]
    assert runner.world.slept == [10.0, 20.0]
    assert all("Input/output" in (o.reason or "") for o in done.outcomes.values())
    # Nobody knows of anything wrong with the windows: they are tried again.
    runner.dbt.broken.clear()
    assert set(runner.backfill(9).states) == {RunState.SUCCESS}


def test_waits_grow_up_to_the_longest_and_never_beyond(open_runner: Open):
    patient = replace(RETRIES, attempts=7)
    runner = open_runner(shop(*NODES, retries=patient), broken={"lines": SHAKY})
    runner.backfill(1)
    assert runner.world.slept == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_warehouse_locked_before_dbt_began_is_no_different(open_runner: Open):
    runner = open_runner(faults=[Fault(SHAKY)])
    assert set(runner.backfill(4).states) == {RunState.SUCCESS}
    assert runner.world.slept == [10.0]


@pytest.mark.parametrize(
    ("too_much", "by"),
    [(OUT_OF_MEMORY, "lines"), (OUT_OF_MEMORY, "revenue"), (TIMED_OUT, None), (KILLED, None)],
)
def test_what_is_too_much_is_halved_until_it_fits(open_runner: Open, too_much: str, by: str | None):
    runner = open_runner(most_windows=20, too_much=too_much, too_much_for=by)
    done = runner.backfill(92)
    assert set(done.states) == {RunState.SUCCESS}
    # 92, two halves of 46, four quarters of 23, eight of 12 at most.
    assert len(done.asked) <= 1 + 2 + 4 + 8
    assert runner.world.slept == []
    assert sorted(runner.dbt.built) == sorted(set(runner.dbt.built))


@pytest.mark.parametrize(
    ("too_much", "by"), [(OUT_OF_MEMORY, "lines"), (TIMED_OUT, None), (KILLED, None)]
)
def test_a_single_window_that_is_too_much_is_tried_once_more(
    open_runner: Open, too_much: str, by: str | None
):
    runner = open_runner(PLAIN_SHOP, most_windows=0, too_much=too_much, too_much_for=by)
    done = runner.backfill(2)
    assert done.sizes == [2, 1, 1, 1, 1]
    assert done.states == [RunState.FAILED] * 2
    assert all(too_much in (reason or "") for reason in done.reasons)
    # It may fit tomorrow: nothing is blocked.
    runner.dbt.most_windows = None
    assert set(runner.backfill(2).states) == {RunState.SUCCESS}


def test_what_a_killed_invocation_has_published_is_only_checked(open_runner: Open):
    runner = open_runner(faults=[Fault(KILLED, after=1)])
    done = runner.backfill(8)
    assert set(done.states) == {RunState.SUCCESS}
    assert runner.dbt.questions == [days(SHOP, 8)]
    assert done.sizes == [8, 4, 4]
    assert done.times_built("lines") == 1
    assert all("lines_check" in invocation.checks for invocation in done.asked)


@pytest.mark.parametrize("after", [0, None])
def test_what_was_to_be_judged_only_is_not_built_though_its_judge_is_killed(
    open_runner: Open, after: int | None
):
    runner = open_runner(PLAIN_SHOP, faults=[Fault(KILLED, after=1), Fault(KILLED, after=after)])
    done = runner.backfill(4)
    assert set(done.states) == {RunState.SUCCESS}
    assert done.times_built("lines") == 1


def test_what_a_killed_invocation_has_judged_is_done(open_runner: Open):
    runner = open_runner(faults=[Fault(KILLED, after=None)])
    done = runner.backfill(8)
    assert set(done.states) == {RunState.SUCCESS}
    assert len([i for i in done.asked if "lines" in i.nodes or "revenue" in i.nodes]) == 1


def test_a_full_disk_pauses_the_pipeline_and_stops(open_runner: Open):
    runner = open_runner(faults=[Fault(FULL, by="lines")])
    done = runner.backfill(6, chunk=2)
    assert done.states == [RunState.FAILED] * 2 + [RunState.CANCELLED] * 4
    assert len(done.asked) == 1
    pause = runner.ledger.controls.get_pause("shop")
    assert pause is not None
    assert "No space left on device" in pause.reason


# What would fail again


@pytest.mark.parametrize("change", ["nothing", "inputs", "code", "force"])
def test_what_has_failed_for_good_is_left_alone_until_something_changes(
    open_runner: Open, change: str
):
    runner = open_runner(bad={"lines": labels(SHOP, {2})})
    assert runner.backfill(5).of(RunState.FAILED) == {2}
    known = runner.ledger.windows.get_records()["lines"].at(days(SHOP, 1, 2).start)
    assert known is not None
    assert known.inputs == "as landed"
    if change == "inputs":
        runner.inputs = "landed again"
    if change == "code":
        nodes = tuple(
            replace(n, code_hash="mended") if n.name == "lines" else n for n in SHOP.nodes
        )
        runner.pipeline = runner.dbt.pipeline = replace(SHOP, nodes=nodes)
    plan = runner.plan(runner.request(5, force=change == "force"))
    blocked = [skip for skip in plan.skipped if skip.reason.startswith("blocked: lines: ")]
    if change == "nothing":
        assert plan.pieces == ()
        assert [skip.span for skip in blocked] == [days(SHOP, 1, 2)]
    else:
        assert blocked == []
        assert [(p.span, p.models) for p in plan.pieces] == [
            (days(SHOP, 1, 2), ("lines", "revenue"))
        ]
        runner.dbt.bad.clear()
        assert runner.backfill(5, force=change == "force").states == [RunState.SUCCESS]


def test_where_the_inputs_cannot_be_seen_nothing_is_blocked(open_runner: Open):
    runner = open_runner(bad={"lines": labels(SHOP, {2})})
    runner.inputs = None
    runner.backfill(5)
    assert runner.plan(runner.request(5)).windows == Spans([days(SHOP, 1, 2)])


# What knows no windows


def test_what_knows_no_windows_is_built_once_over_many_chunks(open_runner: Open):
    runner = open_runner(unit_tests={"adds_up": "revenue"})
    done = runner.backfill(9, chunk=2)
    assert set(done.states) == {RunState.SUCCESS}
    assert done.sizes == [2, 2, 2, 2, 1]
    assert [i.nodes[:-2] for i in done.asked] == [("prices", "recent"), (), (), (), ("report",)]
    assert [i.with_unit_tests for i in done.asked] == [True, False, False, False, False]


def test_a_table_made_from_windows_comes_last_though_the_last_chunk_is_split(open_runner: Open):
    runner = open_runner(bad={"lines": labels(SHOP, {7})})
    done = runner.backfill(9, chunk=3)
    assert done.of(RunState.FAILED) == {7}
    built = [model for model, _ in runner.dbt.built]
    assert built.count("report") == 1
    assert built[-1] == "report" or set(built[built.index("report") :]) == {"report", "recent"}


def test_a_table_made_from_windows_comes_though_the_last_chunk_has_failed(open_runner: Open):
    runner = open_runner(bad={"lines": labels(SHOP, {8})})
    done = runner.backfill(9, chunk=4)
    assert done.of(RunState.FAILED) == {8}
    assert done.times_built("report") == 2  # it was skipped with the last chunk, then came alone
    assert runner.dbt.built.count(("report", "")) == 1
    assert done.asked[-1].nodes == ("report",)
    assert len(runner.runs()) == 9


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("chunk", [9, 4])
def test_a_table_is_not_made_from_bad_rows(open_runner: Open, *, is_named: bool, chunk: int):
    nameless = set() if is_named else {"revenue_check"}
    runner = open_runner(bad={"revenue_check": labels(SHOP, {3})}, nameless=nameless)
    done = runner.backfill(9, chunk=chunk)
    assert done.of(RunState.INCORRECT) == {3}
    assert done.of(RunState.SUCCESS) == without(9, {3})
    assert ("report", "") not in runner.dbt.built


STAGED = shop(
    windowed("lines"),
    table("totals", "lines"),
    windowed("shares", "totals", "lines"),
    check("lines_check", "lines"),
    check("totals_check", "totals"),
    check("shares_check", "shares"),
)


@pytest.mark.parametrize("chunk", [None, 3])
def test_a_table_between_windows_is_made_from_all_of_the_first(
    open_runner: Open, chunk: int | None
):
    runner = open_runner(STAGED)
    done = runner.backfill(8, chunk=chunk)
    assert set(done.states) == {RunState.SUCCESS}
    every = sorted(labels(STAGED, set(range(8))))
    assert runner.dbt.built == [
        *(("lines", label) for label in every),
        ("totals", ""),
        *(("shares", label) for label in every),
    ]
    assert len(done.asked) == (1 if chunk is None else 6)
    assert len(runner.runs()) == 8


def test_after_a_failure_in_the_first_stage_the_second_runs_for_the_others(open_runner: Open):
    runner = open_runner(STAGED, bad={"lines": labels(STAGED, {4})})
    done = runner.backfill(8, chunk=3)
    assert done.of(RunState.FAILED) == {4}
    built = [label for model, label in runner.dbt.built if model == "shares"]
    assert sorted(built) == sorted(labels(STAGED, without(8, {4})))
    assert runner.dbt.built.count(("totals", "")) == 1


@pytest.mark.parametrize("node", [table("totals"), table("totals", "lines"), snapshot("totals")])
def test_without_any_check_nothing_is_right(open_runner: Open, node: Node):
    lines = windowed("lines"), check("lines_check", "lines"), seed("prices"), view("seen", "lines")
    pipeline = shop(*lines, node, end=FIRST + timedelta(days=5))
    runner = open_runner(pipeline)
    done = runner.backfill(6)
    # It is built in the name of the newest window.
    assert done.of(RunState.UNCHECKED) == {5}
    assert done.of(RunState.SUCCESS) == set(range(5))
    assert runner.backfill(6).asked == []
    checked = open_runner(shop(*lines, node, check("total_check", "totals")))
    assert set(checked.backfill(6).states) == {RunState.SUCCESS}


def test_a_snapshot_is_taken_only_of_today(open_runner: Open):
    pipeline = shop(windowed("lines"), snapshot("products"), end=FIRST + timedelta(days=8))
    runner = open_runner(pipeline)
    assert [i.nodes for i in runner.backfill(5).asked] == [("lines",)]
    assert [i.nodes for i in runner.backfill(4, skip=5).asked] == [("products", "lines")]


def test_only_what_is_selected_is_built(open_runner: Open):
    runner = open_runner()
    assert [i.nodes for i in runner.backfill(3, select=("lines",)).asked] == [("lines",)]
    assert runner.standings("revenue", 3) == [None] * 3
    nodes = [i.nodes for i in runner.backfill(3).asked]
    assert nodes == [("prices", "recent", "report", "revenue")]


# The order and the size of chunks


def test_the_newest_windows_run_first_if_a_person_says_so(open_runner: Open):
    runner = open_runner()
    done = runner.backfill(8, chunk=3, newest_first=True)
    assert [of(done, invocation) for invocation in done.asked] == [[5, 6, 7], [2, 3, 4], [0, 1]]
    assert set(done.states) == {RunState.SUCCESS}
    assert [("report" in i.nodes) for i in done.asked] == [False, False, True]


def test_the_next_chunk_is_as_large_as_the_rows_of_the_last_allow(open_runner: Open):
    runner = open_runner()
    request = replace(runner.request(9), sizing=Sizing(rows_per_window=10, row_budget=40))
    runner.run(request)
    # Two models of ten rows a day, not ten rows as was thought.
    assert [SHOP.calendar.count(i.span) for i in runner.dbt.asked] == [4, 2, 2, 1]


def test_the_next_plan_has_learned_from_the_ledger(open_runner: Open):
    runner = open_runner()
    runner.backfill(4)
    sizing = runner.planner.sizing(None)
    assert (sizing.rows_per_window, sizing.seconds_per_window) == (20, 0.25)


# Somebody else


def test_a_pause_between_chunks_stops_and_cancels_the_rest(open_runner: Open):
    runner = open_runner()
    runner.dbt.before = lambda _: runner.ledger.controls.pause("shop", "by hand", runner.world.at)
    done = runner.backfill(7, chunk=3)
    assert done.states == [RunState.SUCCESS] * 3 + [RunState.CANCELLED] * 4
    assert len(done.asked) == 1
    rest = Span(days(SHOP, 3).end, days(SHOP, 7).end)
    assert runner.witness.left_out == [(rest, "paused: by hand")]
    assert {run.reason for run in runner.runs()[3:]} == {"not tried: paused: by hand"}


def test_who_loses_its_windows_kills_its_child_and_records_nothing(
    open_runner: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("runner.execution.executor.BEAT_SECONDS", 0.01)
    runner = open_runner(faults=[None, Fault(KILLED, after=1)])

    def cancel(invocation: Invocation) -> None:
        if invocation.span.start > days(SHOP, 1).start:
            runner.ledger.controls.cancel_runs("shop", "cancelled by hand", runner.world.at)
            assert runner.dbt.was_killed.wait(60)

    runner.dbt.before = cancel
    with pytest.raises(LedgerError, match=r"no longer holds its windows \(cancelled by hand\)"):
        runner.backfill(6, chunk=2)
    assert len(runner.dbt.asked) == 2
    states = [run.state for run in runner.runs()]
    assert states == [RunState.SUCCESS] * 2 + [RunState.CANCELLED] * 4
    assert runner.standings("lines", 6) == [WorkResult.SUCCESS] * 2 + [None] * 4
    # What was published all the same is asked after before anything else runs.
    runner.dbt.before = lambda _: None
    again = runner.backfill(6)
    assert set(again.states) == {RunState.SUCCESS}
    assert len(again.states) == 4
    assert [label for model, label in runner.dbt.built if model == "lines"] == sorted(
        labels(SHOP, set(range(6)))
    )


def test_what_another_runner_has_done_since_the_plan_is_put_back(open_runner: Open):
    runner = open_runner()
    request = runner.request(5)
    plan = runner.plan(request)
    other = open_runner(ledger=runner.ledger)
    other.backfill(2)
    done = runner.execute(plan)
    assert done.left_to_others == Spans([days(SHOP, 2)])
    assert list(done.states.values()) == [RunState.SUCCESS] * 3
    assert [i.span for i in runner.dbt.asked] == [days(SHOP, 3, 2)]
    put_back = [run for run in runner.runs() if run.state is RunState.CANCELLED]
    assert [run.reason for run in put_back] == [MEANWHILE] * 2
    assert not any(run.is_unsettled for run in put_back)


# An interrupt


class Interrupted(BaseException):
    """As KeyboardInterrupt, which pytest takes for its own."""


def test_an_interrupt_closes_the_engine_and_cancels_what_is_left(open_runner: Open):
    runner = open_runner(faults=[None, Fault(Interrupted(), after=1)])
    with pytest.raises(Interrupted):
        runner.backfill(6, chunk=2)
    assert runner.dbt.was_killed.is_set()
    assert runner.witness.stopped == [days(SHOP, 2, 2)]
    runs = runner.runs()
    assert [run.state for run in runs] == [RunState.SUCCESS] * 2 + [RunState.CANCELLED] * 4
    assert [run.is_unsettled for run in runs] == [False] * 2 + [True] * 2 + [False] * 2
    assert {run.reason for run in runs[2:]} == {
        "stopped before it was done; run the same command again"
    }


def test_after_a_failed_chunk_nothing_is_left_to_be_settled_at_an_interrupt(open_runner: Open):
    runner = open_runner(
        PLAIN_SHOP,
        bad={"lines_gate": labels(SHOP, {2, 5})},
        faults=[None, None, Fault(Interrupted())],
    )
    with pytest.raises(Interrupted):
        runner.backfill(8)
    states = [run.state for run in runner.runs()]
    good, bad, left = RunState.SUCCESS, RunState.INCORRECT, RunState.CANCELLED
    assert states == [good, good, bad, left, left, bad, left, left]


# What reads what was published again


def outdated(runner: Runner, model: str) -> Spans:
    return runner.ledger.windows.get_records()[model].where(lambda known: known.is_outdated)


def test_readers_of_what_was_published_again_become_stale(open_runner: Open):
    runner = open_runner()
    runner.backfill(6)
    runner.backfill(2, skip=1, select=("lines",), reprocess=Reprocess.ALL)
    assert outdated(runner, "revenue") == Spans([days(SHOP, 2, 1)])
    assert not outdated(runner, "lines")
    done = runner.backfill(6, reprocess=Reprocess.STALE)
    assert [(i.span, i.nodes[-1], "lines" in i.nodes) for i in done.asked] == [
        (days(SHOP, 2, 1), "revenue", False)
    ]
    assert not outdated(runner, "revenue")


@pytest.mark.parametrize("is_told", [True, False])
def test_a_window_that_loses_a_row_to_a_merge_is_judged_again_and_its_readers_are_stale(
    open_runner: Open, *, is_told: bool
):
    runner = open_runner()
    assert runner.backfill(3).of(RunState.SUCCESS) == {0, 1, 2}
    runner.dbt.takes_over = {"lines": {runner.label(3): runner.label(0)}}
    if not is_told:  # it dies when all is done, before it could tell; the markers say it
        runner.dbt.faults = [Fault(TIMED_OUT, after=None)]
    runner.backfill(1, skip=3)
    runner.reconcile()
    assert runner.standings("lines", 3) == [WorkResult.PUBLISHED, *[WorkResult.SUCCESS] * 2]
    revenue = runner.ledger.windows.get_records()["revenue"]
    assert revenue.where(lambda known: known.is_outdated) == Spans([days(SHOP, 1)])
    if is_told:
        (words,) = runner.witness.changes
        assert words.startswith("lines has taken rows over from 1 window, 2017-03-01: ")
    done = runner.backfill(4, reprocess=Reprocess.STALE)
    assert set(done.states) == {RunState.SUCCESS}
    assert done.times_built("lines") == 0
    assert [i.span for i in done.asked if "revenue" in i.nodes] == [days(SHOP, 1)]
    assert runner.standings("lines", 4) == [WorkResult.SUCCESS] * 4
    assert not any(r.is_outdated for _, r in runner.ledger.windows.get_records()["revenue"])
    assert runner.backfill(4, reprocess=Reprocess.STALE).states == []


def test_what_was_published_in_the_same_invocation_is_not_stale(open_runner: Open):
    runner = open_runner()
    runner.backfill(6)
    runner.backfill(6, reprocess=Reprocess.ALL)
    assert not outdated(runner, "revenue")


def test_what_is_published_later_in_the_same_run_is_not_stale(open_runner: Open):
    runner = open_runner()
    runner.backfill(6)
    runner.dbt.bad["lines_check"] = labels(SHOP, {4})
    runner.backfill(6, reprocess=Reprocess.ALL)
    # The day whose lines are bad was not built again: what it holds is made from other lines.
    assert outdated(runner, "revenue") == Spans([days(SHOP, 1, 4)])


def test_readers_beyond_a_view_become_stale_too(open_runner: Open):
    pipeline = shop(windowed("lines"), view("clean", "lines"), windowed("revenue", "clean"))
    runner = open_runner(pipeline)
    runner.backfill(3)
    runner.backfill(1, select=("lines",), reprocess=Reprocess.ALL)
    assert outdated(runner, "revenue") == Spans([days(pipeline, 1)])


# Tests of several models


def test_a_test_of_two_models_does_not_condemn_the_good_one(open_runner: Open):
    pipeline = shop(
        windowed("left"),
        windowed("right"),
        check("left_check", "left"),
        check("right_check", "right"),
        singular("sides_agree", "left", "right"),
    )
    runner = open_runner(pipeline, bad={"left_check": labels(pipeline, {1})})
    done = runner.backfill(3)
    assert done.of(RunState.INCORRECT) == {1}
    assert runner.standings("left", 3)[1] is WorkResult.INCORRECT
    assert WorkResult.INCORRECT not in runner.standings("right", 3)


def test_the_index_says_nothing_of_windows_that_were_never_touched(open_runner: Open):
    runner = open_runner()
    runner.backfill(2, skip=3)
    ((span, record),) = runner.ledger.windows.get_records()["lines"]
    assert span == days(SHOP, 2, 3)
    assert replace(record, published_at=None) == WindowRecord(
        WorkResult.SUCCESS, "lines as it was", has_rows=True
    )


def test_windows_that_others_hold_are_left_alone(
    open_runner: Open, monkeypatch: pytest.MonkeyPatch
):
    runner = open_runner()
    windows = list(SHOP.calendar.windows(days(SHOP, 2)))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("runner.ledger.owners.this_process", lambda: "elsewhere:1:1")
        runner.ledger.leases.queue("shop", RunKind.BACKFILL, windows, runner.world.at)
    done = runner.backfill(5)
    assert [i.span for i in done.asked] == [days(SHOP, 3, 2)]
    plan = runner.plan(RunRequest(Spans([days(SHOP, 5)])))
    assert (days(SHOP, 2), "in flight") in [(skip.span, skip.reason) for skip in plan.skipped]


def test_words_differ_from_day_to_day_so_that_they_are_not_taken_for_systematic():
    first, second = SHOP.calendar.windows(days(SHOP, 2))
    assert value_in(first) != value_in(second)


@pytest.mark.parametrize(("rows", "is_spared"), [("the same rows", True), ("", False)])
def test_who_reads_the_same_rows_again_is_spared(open_runner: Open, rows: str, *, is_spared: bool):
    """Without a content of its own the fake's rows are others each time."""
    runner = open_runner(content=lambda *_: rows)
    runner.backfill(3)
    runner.backfill(2, skip=1, reprocess=Reprocess.ALL, select=("lines",))
    again = Spans([days(SHOP, 2, 1)])
    assert outdated(runner, "revenue") == (Spans() if is_spared else again)
    assert runner.plan(runner.request(3)).spared == (again if is_spared else Spans())


def test_a_restored_warehouse_is_as_stale_as_it_was(open_runner: Open):
    """What was published again stands there as before; only what reads it is older than that."""
    runner = open_runner()
    runner.backfill(3)
    runner.backfill(1, skip=1, select=("lines",), reprocess=Reprocess.ALL)
    runner.reconcile()
    kept = dict(runner.dbt.markers)
    runner.backfill(3, reprocess=Reprocess.STALE)
    assert not outdated(runner, "revenue")
    runner.dbt.markers = kept
    runner.reconcile()
    assert outdated(runner, "revenue") == Spans([days(SHOP, 1, 1)])


@pytest.mark.parametrize(("rows", "is_spared"), [("the same rows", True), ("", False)])
def test_who_was_away_while_what_it_reads_was_published_is_stale_when_it_is_back(
    open_runner: Open, rows: str, *, is_spared: bool
):
    """On another branch, say, with the same ledger: nobody of that name could be told."""
    runner = open_runner(content=lambda *_: rows)
    runner.backfill(3)
    kept = {n.unique_id: n for n in SHOP.nodes if n.name in ("lines", "prices")}
    project = replace(SHOP.project, nodes=kept)
    away = replace(runner, pipeline=replace(SHOP, nodes=tuple(kept.values()), project=project))
    away.backfill(2, skip=1, reprocess=Reprocess.ALL)
    assert not outdated(runner, "revenue")
    runner.reconcile()
    assert outdated(runner, "revenue") == (Spans() if is_spared else Spans([days(SHOP, 2, 1)]))
    runner.backfill(3, reprocess=Reprocess.STALE)
    runner.reconcile()
    assert not outdated(runner, "revenue")
