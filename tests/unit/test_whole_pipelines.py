"""Pipelines none of whose models has windows: built as a whole, once in each of their windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.core.config import Retries
from runner.core.errors import UsageError
from runner.core.states import RunState
from runner.core.windows import Grain
from runner.ledger import Run
from runner.overview.pipeline import PipelineStatus
from runner.project.pipelines import Pipeline
from tests.unit.fake_dbt import FakeDbt, Fault, check, seed, shop, snapshot, table, view
from tests.unit.running import FakeWorld, Runner, open_ledger

NODES = (
    seed("prices"),
    view("clean", "prices"),
    table("orders", "clean"),
    table("totals", "orders"),
    table("stores", "prices"),
    snapshot("history", "orders"),
    *(check(f"{name}_check", name) for name in ("orders", "totals", "stores", "history")),
)
DAG = shop(*NODES, schedule="0 5 * * *", retries=Retries(attempts=2))
MORNING = datetime(2026, 6, 19, 10, tzinfo=UTC)  # past five in New York
TRANSIENT = "IO Error: Connection reset by peer"
NAMES = ["prices", "clean", "orders", "stores", "totals", "history"]


@pytest.fixture
def open_runner(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """Makes one runner, in the morning."""
    ledger = open_ledger(tmp_path / "ledger.db")

    def make(pipeline: Pipeline = DAG, **dbt: Any) -> Runner:
        return Runner(pipeline, ledger, FakeDbt(pipeline, **dbt), FakeWorld(MORNING))

    yield make
    ledger.close()


def run(runner: Runner) -> list[list[str]]:
    """Run what is due; the nodes of each invocation."""
    asked = len(runner.dbt.asked)
    runner.run(runner.planner.request_run(None, runner.world.at))
    return [sorted(one.nodes, key=NAMES.index) for one in runner.dbt.asked[asked:]]


def last(runner: Runner) -> Run:
    return runner.ledger.runs.find("shop")[0]


def test_all_is_built_once_in_every_window_of_the_schedule(open_runner: Callable[..., Runner]):
    runner = open_runner()
    assert run(runner) == [NAMES]
    assert (last(runner).state, last(runner).window_start.date()) == (
        RunState.SUCCESS,
        date(2026, 6, 18),
    )
    assert run(runner) == []
    runner.world.at += timedelta(hours=22)  # before the next tick
    assert run(runner) == []
    runner.world.at += timedelta(hours=2)
    assert run(runner) == [NAMES]
    assert len(runner.ledger.runs.find("shop")) == 2


def test_what_failed_and_what_reads_it_are_tried_again_and_nothing_else(
    open_runner: Callable[..., Runner],
):
    runner = open_runner(faults=[Fault(TRANSIENT, by="orders")])
    assert run(runner) == [NAMES, ["orders", "totals", "history"]]
    assert last(runner).state is RunState.SUCCESS
    assert len(runner.world.slept) == 1


def test_what_would_fail_again_is_left_to_the_next_run_with_what_reads_it(
    open_runner: Callable[..., Runner],
):
    runner = open_runner(faults=[Fault("Binder Error: no such column", by="orders")])
    assert run(runner) == [NAMES]
    assert last(runner).state is RunState.FAILED
    assert "orders: Binder Error" in (last(runner).reason or "")
    assert run(runner) == [["orders", "totals", "history"]]
    assert last(runner).state is RunState.SUCCESS
    assert run(runner) == []


def test_tests_are_the_second_verdict(open_runner: Callable[..., Runner]):
    runner = open_runner(bad={"orders_check": {"2026-06-18"}})
    run(runner)
    assert last(runner).state is RunState.INCORRECT


def test_a_table_that_no_test_judges_is_unchecked(open_runner: Callable[..., Runner]):
    runner = open_runner(shop(table("orders"), schedule="0 5 * * *"))
    run(runner)
    assert last(runner).state is RunState.UNCHECKED


def test_no_earlier_date_can_be_replayed():
    with pytest.raises(UsageError, match="no model of shop has windows"):
        DAG.window("2026-06-01", MORNING)
    with pytest.raises(UsageError, match="leave the dates out"):
        DAG.span_of_dates(date(2026, 6, 1), date(2026, 6, 18), MORNING)
    newest = DAG.newest(MORNING)
    assert newest is not None
    assert DAG.window(newest.label, MORNING) == newest


def test_it_is_missed_an_hour_after_it_was_due():
    due = DAG.due(MORNING)
    assert due is not None
    nine = datetime(2026, 6, 19, 9, tzinfo=UTC)  # five in New York
    assert DAG.overdue(nine + timedelta(minutes=59)) != due
    assert DAG.overdue(nine + timedelta(minutes=60)) == due
    patient = replace(DAG, config=replace(DAG.config, deadline=timedelta(hours=3)))
    assert patient.overdue(nine + timedelta(hours=2)) != due


@pytest.mark.parametrize(
    ("schedule", "grain"),
    [("0 5 * * *", Grain.DAY), ("0 5 * * MON", Grain.DAY), ("0 */4 * * *", Grain.HOUR)],
)
def test_every_run_has_a_window_of_its_own(schedule: str, grain: Grain):
    assert shop(*NODES, schedule=schedule).calendar.grain is grain


def test_everything_is_shown_and_counted(open_runner: Callable[..., Runner]):
    runner = open_runner(faults=[Fault("Binder Error: no such column", by="orders")])

    def status() -> PipelineStatus:
        return PipelineStatus("shop", runner.plan(runner.planner.request_run(None, MORNING)))

    assert (status().ran, status().correct, len(status().windowed)) == (0, 0, 6)
    run(runner)
    assert (status().ran, status().correct) == (0, 0)
    run(runner)
    assert (status().ran, status().correct) == (1, 1)
    assert last(runner).check_count == 3


def test_what_is_right_is_built_again_for_who_asks(open_runner: Callable[..., Runner]):
    runner = open_runner()
    run(runner)
    runner.run(runner.planner.request_backfill((None, None), MORNING, "all"))
    assert sorted(runner.dbt.asked[-1].nodes) == sorted(runner.dbt.asked[0].nodes)
    assert len(runner.dbt.asked) == 2
