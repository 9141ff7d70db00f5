"""Find what a window is made from: the nodes of the graph, each with what is known of it.

It looks at the ledger, the kept project and the landed files, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, groupby

from runner.core.errors import UsageError, nearest
from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.status import PlannedNode, Statuses, WindowStatus, assess, explained
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Window, range_label
from runner.explain.causes import Lineage, LineageNode, WindowRange
from runner.ledger import Ledger, ModelWork
from runner.planner import Planner
from runner.project.acceptance import equal_hashes
from runner.project.manifest import Node, Project

Landed = Callable[[Node, Span], int | None]


@dataclass(frozen=True)
class Tracer:
    """Traces lineages; ``planners`` are those of all pipelines, in the order of pipelines.yml."""

    project: Project
    planners: Mapping[str, Planner]
    ledger: Ledger
    landed: Landed  # how many files of a source belong to some windows
    now: datetime  # UTC
    files_at: datetime | None = None  # of the machine that files are on; None: they are not seen
    _subjects: dict[str, dict[str, PlannedNode]] = field(default_factory=dict)  # by pipeline, name
    _cut_off: dict[str, dict[str, Timeline[str]]] = field(default_factory=dict)  # likewise

    def model(self, name: str) -> tuple[Node, Planner]:
        """Return the node of a name and its planner; :class:`UsageError` if there is none."""
        found = {n.name: n for n in self.project.data_nodes}
        if name not in found:
            hint = f"{nearest(name, found)} See: runner dag PIPELINE"
            raise UsageError(f"there is no model {name!r}.{hint}")
        home = self.home(found[name])
        if home is None:
            raise UsageError(
                f"no pipeline builds {name}, so nothing is known of its windows: "
                "let a `select` in pipelines.yml name it"
            )
        return found[name], home

    def home(self, node: Node) -> Planner | None:
        """Return the planner of the first pipeline that builds a node."""
        return next((p for p in self.planners.values() if node in p.pipeline.data_nodes), None)

    def window(self, planner: Planner, label: str | None) -> Window:
        """Return a label's window, without one the newest complete; :class:`UsageError` if none."""
        pipeline = planner.pipeline
        if label is not None:
            return pipeline.window(label, self.now)
        newest = pipeline.newest(self.now)
        if newest is None:
            raise UsageError(f"{pipeline.name} has no complete window yet: wait for its first")
        return newest

    def upstream(self, node: Node, span: Span) -> Lineage:
        """Trace a node and everything that it is made from, directly or not."""
        nodes, above = self.project.nodes, self.project.upstream([node.unique_id])
        return self.lineage_of([nodes[found] for found in above if found in nodes], span)

    def lineage_of(self, nodes: Iterable[Node], span: Span) -> Lineage:
        """Gather what is known of some nodes for the windows that touch a span."""
        ordered = self.project.parents_first(nodes)
        names = {node.name for node in ordered}
        ids = {node.unique_id for node in ordered}
        whole = [node.name for node in ordered if not node.is_windowed]
        touched = [self._touched(node, span) for node in ordered if node.is_windowed] or [span]
        widest = Span(min(s.start for s in touched), max(s.end for s in touched))
        results = self.ledger.results
        works = chain(results.find_last_work(whole), results.find_work(names - set(whole), widest))
        by_model = grouped((work.done.model, work) for work in works)
        found = (self._described(n, ids, span, by_model.get(n.name, ())) for n in ordered)
        return Lineage(list(found))

    def _described(
        self, node: Node, ids: Container[str], span: Span, works: Sequence[ModelWork]
    ) -> LineageNode:
        """Tell what is known of a node; ``ids`` are those of the lineage."""
        home = self.home(node)
        found = LineageNode(
            unique_id=node.unique_id,
            name=node.name,
            kind=node.shown_kind,
            parents=tuple(parent for parent in node.parents if parent in ids),
            is_windowed=node.is_windowed,
            pipeline=home.pipeline.name if home else None,
        )
        if node.kind == "source":
            count = self.landed(node, span)
            if count is None:
                return replace(found, remark="cannot be seen from here")
            landed = "landed" if count else "nothing landed"
            return replace(found, remark=landed, is_absent=not count, location=node.location)
        planned = self._planned(node, home, span)
        calendar = home.pipeline.calendar if home else self._calendar(node)
        in_flight = home.in_flight() if home else Spans()
        if calendar is None:
            return replace(found, remark="built by no pipeline")
        statuses = assess(planned, calendar, in_flight)
        if node.is_windowed:
            parts = tuple(_windowed_parts(planned, statuses, calendar, self._touched(node, span)))
            remark = None if parts else "has no such window"
        else:
            parts = tuple(_whole_parts(planned, statuses, span))
            remark = "text only" if node.materialized == "ephemeral" else "not built yet"
        parts = tuple(_with_work(part, works, planned, node) for part in parts)
        cut_off = self._file_cut_off(node, home, span) if node.is_windowed else None
        return replace(found, parts=parts, remark=remark, cut_off=cut_off)

    def _file_cut_off(self, node: Node, home: Planner | None, span: Span) -> str | None:
        """Say which newer file of a model's windows is not whole; None if there is none."""
        if home is None or self.files_at is None:
            return None
        name = home.pipeline.name
        if name not in self._cut_off:
            self._cut_off[name] = home.changed_inputs(self.now, self.files_at).cut_off
        known = self._cut_off[name].get(node.name, Timeline())
        return next((text for _, text in known.touching(self._touched(node, span))), None)

    def _planned(self, node: Node, home: Planner | None, span: Span) -> PlannedNode:
        if home is not None:
            name = home.pipeline.name
            if name not in self._subjects:
                self._subjects[name] = {s.name: s for s in home.nodes(self.now)}
            return self._subjects[name][node.name]
        accepted = self.ledger.windows.get_accepted_changes().get(node.name, ())
        return PlannedNode(
            name=node.name,
            parents=(),
            desired=Spans([self._touched(node, span)]) if node.is_windowed else None,
            code_hashes=equal_hashes(node.code_hash, accepted, node.plain_code),
            records=self.ledger.windows.get_records().get(node.name, Timeline()),
            inputs=lambda _: None,
        )

    def _calendar(self, node: Node) -> Calendar | None:
        return Calendar(node.grain, self.project.zone) if node.grain else None

    def _touched(self, node: Node, span: Span) -> Span:
        """Return the windows of a node that touch a span: whole ones, of its own grain."""
        calendar = self._calendar(node)
        return calendar.covering(span) if calendar else span


