"""A town of pipelines, each with a dbt that is not there, one ledger, and a clock that a test sets.

Passes are real: choosing, waiting, running and recording are the product's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from runner.core.config import PipelineConfig, WaitFor
from runner.core.errors import DaybreakError
from runner.core.windows import Window
from runner.execution.context import Observer
from runner.landed.completeness import Blocker
from runner.landed.files import InputFiles
from runner.ledger import Ledger, Run
from runner.overview.outlook import Outlook
from runner.planner import Planner
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from runner.scheduling.deadlines import PipelineIncidents, pipeline_incidents
from runner.scheduling.passes import PipelinePass, SchedulerPass
from runner.scheduling.waiting import Conditions
from tests.unit.fake_dbt import ZONE, FakeDbt
from tests.unit.running import FakeWorld, Witness


@dataclass
class Town:
    """Everything that a scheduler is made with."""

    pipelines: Mapping[str, Pipeline]
    ledger: Ledger
    world: FakeWorld = field(default_factory=FakeWorld)
    dbts: dict[str, FakeDbt] = field(default_factory=dict)
    witness: Witness = field(default_factory=Witness)
    blocked: dict[str, Blocker] = field(default_factory=dict)  # by window label
    broken: dict[str, DaybreakError] = field(default_factory=dict)  # by pipeline
    pings: list[str] = field(default_factory=list)  # URLs that were fetched
    is_stopping: Callable[[], bool] = lambda: False
    project_dir: Path = Path()
    locations: dict[str, str | None] = field(
        default_factory=dict
    )  # by model: where its files land; None: a table

    def __post_init__(self) -> None:
        for name, pipeline in self.pipelines.items():
            self.dbts.setdefault(name, FakeDbt(pipeline))
        self._now = next(iter(self.pipelines), "")

    # What is asked of a workspace

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.pipelines)

    @property
    def configs(self) -> dict[str, PipelineConfig]:
        return {name: found.config for name, found in self.pipelines.items()}

    def project(self, _engine: object = None) -> Project:
        return Project(ZONE, {}, {}, fingerprint="")

    def code_texts(self) -> dict[str, str]:
        return {}

    def planner(self, name: str) -> Planner:
        if name in self.broken:
            raise self.broken[name]
        self._now = name
        pipeline = self.pipelines[name]
        return Planner(pipeline, self.ledger, lambda _: lambda _: "as landed", self.files(pipeline))

    def files(self, pipeline: Pipeline) -> InputFiles:
        """The same pipeline with a source for every model whose files land somewhere."""
        sources = {
            model: Node(f"source.{model}", model, "source", None, (), location=location)
            for model, location in self.locations.items()
        }
        nodes = tuple(
            replace(node, parents=(*node.parents, sources[node.name].unique_id))
            if node.name in sources
            else node
            for node in pipeline.nodes
        )
        known = {node.unique_id: node for node in (*nodes, *sources.values())}
        project = Project(ZONE, known, {}, fingerprint="")
        return InputFiles(replace(pipeline, nodes=nodes), project, self.project_dir)

    # Passes

    @property
    def scheduler_pass(self) -> SchedulerPass:
        return SchedulerPass(
            workspace=cast(Any, self),
            engine=lambda: self.dbts[self._now],
            environment=replace(self.world.environment, is_stopping=lambda: self.is_stopping()),
            observing=self.observing,
            find_blocker=self.find_blocker,
            files_now=self.files_now,
            fetch=self.pings.append,
        )

    @contextmanager
    def observing(self, pipeline: Pipeline) -> Iterator[Observer]:  # noqa: ARG002
        yield self.witness

    def find_blocker(self, pipeline: Pipeline, wait: WaitFor, window: Window) -> Blocker | None:  # noqa: ARG002
        return self.blocked.get(window.label)

    def tick(self, at: datetime) -> dict[str, PipelinePass]:
        """One pass at a time; every later tick must be later."""
        self.world.at = at
        return {turn.pipeline: turn for turn in self.scheduler_pass.run()}

    def look(self, name: str, at: datetime) -> PipelineIncidents:
        """What is absent of a pipeline at a time."""
        conditions = self.conditions(at)
        return pipeline_incidents(conditions.outlook.planner(name), conditions)

    def conditions(self, at: datetime) -> Conditions:
        """Whatever windows wait for at a time."""
        return Conditions(Outlook(cast(Any, self), at), self.find_blocker, self.files_now)

    def files_now(self) -> datetime:
        """When all files have settled."""
        return datetime.now(UTC) + timedelta(hours=1)

    def runs(self, name: str = "shop") -> list[Run]:
        """The runs of a pipeline, in the order in which they were queued."""
        return sorted(self.ledger.runs.find(name), key=lambda run: run.key)

    def labels(self, name: str = "shop") -> list[str]:
        """The windows that were run, in that order."""
        return [run.label for run in self.runs(name)]


def utc(text: str) -> datetime:
    """An instant written like ``2017-03-02 10:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
