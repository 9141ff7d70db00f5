"""Two runners and one ledger, against lists of dictionaries. Over every database."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runner.core.errors import FencedOffError
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState
from runner.ledger import Ledger, RunEnd
from tests.conftest import of_hundred
from tests.unit.ledger_fixtures import (
    NOTHING,
    NOW,
    UNFINISHED,
    WEEK,
    acting,
    ended,
    expire,
    span,
    starts,
)

STEPS = WEEK[:4]
ACTORS = ("elsewhere:1:1", "elsewhere:2:2")
FINAL = sorted(state for state in RunState if state.finished)
ranges = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda ends: (min(ends), max(ends)))
picks = st.sets(st.integers(0, 3), min_size=1)
actors = st.sampled_from(ACTORS)


class LedgerMachine(RuleBasedStateMachine):
    """What two runners may do, in any order."""

    def __init__(self, ledger: Ledger, pipeline: str) -> None:
        super().__init__()
        self.ledger = ledger
        self.pipeline = pipeline
        self.runs: list[dict[str, Any]] = []  # in the order in which they were queued
        self.fences: list[int] = []

    def mine(self, actor: str, *wanted: RunState) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["owner"] == actor and run["state"] in wanted]

    @staticmethod
    def cut_off(run: dict[str, Any], state: RunState) -> None:
        """End a run from outside; only one in an invocation is unsettled."""
        run.update(state=state, unsettled=run["state"] is RunState.RUNNING)

    @rule(actor=actors, picked=picks, kind=st.sampled_from(RunKind))
    def queue(self, actor: str, picked: set[int], kind: RunKind) -> None:
        held = {run["window"] for run in self.runs if run["state"] in UNFINISHED}
        with acting(actor):
            windows = [STEPS[index] for index in sorted(picked)]
            queued = self.ledger.leases.queue(self.pipeline, kind, windows, NOW)
        assert starts(queued) == [STEPS[index].start for index in sorted(picked - held)]
        for index, run in zip(sorted(picked - held), queued, strict=True):
            earlier = [r for r in self.runs if r["window"] == index and r["kind"] == kind]
            number = f".{len(earlier) + 1}" if earlier else ""
            assert run.run_id == f"{kind}__{STEPS[index].label}{number}"
            self.runs.append(
                {
                    "window": index,
                    "kind": kind,
                    "owner": actor,
                    "state": RunState.QUEUED,
                    "fence": None,
                    "unsettled": False,
                }
            )

    @rule(actor=actors, ends=ranges)
    def claim(self, actor: str, ends: tuple[int, int]) -> None:
        first, last = ends
        ready = [
            run
            for run in self.mine(actor, RunState.QUEUED, RunState.RETRYING)
            if first <= run["window"] <= last
        ]
        with acting(actor):
            try:
                fence = self.ledger.leases.claim(self.pipeline, span(STEPS[first : last + 1]), NOW)
            except FencedOffError:
                assert len(ready) < last - first + 1
                return
        assert len(ready) == last - first + 1
        assert all(fence > earlier for earlier in self.fences)
        self.fences.append(fence)
        for run in ready:
            run.update(state=RunState.RUNNING, fence=fence)

    @precondition(lambda self: self.fences)
    @rule(data=st.data(), picked=picks, state=st.sampled_from([*FINAL, None]))
    def record(self, data: st.DataObject, picked: set[int], state: RunState | None) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        running = {
            run["window"]: run
            for run in self.runs
            if run["fence"] == fence and run["state"] is RunState.RUNNING
        }
        outcome = RunEnd(state, 0, 0, 0.0) if state else None
        entries = ended([STEPS[index] for index in picked], outcome)
        if picked <= running.keys():
            self.ledger.results.record(self.pipeline, fence, entries, NOTHING, NOW)
            for index in picked:
                running[index]["state"] = state or RunState.RETRYING
        else:
            with pytest.raises(FencedOffError):
                self.ledger.results.record(self.pipeline, fence, entries, NOTHING, NOW)

    @rule(actor=actors)
    def give_up(self, actor: str) -> None:
        with acting(actor):
            self.ledger.leases.give_up(self.pipeline, "stopped", NOW)
        for run in self.mine(actor, *UNFINISHED):
            self.cut_off(run, RunState.CANCELLED)

    @rule(actor=actors, picked=picks)
    def put_back(self, actor: str, picked: set[int]) -> None:
        with acting(actor):
            self.ledger.leases.cancel_queued(
                self.pipeline, [STEPS[index] for index in picked], "done", NOW
            )
        for run in self.mine(actor, RunState.QUEUED):
            if run["window"] in picked:
                run["state"] = RunState.CANCELLED

    @rule()
    def cancel_all(self) -> None:
        open_runs = [run for run in self.runs if run["state"] in UNFINISHED]
        assert self.ledger.controls.cancel_runs(self.pipeline, "by hand", NOW) == len(open_runs)
        for run in open_runs:
            self.cut_off(run, RunState.CANCELLED)

    @rule()
    def settle(self) -> None:
        self.ledger.results.mark_settled(self.ledger.runs.find_unsettled(self.pipeline))
        for run in self.runs:
            run["unsettled"] = False

    @rule(expired=st.sets(actors), alive=st.sets(actors))
    def release(self, expired: set[str], alive: set[str]) -> None:
        for actor in expired:
            expire(self.ledger, actor)
        for actor in alive:
            with acting(actor):
                self.ledger.leases.renew(self.pipeline)
        self.ledger.leases.release_abandoned(self.pipeline, NOW)
        for actor in expired - alive:
            for run in self.mine(actor, *UNFINISHED):
                is_queued = run["state"] is RunState.QUEUED
                self.cut_off(run, RunState.CANCELLED if is_queued else RunState.FAILED)

    @invariant()
    def the_ledger_agrees(self) -> None:
        found = sorted(self.ledger.runs.find(self.pipeline), key=lambda run: run.key)
        assert [
            (run.window_start, run.kind, run.state, run.fence, run.is_unsettled) for run in found
        ] == [
            (STEPS[run["window"]].start, run["kind"], run["state"], run["fence"], run["unsettled"])
            for run in self.runs
        ]
        assert starts(self.ledger.runs.find_unsettled(self.pipeline)) == sorted(
            STEPS[run["window"]].start for run in self.runs if run["unsettled"]
        )
        for fence in self.fences[-3:]:
            still = [r for r in self.mine_under(fence) if r["state"] is RunState.RUNNING]
            assert self.ledger.leases.is_held(self.pipeline, fence) == bool(still)

    def mine_under(self, fence: int) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["fence"] == fence]

    @invariant()
    def a_window_is_in_one_hand(self) -> None:
        in_flight = [run["window"] for run in self.runs if run["state"] in UNFINISHED]
        assert len(in_flight) == len(set(in_flight))
        assert self.ledger.runs.get_windows_in_flight(self.pipeline) == Spans(
            STEPS[index].span for index in in_flight
        )


@pytest.mark.hypothesis
def test_two_runners_in_any_order(ledger: Ledger):
    numbers = count()  # every example has a pipeline of its own, and never one fence again
    run_state_machine_as_test(
        lambda: LedgerMachine(ledger, f"pipeline{next(numbers)}"),
        settings=settings(max_examples=of_hundred(15), stateful_step_count=20),
    )