def _windowed_parts(
    planned: PlannedNode, statuses: Statuses, calendar: Calendar, touched: Span
) -> Iterator[WindowRange]:
    """Yield the windows of a model in a span, neighbours of which the same is known as one."""
    inside = Spans([touched])
    timeline = Timeline((s, status) for status, spans in statuses.items() for s in spans & inside)

    def known(window: Window) -> tuple[WindowStatus | None, str | None]:
        status = timeline.at(window.start)
        return status, explained(planned, status, window.span) if status else None

    for (status, why), same in groupby(calendar.windows(touched), known):
        windows = list(same)
        first, last = windows[0], windows[-1]
        if status is not None:
            label = range_label(first.label, last.label)
            yield WindowRange(Span(first.start, last.end), label, status, why)


def _whole_parts(planned: PlannedNode, statuses: Statuses, span: Span) -> Iterator[WindowRange]:
    """Yield what is known of a node without windows: one thing, or what is wrong with it."""
    for status, spans in statuses.items():
        for wrong in spans:
            yield WindowRange(wrong, "", status, explained(planned, status, wrong))
            return
    if planned.records.covered:
        yield WindowRange(span, "", WindowStatus.SUCCESS)


def _with_work(
    part: WindowRange, works: Sequence[ModelWork], planned: PlannedNode, node: Node
) -> WindowRange:
    """Add to a part which run has made it, when, and how many rows there are."""
    known = planned.records.at(part.span.start)
    code_hash = known.code_hash if known else None
    mine = [w for w in works if not node.is_windowed or Spans([w.span]).meets(part.span)]
    if mine:
        last = mine[-1]
        published = {w.span: w for w in mine if w.done.row_count is not None}  # the newest of each
        holds = max(published.values(), key=mine.index, default=None)
        code_hash = last.done.code_hash
        part = replace(
            part,
            rows=sum(w.done.row_count or 0 for w in published.values()) if published else None,
            at=last.at,
            pipeline=last.pipeline,
            run_id=last.run_id,
            kept_from=holds.run_id if holds and last.done.row_count is None else None,
        )
    is_older = bool(code_hash) and code_hash not in planned.code_hashes
    return replace(part, code_hash=code_hash or None, is_older_code=is_older)
