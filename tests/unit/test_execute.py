"""How a failing chunk is cut: every good window succeeds, at the price of few invocations."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from math import ceil, log2
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config import PipelineConfig
from runner.dbt.protocol import (
    Description,
    Evidence,
    Invocation,
    InvocationResult,
    NodeListener,
    NodeResult,
    Publication,
    WindowEvidence,
)
from runner.execute import Executor
from runner.ledger import Kind, Ledger, Outcome
from runner.pipelines import Pipeline, make_pipeline
from runner.project import Node, Project
from runner.spans import Span
from runner.states import State
from runner.windows import Grain, Window

FIRST = date(2017, 3, 1)
NOW = datetime(2017, 12, 1, tzinfo=UTC)
LOCKED = "shop.duckdb is locked: python (pid 7) holds it; end it, then run the same command again"


def model(name: str, *parents: str, reads_windows: bool = False, grain: Grain | None) -> Node:
    return Node(
        unique_id=f"model.shop.{name}",
        name=name,
        kind="model",
        materialized="incremental" if grain else "table",
        parents=tuple(f"model.shop.{parent}" for parent in parents),
        grain=grain,
        code_hash=f"hash of {name}",
        reads_windows=reads_windows,
    )


def make_shop() -> Pipeline:
    """lines → revenue, both by day; catalogue knows no day; report is rebuilt from revenue."""
    gate = Node(
        unique_id="test.shop.lines_gate",
        name="lines_gate",
        kind="test",
        materialized="test",
        parents=("model.shop.lines",),
        attached_to="model.shop.lines",
        is_gate=True,
        reads_windows=True,
    )
    nodes = (
        model("lines", grain=Grain.DAY),
        model("revenue", "lines", grain=Grain.DAY, reads_windows=True),
        model("catalogue", grain=None),
        model("report", "revenue", grain=None, reads_windows=True),
        gate,
        replace(
            gate,
            unique_id="test.shop.revenue_check",
            name="revenue_check",
            parents=("model.shop.revenue",),
            attached_to="model.shop.revenue",
            is_gate=False,
        ),
    )
    project = Project(
        zone=ZoneInfo("America/New_York"),
        nodes={node.unique_id: node for node in nodes},
        selections={"+report": tuple(node.unique_id for node in nodes)},
        fingerprint="",
    )
    return make_pipeline("shop", PipelineConfig(select="+report", start=FIRST), project)


SHOP = make_shop()
Answer = Callable[[Invocation, list[Window]], InvocationResult]


def ran_well(invocation: Invocation, windows: list[Window]) -> InvocationResult:
    """Everything is built, published and found correct."""
    nodes = [f"model.shop.{name}" for name in invocation.nodes]
    return InvocationResult(
        nodes=(
            *[NodeResult(node, "success", "", 0.1) for node in nodes],
            NodeResult("test.shop.revenue_check", "pass", "", 0.1),
        ),
        publications=tuple(
            Publication(name, window.start, 10, "correct")
            for name in ("lines", "revenue")
            for window in windows
        ),
    )


def broke(message: str, evidence: tuple[Evidence, ...] = ()) -> InvocationResult:
    """The first model fails and nothing is published."""
    return InvocationResult(
        nodes=(
            NodeResult("model.shop.catalogue", "success", "", 0.1),
            NodeResult("model.shop.lines", "error", message, 0.1),
            NodeResult("model.shop.revenue", "skipped", "", 0.0),
        ),
        evidence=evidence,
    )


def names(check: str, of: str, windows: Iterable[Window]) -> Evidence:
    found = tuple(WindowEvidence(window.start, "100 rows", "7 rows") for window in windows)
    return Evidence(of, check, "error", len(found), found, ())


@dataclass
class FakeEngine:
    """Answers as dbt would, and remembers what it was asked."""

    answer: Answer
    asked: list[Invocation] = field(default_factory=list)
    is_closed: bool = False

    def describe(self, selections: Iterable[str]) -> Description:
        raise NotImplementedError

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        self.asked.append(invocation)
        listener("model.shop.lines", "started")
        return self.answer(invocation, list(SHOP.calendar.windows(invocation.span)))

    def published(self, invocation: Invocation) -> tuple[Publication, ...]:  # noqa: ARG002
        return ()  # what an answer has published, it has told

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass
class Witness:
    """An observer that keeps what it is told."""

    verdicts: list[tuple[Window, Outcome]] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    left_out: list[Span] = field(default_factory=list)

    def invoking(self, span: Span) -> None:
        pass

    def node(self, unique_id: str, status: str) -> None:
        pass

    def settled(self, window: Window, outcome: Outcome) -> None:
        self.verdicts.append((window, outcome))

    def splitting(self, span: Span, reason: str) -> None:  # noqa: ARG002
        self.cuts.append(reason)

    def not_tried(self, span: Span, reason: str) -> None:  # noqa: ARG002
        self.left_out.append(span)


@dataclass(frozen=True)
class Executed:
    """What came of a chunk."""

    states: list[State]  # by window, oldest first
    asked: list[Invocation]
    outcomes: Mapping[Window, Outcome]
    cuts: list[str]

    def bad(self, state: State) -> set[int]:
        return {index for index, found in enumerate(self.states) if found is state}


def days(count: int) -> Span:
    return SHOP.calendar.span_of_dates(FIRST, FIRST + timedelta(days=count - 1))


def execute(count: int, answer: Answer, ledger: Ledger | None = None) -> Executed:
    """Execute the first ``count`` days as one chunk on a real ledger."""
    ledger = ledger or Ledger.open("sqlite://")
    engine, witness, span = FakeEngine(answer), Witness(), days(count)
    ledger.queue("shop", Kind.BACKFILL, SHOP.calendar.windows(span), NOW)
    executor = Executor(SHOP, ledger, engine, Kind.BACKFILL, lambda: NOW, witness)
    try:
        states = executor.execute([span])
        in_ledger = {run.window_start: run.state for run in ledger.runs("shop")}
    finally:
        ledger.close()
    # Every window has one verdict, and everybody is told the same.
    assert in_ledger == {window.start: state for window, state in states.items()}
    assert len(witness.verdicts) == count
    assert {window: outcome.state for window, outcome in witness.verdicts} == states
    ordered = [states[window] for window in SHOP.calendar.windows(span)]
    return Executed(ordered, engine.asked, dict(witness.verdicts), witness.cuts)


def poisoned(windows: list[Window], poison: set[int]) -> list[Window]:
    """Those of ``windows`` whose place among all days is in ``poison``."""
    first = SHOP.first
    return [w for w in windows if round((w.start - first) / timedelta(days=1)) in poison]


def condemns(poison: set[int]) -> Answer:
    """A gate that names each poisoned day."""

    def answer(invocation: Invocation, windows: list[Window]) -> InvocationResult:
        bad = poisoned(windows, poison)
        if not bad:
            return ran_well(invocation, windows)
        return broke("withheld lines", (names("lines_gate", "lines", bad),))

    return answer


def breaks_on(poison: set[int], say: Callable[[Window], str]) -> Answer:
    """SQL that fails on the first poisoned day it meets, and says so in some words."""

    def answer(invocation: Invocation, windows: list[Window]) -> InvocationResult:
        bad = poisoned(windows, poison)
        return broke(say(bad[0])) if bad else ran_well(invocation, windows)

    return answer


def value_of(window: Window) -> str:
    """Words that differ from day to day and name none."""
    return f"Conversion Error: could not convert 'x{window.start.timestamp():.0f}x' to INT64"


def file_of(window: Window) -> str:
    return f"landing/{window.label}.parquet was cut off: land it again"


@st.composite
def chunks_with_poison(draw: st.DrawFn) -> tuple[int, set[int]]:
    count = draw(st.integers(1, 60))
    return count, draw(st.sets(st.integers(0, count - 1), max_size=6))


def good_ranges(count: int, poison: set[int]) -> int:
    """Into how many contiguous ranges the good days fall."""
    return sum(day not in poison and (day == 0 or day - 1 in poison) for day in range(count))


def test_a_chunk_without_poison_is_one_invocation():
    done = execute(92, ran_well)
    assert set(done.states) == {State.SUCCESS}
    assert [invocation.span for invocation in done.asked] == [days(92)]


@settings(max_examples=40, deadline=None)
@given(chunks_with_poison())
def test_windows_that_a_gate_names_cost_one_invocation_per_range_of_good_ones(
    drawn: tuple[int, set[int]],
):
    count, poison = drawn
    done = execute(count, condemns(poison))
    assert done.bad(State.INCORRECT) == poison
    assert done.bad(State.SUCCESS) == set(range(count)) - poison
    assert len(done.asked) == 1 + (good_ranges(count, poison) if poison else 0)


@settings(max_examples=40, deadline=None)
@given(chunks_with_poison())
def test_failures_that_name_nothing_are_halved_down_to_each_poisoned_window(
    drawn: tuple[int, set[int]],
):
    count, poison = drawn
    done = execute(count, breaks_on(poison, value_of))
    assert done.bad(State.FAILED) == poison
    assert done.bad(State.SUCCESS) == set(range(count)) - poison
    # The chunk, both ends, and for each poison two halves at every level.
    levels = ceil(log2(count)) if count > 1 else 0
    assert len(done.asked) <= 3 + 2 * len(poison) * levels


@settings(max_examples=40, deadline=None)
@given(chunks_with_poison())
def test_an_error_that_mentions_a_window_is_cut_there(drawn: tuple[int, set[int]]):
    count, poison = drawn
    done = execute(count, breaks_on(poison, file_of))
    assert done.bad(State.FAILED) == poison
    assert done.bad(State.SUCCESS) == set(range(count)) - poison
    # For each poison: what lies before it, itself, what lies after it.
    assert len(done.asked) <= 1 + 3 * len(poison)
    for window, outcome in done.outcomes.items():
        assert (outcome.reason or window.label).count(window.label) == 1


def test_a_mention_is_a_hint_and_no_verdict():
    # The error blames the second day, but it is the fifth that is poisoned.
    innocent = SHOP.calendar.labelled("2017-03-02")
    done = execute(8, breaks_on({4}, lambda _: file_of(innocent)))
    assert done.bad(State.FAILED) == {4}
    assert done.bad(State.SUCCESS) == {0, 1, 2, 3, 5, 6, 7}


def test_the_same_failure_at_both_ends_is_systematic_and_is_not_bisected():
    done = execute(92, breaks_on(set(range(92)), lambda _: "Binder Error: no column quantity"))
    assert set(done.states) == {State.FAILED}
    assert [len(list(SHOP.calendar.windows(i.span))) for i in done.asked] == [92, 1, 1]
    reasons = {outcome.reason for outcome in done.outcomes.values()}
    assert reasons == {"lines: Binder Error: no column quantity"}


def executed_in_chunks(answer: Answer, sizes: list[int]) -> tuple[Executed, Witness]:
    """Execute the first days in several chunks."""
    ledger, engine, witness = Ledger.open("sqlite://"), FakeEngine(answer), Witness()
    span = days(sum(sizes))
    ledger.queue("shop", Kind.BACKFILL, SHOP.calendar.windows(span), NOW)
    windows = iter(SHOP.calendar.windows(span))
    chunks = [[next(windows) for _ in range(size)] for size in sizes]
    executor = Executor(SHOP, ledger, engine, Kind.BACKFILL, lambda: NOW, witness)
    states = executor.execute(Span(chunk[0].start, chunk[-1].end) for chunk in chunks)
    in_ledger = {run.window_start: run.state for run in ledger.runs("shop")}
    ledger.close()
    assert in_ledger == {window.start: state for window, state in states.items()}
    ordered = [states[window] for window in SHOP.calendar.windows(span)]
    return Executed(ordered, engine.asked, dict(witness.verdicts), witness.cuts), witness


def test_after_a_failure_outside_the_windows_no_other_chunk_is_tried():
    locked = InvocationResult(nodes=(), error=LOCKED)
    done, witness = executed_in_chunks(lambda *_: locked, [2, 3, 1])
    assert done.states == [State.FAILED] * 2 + [State.CANCELLED] * 4
    assert len(done.asked) == 1
    ends = [days(count).end for count in (2, 5, 6)]
    assert witness.left_out == [Span(ends[0], ends[1]), Span(ends[1], ends[2])]


def test_an_obstacle_is_not_forgotten_for_the_failure_of_one_window():
    # The part that begins on the second day meets a lock; every other one is poisoned.
    def answer(_: Invocation, windows: list[Window]) -> InvocationResult:
        if windows[0].start == days(1).end:
            return InvocationResult(nodes=(), error=LOCKED)
        return broke(value_of(windows[0]))

    done, witness = executed_in_chunks(answer, [8, 2])
    assert witness.left_out == [Span(days(8).end, days(10).end)]
    assert done.states[8:] == [State.CANCELLED] * 2


def test_a_check_of_no_window_that_fails_is_not_forgotten_after_the_first_chunk():
    failed = NodeResult("test.shop.catalogue_check", "fail", "Got 1 result", 0.1)

    def answer(invocation: Invocation, windows: list[Window]) -> InvocationResult:
        good = ran_well(invocation, windows)
        return replace(good, nodes=(*good.nodes, failed))

    done, _ = executed_in_chunks(answer, [2, 2])
    assert done.states == [State.INCORRECT] * 2 + [State.CANCELLED] * 2


def test_unit_tests_run_until_they_pass_and_then_no_more():
    done, _ = executed_in_chunks(ran_well, [1, 1, 1])
    assert [invocation.with_unit_tests for invocation in done.asked] == [True, False, False]


def test_a_failure_outside_the_windows_is_tried_once():
    def answer(_: Invocation, __: list[Window]) -> InvocationResult:
        nodes = (
            NodeResult("model.shop.catalogue", "error", "no file matches products.parquet", 0.1),
            NodeResult("model.shop.lines", "skipped", "", 0.0),
        )
        return InvocationResult(nodes=nodes)

    done = execute(92, answer)
    assert set(done.states) == {State.FAILED}
    assert len(done.asked) == 1
    assert not done.cuts


@pytest.mark.parametrize(
    "result",
    [
        InvocationResult(nodes=(), error=LOCKED),
        broke('IO Error: Could not set lock on file "shop.duckdb": Conflicting lock is held'),
    ],
    ids=["before the first node", "between two nodes"],
)
def test_a_locked_warehouse_is_tried_once(result: InvocationResult):
    done = execute(92, lambda _, __: result)
    assert set(done.states) == {State.FAILED}
    assert len(done.asked) == 1
    assert all("locked" in (outcome.reason or "") for outcome in done.outcomes.values())


def test_a_failing_unit_test_is_said_in_one_line():
    def answer(_: Invocation, __: list[Window]) -> InvocationResult:
        failed = "unit_test.shop.revenue.revenue_adds_up"
        diff = "actual differs from expected:\n\n@@ ,day,revenue\n+++,2017-03-01,7"
        nodes = (
            NodeResult(failed, "fail", diff, 0.1),
            NodeResult("model.shop.revenue", "skipped", "", 0.0),
        )
        return InvocationResult(nodes=nodes)

    done = execute(5, answer)
    assert set(done.states) == {State.FAILED}
    assert len(done.asked) == 1
    assert {outcome.reason for outcome in done.outcomes.values()} == {
        "revenue fails its unit test revenue_adds_up: see `dbt test --select revenue_adds_up`, "
        "and mend the model or the test"
    }


def test_what_takes_too_long_is_halved_until_it_fits():
    def answer(invocation: Invocation, windows: list[Window]) -> InvocationResult:
        if len(windows) > 20:
            return InvocationResult(nodes=(), error="timed out after 1:00:00 and was killed")
        return ran_well(invocation, windows)

    done = execute(92, answer)
    assert set(done.states) == {State.SUCCESS}
    assert len(done.asked) <= 1 + 2 + 2 + 4 + 8


def test_a_check_that_condemns_what_is_published_needs_no_second_invocation():
    def answer(invocation: Invocation, windows: list[Window]) -> InvocationResult:
        well = ran_well(invocation, windows)
        bad = poisoned(windows, {3})
        return replace(
            well,
            nodes=(*well.nodes[:-1], NodeResult("test.shop.revenue_check", "fail", "", 0.1)),
            publications=tuple(
                replace(p, verdict="incorrect")
                if p.model == "revenue" and p.window_start == bad[0].start
                else p
                for p in well.publications
            ),
            evidence=(names("revenue_check", "revenue", bad),),
        )

    done = execute(10, answer)
    assert done.bad(State.INCORRECT) == {3}
    assert done.bad(State.SUCCESS) == set(range(10)) - {3}
    assert len(done.asked) == 1
    condemned = done.outcomes[SHOP.calendar.labelled("2017-03-04")]
    assert condemned.reason == "revenue_check: expected 100 rows; actual 7 rows"
    assert {m.model: m.state for m in condemned.models} == {
        "lines": State.SUCCESS,
        "revenue": State.INCORRECT,
    }


def test_what_knows_no_window_is_built_once():
    done = execute(10, condemns({3, 6}))
    first, *later = done.asked
    assert len(later) == 3
    assert set(first.nodes) == {"lines", "revenue", "catalogue", "report"}
    assert first.with_unit_tests
    for invocation in later:
        assert set(invocation.nodes) == {"lines", "revenue", "report"}
        assert not invocation.with_unit_tests
    assert all(invocation.exclude == ("lines_gate",) for invocation in done.asked)


def test_every_invocation_has_a_higher_fence_than_the_one_before():
    fences = [i.fence for i in execute(30, breaks_on({4, 17}, value_of)).asked]
    assert fences == sorted(set(fences))


def test_an_interrupt_cancels_what_is_left_and_closes_the_engine(tmp_path: Path):
    class Interrupted(BaseException):
        pass

    calls: list[Invocation] = []

    def answer(invocation: Invocation, windows: list[Window]) -> InvocationResult:
        calls.append(invocation)
        if len(calls) == 3:
            raise Interrupted
        return condemns({2, 5})(invocation, windows)

    ledger, engine = Ledger.open(tmp_path / "ledger.db"), FakeEngine(answer)
    ledger.queue("shop", Kind.BACKFILL, SHOP.calendar.windows(days(8)), NOW)
    executor = Executor(SHOP, ledger, engine, Kind.BACKFILL, lambda: NOW, Witness())
    with pytest.raises(Interrupted):
        executor.execute([days(8)])
    assert engine.is_closed
    states = [run.state for run in reversed(ledger.runs("shop"))]
    # The first call condemned the third and the sixth, the second call published the first two.
    good, bad, left = State.SUCCESS, State.INCORRECT, State.CANCELLED
    assert states == [good, good, bad, left, left, bad, left, left]
    ledger.close()
