"""After a runner has died: the markers are believed, and nothing that was done is done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import EngineError, LedgerError
from runner.core.planning import Reprocess
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState
from runner.core.status import WorkResult
from runner.execution.recovery import recover
from runner.ledger import Leases, owners
from runner.project.pipelines import Pipeline
from tests.unit.fake_dbt import FakeDbt, Fault, check, days, gate, shop, table, windowed
from tests.unit.running import Runner, Witness, open_ledger

# What a gate has let through is judged when it is published; the rest waits for its check.
SHOP = shop(
    windowed("lines"),
    windowed("revenue", "lines"),
    gate("lines_gate", "lines"),
    check("revenue_check", "revenue"),
)
WITH_TABLE = shop(windowed("lines"), table("report", "lines"), gate("lines_gate", "lines"))


class Killed(BaseException):
    """By signal 9: nothing was written after it."""


class MortalLeases(Leases):
    """Leases that a killed process gives up no more."""

    def give_up(self, *_: Any) -> None:
        raise LedgerError("nobody is there to write")


Open = Callable[..., Runner]


@pytest.fixture
def open_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Makes a runner whose process is dead for the others as soon as another one begins."""
    processes = ["here:1:0"]
    monkeypatch.setattr(owners, "this_process", lambda: processes[-1])
    monkeypatch.setattr(owners, "is_dead", lambda owner: owner in processes[:-1])
    ledger = open_ledger(tmp_path / "ledger.db")
    ledger.leases = MortalLeases(ledger.database)

    def make(pipeline: Pipeline = SHOP, dbt: FakeDbt | None = None, **more: Any) -> Runner:
        processes.append(f"here:{len(processes) + 1}:0")
        return Runner(pipeline, ledger, dbt or FakeDbt(pipeline, **more))

    yield make
    ledger.close()


def killed(runner: Runner, count: int, **wish: Any) -> None:
    """A backfill that does not survive."""
    with pytest.raises(Killed):
        runner.backfill(count, **wish)


def test_what_was_judged_is_done_and_what_was_not_is_only_checked(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=2)])
    killed(first, 4)
    second = open_runner(dbt=first.dbt)
    recover(second.context)
    assert first.dbt.questions == [days(SHOP, 4)]
    assert second.standings("lines", 4) == [WorkResult.SUCCESS] * 4
    assert second.standings("revenue", 4) == [WorkResult.PUBLISHED] * 4
    assert {run.state for run in second.runs()} == {RunState.FAILED}
    done = second.backfill(4)
    assert [(i.nodes, i.checks) for i in done.asked] == [((), ("revenue_check",))]
    assert set(done.states) == {RunState.SUCCESS}


def test_what_was_judged_by_one_that_died_then_needs_nothing_more(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=2), Fault(Killed(), after=None)])
    killed(first, 4)
    killed(open_runner(dbt=first.dbt), 4)
    third = open_runner(dbt=first.dbt)
    assert third.backfill(4).asked == []
    (lines,) = third.ledger.windows.get_records()["revenue"]
    assert lines[1].standing is WorkResult.SUCCESS


def test_what_was_not_published_runs_again(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=1)])
    killed(first, 4)
    done = open_runner(dbt=first.dbt).backfill(4)
    assert [i.nodes for i in done.asked] == [("revenue",)]
    assert set(done.states) == {RunState.SUCCESS}


def test_a_run_that_the_markers_vouch_for_is_recorded_as_done(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=None)])
    killed(first, 3)
    second = open_runner(dbt=first.dbt)
    recover(second.context)
    runs = second.runs()
    assert [(run.state, run.row_count) for run in runs] == [(RunState.SUCCESS, 20)] * 3
    assert all("the warehouse's markers say so" in (run.reason or "") for run in runs)
    assert second.backfill(3).asked == []


def test_a_run_that_was_stopped_when_all_was_published_and_judged_has_not_been_cancelled(
    tmp_path: Path,
):
    ledger = open_ledger(tmp_path / "ledger.db")
    runner = Runner(SHOP, ledger, FakeDbt(SHOP, faults=[Fault(KeyboardInterrupt(), after=None)]))
    with pytest.raises(KeyboardInterrupt):
        runner.backfill(3)
    assert {run.state for run in runner.runs()} == {RunState.CANCELLED}
    assert runner.backfill(3).asked == []
    assert {run.state for run in runner.runs()} == {RunState.SUCCESS}
    ledger.close()


def test_what_a_check_had_condemned_stays_condemned(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=None)], bad={"revenue_check": {"2017-03-02"}})
    killed(first, 3)
    second = open_runner(dbt=first.dbt)
    recover(second.context)
    standings = [WorkResult.SUCCESS, WorkResult.INCORRECT, WorkResult.SUCCESS]
    assert second.standings("revenue", 3) == standings


def test_what_was_only_queued_is_cancelled_and_asks_nobody(open_runner: Open):
    first = open_runner()
    first.ledger.leases.queue(
        "shop", RunKind.BACKFILL, SHOP.calendar.windows(days(SHOP, 2)), first.world.at
    )
    second = open_runner(dbt=first.dbt)
    recover(second.context)
    assert {run.state for run in second.runs()} == {RunState.CANCELLED}
    assert first.dbt.questions == []
    assert set(second.backfill(2).states) == {RunState.SUCCESS}


