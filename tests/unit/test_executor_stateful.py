"""Whatever happens, in whatever order: no window is in two hands, and in the end all is right."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runner.core.config import Retries
from runner.core.errors import LedgerError
from runner.core.planning import Reprocess
from runner.core.spans import Spans
from runner.core.status import PLAIN, InputsOf, WindowStatus, WorkResult, assess
from runner.core.windows import Window
from runner.dbt.protocol import Invocation, Publication
from runner.execution.recovery import recover
from runner.ledger import Leases, Results
from runner.ledger import owners as ledger_owners
from runner.project.acceptance import accept_code
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from tests.conftest import of_hundred
from tests.unit.fake_dbt import (
    BEGINNING_OF_TIME,
    FIRST,
    KILLED,
    ZONE,
    FakeDbt,
    Fault,
    check,
    days,
    gate,
    seed,
    shop,
    singular,
    table,
    view,
    windowed,
)
from tests.unit.running import FakeWorld, Runner, Witness, open_ledger

COUNT = 6  # days that the pipeline has
LOCK = 'IO Error: Could not set lock on file "shop.duckdb": Conflicting lock is held in dbt (PID 7)'
# lines → revenue → shares, with a view and a table between; a gate, checks that name windows and
# one that names none, and models that nobody checks.
NODES = (
    seed("prices"),
    windowed("lines", "prices"),
    view("clean", "lines"),
    windowed("revenue", "clean"),
    windowed("visits"),
    table("totals", "revenue"),
    windowed("shares", "revenue", "visits"),
    gate("lines_gate", "lines"),
    check("lines_check", "lines"),
    check("revenue_check", "revenue"),
    check("revenue_adds_up", "revenue"),
    singular("visits_fit_revenue", "visits", "revenue"),
)
PIPELINE = shop(*NODES, end=FIRST + timedelta(days=COUNT - 1), retries=Retries(attempts=2))
WINDOWS = list(PIPELINE.calendar.windows(days(PIPELINE, COUNT)))
LABELS = [window.label for window in WINDOWS]
MODELS = [node.name for node in PIPELINE.windowed]
POISONABLE = ["lines", "revenue", "shares", *(n.name for n in PIPELINE.nodes if n.kind == "test")]
PUBLISHED = {WorkResult.SUCCESS, WorkResult.UNCHECKED, WorkResult.PUBLISHED}


class Crash(BaseException):
    """The runner is gone."""


class MortalResults(Results):
    """Results whose writer may die just before or just after they are written."""

    dies_before = False
    dies_after = False

    def record(self, *args: Any) -> None:
        if self.dies_before:
            raise Crash
        super().record(*args)
        if self.dies_after:
            raise Crash


class MortalLeases(Leases):
    """Leases whose holder may be gone."""

    is_out_of_reach = False  # to a process that is gone

    def give_up(self, *args: Any) -> None:
        if self.is_out_of_reach:
            raise LedgerError("nobody is there to write")
        super().give_up(*args)


class MachineRunner(Runner):
    """A runner that sees what has landed."""

    landed: Mapping[tuple[str, str], int] = {}

    def inputs_of(self, node: Node) -> InputsOf:
        if node.name not in ROOTS:
            return lambda _: "nothing"
        return lambda span: repr(
            [self.landed.get((node.name, w.label), 0) for w in PIPELINE.calendar.windows(span)]
        )


def graph_of(hashes: Mapping[str, str]) -> Pipeline:
    found = {n.name: hashes.get(n.name, n.code_hash) for n in PIPELINE.nodes}
    nodes = (
        replace(n, code_hash=found[n.name], plain_code=f"{PLAIN}{found[n.name]}")
        for n in PIPELINE.nodes
    )
    return replace(PIPELINE, nodes=tuple(nodes))


faults = st.sampled_from(
    [
        *[None] * 8,
        Fault(KILLED),
        Fault(KILLED, after=1),
        Fault(KILLED, after=2),
        Fault(KILLED, after=None),
        Fault(LOCK, by="revenue"),
        Fault(Crash()),
        Fault(Crash(), after=1),
        Fault(Crash(), after=2),
        Fault(Crash(), after=None),
    ]
)
starts = st.integers(0, COUNT - 1)
selections = st.sampled_from(
    [None, None, None, ("prices", "lines"), ("revenue", "totals"), ("shares", "visits")]
)


class Daybreak(RuleBasedStateMachine):
    """Many mornings."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "ledger.db"
        self.ledger = open_ledger(path)
        self.ledger.results = self.results = MortalResults(self.ledger.database)
        self.ledger.leases = self.leases = MortalLeases(self.ledger.database)
        self.meanings = dict.fromkeys(MODELS, 0)  # of a model's code
        self.changes = 0
        self.hashes = {model: f"{model} as it was" for model in MODELS}
        self.landed: dict[tuple[str, str], int] = {}
        self.made_by: dict[tuple[str, datetime], int] = {}  # with which meaning
        self.fences: dict[tuple[str, datetime], int] = {}
        self.faults: list[Fault | None] = []
        self.meanwhile: Callable[[], None] | None = None  # once, during an invocation
        self.backup: list[dict[Any, Any]] = []  # of the warehouse
        self.backup_dropped: set[str] = set()
        self.backup_lost: dict[tuple[str, datetime], int] = {}
        self.dbt = FakeDbt(
            PIPELINE,
            nameless={"revenue_adds_up", "visits_fit_revenue"},
            content=self.content,
            before=self.look,
        )
        self.other_ledger = open_ledger(Path(self.folder.name) / "other-target.db")
        self.other_dbt = FakeDbt(
            PIPELINE,
            nameless=self.dbt.nameless,
            content=lambda node, window, read: self.made(node.name, window, read),
            warehouse="another warehouse",
        )
        self.processes = 0
        self.dead: set[str] = set()
        self.patches: list[Any] = [
            patch.object(ledger_owners, "this_process", lambda: self.owner),
            patch.object(ledger_owners, "is_dead", lambda owner: owner in self.dead),
        ]
        for found in self.patches:
            found.start()
        self.begin_process()

    def begin_process(self) -> None:
        self.processes += 1
        self.owner = f"here:{self.processes}:0"

    # What dbt makes, and what must hold before it does

    def content(self, node: Node, window: Window | None, read: Mapping[str, str]) -> str:
        if window is not None:
            self.made_by[node.name, window.start] = self.meanings[node.name]
        return self.made(node.name, window, read)

    def made(self, name: str, window: Window | None, read: Mapping[str, str]) -> str:
        landed = self.landed.get((name, window.label), 0) if window else 0
        code = self.meanings.get(name, 0)
        return f"{name}{code}.{landed}({','.join(read[p] for p in sorted(read))})"

    def look(self, invocation: Invocation) -> None:
        known = self.ledger.windows.get_records()
        for model in set(invocation.nodes) & set(MODELS):
            for parent in READ_BY[model] - set(invocation.nodes):
                for window in PIPELINE.calendar.windows(invocation.span):
                    found = known[parent].at(window.start)
                    assert found is not None
                    assert found.standing in PUBLISHED, (model, parent, window.label, found)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def runner(self) -> MachineRunner:
        pipeline = graph_of(self.hashes)
        self.dbt.pipeline = pipeline
        runner = MachineRunner(pipeline, self.ledger, self.dbt, FakeWorld(), Witness())
        runner.landed = self.landed
        return runner

    def backfill(self, **wish: Any) -> None:
        """One command; whatever ends it, its process has ended."""
        runner = self.runner()
        request = runner.request(**wish)
        try:
            runner.run(request)
        except (Crash, LedgerError):
            pass
        finally:
            self.dead.add(self.owner)
            self.dbt.faults.clear()
            self.results.dies_before = self.results.dies_after = False
            self.leases.is_out_of_reach = False
            self.meanwhile = None
            self.begin_process()

    # Rules

    @rule(
        start=starts,
        count=st.integers(1, COUNT),
        chunk=st.sampled_from([None, None, 1, 2, 3]),
        reprocess=st.sampled_from(list(Reprocess)),
        select=selections,
        newest_first=st.booleans(),
        befalls=st.lists(faults, max_size=4),
        is_killed=st.booleans(),
        record=st.sampled_from([None, None, None, "before", "after"]),
        most=st.sampled_from([None, None, None, 2]),
    )
    def run(
        self,
        start: int,
        count: int,
        select: tuple[str, ...] | None,
        befalls: list[Fault | None],
        record: str | None,
        most: int | None,
        *,
        is_killed: bool,
        **wish: Any,
    ) -> None:
        if self.ledger.controls.get_pause("shop"):
            return
        self.dbt.faults = befalls
        self.dbt.most_windows = most
        self.results.dies_before = record == "before"
        self.results.dies_after = record == "after"
        self.leases.is_out_of_reach = is_killed  # by kill -9, else by Ctrl-C
        self.backfill(count=min(count, COUNT - start), skip=start, select=select or (), **wish)
        self.dbt.most_windows = None

    @rule(start=starts, other_start=starts, is_declared_dead=st.booleans(), chunk=st.integers(1, 6))
    def run_while_another_does(
        self, start: int, other_start: int, chunk: int, *, is_declared_dead: bool
    ) -> None:
        """The second one comes while the first is at work, and may take it for dead."""
        if self.ledger.controls.get_pause("shop"):
            return

        def other() -> None:
            first = self.owner
            if is_declared_dead:
                self.dead.add(first)
            self.begin_process()
            self.backfill(
                count=COUNT - other_start, skip=other_start, reprocess=Reprocess.ALL, chunk=chunk
            )
            self.owner = first

        self.meanwhile = other
        self.backfill(count=COUNT - start, skip=start, reprocess=Reprocess.ALL, chunk=2)

    @rule()
    def cancel_while_it_runs(self) -> None:
        self.meanwhile = lambda: self.cancel() or None
        self.backfill(count=COUNT, reprocess=Reprocess.ALL, chunk=3)

    @rule()
    def pause_while_it_runs(self) -> None:
        self.meanwhile = self.pause
        self.backfill(count=COUNT, reprocess=Reprocess.ALL, chunk=2)

    @rule(what=st.sampled_from(POISONABLE), labels=st.sets(st.sampled_from(LABELS), max_size=3))
    def poison(self, what: str, labels: set[str]) -> None:
        self.dbt.bad[what] = self.dbt.bad.get(what, set()) | labels

    @precondition(lambda self: self.dbt.bad)
    @rule(data=st.data())
    def heal(self, data: st.DataObject) -> None:
        what = data.draw(st.sampled_from(sorted(self.dbt.bad)))
        del self.dbt.bad[what]
        if what in MODELS:
            self.change_code(what)  # the SQL was wrong

    @rule(model=st.sampled_from(MODELS))
    def change_code(self, model: str) -> None:
        self.changes += 1
        self.meanings[model] = self.changes
        self.hashes[model] = f"{model} {self.changes}"

    @rule(model=st.sampled_from(MODELS))
    def accept_a_cosmetic_change(self, model: str) -> None:
        made = {m for (name, _), m in self.made_by.items() if name == model}
        if made <= {self.meanings[model]}:
            self.changes += 1
            self.hashes[model] = f"{model} {self.changes}"
            nodes = {n.unique_id: n for n in graph_of(self.hashes).nodes}
            accept_code(model, Project(ZONE, nodes, {}, ""), self.ledger, self.runner().world.at)

    @rule(model=st.sampled_from(["lines", "visits"]), window=st.sampled_from(WINDOWS))
    def land(self, model: str, window: Window) -> None:
        """Only where nothing good is published: what lands late is not noticed by itself."""
        found = [dbt.markers.get((model, window.start)) for dbt in (self.dbt, self.other_dbt)]
        if all(marker is None or marker.verdict == "incorrect" for marker in found):
            self.changes += 1
            self.landed[model, window.label] = self.changes
            self.dbt.bad.get(model, set()).discard(window.label)

    @rule()
    def pause(self) -> None:
        self.ledger.controls.pause("shop", "by hand", self.runner().world.at)

    @rule()
    def resume(self) -> None:
        self.ledger.controls.resume("shop")

    @rule()
    def cancel(self) -> None:
        self.ledger.controls.cancel_runs("shop", "by hand", self.runner().world.at)

    @rule()
    def recover(self) -> None:
        recover(self.runner().context)

    # The warehouse has a life of its own

    @rule(model=st.sampled_from(MODELS))
    def drop_a_table(self, model: str) -> None:
        if any(key[0] == model for key in self.dbt.markers):
            self.dbt.dropped.add(model)
            for key in [key for key in self.dbt.rows if key[0] == model]:
                del self.dbt.rows[key]

    @rule(model=st.sampled_from(MODELS), window=st.sampled_from(WINDOWS))
    def delete_rows(self, model: str, window: Window) -> None:
        key = (model, window.start)
        if key in self.dbt.rows:
            self.dbt.rows[key] = "a part of its rows"
            self.dbt.lost_rows[key] = 3

    @rule(model=st.sampled_from(MODELS), window=st.sampled_from(WINDOWS))
    def tamper_with_a_verdict(self, model: str, window: Window) -> None:
        marker = self.dbt.markers.get((model, window.start))
        if marker is not None:
            flipped = "correct" if marker.verdict == "incorrect" else None
            self.dbt.markers[model, window.start] = replace(marker, verdict=flipped)

    @rule()
    def back_up(self) -> None:
        dbt = self.dbt
        self.backup = [dict(dbt.markers), dict(dbt.rows), dict(dbt.tables), dict(self.made_by)]
        self.backup_dropped, self.backup_lost = set(dbt.dropped), dict(dbt.lost_rows)

    @precondition(lambda self: self.backup)
    @rule(is_another=st.booleans())
    def restore(self, *, is_another: bool) -> None:
        """An older state of the warehouse, or the file of another in its place."""
        dbt = self.dbt
        dbt.markers, dbt.rows, dbt.tables, self.made_by = map(dict, self.backup)
        dbt.dropped, dbt.lost_rows = set(self.backup_dropped), dict(self.backup_lost)
        self.fences.clear()
        if is_another:
            dbt.warehouse += " or another"

    @rule(
        start=starts,
        count=st.integers(1, COUNT),
        model=st.sampled_from(MODELS),
        chunk=st.sampled_from([None, 2]),
    )
    def another_checkout_runs(self, start: int, count: int, model: str, chunk: int | None) -> None:
        """With other code, and a ledger of its own."""
        ours = self.ledger, dict(self.meanings), dict(self.hashes)
        path = Path(self.folder.name) / f"other-{self.processes}.db"
        self.ledger = open_ledger(path)
        self.changes += 1
        self.meanings[model], self.hashes[model] = self.changes, f"{model} {self.changes}"
        self.backfill(
            count=min(count, COUNT - start), skip=start, chunk=chunk, reprocess=Reprocess.ALL
        )
        self.ledger.close()
        self.ledger, self.meanings, self.hashes = ours

    @rule(start=starts, count=st.integers(1, COUNT), reprocess=st.sampled_from(list(Reprocess)))
    def another_target_runs(self, start: int, count: int, reprocess: Reprocess) -> None:
        """Of the same checkout, with the warehouse and the ledger of that target."""
        before = self.ledger.windows.get_records(), dict(self.dbt.markers)
        runner = MachineRunner(
            graph_of(self.hashes), self.other_ledger, self.other_dbt, FakeWorld(), Witness()
        )
        runner.landed = self.landed
        self.other_dbt.pipeline = runner.pipeline
        runner.backfill(min(count, COUNT - start), skip=start, reprocess=reprocess)
        self.all_that_is_called_right_is(runner, self.other_dbt)
        assert before == (self.ledger.windows.get_records(), dict(self.dbt.markers))

    @rule(model=st.sampled_from(MODELS), window=st.sampled_from(WINDOWS), is_other=st.booleans())
    def build_plainly(self, model: str, window: Window, *, is_other: bool) -> None:
        """By `dbt build`, of the code as it is or of an edit that is reverted afterwards."""
        dbt, read = self.dbt, {}
        for parent in READ_BY[model]:
            if parent in dbt.dropped or (parent, window.start) not in dbt.rows:
                return  # dbt would fail
            read[parent] = dbt.rows[parent, window.start]
        if model == "lines":
            if "prices" not in dbt.tables:
                return
            read["prices"] = dbt.tables["prices"]
        if dbt.bad:
            return
        key, landed = (model, window.start), self.landed.get((model, window.label), 0)
        held = dbt.markers.get(key)
        dbt.make_dropped_table(model)
        self.changes += 1
        at = BEGINNING_OF_TIME + timedelta(seconds=len(dbt.asked), milliseconds=self.changes)
        meaning = self.changes if is_other else self.meanings[model]
        code = f"{PLAIN}{model} {self.changes}" if is_other else f"{PLAIN}{self.hashes[model]}"
        self.made_by[key] = meaning
        dbt.rows[key] = f"{model}{meaning}.{landed}({','.join(read[p] for p in sorted(read))})"
        dbt.lost_rows.pop(key, None)
        dbt.markers[key] = Publication(
            model=model,
            window_start=window.start,
            window_end=window.end,
            row_count=dbt.row_count,
            verdict=None,
            fence=held.fence if held else 0,
            run_id=None,
            code_hash=code,
            published_at=at,
            contents_since=at,
        )

    # What always holds

    @invariant()
    def no_window_is_in_two_hands(self) -> None:
        runs = self.ledger.runs.find("shop")
        open_starts = [run.window_start for run in runs if not run.state.finished]
        assert len(open_starts) == len(set(open_starts))
        assert len({run.run_id for run in runs}) == len(runs)

    @rule()
    def ask_the_warehouse(self) -> None:
        """Until then the index is what it was when the warehouse was last asked."""
        runner = self.runner()
        runner.reconcile()
        self.all_that_is_called_right_is(runner, self.dbt)
        for model, timeline in self.ledger.windows.get_records().items():
            for span, known in timeline:
                if known.standing in PUBLISHED and model in MODELS:
                    for window in PIPELINE.calendar.windows(span):
                        assert (model, window.start) in self.dbt.markers, (model, window.label)

    def all_that_is_called_right_is(self, runner: Runner, dbt: FakeDbt) -> None:
        for node in runner.planner.nodes(runner.world.at):
            statuses = assess(node, PIPELINE.calendar, Spans()) if node.is_windowed else {}
            right = [
                *statuses.get(WindowStatus.SUCCESS, ()),
                *statuses.get(WindowStatus.UNCHECKED, ()),
            ]
            for window in chain.from_iterable(map(PIPELINE.calendar.windows, right)):
                if is_made_of_what_is_there(dbt, node.name, window):
                    rows = dbt.rows[node.name, window.start]
                    place = (node.name, window.label)
                    assert (place, rows) == (place, self.undisturbed(node.name, window))

    @invariant()
    def no_marker_gets_a_lower_fence(self) -> None:
        fences = {key: marker.fence for key, marker in self.dbt.markers.items()}
        for key, fence in self.fences.items():
            assert fences.get(key, fence) >= fence  # with its table a marker goes too
        self.fences = fences

    # What holds in the end

    def teardown(self) -> None:
        try:
            self.all_is_right_in_the_end()
        finally:
            for found in self.patches:
                found.stop()
            self.ledger.close()
            self.other_ledger.close()
            self.folder.cleanup()

    def all_is_right_in_the_end(self) -> None:
        for what in sorted(self.dbt.bad):
            if what in MODELS:
                self.change_code(what)
        self.dbt.bad.clear()
        self.ledger.controls.resume("shop")
        self.backfill(count=COUNT, reprocess=Reprocess.STALE)
        runner = self.runner()
        recover(runner.context)
        assert all(run.state.finished for run in self.ledger.runs.find("shop"))
        known = self.ledger.windows.get_records()
        for model in MODELS:
            is_checked = model != "shares"
            for window in WINDOWS:
                found = known[model].at(window.start)
                assert found is not None
                place = (model, window.label)
                wanted = WorkResult.SUCCESS if is_checked else WorkResult.UNCHECKED
                assert (place, found.standing) == (place, wanted)
                marker = self.dbt.markers[model, window.start]
                assert marker.verdict == ("correct" if is_checked else "unchecked")
                rows = self.dbt.rows[model, window.start]
                assert rows == self.undisturbed(model, window), place
        assert self.dbt.tables["totals"] == self.undisturbed("totals", None)
        plan = runner.plan(runner.request(COUNT, reprocess=Reprocess.STALE))
        assert plan.pieces == ()

    def undisturbed(self, name: str, window: Window | None) -> str:
        """What a node would hold if nothing had ever gone wrong."""
        if name == "totals":
            days_of = [(f"{w.start:%m-%d}", self.undisturbed("revenue", w)) for w in WINDOWS]
            return self.made(name, None, {"revenue": repr(days_of)})
        read = {parent: self.undisturbed(parent, window) for parent in READ_BY[name]}
        if name == "lines":
            read["prices"] = self.made("prices", None, {})
        return self.made(name, window, read)


def is_made_of_what_is_there(dbt: FakeDbt, model: str, window: Window) -> bool:
    """Where something is missing other files may land, and nobody has looked at them yet."""
    return (model, window.start) in dbt.rows and all(
        is_made_of_what_is_there(dbt, parent, window) for parent in READ_BY[model]
    )


ROOTS = ("lines", "visits")
READ_BY = {
    "lines": set[str](),
    "visits": set[str](),
    "revenue": {"lines"},
    "shares": {"revenue", "visits"},
}

TestDaybreak = Daybreak.TestCase
IS_THOROUGH = of_hundred(100) >= 100  # ten thousand steps
TestDaybreak.settings = settings(
    max_examples=of_hundred(250 if IS_THOROUGH else 100),
    stateful_step_count=40 if IS_THOROUGH else 12,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(HealthCheck),
)
