"""The surroundings of a run: what a plan is executed with, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.core.chunks import Chunk
from runner.core.environment import Environment
from runner.core.planning import Plan
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import InputsOf
from runner.core.windows import Window
from runner.dbt.protocol import Engine, Publication
from runner.landed.files import InputReader
from runner.ledger import Ledger, RunEnd
from runner.project.pipelines import Pipeline
from runner.warehouse.lock import Access, Holder


@dataclass(frozen=True)
class RunResult:
    """The result of executing a plan."""

    plan: Plan
    states: Mapping[Window, RunState]
    run_ids: Mapping[Window, str]
    left_to_others: Spans  # windows that another runner took or did meanwhile
    seconds: float  # wall time
    condemned: Mapping[str, Spans] = field(default_factory=dict)  # by model; these did not run


class Observer:
    """Hears what happens, as it happens, and shows nothing; override what is to be shown."""

    def adopted(self, windows: int) -> None:
        """So many windows are known from the warehouse's markers: the ledger knew nothing."""

    def noticed(self, line: str) -> None:
        """The warehouse is not as it was left: what was found, in words."""

    def unwatched(self, line: str) -> None:
        """Files have landed of which nobody can tell to which window they belong, in words."""

    def announce(self, plan: Plan, *, reaches_today: bool) -> None:
        """A plan will run; snapshots with it if it ``reaches_today``."""

    def finished(self, done: RunResult) -> None:
        """Everything that was announced has its verdict."""

    def invoking(self, chunk: Chunk) -> None:
        """A chunk, or a part of one, starts."""

    def node(self, unique_id: str, status: str) -> None:
        """A node of the running invocation has started or ended."""

    def settled(self, window: Window, outcome: RunEnd) -> None:
        """A window has its verdict."""

    def condemned(self, model: str, span: Span, reason: str | None) -> None:
        """A check has found a published window wrong that does not run now."""

    def splitting(self, span: Span, reason: str) -> None:
        """A chunk failed and is split."""

    def retrying(self, span: Span, reason: str, seconds: float) -> None:
        """A chunk failed and is tried again after a while."""

    def waiting(self, holder: Holder) -> None:
        """Somebody else holds the warehouse."""

    def not_tried(self, span: Span, reason: str) -> None:
        """A chunk is left out: what failed before would fail it too."""

    def abandoned(self, span: Span) -> None:
        """A chunk was stopped in the middle: nothing of a table is half published."""


@dataclass(frozen=True)
class RunContext:
    """The pipeline whose plan is executed, and everything that it is executed with."""

    pipeline: Pipeline
    ledger: Ledger
    engine: Engine
    environment: Environment
    observer: Observer
    warehouse: Path | None  # the file that is written; None: no file that can be seen
    inputs: Mapping[str, InputsOf]  # by model: what its windows are made from
    reader: InputReader | None = None  # of landed files before they are read; None: unseen ones
    allowed: tuple[Allowance, ...] = ()  # what a person lets unsafe models of the plan do

    def claim(self, span: Span) -> int:
        """Take queued windows in hand; returns the fence of whoever writes them now."""
        return self.ledger.leases.claim(self.pipeline.name, span, self.environment.now())

    @property
    def access(self) -> Access:
        """The warehouse, to be asked when nobody else writes it."""
        config = self.pipeline.config
        return Access(
            self.warehouse,
            config.lock_timeout,
            config.timeout,
            self.environment,
            self.observer.waiting,
        )

    def published(self, span: Span | None) -> tuple[Publication, ...]:
        """Return what the warehouse's markers say, of a range if one is given.

        Raises :class:`runner.core.errors.EngineError` if the warehouse cannot be asked.
        """
        if self.warehouse is not None and not self.warehouse.exists():
            return ()  # asking would create it
        timeout = self.pipeline.config.timeout
        found = self.access.ask(lambda: self.engine.published(span, timeout))
        return tuple(marker.with_name(self.pipeline.project.names) for marker in found)
