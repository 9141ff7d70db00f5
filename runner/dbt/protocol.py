"""The requests that the runner makes of dbt and the answers, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from runner.core.spans import Span


@dataclass(frozen=True)
class Invocation:
    """One ``dbt build``: some nodes, for a contiguous range of windows.

    A model is judged by its tests that run in the same invocation. ``checks`` judges models that
    an earlier one has published: name all tests of a model there, its gates too, or it stays
    unjudged. What is ``judged`` loses the verdict that it has.
    """

    nodes: tuple[str, ...]  # to build, with their tests; as dbt's --select takes them
    checks: tuple[str, ...]  # tests to run although their models are not built, likewise
    exclude: tuple[str, ...]  # tests that the gates have judged already, no others; likewise
    with_unit_tests: bool  # dbt's unit tests know no window: once is enough
    span: Span  # the range of windows
    run_id: str  # written into the markers
    fence: int  # no marker with a higher one is ever replaced
    code_hashes: Mapping[str, str]  # by unique id of the model
    timeout: timedelta  # after which its process group is killed
    checks_hashes: Mapping[str, str] = field(default_factory=dict)  # by unique id of the model
    judged: tuple[str, ...] = ()  # unique ids of models that are not built, and judged anew
    newest: datetime | None = None  # UTC start of the pipeline's newest complete window; monitors
    has_batches: bool = False  # whether dbt is to cut the range into batches, of its microbatch
    # By unique id of the model, what a plain `dbt build` of the same code writes: an engine that
    # parses anew for every invocation may find other code than was planned, and its markers say so.
    plain_codes: Mapping[str, str] = field(default_factory=dict)
    window_vars: Mapping[str, str] = field(default_factory=dict)  # a project's own, of one window


@dataclass(frozen=True)
class BatchResult:
    """The end of one batch of a microbatch model, in dbt's own words."""

    start: datetime  # UTC
    status: str  # success, error, skipped: the first one has failed, and dbt has tried no other
    message: str


@dataclass(frozen=True)
class NodeResult:
    """The end of one node of the graph, in dbt's own words."""

    unique_id: str
    status: str  # success, pass, warn, fail, error, skipped, no-op; of batches: partial success
    message: str  # dbt's message, empty if it had none; of batches that of the first that failed
    seconds: float
    batches: tuple[BatchResult, ...] = ()  # of a microbatch model, in the order of time


@dataclass(frozen=True)
class Publication:
    """A marker row: what the warehouse says of one model's window."""

    model: str  # unique id, as an engine tells it; then the name that the project gives it
    window_start: datetime  # UTC
    window_end: datetime  # UTC
    row_count: int
    verdict: str | None  # correct, incorrect, unchecked; None: published, not judged
    fence: int  # of the invocation that published it
    run_id: str | None  # None: a plain `dbt build` published it, and nothing verifies it
    # Of the model's code that made the rows; of a plain build it begins with PLAIN; None: not told.
    code_hash: str | None
    published_at: datetime  # UTC; when the invocation that published it began
    contents_since: datetime  # UTC; when its rows were first published as they are
    checks_hash: str | None = None  # of the checks that gave the verdict; None: not told

    @property
    def is_same(self) -> bool:
        """True if it was published with the rows that it had before."""
        return self.contents_since < self.published_at

    @property
    def stands_since(self) -> datetime:
        """When it became what it says: published, or a merge of another window took rows from it.

        UTC; tells it from every other state of its window.
        """
        return max(self.published_at, self.contents_since)

    def with_name(self, names: Mapping[str, str]) -> Publication:
        """Return the same with its model's name, one of those that are given by unique id."""
        return replace(self, model=names.get(self.model, self.model))


@dataclass(frozen=True)
class SurveyedModel:
    """A windowed model's relation, as it stands in the warehouse."""

    relation: str  # schema.identifier
    row_count: int
    published_rows: int  # that its markers speak of, all together
    markers: str  # a digest of them


@dataclass(frozen=True)
class StandingTable:
    """A table, seed or view without windows, as it stands in the warehouse."""

    row_count: int | None  # None of a view
    definition: str  # a digest of its columns, or of its query, after the engine that made it
    contents: str | None  # likewise of its rows; None: of a view, of no rows, or not asked for


