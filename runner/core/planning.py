"""Planning: desired minus done, so which models' windows run, in which chunks, and why.

Everything is kept as ranges: ten years of days are one row, not 3,650. What reads a window that
runs, runs too; what reads a window that is wrong and does not run is held back.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise, product, starmap

from runner.core.chunks import Chunk, Sizing, cut
from runner.core.spans import Span, Spans
from runner.core.states import RunKind
from runner.core.status import GOOD, PlannedNode, Statuses, WindowStatus, assess, explained
from runner.core.timelines import Timeline
from runner.core.windows import EVER, Calendar

_NONE = Spans()
# Of what knows no windows:
_BROKEN = (WindowStatus.FAILED, WindowStatus.INCORRECT, WindowStatus.BLOCKED)


class Reprocess(StrEnum):
    """The windows that a backfill takes; each policy includes the one before it."""

    MISSING = "missing"  # never finished
    FAILED = "failed"  # and those that failed or are incorrect
    STALE = "stale"  # and those published by other code, or before what they read
    ALL = "all"  # and those that are done, or that would fail again


_MISSING = frozenset({WindowStatus.MISSING, WindowStatus.PUBLISHED})
_FAILED = _MISSING | {WindowStatus.FAILED, WindowStatus.INCORRECT}
_STALE = _FAILED | {WindowStatus.STALE}
TAKEN: Mapping[Reprocess, frozenset[WindowStatus]] = {
    Reprocess.MISSING: _MISSING,
    Reprocess.FAILED: _FAILED,
    Reprocess.STALE: _STALE,
    Reprocess.ALL: _STALE | {WindowStatus.UNCHECKED, WindowStatus.SUCCESS, WindowStatus.BLOCKED},
}
# What a person has judged again: whatever is published and will not be replaced.
JUDGED_AGAIN = frozenset(
    {WindowStatus.PUBLISHED, WindowStatus.INCORRECT, WindowStatus.UNCHECKED, WindowStatus.SUCCESS}
)
# What a person tries again by hand: what went wrong, even if nothing has changed since.
RETRIED = frozenset({*_BROKEN, WindowStatus.PUBLISHED})


@dataclass(frozen=True)
class RunRequest:
    """A person's or the scheduler's wish to have something of a pipeline run, resolved."""

    windows: Spans
    takes: frozenset[WindowStatus] = TAKEN[Reprocess.FAILED]
    kind: RunKind = RunKind.BACKFILL
    select: frozenset[str] | None = None  # names of models; None: all
    force: bool = False  # also what would fail again
    outdated: bool = False  # also what is stale by its data, not by its code
    newest_first: bool = False
    sizing: Sizing = field(default_factory=Sizing)
    allow_unsafe: tuple[str, ...] = ()  # models that may run although they break a rule
    judges_only: bool = False  # run the checks of what is published, and build nothing


@dataclass(frozen=True)
class Held:
    """Windows of a model that do not run because something that it reads is not right."""

    span: Span
    parent: str
    status: WindowStatus  # of the parent


@dataclass(frozen=True)
class ModelPlan:
    """One model of a plan."""

    node: PlannedNode
    statuses: Statuses  # of the windows asked for
    runs: Spans  # built
    checks: Spans  # only judged
    held: tuple[Held, ...]
    behind: Spans  # stale by nothing but what they are made from: to run them would be in vain

    @property
    def todo(self) -> Spans:
        """Everything that runs."""
        return self.runs | self.checks

    def why(self, status: WindowStatus, span: Span) -> str | None:
        """More about the status of some windows."""
        return explained(self.node, status, span)


@dataclass(frozen=True)
class Skipped:
    """A range of windows of which nothing runs."""

    span: Span
    status: WindowStatus  # the worst of its models
    reason: str


@dataclass(frozen=True)
class Plan:
    """The work that a request comes down to."""

    calendar: Calendar
    request: RunRequest
    models: tuple[ModelPlan, ...]  # windowed ones, and others that have failed; graph order
    pieces: tuple[Chunk, ...]  # contiguous ranges with the same models, uncut, oldest first
    skipped: tuple[Skipped, ...]
    spared: Spans = _NONE  # windows that read what was published again with the same rows
    waiting: frozenset[str] = frozenset()  # without windows; what they are made from is not ready

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The pieces cut to size, in the order in which they run."""
        size, newest = self.request.sizing.size, self.request.newest_first
        return tuple(
            _with_reasons(part, self.models)
            for piece in (reversed(self.pieces) if newest else self.pieces)
            for part in cut(piece, self.calendar, size, newest=newest)
        )

    @property
    def windows(self) -> Spans:
        """The windows of which something runs."""
        return Spans(piece.span for piece in self.pieces)

    @property
    def window_count(self) -> int:
        """The number of those windows."""
        return sum(self.calendar.count(span) for span in self.windows)

    @property
    def span(self) -> Span | None:
        """From the first to the last window that would run; None if none would."""
        spans = list(self.windows)
        return Span(spans[0].start, spans[-1].end) if spans else None


