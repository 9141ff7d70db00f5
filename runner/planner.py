"""Bring what should exist and what is known of it together into a plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Self, TypedDict, Unpack

from runner.core.chunks import BYTES_PER_ROW, SHARE_OF_MEMORY, Sizing
from runner.core.errors import UsageError, nearest, one_of
from runner.core.planning import (
    JUDGED_AGAIN,
    RETRIED,
    TAKEN,
    Plan,
    Reprocess,
    RunRequest,
    make_plan,
)
from runner.core.proofs import Proof
from runner.core.spans import Span, Spans
from runner.core.states import RunKind
from runner.core.status import InputsOf, PlannedNode, WindowRecord, WindowStatus, unsound_parents
from runner.core.timelines import Timeline
from runner.landed.changes import InputChanges, compare_inputs
from runner.landed.files import InputFiles
from runner.ledger import KnownRelation, Ledger
from runner.project.acceptance import equal_hashes
from runner.project.code_changes import changes_in_words
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline

Dates = tuple[date | None, date | None]  # the first and the last; None: that end of what there is
_MEMORY_LIMITS = (  # of the container: version 2 of control groups, and version 1
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class LedgerRecord:
    """The ledger's knowledge of all models, whichever pipelines they belong to."""

    known: Mapping[str, Timeline[WindowRecord]]
    relations: Mapping[str, KnownRelation]  # that each model was last seen to publish
    accepted: Mapping[str, Sequence[tuple[str, str]]]  # old and new code hashes that are equal

    @classmethod
    def read(cls, ledger: Ledger) -> Self:
        """Read the ledger."""
        windows, relations = ledger.windows, ledger.warehouses.get_relations()
        return cls(windows.get_records(), relations, windows.get_accepted_changes())

    def of(self, node: Node) -> Timeline[WindowRecord]:
        """Return what is known of a node's windows; nothing under another name of its relation.

        Of a windowed model nothing of the time when it had no windows, and published none.
        """
        published, known = self.relations.get(node.name), self.known.get(node.name, Timeline())
        if published is not None and published.relation != node.relation:
            return Timeline()
        if not node.is_windowed:
            return known
        return Timeline(
            (span, one) for span, one in known if one.has_rows or not one.standing.is_published
        )


class RequestOptions(TypedDict, total=False):
    """How the windows of a request are run."""

    select: Iterable[str]  # names of models; all without
    chunk: int | None  # windows in one dbt build; as many as memory and time allow without
    newest_first: bool
    force: bool  # also what failed and would fail again: nothing changed
    allow_unsafe: Iterable[str]  # names of models that may run although they break a rule