@dataclass(frozen=True)
class Survey:
    """What stands in a warehouse, in short."""

    warehouse: str | None  # its id; None: no dbt of ours has written it
    missing: frozenset[str]  # unique ids of the nodes whose relation is not there
    models: Mapping[str, SurveyedModel]  # by unique id, the windowed ones that are there
    tables: Mapping[str, StandingTable] = field(default_factory=dict)  # and what has no windows


@dataclass(frozen=True)
class RowDifference:
    """A window whose rows are not those that were published."""

    model: str  # unique id
    window_start: datetime | None  # UTC; None: no window there was published
    window_end: datetime | None  # UTC
    window_key: str | None  # the local date, or UTC hour, of the rows that are there; None: no rows
    published: int | None  # rows; None: never
    found: int  # rows; as many as published: their contents differ


@dataclass(frozen=True)
class Evidence:
    """The findings of a check that did not pass."""

    model: str | None  # the model it is attached to, as of a publication
    test: str  # its unique id
    check: str  # its name, which another may have too
    severity: str  # error or warn
    failures: int
    windows: tuple[WindowEvidence, ...]  # empty if the check names no window
    sample: tuple[str, ...]  # up to five rows in words, if it names none
    makes_stale: bool = False  # whether the windows that it names should run again
    batch: datetime | None = None  # UTC start of the batch that a gate has looked at, if one was


@dataclass(frozen=True)
class WindowEvidence:
    """A check's expectation of one window, and its finding."""

    window_start: datetime  # UTC
    expected: str
    actual: str
    sample: tuple[str, ...] = ()  # up to five rows in words: those at fault, or of the window


@dataclass(frozen=True)
class SourceSchema:
    """The columns of a source, against those that were recorded."""

    source: str  # landing.transactions
    columns: tuple[tuple[str, str], ...]  # name and type, as it is now
    recorded: tuple[tuple[str, str], ...]  # empty: nothing is recorded
    recorded_at: datetime | None  # UTC
    changes: tuple[str, ...]  # in words


@dataclass(frozen=True)
class InvocationResult:
    """Everything that is known of an invocation after it has ended."""

    nodes: tuple[NodeResult, ...]
    publications: tuple[Publication, ...] = ()  # those it wrote, judged, or could not judge
    touched: tuple[Publication, ...] = ()  # of other windows, which have lost rows to a merge
    evidence: tuple[Evidence, ...] = ()
    schema: SourceSchema | None = None  # what it was asked of a source
    loaded_at: tuple[str | None, ...] = ()  # up to when a source is loaded, as its driver writes it
    survey: Survey | None = None
    warehouse: str | None = None  # the id of the one that it wrote; None: not told
    # By unique id, what it has built that has no windows, as it stands since.
    tables: Mapping[str, StandingTable] = field(default_factory=dict)
    differences: tuple[RowDifference, ...] | None = None
    error: str | None = None  # why dbt itself did not get through: killed, timeout, locked file
    seconds: float = 0.0
    stamps: Stamps | None = None  # of the warehouse's file; None: others may have written it too

    def with_names(self, names: Mapping[str, str]) -> InvocationResult:
        """Return the same with models by their names, which are given by unique id."""
        return replace(
            self,
            publications=tuple(one.with_name(names) for one in self.publications),
            touched=tuple(one.with_name(names) for one in self.touched),
            evidence=tuple(
                replace(one, model=names.get(one.model, one.model)) if one.model else one
                for one in self.evidence
            ),
        )


@dataclass(frozen=True)
class Stamps:
    """The stamps of a file that an invocation has held from the first to the second."""

    found: str | None  # None: there was no file, or nothing in it
    left: str | None


@dataclass(frozen=True)
class Target:
    """The database that dbt's target writes."""

    name: str = ""  # of the target in profiles.yml
    file: Path | None = None  # of DuckDB, absolute; None: something else
    schema: str = ""
    place: str = ""  # the file, or what else tells one database from another; no password


