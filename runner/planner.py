"""What should exist and what is known of it, brought together into a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from runner.core.chunks import BYTES_PER_ROW, SHARE_OF_MEMORY, Sizing
from runner.core.plan import Plan, make_plan
from runner.core.proofs import Proof
from runner.core.requests import Request
from runner.core.spans import Span, Spans
from runner.core.status import InputsOf, PlannedNode
from runner.core.timelines import Timeline
from runner.landed.changes import changed_inputs
from runner.landed.files import InputFiles
from runner.ledger import Ledger
from runner.project.hashes import equal_hashes
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.warehouse.machine import memory


@dataclass(frozen=True)
class Planner:
    """Plans one pipeline; reads the ledger and writes nothing."""

    pipeline: Pipeline
    ledger: Ledger
    inputs_of: Callable[[Node], InputsOf]
    files: InputFiles | None = None  # that its models are made from; None: they cannot be seen

    def plan(self, request: Request, now: datetime, mine: Spans | None = None) -> Plan:
        """What would be done; ``mine`` is in flight in this process's own hands."""
        in_flight = self.in_flight() - (mine or Spans())
        return make_plan(self.pipeline.calendar, self.subjects(now), in_flight, request)

    def in_flight(self) -> Spans:
        """The windows that somebody works on, leaving out whose process has died."""
        name = self.pipeline.name
        return self.ledger.runs.get_windows_in_flight(name) - Spans(
            run.span for run in self.ledger.leases.find_abandoned(name)
        )

    def changed_inputs(self, now: datetime, files_at: datetime) -> dict[str, Timeline[str]]:
        """The windows, by model, of which a file has changed; see :func:`changed_inputs`."""
        return changed_inputs(self.pipeline, self.ledger, self.files, now, files_at)

    def inputs(self, now: datetime) -> dict[str, InputsOf]:
        """What each windowed model's windows are made from, looked at now: before they are read.

        A file that is mended while it is being read is then another than the one that failed.
        """
        found = {node.name: self.inputs_of(node) for node in self.pipeline.windowed}
        complete = self.pipeline.complete(now)
        if complete is not None:
            for digest in found.values():
                digest(complete)
        return found

    def subjects(self, now: datetime) -> list[PlannedNode]:
        """The pipeline's nodes that hold data, parents first, with what is known of them."""
        known = self.ledger.windows.get_records()
        accepted = self.ledger.windows.get_accepted_changes()
        return [
            PlannedNode(
                name=node.name,
                parents=tuple(sorted(self.pipeline.parents[node.name])),
                desired=self._desired(node, now) if node.is_windowed else None,
                code_hashes=equal_hashes(node.code_hash, accepted.get(node.name, ())),
                known=known.get(node.name, Timeline()),
                inputs=self.inputs_of(node),
                newest=self._newest(node, now),
                follows=node in self.pipeline.following_tables,
            )
            for node in self.pipeline.data_nodes
        ]

    def sizing(self, fixed: int | None) -> Sizing:
        """How large chunks may be, by what windows took so far; ``fixed`` is a person's wish."""
        names = [node.name for node in self.pipeline.windowed]
        usage = self.ledger.runs.get_usage(self.pipeline.name, names) if fixed is None else None
        sizing = Sizing(
            fixed=fixed,
            timeout=self.pipeline.config.timeout,
            row_budget=memory() // SHARE_OF_MEMORY // BYTES_PER_ROW,
        )
        if usage is not None:
            return replace(sizing, rows_per_window=usage.rows, seconds_per_window=usage.seconds)
        if fixed is None and self.files is not None:
            return replace(sizing, landed_bytes=self.files.landed_bytes())
        return sizing

    def _newest(self, node: Node, now: datetime) -> Span | None:
        """The newest window; None for a snapshot, which is never late, and for mere text."""
        newest = self.pipeline.newest(now)
        if newest is None or node.kind == "snapshot" or node.materialized == "ephemeral":
            return None
        return newest.span

    def _desired(self, node: Node, now: datetime) -> Spans:
        complete = self.pipeline.complete(now)
        first = self.pipeline.first_of(node)
        if complete is None or complete.end <= first:
            return Spans()
        return Spans([Span(first, complete.end)])


def proofs_of(pipeline: Pipeline, ledger: Ledger) -> Mapping[str, Proof | None]:
    """What is proved of the code of each incremental model as it is now; None: nothing.

    The newest proof counts, also of code to which the change was accepted as cosmetic.
    """
    known, accepted = ledger.proofs.get_all(), ledger.windows.get_accepted_changes()
    found: dict[str, Proof | None] = {}
    for node in pipeline.data_nodes:
        if node.materialized != "incremental":
            continue
        equal = equal_hashes(node.code_hash, accepted.get(node.name, ()))
        of_this = (proof for proof in known.get(node.name, ()) if proof.code_hash in equal)
        found[node.name] = next(of_this, None)
    return found