@dataclass(frozen=True)
class Planner:
    """Plans one pipeline; reads the ledger and writes nothing."""

    pipeline: Pipeline
    ledger: Ledger
    inputs_of: Callable[[Node], InputsOf]
    files: InputFiles | None = None  # that its models are made from; None: they cannot be seen

    def request(
        self,
        span: Span | None,
        takes: frozenset[WindowStatus] = TAKEN[Reprocess.FAILED],
        *,
        kind: RunKind = RunKind.BACKFILL,
        select: Iterable[str] = (),
        chunk: int | None = None,
        newest_first: bool = False,
        force: bool = False,
        allow_unsafe: Iterable[str] = (),
    ) -> RunRequest:
        """Resolve what somebody asked for.

        Raises :class:`UsageError` for a model that the pipeline does not have or cannot replay, and
        for chunks of no windows.
        """
        if chunk is not None and chunk < 1:
            raise UsageError(f"chunks of {chunk} windows run nothing: give 1 or more")
        return RunRequest(
            windows=Spans([span] if span else []),
            takes=takes,
            kind=kind,
            select=self._selected(select),
            force=force,
            newest_first=newest_first,
            sizing=self.sizing(chunk),
            allow_unsafe=names_of(allow_unsafe),
        )

    def request_backfill(
        self,
        dates: Dates,
        now: datetime,
        reprocess: Reprocess | str = Reprocess.FAILED,
        **options: Unpack[RequestOptions],
    ) -> RunRequest:
        """Ask for the windows of some dates, as far as ``reprocess`` takes them."""
        return self.request(self.dates(*dates, now), TAKEN[one_of(Reprocess, reprocess)], **options)

    def request_retry(
        self, dates: Dates, now: datetime, allow_unsafe: Iterable[str] = ()
    ) -> RunRequest:
        """Ask for what failed or is incorrect in some dates, even if nothing has changed."""
        span = self.dates(*dates, now)
        return self.request(span, RETRIED, kind=RunKind.MANUAL, allow_unsafe=allow_unsafe)

    def request_judge(
        self,
        dates: Dates,
        now: datetime,
        *,
        everything: bool = False,
        select: Iterable[str] = (),
        chunk: int | None = None,
    ) -> RunRequest:
        """Ask for the checks of what is published and not judged by those of today.

        ``everything``: also of what is. Nothing is built.
        """
        takes = JUDGED_AGAIN if everything else frozenset({WindowStatus.PUBLISHED})
        span = self.dates(*dates, now)
        asked = self.request(span, takes, kind=RunKind.MANUAL, select=select, chunk=chunk)
        return replace(asked, judges_only=True)

    def request_run(
        self, window: str | None, now: datetime, allow_unsafe: Iterable[str] = ()
    ) -> RunRequest:
        """Ask for what is due and not done, or for one window by its label, done or not.

        Raises :class:`UsageError` for a label that names no window, and without a schedule.
        """
        pipeline = self.pipeline
        if window is None and pipeline.schedule is None:
            raise UsageError(
                f"{pipeline.name} has no schedule, so nothing of it is ever due: "
                "name a window with --window, or use runner backfill"
            )
        span = pipeline.due(now) if window is None else pipeline.window(window, now).span
        takes = TAKEN[Reprocess.FAILED if window is None else Reprocess.ALL]
        return self.request(span, takes, kind=RunKind.MANUAL, allow_unsafe=allow_unsafe)

    def dates(self, first: date | None, last: date | None, now: datetime) -> Span | None:
        """Return the windows of some dates; a missing date is that end of what is complete.

        Raises :class:`UsageError` for dates outside the pipeline.
        """
        pipeline = self.pipeline
        complete = pipeline.complete(now)
        for given in (first, last):
            if given is not None and not isinstance(given, date):
                raise UsageError(f"{given!r} is no date: give a datetime.date")
        if first is None and last is None:
            return complete
        zone = pipeline.calendar.zone
        newest = complete.end - timedelta.resolution if complete is not None else now
        first = first or pipeline.first.astimezone(zone).date()
        last = last or max(first, newest.astimezone(zone).date())
        return pipeline.span_of_dates(first, last, now)

    def plan(self, request: RunRequest, now: datetime, mine: Spans | None = None) -> Plan:
        """Plan what would be done; ``mine`` is in flight in this process's own hands."""
        in_flight, nodes = self.in_flight() - (mine or Spans()), self.nodes(now)
        plan = make_plan(self.pipeline.calendar, nodes, in_flight, request)
        return replace(plan, spared=self._spared(nodes) & request.windows)

    def _spared(self, nodes: Iterable[PlannedNode]) -> Spans:
        """Return the windows that read something published again, and with the same rows."""
        records = {node.name: node.records for node in nodes}
        return Spans(
            common
            for parent, readers in self.pipeline.project.readers.items()
            for reader in readers
            for span, record in records.get(reader, Timeline())
            if record.published_at is not None and not record.is_outdated
            for read_span, read in records.get(parent, Timeline()).touching(span)
            if read.published_at is not None and read.published_at > record.published_at
            for common in Spans([span]).inside(read_span)
        )

    def in_flight(self) -> Spans:
        """Return the windows that somebody works on, leaving out whose process has died."""
        name = self.pipeline.name
        return self.ledger.runs.get_windows_in_flight(name) - Spans(
            run.span for run in self.ledger.leases.find_abandoned(name)
        )

    def changed_inputs(self, now: datetime, files_at: datetime) -> InputChanges:
        """Return what has become of the files of all windows; see :func:`compare_inputs`."""
        return compare_inputs(self.pipeline, self.ledger, self.files, now, files_at)

    def inputs(self, now: datetime) -> dict[str, InputsOf]:
        """Return what each windowed model's windows are made from, looked at before they are read.

        A file that is mended while it is being read is then another than the one that failed.
        """
        found = {node.name: self.inputs_of(node) for node in self.pipeline.windowed}
        complete = self.pipeline.complete(now)
        if complete is not None:
            for digest in found.values():
                digest(complete)
        return found

    def nodes(self, now: datetime, record: LedgerRecord | None = None) -> list[PlannedNode]:
        """Return the pipeline's nodes that hold data, parents first, with what is known of them.

        The ledger is read unless its ``record`` is there already.
        """
        record = record or LedgerRecord.read(self.ledger)
        pipeline, project = self.pipeline, self.pipeline.project
        planned: dict[str, PlannedNode] = {}
        # What other pipelines made wrong is wrong here too.
        for node in project.parents_first([*pipeline.windowed_beyond, *pipeline.data_nodes]):
            read = sorted(project.windows_read[node.name]) if node.is_stored else ()
            behind = unsound_parents(planned[name] for name in read)
            planned[node.name] = self._planned(node, now, record, behind)
        built = project.built_before
        beyond = {name for node in pipeline.data_nodes for name in built[node.name]} - set(planned)
        for node in project.data_nodes:
            if node.name in beyond:
                planned[node.name] = self._planned(node, now, record, Timeline())
        for node in pipeline.data_nodes:
            unready = {n: lag for n in built[node.name] if (lag := planned[n].lag) is not None}
            if unready:  # else what it has worked out of its records stays with it
                planned[node.name] = replace(planned[node.name], unready=unready)
        return self._with_changes([planned[node.name] for node in pipeline.data_nodes])

    def sizing(self, fixed: int | None) -> Sizing:
        """Return how large chunks may be, by what windows took so far, or as a person said."""
        fixed = fixed if fixed is not None else self.pipeline.config.chunk
        names = [node.name for node in self.pipeline.windowed]
        usage = self.ledger.runs.get_usage(self.pipeline.name, names) if fixed is None else None
        sizing = Sizing(
            fixed=fixed,
            timeout=self.pipeline.config.timeout,
            row_budget=memory() // SHARE_OF_MEMORY // BYTES_PER_ROW,
            most=min(
                (n.most_windows for n in self.pipeline.windowed if n.most_windows), default=None
            ),
        )
        if usage is not None:
            return replace(sizing, rows_per_window=usage.rows, seconds_per_window=usage.seconds)
        landed = self.files.landed_bytes() if fixed is None and self.files is not None else None
        return replace(sizing, landed_bytes=landed)

    def _selected(self, names: Iterable[str]) -> frozenset[str] | None:
        """Return the models that somebody named, None if none."""
        chosen = known_models(self.pipeline, names)
        windowed = {node.name for node in self.pipeline.windowed}
        if chosen and not self.pipeline.is_whole and windowed.isdisjoint(chosen):
            raise UsageError(
                f"{chosen[0]} has no windows, so there is nothing of it to replay: "
                f"dbt build --select {chosen[0]}"
            )
        return frozenset(chosen) or None

    def _planned(
        self, node: Node, now: datetime, record: LedgerRecord, behind: Timeline[str]
    ) -> PlannedNode:
        """Bring a node and what is known of it together; of another pipeline's only its windows."""
        pipeline = self.pipeline
        accepted = record.accepted.get(node.name, ())
        found = PlannedNode(
            name=node.name,
            parents=(),
            desired=Spans() if node.is_windowed else None,
            code_hashes=equal_hashes(node.code_hash, accepted, node.plain_code),
            records=record.of(node),
            inputs=self.inputs_of(node),
            behind=behind,
        )
        if node.name not in pipeline.parents:
            return found
        newest = self._newest(node, now)
        if pipeline.is_whole and newest is not None:  # of no other window it can be told
            found = replace(found, records=found.records.within(Spans([newest])))
        return replace(
            found,
            parents=tuple(sorted(pipeline.parents[node.name])),
            desired=self._desired(node, now) if node.is_windowed else None,
            checks_hash=self._checks_hash(node),
            newest=newest,
            is_due=pipeline.is_whole,
            follows=node.is_following_table,
        )

    def _with_changes(self, planned: list[PlannedNode]) -> list[PlannedNode]:
        """Add whose change it is where the code is not what it was."""
        other = {node.name: _other_codes(node) for node in planned}
        codes = {code for found in other.values() for code in found}
        if not codes:
            return planned
        known = {(code.model, code.code_hash): code for code in self.ledger.codes.get(codes)}
        nodes = {node.name: node for node in self.pipeline.data_nodes}
        return [
            replace(
                found,
                changes={
                    code: changes_in_words(
                        nodes[found.name], self.pipeline.project, known[found.name, code]
                    )
                    for code in other[found.name]
                    if (found.name, code) in known
                },
            )
            for found in planned
        ]

    def _newest(self, node: Node, now: datetime) -> Span | None:
        """Return the newest window; None for what is never late: mere text, and a snapshot.

        Where all is built as a whole, a snapshot is taken in each window too.
        """
        newest = self.pipeline.newest(now)
        is_late = node.kind != "snapshot" or self.pipeline.is_whole
        can_be_late = is_late and node.materialized != "ephemeral"
        return newest.span if newest is not None and can_be_late else None

    def _checks_hash(self, node: Node) -> str | None:
        """Return the hash of a model's checks; None if this pipeline runs none of those it has."""
        return node.checks_hash if self.pipeline.checks[node.name] or not node.checks_hash else None

    def _desired(self, node: Node, now: datetime) -> Spans:
        complete, first = self.pipeline.complete(now), self.pipeline.first_of(node)
        return Spans([Span(first, complete.end)] if complete and first < complete.end else [])


