"""What should exist and what the ledger knows, brought together; over a real ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.core.chunks import BYTES_PER_ROW, SHARE_OF_MEMORY, Sizing
from runner.core.config import PipelineConfig
from runner.core.planning import ModelPlan, Plan, RunRequest
from runner.core.proofs import Proof, ProofVerdict
from runner.core.spans import Span, Spans
from runner.core.states import RunKind, RunState
from runner.core.status import WindowRecord, WindowStatus, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Grain
from runner.ledger import IndexChange, Ledger, ModelRun, RunEnd, RunEntry
from runner.planner import Planner, memory, proofs_of
from runner.project.acceptance import equal_hashes
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline, make_pipeline
from tests.unit.ledger_fixtures import change_index

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)  # the newest complete day is the 11th
DONE = WindowRecord(WorkResult.SUCCESS, "now", has_rows=True)
SUCCESS = RunEnd(RunState.SUCCESS, row_count=5, check_count=1, seconds=2.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def node(name: str, *parents: str, kind: str = "model", **said: Any) -> Node:
    ids = tuple(f"model.{parent}" for parent in parents)
    return Node(f"model.{name}", name, kind, said.pop("materialized", "view"), ids, **said)


def windowed(name: str, *parents: str, begin: date | None = None, code: str = "now") -> Node:
    return node(
        name, *parents, materialized="incremental", grain=Grain.DAY, begin=begin, code_hash=code
    )


ORDERS = windowed("orders", "source")
TOTALS = windowed("totals", "view")
VIEW = node("view", "orders", code_hash="now")
SHOP = (ORDERS, VIEW, TOTALS)


def pipeline_of(*nodes: Node, **config: Any) -> Pipeline:
    by_id = {node.unique_id: node for node in nodes}
    project = Project(zone=ZONE, nodes=by_id, selections={"all": tuple(by_id)}, fingerprint="")
    config = {"start": date(2026, 3, 5), **config}
    return make_pipeline("shop", PipelineConfig(select="all", **config), project)


def planner_of(ledger: Ledger, *nodes: Node, **config: Any) -> Planner:
    return Planner(pipeline_of(*nodes, **config), ledger, lambda _: lambda _: "same")


def days(first: int, last: int) -> Span:
    """Days of March, both inclusive."""
    return pipeline_of(ORDERS).calendar.span_of_dates(date(2026, 3, first), date(2026, 3, last))


def know(ledger: Ledger, model: str, *parts: tuple[Span, WindowRecord]) -> None:
    change_index(ledger, IndexChange(windows={model: Timeline(parts)}))


def queue(ledger: Ledger, span: Span, pipeline: str = "shop") -> None:
    windows = pipeline_of(ORDERS).calendar.windows(span)
    ledger.leases.queue(pipeline, RunKind.BACKFILL, windows, NOW)


def plan(ledger: Ledger, *nodes: Node, now: datetime = NOW, **config: Any) -> Plan:
    return planner_of(ledger, *nodes, **config).plan(RunRequest(Spans([days(1, 31)])), now)


def built(plan: Plan) -> dict[str, Spans]:
    return {m.node.name: m.runs for m in by_window(plan) if m.runs}


def statuses(plan: Plan) -> dict[str, Mapping[WindowStatus, Spans]]:
    return {m.node.name: m.statuses for m in by_window(plan)}


def by_window(plan: Plan) -> list[ModelPlan]:
    """Without the views, which nobody has built in these ledgers."""
    return [model for model in plan.models if model.node.is_windowed]


def test_what_knows_no_windows_and_was_never_built_is_missing_in_the_newest(ledger: Ledger):
    know(ledger, "orders", (days(5, 11), DONE))
    found = plan(ledger, ORDERS, VIEW)
    (view,) = [model for model in found.models if not model.node.is_windowed]
    assert view.statuses == {WindowStatus.MISSING: Spans([days(11, 11)])}
    assert [(piece.span, piece.models) for piece in found.pieces] == [(days(11, 11), ("view",))]


# What should exist


def test_every_complete_window_since_the_start_is_missing_in_an_empty_ledger(ledger: Ledger):
    assert built(plan(ledger, *SHOP)) == {
        "orders": Spans([days(5, 11)]),
        "totals": Spans([days(5, 11)]),
    }


def test_a_day_is_missing_when_it_has_ended_and_not_before(ledger: Ledger):
    midnight = datetime(2026, 3, 13, tzinfo=ZONE)
    almost = plan(ledger, ORDERS, now=midnight - timedelta(seconds=1))
    assert built(almost) == {"orders": Spans([days(5, 11)])}
    assert built(plan(ledger, ORDERS, now=midnight)) == {"orders": Spans([days(5, 12)])}


def test_before_the_first_window_has_ended_nothing_is_missing(ledger: Ledger):
    early = plan(ledger, *SHOP, now=datetime(2026, 3, 5, 12, tzinfo=ZONE))
    assert (early.models, early.pieces) == ((), ())


def test_after_the_end_of_the_pipeline_nothing_more_is_missing(ledger: Ledger):
    assert built(plan(ledger, ORDERS, end=date(2026, 3, 8))) == {"orders": Spans([days(5, 8)])}


def test_a_model_is_missing_since_its_own_begin(ledger: Ledger):
    late = windowed("late", "orders", begin=date(2026, 3, 9))
    assert built(plan(ledger, ORDERS, late)) == {
        "orders": Spans([days(5, 11)]),
        "late": Spans([days(9, 11)]),
    }


def test_a_model_that_begins_before_its_pipeline_is_missing_since_the_pipelines_start(
    ledger: Ledger,
):
    early = windowed("early", begin=date(2026, 1, 1))
    assert built(plan(ledger, early)) == {"early": Spans([days(5, 11)])}


def test_a_model_that_has_not_begun_is_no_part_of_the_plan(ledger: Ledger):
    tomorrow = windowed("tomorrow", begin=date(2026, 3, 12))
    assert built(plan(ledger, ORDERS, tomorrow)) == {"orders": Spans([days(5, 11)])}
    assert statuses(plan(ledger, ORDERS, tomorrow)).keys() == {"orders"}


def test_a_model_added_today_runs_alone(ledger: Ledger):
    for name in ("orders", "totals"):
        know(ledger, name, (days(5, 11), DONE))
    added = windowed("added", "totals")
    assert built(plan(ledger, *SHOP)) == {}
    assert built(plan(ledger, *SHOP, added)) == {"added": Spans([days(5, 11)])}


# What is known


def test_subjects_are_the_nodes_that_hold_data_parents_first(ledger: Ledger):
    nodes = (
        TOTALS,
        ORDERS,
        VIEW,
        node("seed", kind="seed", materialized="seed"),
        node("a_test", "orders", kind="test"),
        node("source", kind="source"),
    )
    subjects = planner_of(ledger, *nodes).nodes(NOW)
    assert [(s.name, s.parents, s.is_windowed) for s in subjects] == [
        ("seed", (), False),
        ("orders", (), True),
        ("view", ("orders",), False),
        ("totals", ("view",), True),
    ]


def test_every_subject_has_what_the_ledger_knows_of_it(ledger: Ledger):
    failed = WindowRecord(
        WorkResult.FAILED, "now", is_outdated=False, reason="no column", inputs="same"
    )
    know(ledger, "orders", (days(5, 8), DONE), (days(9, 9), failed))
    know(ledger, "elsewhere", (days(5, 11), DONE))
    known = {node.name: node.records for node in planner_of(ledger, *SHOP).nodes(NOW)}
    assert known == {
        "orders": Timeline([(days(5, 8), DONE), (days(9, 9), failed)]),
        "view": Timeline(),
        "totals": Timeline(),
    }


def test_what_another_pipeline_did_is_done(ledger: Ledger):
    """The index is of models, whichever pipeline they belong to."""
    know(ledger, "orders", (days(1, 31), DONE))
    assert built(plan(ledger, ORDERS)) == {}
    assert statuses(plan(ledger, ORDERS)) == {
        "orders": {WindowStatus.SUCCESS: Spans([days(5, 11)])}
    }


def test_each_node_is_asked_for_its_own_inputs(ledger: Ledger):
    failed = WindowRecord(WorkResult.FAILED, "now", inputs="what orders reads")
    for name in ("orders", "totals"):
        know(ledger, name, (days(5, 11), failed))
    planner = Planner(pipeline_of(*SHOP), ledger, lambda node: lambda _: f"what {node.name} reads")
    found = statuses(planner.plan(RunRequest(Spans([days(1, 31)])), NOW))
    assert found == {
        "orders": {WindowStatus.BLOCKED: Spans([days(5, 11)])},
        "totals": {WindowStatus.FAILED: Spans([days(5, 11)])},
    }


def test_a_changed_hash_is_stale_and_an_accepted_one_is_not(ledger: Ledger):
    know(ledger, "orders", (days(5, 8), replace(DONE, code_hash="first")))
    know(ledger, "orders", (days(9, 11), replace(DONE, code_hash="second")))
    everything = Spans([days(5, 11)])
    assert statuses(plan(ledger, ORDERS)) == {"orders": {WindowStatus.STALE: everything}}
    ledger.windows.accept_change("elsewhere", ["first", "second"], "now", NOW)
    assert statuses(plan(ledger, ORDERS)) == {"orders": {WindowStatus.STALE: everything}}
    ledger.windows.accept_change("orders", ["second"], "now", NOW)
    assert statuses(plan(ledger, ORDERS)) == {
        "orders": {
            WindowStatus.STALE: Spans([days(5, 8)]),
            WindowStatus.SUCCESS: Spans([days(9, 11)]),
        }
    }
    ledger.windows.accept_change("orders", ["first"], "second", NOW)
    assert statuses(plan(ledger, ORDERS)) == {"orders": {WindowStatus.SUCCESS: everything}}


def test_a_chain_of_acceptances_is_followed_to_its_end():
    chain = [("c", "d"), ("a", "b"), ("b", "c")]  # in whatever order they are found
    assert equal_hashes("d", chain) == {"a", "b", "c", "d"}
    assert equal_hashes("b", chain) == {"a", "b"}
    assert equal_hashes("z", chain) == {"z"}


# What is in flight


def test_what_anybody_has_queued_is_in_flight(ledger: Ledger):
    queue(ledger, days(6, 7))
    found = plan(ledger, ORDERS)
    assert built(found) == {"orders": Spans([days(5, 5), days(8, 11)])}
    assert [(skip.span, skip.reason) for skip in found.skipped] == [(days(6, 7), "in flight")]


def test_what_another_pipeline_has_in_flight_is_not(ledger: Ledger):
    queue(ledger, days(6, 7), pipeline="another")
    assert built(plan(ledger, ORDERS)) == {"orders": Spans([days(5, 11)])}


def test_what_this_process_holds_itself_is_in_its_way_no_more_than_it_says(ledger: Ledger):
    queue(ledger, days(6, 8))
    planner = planner_of(ledger, ORDERS)
    found = planner.plan(RunRequest(Spans([days(1, 31)])), NOW, mine=Spans([days(6, 7)]))
    assert built(found) == {"orders": Spans([days(5, 7), days(9, 11)])}


def test_what_a_dead_process_left_behind_is_not_in_flight(ledger: Ledger):
    queue(ledger, days(6, 7))
    with ledger.database.transaction() as connection:
        connection.change("update runs set lease_until = ledger_now(:seconds)", seconds=-1)
    assert built(plan(ledger, ORDERS)) == {"orders": Spans([days(5, 11)])}


# How much at once


def finish(ledger: Ledger, span: Span, rows: Mapping[str, int], seconds: float) -> None:
    """Let a window of some models be done."""
    queue(ledger, span)
    fence = ledger.leases.claim("shop", span, NOW)
    models = [ModelRun(name, WorkResult.SUCCESS, count, "now") for name, count in rows.items()]
    entry = RunEntry(tuple(models), (), replace(SUCCESS, seconds=seconds))
    ledger.results.record("shop", fence, {span.start: entry}, IndexChange(), NOW)


def test_a_wish_decides_how_much_runs_at_once(ledger: Ledger):
    finish(ledger, days(5, 5), {"orders": 1000}, 1.0)
    assert planner_of(ledger, ORDERS).sizing(7).size == 7
    assert planner_of(ledger, ORDERS, chunk=31).sizing(None).size == 31
    assert planner_of(ledger, ORDERS, chunk=31).sizing(7).size == 7


def test_without_a_history_nobody_knows_what_a_window_takes(ledger: Ledger):
    sizing = planner_of(ledger, ORDERS, timeout=timedelta(minutes=30)).sizing(None)
    assert sizing == Sizing(timeout=timedelta(minutes=30), row_budget=sizing.row_budget)
    assert sizing.row_budget == memory() // SHARE_OF_MEMORY // BYTES_PER_ROW


def test_what_a_window_takes_is_the_average_of_all_its_models_together(ledger: Ledger):
    finish(ledger, days(5, 5), {"orders": 1000, "totals": 10, "elsewhere": 10**9}, 1.0)
    finish(ledger, days(6, 6), {"orders": 3000, "totals": 30, "elsewhere": 10**9}, 2.0)
    sizing = planner_of(ledger, *SHOP).sizing(None)
    assert sizing.rows_per_window == 2020
    assert sizing.seconds_per_window == 1.5
    assert sizing.timeout == pipeline_of(ORDERS).config.timeout


# Looking


def test_a_plan_writes_nothing(ledger: Ledger, tmp_path: Path):
    know(ledger, "orders", (days(5, 8), DONE))
    queue(ledger, days(10, 10))

    def content() -> list[str]:
        with sqlite3.connect(tmp_path / "ledger.db") as connection:
            return list(connection.iterdump())

    before = content()
    assert plan(ledger, *SHOP).pieces
    planner_of(ledger, *SHOP).sizing(None)
    assert content() == before


# Proofs


def test_a_proof_counts_for_its_code_and_for_what_was_accepted_as_equal(ledger: Ledger):
    def proof(model: str, code_hash: str, verdict: ProofVerdict, hours: int) -> Proof:
        return Proof(model, code_hash, verdict, (), "", NOW + timedelta(hours=hours))

    old = proof("orders", "before", ProofVerdict.DISPROVED, 2)
    current = proof("orders", "now", ProofVerdict.PROVED, 1)
    ledger.proofs.save([old, proof("totals", "before", ProofVerdict.PROVED, 0)])
    pipeline = pipeline_of(*SHOP)
    assert proofs_of(pipeline, ledger) == {"orders": None, "totals": None}
    ledger.proofs.save([current])
    assert proofs_of(pipeline, ledger) == {"orders": current, "totals": None}
    ledger.windows.accept_change("orders", ["before"], "now", NOW)
    assert proofs_of(pipeline, ledger)["orders"] == old  # the newest of equal code


def test_of_the_time_before_a_model_had_windows_nothing_counts(ledger: Ledger):
    as_a_table = WindowRecord(WorkResult.SUCCESS, "now")  # whose rows no window held
    know(ledger, "orders", (days(9, 11), as_a_table))
    assert statuses(plan(ledger, ORDERS)) == {
        "orders": {WindowStatus.MISSING: Spans([days(5, 11)])}
    }