def make_plan(
    calendar: Calendar, nodes: Sequence[PlannedNode], in_flight: Spans, request: RunRequest
) -> Plan:
    """Subtract what is done from what should exist; ``nodes`` come parents first."""
    drafts: dict[str, Draft] = {}
    for node in nodes:
        statuses = {
            status: inside
            for status, spans in assess(node, calendar, in_flight).items()
            if (inside := spans & request.windows)
        }
        parents = [drafts[name] for name in node.parents if name in drafts]
        drafts[node.name] = drafted(calendar, node, statuses, parents, request, drafts)
    waiting = frozenset(
        name for name, one in drafts.items() if one.waits and not one.plan.node.is_windowed
    )
    models = tuple(draft.plan for draft in drafts.values() if draft.plan.statuses)
    pieces = tuple(_pieces(models))
    busy = Spans(piece.span for piece in pieces)
    left_alone = tuple(skipped(calendar, models, request, busy))
    return Plan(calendar, request, models, pieces, left_alone, waiting=waiting)


def _pieces(models: Sequence[ModelPlan]) -> Iterator[Chunk]:
    """Contiguous ranges in which the same models run.

    What knows no windows is built with whatever runs; alone only where nothing else does.
    """
    busy = Spans(span for m in models if m.node.is_windowed for span in m.todo)
    runs = {m.node.name: m.runs if m.node.is_windowed else m.runs - busy for m in models}
    todo = [span for m in models for spans in (runs[m.node.name], m.checks) for span in spans]
    bounds = sorted({bound for span in todo for bound in (span.start, span.end)})
    parts = []
    for span in starmap(Span, pairwise(bounds)):
        built = tuple(m.node.name for m in models if span in runs[m.node.name])
        judged = tuple(m.node.name for m in models if span in m.checks)
        parts.append((span, (built, judged)))
    for span, (built, judged) in Timeline(parts):
        if built or judged:
            yield _with_reasons(Chunk(span, built, judged), models)


def _with_reasons(chunk: Chunk, models: Sequence[ModelPlan]) -> Chunk:
    names = {*chunk.models, *chunk.checks}
    found = {
        status
        for model in models
        if model.node.name in names
        for status, spans in model.statuses.items()
        if spans.meets(chunk.span)
    }
    reasons = tuple(status.value for status in WindowStatus if status in found)
    return replace(chunk, reasons=reasons)


@dataclass(frozen=True)
class Draft:
    """A model's plan, and what it means for what reads the model."""

    plan: ModelPlan
    flows: Spans  # what reads it there runs after it
    bad: tuple[Held, ...]  # what reads it there must not run
    waits: tuple[Held, ...] = ()  # for what has no windows and is not built as it is now


def drafted(
    calendar: Calendar,
    node: PlannedNode,
    statuses: Statuses,
    parents: Sequence[Draft],
    request: RunRequest,
    own: Container[str],
) -> Draft:
    """A model's draft; ``statuses`` are those of the windows asked for, ``parents`` its own.

    ``own`` are the names of what the pipeline builds before it.
    """
    is_selected = request.select is None or node.name in request.select
    if request.judges_only:
        return _judged(calendar, node, statuses, request, is_selected=is_selected)
    taken = request.takes | ({WindowStatus.BLOCKED} if request.force else set())
    todo = _union(spans for status, spans in statuses.items() if status in taken)
    behind = _behind(calendar, node, statuses)
    if WindowStatus.SUCCESS not in taken:
        todo -= behind
    if request.outdated:
        todo |= statuses.get(WindowStatus.STALE, _NONE) & node.outdated(calendar)
    flows = _union(parent.flows for parent in parents)
    may_follow = _union(s for status, s in statuses.items() if status is not WindowStatus.IN_FLIGHT)
    if not is_selected:
        todo = _NONE
    elif node.is_windowed:
        todo |= flows & may_follow
    waits = tuple(_unready(node, own, request))
    # Several ways through views may lead to the same parent.
    upstream = [*dict.fromkeys(held for parent in parents for held in parent.bad), *waits]
    held = [Held(span, by.parent, by.status) for by in upstream for span in todo.inside(by.span)]
    todo -= Spans(found.span for found in held)
    # Who asks for what is done already asks to have it built again, not judged.
    rebuilds = WindowStatus.SUCCESS in request.takes
    checks = _NONE if rebuilds else (todo & statuses.get(WindowStatus.PUBLISHED, _NONE)) - flows
    plan = ModelPlan(node, statuses, todo - checks, checks, tuple(held), behind)
    bad = [
        Held(span, node.name, status)
        for status, spans in statuses.items()
        if status not in GOOD
        for span in spans - todo
    ]
    if node.is_windowed:
        return Draft(plan, plan.runs, tuple(bad), waits)
    # What reads a view reads on. What was only not built yet does not make its readers wrong.
    unfit = (*_BROKEN, WindowStatus.IN_FLIGHT) if node.follows else _BROKEN
    broken = [held for held in bad if held.status in unfit]
    mended = plan.runs & _union(statuses.get(status, _NONE) for status in _BROKEN)
    return Draft(plan, flows | mended, (*broken, *upstream), waits)