def _other_codes(node: PlannedNode) -> set[str]:
    """Return the hashes of other code than the present that a node's windows were made by."""
    found = {record.code_hash for _, record in node.records if record.code_hash is not None}
    return found - node.code_hashes


def proofs_of(pipeline: Pipeline, ledger: Ledger) -> Mapping[str, Proof | None]:
    """Return what is proved of the code of each windowed model as it is; None: nothing.

    The newest proof counts, also of code to which the change was accepted as cosmetic.
    """
    known, accepted = ledger.proofs.get_all(), ledger.windows.get_accepted_changes()

    def newest(node: Node) -> Proof | None:
        equal = equal_hashes(node.code_hash, accepted.get(node.name, ()))
        return next((p for p in known.get(node.name, ()) if p.code_hash in equal), None)

    return {node.name: newest(node) for node in pipeline.windowed}


def memory() -> int:
    """Return the bytes of memory that the machine has, or its container may have of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _MEMORY_LIMITS:
        try:
            return min(total, int(path.read_text()))
        except (OSError, ValueError):  # no container, or one without a limit: "max"
            continue
    return total


def names_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return some names; a single one may come as it is."""
    return (names,) if isinstance(names, str) else tuple(names)


def known_models(pipeline: Pipeline, names: Iterable[str]) -> tuple[str, ...]:
    """Return names of models; :class:`UsageError` for one that the pipeline does not have."""
    chosen = names_of(names)
    known = {node.name for node in pipeline.data_nodes}
    for name in chosen:
        if name not in known:
            raise UsageError(
                f"{pipeline.name} has no model {name!r}.{nearest(name, known)} "
                f"See: runner dag {pipeline.name}"
            )
    return chosen
