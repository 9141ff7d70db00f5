"""A dbt that is not there: the graph's order, dbt's skipping, the markers and their verdicts.

What it does with a window follows `macros/daybreak/publications/`: a model's windows are published
together or not at all, judged when the invocation ends, and a check that names no window condemns
only a window that is all there was to look at. What is bad, and when it dies, a test says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from graphlib import TopologicalSorter
from operator import attrgetter
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

from runner.core.config import PipelineConfig
from runner.core.spans import Span
from runner.core.windows import Grain, Window
from runner.dbt.protocol import (
    Description,
    Evidence,
    Invocation,
    InvocationResult,
    NodeListener,
    NodeResult,
    Publication,
    RowDifference,
    Survey,
    SurveyedModel,
    WindowEvidence,
)
from runner.dbt.reports import killed
from runner.project.manifest import Node, Project, completed
from runner.project.pipelines import Pipeline, make_pipeline

ZONE = ZoneInfo("America/New_York")
FIRST = date(2017, 3, 1)
BEGINNING_OF_TIME = datetime(2017, 1, 1, tzinfo=UTC)
KILLED = killed(-9)
DATA_KINDS = ("model", "seed", "snapshot")


# Graphs


def windowed(name: str, *parents: str, grain: Grain = Grain.DAY) -> Node:
    return replace(_data(name, "model", "incremental", parents), grain=grain)


def table(name: str, *parents: str) -> Node:
    return _data(name, "model", "table", parents)


def view(name: str, *parents: str) -> Node:
    return _data(name, "model", "view", parents)


def seed(name: str) -> Node:
    return _data(name, "seed", "seed", ())


def snapshot(name: str, *parents: str) -> Node:
    return _data(name, "snapshot", "snapshot", parents)


def check(name: str, of: str, *also_reads: str) -> Node:
    """A test attached to a data node; the name of its node says what it is attached to."""
    parents = (*also_reads, of)
    return Node(f"test.shop.{name}", name, "test", "test", parents, attached_to=of)


def gate(name: str, of: str) -> Node:
    return replace(check(name, of), is_gate=True)


def singular(name: str, *reads: str) -> Node:
    return Node(f"test.shop.{name}", name, "test", "test", reads)


def unit_test(name: str, of: str) -> Node:
    return Node(f"unit_test.shop.{of}.{name}", name, "unit_test", None, (of,))


def shop(*nodes: Node, name: str = "shop", zone: ZoneInfo = ZONE, **config: Any) -> Pipeline:
    """A pipeline of everything; parents are written as names and made unique ids here."""
    ids = {node.name: node.unique_id for node in nodes}
    linked = {
        node.unique_id: replace(
            node,
            parents=tuple(ids[name] for name in node.parents),
            attached_to=ids[node.attached_to] if node.attached_to else None,
        )
        for node in nodes
    }
    known = {
        unique_id: replace(node, code_hash=linked[unique_id].code_hash)
        for unique_id, node in completed(linked).items()
    }
    project = Project(zone, known, {"all": tuple(known)}, fingerprint="")
    return make_pipeline(name, PipelineConfig(select="all", **{"start": FIRST, **config}), project)


def days(pipeline: Pipeline, count: int, skip: int = 0) -> Span:
    """The first ``count`` days of a pipeline after some."""
    first = FIRST + timedelta(days=skip)
    return pipeline.calendar.span_of_dates(first, first + timedelta(days=count - 1))


def _data(name: str, kind: str, materialized: str, parents: tuple[str, ...]) -> Node:
    return Node(
        f"{kind}.shop.{name}",
        name,
        kind,
        materialized,
        parents,
        code_hash=f"{name} as it was",
        relation=None if materialized == "ephemeral" else f"main.{name}",
    )


# dbt


@dataclass(frozen=True)
class Fault:
    """What befalls one invocation as a whole."""

    error: str | BaseException  # the engine's words, or what the runner itself dies of
    after: int | None = 0  # models published before it; None: when all is done and judged
    by: str | None = None  # the node that says it; None: dbt itself, or the runner


@dataclass
class FakeDbt:
    """An engine over a warehouse in memory; what a test tells it is bad, it finds."""

    pipeline: Pipeline
    bad: dict[str, set[str]] = field(default_factory=dict)  # model or test → labels
    broken: dict[str, str] = field(default_factory=dict)  # node → what it always says
    nameless: set[str] = field(default_factory=set)  # tests that name no window
    warning: set[str] = field(default_factory=set)  # tests that only warn
    far: set[str] = field(default_factory=set)  # tests that look at all windows there are
    unit_tests: dict[str, str] = field(default_factory=dict)  # name → model
    says: Callable[[str, Window], str] = lambda _, window: value_in(window)
    most_windows: int | None = None  # more in one invocation are too much
    too_much: str = KILLED  # what is said then, by the first model or by dbt itself
    too_much_for: str | None = None  # the model that says it; None: dbt itself
    faults: list[Fault | None] = field(default_factory=list)  # of the invocations to come
    before: Callable[[Invocation], None] = lambda _: None
    content: Callable[[Node, Window | None, Mapping[str, str]], str] = lambda *_: ""
    row_count: int = 10  # of every window of every model
    seconds: float = 1.0  # of every invocation
    markers: dict[tuple[str, datetime], Publication] = field(default_factory=dict)
    rows: dict[tuple[str, datetime], str] = field(default_factory=dict)  # content of a window
    tables: dict[str, str] = field(default_factory=dict)  # content of what knows no windows
    asked: list[Invocation] = field(default_factory=list)
    questions: list[Span | None] = field(default_factory=list)
    warehouse: str = "the warehouse"  # its id
    dropped: set[str] = field(default_factory=set)  # models whose table a person has dropped
    # By model: the window whose merge takes a row over, and the one that it takes it from; once.
    takes_over: dict[str, dict[str, str]] = field(default_factory=dict)
    lost_rows: dict[tuple[str, datetime], int] = field(default_factory=dict)  # by a person's hand
    built: list[tuple[str, str]] = field(default_factory=list)  # model or table, window label
    was_killed: threading.Event = field(default_factory=threading.Event)
    is_closed: bool = False
    _judged: dict[tuple[str, datetime], int] = field(default_factory=dict)  # by which invocation

    def describe(self, selections: Iterable[str]) -> Description:
        raise NotImplementedError

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        invocation = self._by_names(invocation)
        self.asked.append(invocation)
        self.before(invocation)
        fault = self.faults.pop(0) if self.faults else None
        windows = list(self.pipeline.calendar.windows(invocation.span))
        if self._is_too_much(windows) and self.too_much_for is None:
            fault = Fault(self.too_much)
        running = _Running(self, invocation, windows, fault, listener)
        got_through = running.run()
        if fault is not None and fault.by is None and (not got_through or fault.after is None):
            if isinstance(fault.error, BaseException):
                raise fault.error
            return InvocationResult((), error=fault.error, seconds=self.seconds)
        return self._told(running.result())

    def published(
        self,
        span: Span | None,
        timeout: timedelta,  # noqa: ARG002 - the protocol's
        models: Collection[str] | None = None,
    ) -> tuple[Publication, ...]:
        self.questions.append(span)
        names = {node.name for node in self.pipeline.nodes if node.unique_id in (models or ())}
        return tuple(
            self._of_id(marker)
            for marker in self.markers.values()
            if (span is None or (marker.window_start < span.end and marker.window_end > span.start))
            and (models is None or marker.model in names)
        )

    def survey(self, timeout: timedelta, digested: Collection[str] = ()) -> Survey:  # noqa: ARG002 - the protocol's
        surveyed, missing = {}, set()
        for node in self.pipeline.data_nodes:
            markers = [m for key, m in self.markers.items() if key[0] == node.name]
            is_there = bool(markers) if node.is_windowed else node.name in self.tables
            if node.name in self.dropped or not is_there:
                missing.add(node.unique_id)
            elif node.is_windowed:
                rows = sum(marker.row_count for marker in markers)
                lost = sum(n for key, n in self.lost_rows.items() if key[0] == node.name)
                digest = repr(sorted(markers, key=attrgetter("window_start")))
                assert node.relation is not None
                surveyed[node.unique_id] = SurveyedModel(node.relation, rows - lost, rows, digest)
        return Survey(self.warehouse, frozenset(missing), surveyed)

    def verify(
        self,
        models: Collection[str],
        span: Span | None,
        timeout: timedelta,  # noqa: ARG002 - the protocol's
        *,
        contents: bool,  # noqa: ARG002 - what is lost here are rows
    ) -> tuple[RowDifference, ...]:
        ids = {node.name: node.unique_id for node in self.pipeline.nodes}
        return tuple(
            RowDifference(ids[name], start, marker.window_end, "", rows, rows - lost)
            for (name, start), lost in self.lost_rows.items()
            if lost and ids[name] in models and (marker := self.markers.get((name, start)))
            if span is None or span.start <= start < span.end
            for rows in [marker.row_count]
        )

    def make_dropped_table(self, model: str) -> None:
        """Make a table again, if it was dropped: no window of what was there stands."""
        if model in self.dropped:
            self.dropped.discard(model)
            for held in (self.markers, self.rows, self.lost_rows):
                for key in [key for key in held if key[0] == model]:
                    del held[key]

    def kill(self) -> None:
        self.was_killed.set()

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

    def _by_names(self, invocation: Invocation) -> Invocation:
        """What is asked by unique id, by the names that everything here goes by."""
        names = self.pipeline.project.names
        return replace(
            invocation,
            code_hashes={names[i]: found for i, found in invocation.code_hashes.items()},
            checks_hashes={names[i]: found for i, found in invocation.checks_hashes.items()},
            judged=tuple(names[i] for i in invocation.judged),
        )

    def _told(self, result: InvocationResult) -> InvocationResult:
        """What is told goes by unique ids, as dbt tells it."""
        ids = {node.name: node.unique_id for node in self.pipeline.data_nodes}
        return result.with_names(ids)

    def _of_id(self, marker: Publication) -> Publication:
        node = next(n for n in self.pipeline.data_nodes if n.name == marker.model)
        return marker.with_name({node.name: node.unique_id})

    def _is_too_much(self, windows: Collection[Window]) -> bool:
        return self.most_windows is not None and len(windows) > self.most_windows


class _Running:
    """One ``dbt build``."""

    def __init__(
        self,
        dbt: FakeDbt,
        invocation: Invocation,
        windows: list[Window],
        fault: Fault | None,
        listener: NodeListener,
    ) -> None:
        self._dbt = dbt
        self._invocation = invocation
        self._windows = windows
        self._fault = fault
        self._listener = listener
        self._graph = _Graph(dbt.pipeline)
        self._number = len(dbt.asked)
        self._at = BEGINNING_OF_TIME + timedelta(seconds=self._number)
        self._published = 0  # models
        self._statuses: dict[str, str] = {}
        self._messages: dict[str, str] = {}
        self._evidence: list[Evidence] = []
        self._named: dict[str, list[datetime]] = {}  # by a test's unique id
        self._confirmed: set[tuple[str, datetime]] = set()
        self._touched: dict[tuple[str, datetime], Publication] = {}

    def run(self) -> bool:
        """Run every node that is selected; False if the invocation dies in the middle."""
        if self._is_dead():
            return False
        for node in self._graph.selected(self._invocation):
            self._listener(node.unique_id, "started")
            status = self._status(node)
            self._statuses[node.unique_id] = status
            self._listener(node.unique_id, status)
            if self._is_dead():
                return False
        self._judge()
        return True

    def result(self) -> InvocationResult:
        return InvocationResult(
            nodes=tuple(
                NodeResult(unique_id, status, self._messages.get(unique_id, ""), 0.1)
                for unique_id, status in self._statuses.items()
            ),
            publications=tuple(self._told()),
            touched=tuple(self._touched.values()),
            evidence=tuple(self._evidence),
            seconds=self._dbt.seconds,
        )

    def _is_dead(self) -> bool:
        if self._fault is None or self._fault.by is not None or self._fault.after is None:
            return False
        return self._published >= self._fault.after

    def _status(self, node: Node) -> str:
        failed = {"error", "fail", "skipped"}
        if any(self._statuses.get(n) in failed for n in self._graph.needs[node.unique_id]):
            return "skipped"
        if node.kind in DATA_KINDS and not self._passes_unit_tests(node):
            return "skipped"
        if self._fault is not None and self._fault.by == node.name:
            self._messages[node.unique_id] = str(self._fault.error)
            return "error"
        if node.name in self._dbt.broken:
            self._messages[node.unique_id] = self._dbt.broken[node.name]
            return "fail" if node.kind == "test" else "error"
        if node.kind == "test":
            return self._tested(node)
        return self._built_windows(node) if node.is_windowed else self._built_table(node)

    def _passes_unit_tests(self, node: Node) -> bool:
        passes = True
        for name, model in self._dbt.unit_tests.items():
            if model == node.name and self._invocation.with_unit_tests:
                unique_id = f"unit_test.shop.{model}.{name}"
                is_bad = name in self._dbt.broken
                self._statuses[unique_id] = "fail" if is_bad else "pass"
                self._listener(unique_id, "started")
                self._listener(unique_id, self._statuses[unique_id])
                self._messages[unique_id] = self._dbt.broken.get(name, "")
                passes = passes and not is_bad
        return passes

    def _built_table(self, node: Node) -> str:
        read = dict(self._read(node, None))
        self._dbt.tables[node.name] = self._dbt.content(node, None, read)
        self._dbt.built.append((node.name, ""))
        return "success"

    def _built_windows(self, node: Node) -> str:
        error = self._error(node)
        if error is not None:
            self._messages[node.unique_id] = error
            return "error"
        self._dbt.make_dropped_table(node.name)
        for window in self._windows:
            key = (node.name, window.start)
            content = self._dbt.content(node, window, dict(self._read(node, window)))
            before = self._dbt.markers.get(key)
            # Without a content of its own it is another one each time.
            verdict = self._graph.verdict_at_once(node)
            checks_hash = self._invocation.checks_hashes.get(node.name) if verdict else None
            is_same = before is not None and content != "" and self._dbt.rows.get(key) == content
            self._dbt.rows[key] = content
            self._dbt.lost_rows.pop(key, None)
            self._dbt.built.append((node.name, window.label))
            self._dbt.markers[key] = Publication(
                model=node.name,
                window_start=window.start,
                window_end=window.end,
                row_count=self._dbt.row_count,
                verdict=verdict,
                fence=self._invocation.fence,
                run_id=self._invocation.run_id,
                code_hash=self._invocation.code_hashes[node.name],
                published_at=self._at,
                contents_since=before.contents_since if before and is_same else self._at,
                checks_hash=checks_hash,
            )
            self._dbt._judged.pop(key, None)
        self._published += 1
        self._take_over(node)
        return "success"

    def _take_over(self, node: Node) -> None:
        """Take rows of other windows over, as touched_windows.sql has it."""
        moves = self._dbt.takes_over.get(node.name, {})
        starts = {window.start for window in self._windows}
        window_at = self._dbt.pipeline.calendar.window_at
        for window in self._windows:
            source = moves.pop(window.label, None)
            for key, marker in list(self._dbt.markers.items()):
                name, start = key
                if name == node.name and start not in starts and window_at(start).label == source:
                    touched = replace(
                        marker,
                        row_count=marker.row_count - 1,
                        verdict=None,
                        checks_hash=None,
                        contents_since=self._at,
                    )
                    self._dbt.markers[key] = self._touched[key] = touched
                    self._dbt._judged.pop(key, None)

    def _error(self, node: Node) -> str | None:
        """Why nothing of a model is published."""
        dbt = self._dbt
        if dbt.too_much_for == node.name and dbt._is_too_much(self._windows):
            return dbt.too_much
        held = [dbt.markers.get((node.name, window.start)) for window in self._windows]
        if any(marker and marker.fence > self._invocation.fence for marker in held):
            return f"a newer run has published a window of {node.name} that this one still held"
        bad = self._bad(node.name)
        if bad:
            return dbt.says(node.name, bad[0])
        gates = [g for g in self._graph.gates[node.unique_id] if self._bad(g.name)]
        for found in gates:
            self._testify(found, node.name, self._bad(found.name), "error")
        return f"withheld {node.name}: {gates[0].name} failed" if gates else None

    def _tested(self, test: Node) -> str:
        about = self._graph.windowed_parents(test)
        bad = [
            window
            for window in self._bad(test.name)
            if all((model, window.start) in self._dbt.markers for model in about)
        ]
        if not bad:
            return "pass"
        is_warning = test.name in self._dbt.warning
        self._messages[test.unique_id] = f"Got {len(bad)} results, configured to fail if != 0"
        attached = next(
            (n.name for n in self._graph.nodes if n.unique_id == test.attached_to), None
        )
        self._testify(test, attached, bad, "warn" if is_warning else "error")
        return "warn" if is_warning else "fail"

    def _testify(self, test: Node, model: str | None, bad: list[Window], severity: str) -> None:
        is_named = test.name not in self._dbt.nameless
        found = tuple(WindowEvidence(window.start, "100 rows", "7 rows") for window in bad)
        self._evidence.append(
            Evidence(
                model=model,
                test=test.unique_id,
                check=test.name,
                severity=severity,
                failures=len(bad),
                windows=found if is_named else (),
                sample=() if is_named else ("id 7",),
            )
        )
        if is_named:
            self._named[test.unique_id] = [window.start for window in bad]

    def _bad(self, name: str) -> list[Window]:
        labels, calendar = self._dbt.bad.get(name, ()), self._dbt.pipeline.calendar
        starts = {window.start for window in self._windows}
        if name in self._dbt.far:
            starts |= {start for _, start in self._dbt.markers}
        windows = map(calendar.window_at, sorted(starts))
        return [window for window in windows if window.label in labels]

    def _read(self, node: Node, window: Window | None) -> Iterator[tuple[str, str]]:
        """What a node finds in the nodes that it reads: of its window, or all there is."""
        for parent in self._graph.parents(node):
            if not parent.is_stored:
                yield from self._read(parent, window)
            elif not parent.is_windowed:
                yield parent.name, self._dbt.tables.get(parent.name, "")
            elif window is not None:
                yield parent.name, self._dbt.rows.get((parent.name, window.start), "")
            else:
                rows = self._dbt.rows.items()
                found = sorted((start, text) for (name, start), text in rows if name == parent.name)
                yield parent.name, repr([(f"{start:%m-%d}", text) for start, text in found])

    # judge_publications.sql

    def _judge(self) -> None:
        for node in self._graph.nodes:
            if node.is_windowed and self._is_to_judge(node):
                self._confirmed |= self._judge_model(node)

    def _is_to_judge(self, node: Node) -> bool:
        if node.unique_id in self._statuses:
            return self._statuses[node.unique_id] == "success"
        return any(test.unique_id in self._statuses for test in self._graph.later[node.unique_id])

    def _judge_model(self, node: Node) -> set[tuple[str, datetime]]:
        """Judge a model; returns the windows that had a good verdict already and deserve it."""
        self._take_back_verdicts(node)
        gates, later = self._graph.gates[node.unique_id], self._graph.later[node.unique_id]
        tested = [test for test in (*gates, *later) if test.unique_id in self._statuses]
        asked = [*gates, *later] if node.name in self._invocation.judged else later
        known = {node.unique_id, *self._graph.ancestors[node.unique_id]}
        is_complete = all(test in tested or not known.issuperset(test.parents) for test in asked)
        is_condemned = False
        named: set[datetime] = set()
        for test in tested:
            status = self._statuses[test.unique_id]
            if status == "fail" and test.unique_id in self._named:
                named.update(self._named[test.unique_id])
            elif status == "fail":
                is_complete, is_condemned = False, True
            elif status not in ("pass", "warn"):
                is_complete = False
        is_checked = bool(tested or gates)
        if is_condemned and len(self._windows) == 1:
            named.add(self._windows[0].start)
        confirmed = set()
        self._condemn_elsewhere(node, named)
        for window in self._windows:
            marker = self._dbt.markers.get((node.name, window.start))
            if window.start in named:
                self._write_verdict(node, window, "incorrect")
            elif is_complete:
                self._write_verdict(node, window, "correct" if is_checked else "unchecked")
                if marker and marker.verdict in ("correct", "unchecked") and self._is_ours(marker):
                    confirmed.add((node.name, window.start))
        return confirmed

    def _condemn_elsewhere(self, node: Node, named: set[datetime]) -> None:
        for start in named - {window.start for window in self._windows}:
            key = (node.name, start)
            marker = self._dbt.markers.get(key)
            if marker is not None and self._is_not_newer(marker):
                checks_hash = self._invocation.checks_hashes.get(node.name)
                judged = replace(marker, verdict="incorrect", checks_hash=checks_hash)
                self._dbt.markers[key] = judged
                self._dbt._judged[key] = self._number

    def _write_verdict(self, node: Node, window: Window, verdict: str) -> None:
        key = (node.name, window.start)
        marker = self._dbt.markers.get(key)
        if marker is not None and self._awaits_verdict(marker):
            checks_hash = self._invocation.checks_hashes.get(node.name)
            self._dbt.markers[key] = replace(marker, verdict=verdict, checks_hash=checks_hash)
            self._dbt._judged[key] = self._number

    def _take_back_verdicts(self, node: Node) -> None:
        for window in self._windows if node.name in self._invocation.judged else ():
            key = (node.name, window.start)
            marker = self._dbt.markers.get(key)
            if marker is not None and self._is_ours(marker):
                self._dbt.markers[key] = replace(marker, verdict=None, checks_hash=None)

    def _awaits_verdict(self, marker: Publication) -> bool:
        return marker.verdict is None and self._is_ours(marker)

    def _is_ours(self, marker: Publication) -> bool:
        may_be_plain = marker.model in self._invocation.judged
        return (may_be_plain or marker.run_id is not None) and self._is_not_newer(marker)

    def _is_not_newer(self, marker: Publication) -> bool:
        return marker.fence <= self._invocation.fence

    def _told(self) -> Iterator[Publication]:
        for node in self._graph.nodes:
            if node.is_windowed and self._is_to_judge(node):
                for key, marker in self._dbt.markers.items():
                    if key[0] == node.name and (
                        self._dbt._judged.get(key) == self._number
                        or (self._is_inside(marker) and self._is_of_interest(key, marker))
                    ):
                        yield marker

    def _is_inside(self, marker: Publication) -> bool:
        return any(window.start == marker.window_start for window in self._windows)

    def _is_of_interest(self, key: tuple[str, datetime], marker: Publication) -> bool:
        is_new = marker.published_at == self._at
        return is_new or self._awaits_verdict(marker) or key in self._confirmed


class _Graph:
    """Which node waits for which, as dbt has it: a test comes before what its models feed."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.nodes = pipeline.nodes
        self._by_id = {node.unique_id: node for node in pipeline.nodes}
        data = [node for node in pipeline.nodes if node.kind in DATA_KINDS]
        self._tests = [node for node in pipeline.nodes if node.kind == "test"]
        self.ancestors: dict[str, set[str]] = {}
        for node in data:  # parents first
            of_parents = [self.ancestors[parent] for parent in node.parents]
            self.ancestors[node.unique_id] = set(node.parents).union(*of_parents)
        self.gates = {
            node.unique_id: [
                t for t in self._tests if t.is_gate and t.attached_to == node.unique_id
            ]
            for node in data
        }
        self.later = {
            node.unique_id: [
                t
                for t in self._tests
                if not t.is_gate
                and (
                    t.attached_to == node.unique_id
                    or (t.attached_to is None and node.unique_id in t.parents)
                )
            ]
            for node in data
        }
        # By unique id, everything that must have ended well before.
        self.needs: dict[str, set[str]] = {}
        for node in data:
            above = self.ancestors[node.unique_id]
            self.needs[node.unique_id] = above | {
                t.unique_id for t in self._tests if above.issuperset(t.parents)
            }
        for test in self._tests:
            of_read = [self.needs[parent] for parent in test.parents]
            self.needs[test.unique_id] = set(test.parents).union(*of_read)

    def parents(self, node: Node) -> list[Node]:
        return [self._by_id[parent] for parent in node.parents]

    def windowed_parents(self, test: Node) -> list[str]:
        tested = [test.attached_to] if test.attached_to else test.parents
        return [self._by_id[i].name for i in tested if i and self._by_id[i].is_windowed]

    def verdict_at_once(self, node: Node) -> str | None:
        if self.later[node.unique_id]:
            return None
        return "correct" if self.gates[node.unique_id] else "unchecked"

    def selected(self, invocation: Invocation) -> list[Node]:
        """What runs, in the order in which it does; gates never do by themselves."""
        chosen = {n.unique_id for n in self.nodes if n.name in invocation.nodes}
        at_hand = chosen.union(*(self.ancestors[unique_id] for unique_id in chosen))
        for test in self._tests:
            is_buildable = not chosen.isdisjoint(test.parents) and at_hand.issuperset(test.parents)
            is_excluded = test.name in invocation.exclude
            if not is_excluded and (is_buildable or test.name in invocation.checks):
                chosen.add(test.unique_id)
        needs = {unique_id: sorted(needed) for unique_id, needed in self.needs.items()}
        order = TopologicalSorter(needs).static_order()
        return [self._by_id[unique_id] for unique_id in order if unique_id in chosen]


def value_in(window: Window) -> str:
    """Words that differ from day to day and name none."""
    return f"Conversion Error: could not convert 'x{window.start.timestamp():.0f}x' to INT64"


def file_of(window: Window) -> str:
    """Words that name the day's landed file."""
    return f"data/{window.label}.parquet was cut off or is no Parquet file (no magic bytes)"