@dataclass(frozen=True)
class CompiledNode:
    """A model or snapshot as the same text in every window and target, and what that says."""

    text: str  # SQL, then hooks; relations are unique ids, Daybreak's macros stand as called
    meaning: str  # a digest that no comment or layout changes
    reads: tuple[str, ...] | None  # unique ids of the nodes in it; None: nobody knows, so all
    plain: str | None  # of a windowed model: what a plain `dbt build` writes into its markers
    why_not: str | None  # why its raw text stands for it instead; None: it does not


@dataclass(frozen=True)
class Description:
    """The parsed project."""

    manifest: Mapping[str, Any]  # at least what the runner reads of dbt's manifest.json
    selections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # unique ids
    compiled: Mapping[str, CompiledNode] = field(default_factory=dict)  # by unique id
    target: Target = field(default_factory=lambda: Target())
    why_raw: str | None = None  # why nothing is compiled, and raw text tells the code of all
    refused: Mapping[str, str] = field(
        default_factory=dict
    )  # selections that dbt does not take: why

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that the SQL of others reads, by unique id, as far as that is known."""
        return {key: node.reads for key, node in self.compiled.items() if node.reads is not None}


NodeListener = Callable[[str, str], None]  # unique id; 'started' or its final status


class Engine(AbstractContextManager["Engine"], Protocol):
    """Runs dbt for one project: one invocation at a time, and from one thread but for ``kill``.

    Engines are context managers that close themselves.
    """

    def describe(self, selections: Iterable[str]) -> Description:
        """Parse the project and resolve selections in dbt's syntax; keep why one is not taken.

        Raises :class:`runner.core.errors.ProjectError` if the project does not parse.
        """

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        """Run one ``dbt build``. What fails in dbt is in the result, not raised."""

    def published(
        self, span: Span | None, timeout: timedelta, models: Collection[str] | None = None
    ) -> tuple[Publication, ...]:
        """Return what the warehouse says is published: markers of the project's windowed models.

        Those whose window touches ``span``, None asks for all; ``models`` are unique ids. A
        warehouse without markers, or without a file yet, answers ``()``; DuckDB makes an empty
        file of it. Raises :class:`runner.core.errors.EngineError` if it cannot be asked.
        """

    def survey(self, timeout: timedelta, digested: Collection[str] = ()) -> Survey:
        """Look what stands in the warehouse; raises :class:`EngineError` if it cannot be asked.

        The rows of ``digested`` (unique ids of what has no windows) are digested too.
        """

    def verify(
        self, models: Collection[str], span: Span | None, timeout: timedelta, *, contents: bool
    ) -> tuple[RowDifference, ...]:
        """Compare the rows of models (unique ids) with what was published, window by window.

        Their number, with ``contents`` also what they are. Raises
        :class:`runner.core.errors.EngineError` if the warehouse cannot be asked.
        """

    def schema(self, source: str, timeout: timedelta, *, accept: bool) -> SourceSchema:
        """Return a source's columns; with ``accept`` they are recorded as right from now on.

        What is told was recorded before. Raises :class:`runner.core.errors.EngineError` if the
        source cannot be looked at.
        """

    def loaded_at(self, source: str, timeout: timedelta) -> datetime | None:
        """Return up to when a source is loaded (UTC), as dbt's freshness has it; None: no rows.

        A naive timestamp, or a date, is taken as UTC, as dbt takes it. Raises
        :class:`runner.core.errors.EngineError` if the source cannot be asked.
        """

    def notices(self) -> tuple[str, ...]:
        """Return, in words, what makes dbt faster and cannot be used: results are the same.

        Waits until dbt is imported. Raises :class:`runner.core.errors.EngineError` if it cannot be.
        """

    def kill(self) -> None:
        """Kill the running invocation with all its processes; without one, do nothing.

        May be called from another thread while ``build`` or ``published`` blocks in the first, and
        before dbt's process is there. Unless dbt was done already, the error of what ``build``
        returns says that it ended without a result (signal 9).
        """

    def close(self) -> None:
        """End whatever the engine keeps running; a running invocation is killed."""