def test_each_invocation_is_asked_after_by_itself(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=1)])
    killed(first, 2)
    other = open_runner(dbt=first.dbt)
    first.dbt.faults = [Fault(Killed(), after=1)]
    with pytest.raises(Killed):  # it has not recovered: that is left to the third
        _without_recovery(other, 2, skip=2)
    third = open_runner(dbt=first.dbt)
    recover(third.context)
    assert first.dbt.questions == [days(SHOP, 2), days(SHOP, 2, 2)]


def test_a_warehouse_that_cannot_be_asked_settles_nothing(
    open_runner: Open, monkeypatch: pytest.MonkeyPatch
):
    first = open_runner(faults=[Fault(Killed(), after=1)])
    killed(first, 2)
    second = open_runner(dbt=first.dbt)
    with monkeypatch.context() as broken:
        broken.setattr(FakeDbt, "published", _unreachable)
        with pytest.raises(EngineError):
            recover(second.context)
    assert {run.state for run in second.runs()} == {RunState.RUNNING}
    recover(second.context)
    assert second.standings("lines", 2) == [WorkResult.SUCCESS] * 2


def test_a_warehouse_that_is_busy_for_a_moment_is_asked_again(
    open_runner: Open, monkeypatch: pytest.MonkeyPatch
):
    first = open_runner(faults=[Fault(Killed(), after=1)])
    killed(first, 2)
    second = open_runner(dbt=first.dbt)
    answers: list[Any] = [EngineError("locked by a process that ends"), first.dbt.published]

    def once_busy(_: FakeDbt, *asked: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, EngineError):
            raise answer
        return answer(*asked)

    with monkeypatch.context() as busy:
        busy.setattr(FakeDbt, "published", once_busy)
        recover(second.context)
    assert not answers
    assert second.standings("lines", 2) == [WorkResult.SUCCESS] * 2


def test_what_reads_rows_that_a_dead_runner_has_replaced_is_stale(open_runner: Open):
    first = open_runner()
    first.backfill(3)
    first.dbt.faults = [Fault(Killed(), after=1)]
    killed(first, 3, reprocess=Reprocess.ALL)
    second = open_runner(dbt=first.dbt)
    recover(second.context)
    outdated = second.ledger.windows.get_records()["revenue"].where(lambda known: known.is_outdated)
    assert outdated == Spans([days(SHOP, 3)])
    done = second.backfill(3, reprocess=Reprocess.STALE)
    assert [i.nodes for i in done.asked] == [("revenue",)]


def test_a_table_that_a_dead_runner_may_not_have_built_is_built(open_runner: Open):
    first = open_runner(WITH_TABLE, faults=[Fault(Killed(), after=1)])
    killed(first, 3)
    second = open_runner(WITH_TABLE, dbt=first.dbt)
    done = second.backfill(3)
    assert [i.nodes for i in done.asked] == [("report",)]
    assert first.dbt.built.count(("report", "")) == 1
    assert second.backfill(3).asked == []


def test_a_table_whose_runner_died_before_it_began_it_is_built(
    open_runner: Open, monkeypatch: pytest.MonkeyPatch
):
    first = open_runner(WITH_TABLE, bad={"lines_gate": {"2017-03-03"}})

    def die(_: str) -> None:
        if len(first.dbt.asked) == 2:  # the chunk, and what is left of it
            raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(first.ledger.controls, "get_pause", die)
        first.dbt.broken["report"] = "Catalog Error: no such function"
        killed(first, 4)
    assert RunState.RETRYING in {run.state for run in first.runs()}
    first.dbt.broken.clear()
    open_runner(WITH_TABLE, dbt=first.dbt).backfill(4)
    assert first.dbt.built.count(("report", "")) == 1


def test_what_two_recover_is_recovered_once(open_runner: Open):
    first = open_runner(faults=[Fault(Killed(), after=2)])
    killed(first, 2)
    second = open_runner(dbt=first.dbt)
    recover(second.context)
    before = second.runs(), second.ledger.windows.get_records()
    recover(second.context)
    assert (second.runs(), second.ledger.windows.get_records()) == before
    assert len(first.dbt.questions) == 1


def test_a_ledger_that_knows_nothing_is_filled_from_the_markers_once(
    open_runner: Open, tmp_path: Path
):
    first = open_runner()
    first.backfill(3)
    lost = open_ledger(tmp_path / "lost.db")
    fresh = replace(first, ledger=lost, witness=Witness())
    fresh.reconcile()
    assert fresh.witness.taken_over == 6
    assert (
        lost.windows.get_records()["lines"].within(Spans([days(SHOP, 3)]))
        == lost.windows.get_records()["lines"]
    )
    fresh.reconcile()
    assert (fresh.witness.taken_over, fresh.witness.changes) == (6, [])
    lost.close()


def _without_recovery(runner: Runner, count: int, skip: int) -> None:
    request = runner.request(count, skip=skip)
    runner.execute(runner.plan(request))


def _unreachable(*_: object) -> None:
    raise EngineError("the warehouse cannot be asked what was published: try again")