def _behind(calendar: Calendar, node: PlannedNode, statuses: Statuses) -> Spans:
    """Return the stale windows that only wait for what they are made from."""
    return statuses.get(WindowStatus.STALE, _NONE) - node.stale_itself(calendar)


def _unready(node: PlannedNode, own: Container[str], request: RunRequest) -> Iterator[Held]:
    """Yield what a node is made from that is not built as it is now, nor with this run.

    Made from that, it would be recorded as made by the code of today, and is not.
    """
    for name, status in sorted(node.unready.items()):
        if name not in own or (request.select is not None and name not in request.select):
            yield Held(EVER, name, status)


def _judged(
    calendar: Calendar,
    node: PlannedNode,
    statuses: Statuses,
    request: RunRequest,
    *,
    is_selected: bool,
) -> Draft:
    """Return the draft of a model that is only judged: where it is published and has checks."""
    todo = _union(spans for status, spans in statuses.items() if status in request.takes)
    todo &= node.records.where(lambda known: known.has_rows)
    checks = todo if is_selected and node.is_windowed and node.checks_hash else _NONE
    behind = _behind(calendar, node, statuses)
    return Draft(ModelPlan(node, statuses, _NONE, checks, (), behind), _NONE, ())


def _union(all_spans: Iterable[Spans]) -> Spans:
    return Spans(span for spans in all_spans for span in spans)


def skipped(
    calendar: Calendar, models: Sequence[ModelPlan], request: RunRequest, busy: Spans
) -> Iterator[Skipped]:
    """The windows of which nothing runs, each with the worst that is true of it."""
    left = request.windows - busy
    asked = [m for m in models if request.select is None or m.node.name in request.select]
    found: list[tuple[Span, tuple[WindowStatus, str]]] = []
    for status, model in product(WindowStatus, asked):
        spans = left & model.statuses.get(status, _NONE)
        if not spans:
            continue
        left -= spans
        parts = _told_apart(calendar, model, spans)
        found += [(part, (status, _reason(model, status, part))) for part in parts]
    for span, (status, reason) in Timeline(found):
        yield Skipped(span, status, reason)


def _told_apart(calendar: Calendar, model: ModelPlan, spans: Spans) -> Iterator[Span]:
    """Spans cut where something else is known of a model, or another parent holds it back."""
    known = (span for about in (model.node.records, model.node.behind) for span, _ in about)
    edges = (*spans, *known, *(held.span for held in model.held))
    bounds = {calendar.floor(bound) for edge in edges for bound in (edge.start, edge.end)}
    yield from (span for span in starmap(Span, pairwise(sorted(bounds))) if span in spans)


def _reason(model: ModelPlan, status: WindowStatus, span: Span) -> str:
    if status is WindowStatus.IN_FLIGHT:
        return "in flight"
    name = model.node.name
    for held in model.held:
        if held.span.start <= span.start < held.span.end:
            return f"{name} waits: {held.parent} is {held.status}"
    why = model.why(status, span)
    if status is WindowStatus.STALE and model.behind.meets(span):
        return f"{name} is stale: {why}"
    if status is WindowStatus.UNCHECKED and why is not None:
        return f"{name} is unchecked: {why} (--reprocess all runs it again)"
    reasons = {
        WindowStatus.BLOCKED: f"blocked: {why} (--force tries again)",
        WindowStatus.MISSING: f"{name} is missing",
        WindowStatus.STALE: f"{name} is stale: {why} (--reprocess stale runs it again)",
    }
    return reasons.get(status, f"already {status}")
