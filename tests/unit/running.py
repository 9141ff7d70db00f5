"""Execute plans over a fake dbt and a real ledger, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from runner.core.chunks import Chunk, Sizing
from runner.core.environment import Environment
from runner.core.planning import TAKEN, Plan, Reprocess, RunRequest
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import InputsOf, WorkResult
from runner.core.windows import Window
from runner.dbt.protocol import Invocation
from runner.execution.context import Observer, RunContext, RunResult
from runner.execution.recovery import reconcile, recover
from runner.ledger import Ledger, Run, RunEnd
from runner.ledger.dialects import Sqlite
from runner.planner import Planner
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from runner.run import execute_plan
from runner.warehouse.reconciliation import is_to_ask
from tests.unit.fake_dbt import FakeDbt, days

NOW = datetime(2018, 3, 15, 12, tzinfo=UTC)


def open_ledger(path: Path) -> Ledger:
    """A ledger in a file, which no power loss threatens: the disk need not be waited for."""
    ledger = Ledger.open(path)
    ledger.close()
    dialect = ledger.database.dialect
    assert isinstance(dialect, Sqlite)
    ledger.database.dialect = replace(dialect, pragmas=("synchronous=OFF", "foreign_keys=ON"))
    return ledger


@dataclass
class Witness(Observer):
    """An observer that keeps what it is told."""

    chunks: list[Chunk] = field(default_factory=list)
    verdicts: list[tuple[Window, RunEnd]] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    left_out: list[tuple[Span, str]] = field(default_factory=list)
    stopped: list[Span] = field(default_factory=list)
    condemnations: list[tuple[str, Span, str | None]] = field(default_factory=list)
    taken_over: int = 0
    changes: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    def adopted(self, windows: int) -> None:
        self.taken_over += windows

    def noticed(self, line: str) -> None:
        self.changes.append(line)

    def unwatched(self, line: str) -> None:
        self.strays.append(line)

    def invoking(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)

    def settled(self, window: Window, outcome: RunEnd) -> None:
        self.verdicts.append((window, outcome))

    def condemned(self, model: str, span: Span, reason: str | None) -> None:
        self.condemnations.append((model, span, reason))

    def splitting(self, span: Span, reason: str) -> None:  # noqa: ARG002
        self.cuts.append(reason)

    def retrying(self, span: Span, reason: str, seconds: float) -> None:  # noqa: ARG002
        self.waits.append(seconds)

    def not_tried(self, span: Span, reason: str) -> None:
        self.left_out.append((span, reason))

    def abandoned(self, span: Span) -> None:
        self.stopped.append(span)


@dataclass
class FakeWorld:
    """A clock that only a sleep moves on, and chance that is always the same."""

    at: datetime = NOW
    chance: float = 1.0
    slept: list[float] = field(default_factory=list)
    while_asleep: Callable[[float], None] = lambda _: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.while_asleep(seconds)

    @property
    def environment(self) -> Environment:
        return Environment(
            lambda: self.at, lambda: sum(self.slept), self.sleep, lambda: self.chance
        )


@dataclass
class Runner:
    """A person at a command line, with a ledger and a dbt of their own."""

    pipeline: Pipeline
    ledger: Ledger
    dbt: FakeDbt
    world: FakeWorld = field(default_factory=FakeWorld)
    witness: Witness = field(default_factory=Witness)
    inputs: str | None = "as landed"  # a digest of all that the models read

    @property
    def context(self) -> RunContext:
        return RunContext(
            pipeline=self.pipeline,
            ledger=self.ledger,
            engine=self.dbt,
            environment=self.world.environment,
            observer=self.witness,
            warehouse=None,
            inputs={node.name: self.inputs_of(node) for node in self.pipeline.windowed},
        )

    @property
    def planner(self) -> Planner:
        return Planner(self.pipeline, self.ledger, self.inputs_of)

    def inputs_of(self, node: Node) -> InputsOf:  # noqa: ARG002 - the same for all
        """What a model is made from."""
        return lambda _: self.inputs

    def request(
        self,
        count: int,
        *,
        skip: int = 0,
        chunk: int | None = None,
        reprocess: Reprocess = Reprocess.FAILED,
        select: tuple[str, ...] = (),
        newest_first: bool = False,
        force: bool = False,
    ) -> RunRequest:
        return RunRequest(
            windows=Spans([days(self.pipeline, count, skip)]),
            takes=TAKEN[reprocess],
            select=frozenset(select) or None,
            newest_first=newest_first,
            force=force,
            sizing=Sizing(fixed=chunk) if chunk else self.planner.sizing(None),
        )

    def plan(self, request: RunRequest, mine: Spans | None = None) -> Plan:
        return self.planner.plan(request, self.world.at, mine)

    def run(self, request: RunRequest) -> RunResult:
        """What the command does: recover, ask the warehouse, plan, execute."""
        recover(self.context)
        self.reconcile()
        return self.execute(self.plan(request))

    def reconcile(self) -> None:
        access = self.context.access
        if is_to_ask(self.project, self.ledger):
            reconcile(self.project, self.ledger, self.dbt, access, self.witness)

    @property
    def project(self) -> Project:
        """A project of the pipeline's nodes, whose warehouse is no file."""
        nodes = {node.unique_id: node for node in self.pipeline.nodes}
        return Project(self.pipeline.calendar.zone, nodes, {}, fingerprint="")

    def execute(self, plan: Plan) -> RunResult:
        """Execute a plan that was made now."""
        return execute_plan(self.context, self.planner, plan, self.world.at)

    def backfill(
        self,
        count: int,
        *,
        skip: int = 0,
        chunk: int | None = None,
        reprocess: Reprocess = Reprocess.FAILED,
        select: tuple[str, ...] = (),
        newest_first: bool = False,
        force: bool = False,
    ) -> Executed:
        """Backfill the first ``count`` days after ``skip``; everybody is told the same of it."""
        asked, told = len(self.dbt.asked), len(self.witness.verdicts)
        request = self.request(
            count,
            skip=skip,
            chunk=chunk,
            reprocess=reprocess,
            select=select,
            newest_first=newest_first,
            force=force,
        )
        done = self.run(request)
        verdicts = self.witness.verdicts[told:]
        outcomes = dict(verdicts)
        assert len(outcomes) == len(verdicts), "a window has got two verdicts"
        settled = {w: s for w, s in done.states.items() if w in outcomes}
        assert {window: outcome.state for window, outcome in outcomes.items()} == settled
        assert {s for w, s in done.states.items() if w not in outcomes} <= {RunState.CANCELLED}
        for window, run_id in done.run_ids.items():
            if window in done.states:
                assert self.ledger.runs.get("shop", run_id).state is done.states[window]
        return Executed(self, done, self.dbt.asked[asked:], outcomes)

    def runs(self) -> list[Run]:
        """The runs, oldest window first, and the oldest run of a window before the others."""
        return sorted(self.ledger.runs.find("shop"), key=lambda run: (run.window_start, run.key))

    def standings(self, model: str, count: int) -> list[WorkResult | None]:
        """What the index says of the first days of a model."""
        known = self.ledger.windows.get_records().get(model)
        windows = self.pipeline.calendar.windows(days(self.pipeline, count))
        found = [known.at(window.start) if known else None for window in windows]
        return [value.standing if value else None for value in found]

    def labels(self, *indexes: int) -> set[str]:
        """The labels of some days, counted from the first."""
        return {self.label(index) for index in indexes}

    def label(self, index: int) -> str:
        return next(self.pipeline.calendar.windows(days(self.pipeline, 1, index))).label

    def tell(self) -> Witness:
        """A new witness, for what comes now."""
        self.witness = Witness()
        return self.witness


@dataclass(frozen=True)
class Executed:
    """What came of a backfill."""

    runner: Runner
    done: RunResult
    asked: list[Invocation]
    outcomes: Mapping[Window, RunEnd]

    @property
    def states(self) -> list[RunState]:
        return [
            self.done.states[window] for window in sorted(self.done.states, key=lambda w: w.start)
        ]

    def of(self, state: RunState) -> set[int]:
        """Which of the windows, counted from the first, have ended so."""
        return {index for index, found in enumerate(self.states) if found is state}

    @property
    def sizes(self) -> list[int]:
        """How many windows each invocation was for."""
        calendar = self.runner.pipeline.calendar
        return [calendar.count(invocation.span) for invocation in self.asked]

    @property
    def reasons(self) -> set[str | None]:
        """Why the windows that are not success are not."""
        return {o.reason for o in self.outcomes.values() if o.state is not RunState.SUCCESS}

    def times_built(self, model: str) -> int:
        """How many invocations built a model."""
        return sum(model in invocation.nodes for invocation in self.asked)
