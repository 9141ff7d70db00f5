"""Desired minus done: which models' windows would run, in which chunks, and what is left alone.

Everything is kept as ranges: ten years of days are one row, not 3,650. What reads a window that
runs, runs too; what reads a window that is wrong and does not run is held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.core.chunks import Chunk, cut
from runner.core.drafts import Draft, ModelPlan, drafted
from runner.core.requests import Request
from runner.core.skips import Skipped, skipped
from runner.core.spans import Span, Spans
from runner.core.status import PlannedNode, WindowStatus, assess
from runner.core.timelines import Timeline
from runner.core.windows import Calendar


@dataclass(frozen=True)
class Plan:
    """What would be done."""

    calendar: Calendar
    request: Request
    models: tuple[ModelPlan, ...]  # windowed ones, and others that have failed; graph order
    pieces: tuple[Chunk, ...]  # contiguous ranges with the same models, uncut, oldest first
    skipped: tuple[Skipped, ...]

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
        """How many windows those are."""
        return sum(self.calendar.count(span) for span in self.windows)

    @property
    def span(self) -> Span | None:
        """From the first to the last window that would run; None if none would."""
        spans = list(self.windows)
        return Span(spans[0].start, spans[-1].end) if spans else None


def make_plan(
    calendar: Calendar, subjects: Sequence[PlannedNode], in_flight: Spans, request: Request
) -> Plan:
    """Subtract what is done from what should exist; ``subjects`` come parents first."""
    drafts: dict[str, Draft] = {}
    for subject in subjects:
        statuses = {
            status: inside
            for status, spans in assess(subject, calendar, in_flight).items()
            if (inside := spans & request.windows)
        }
        parents = [drafts[name] for name in subject.parents if name in drafts]
        drafts[subject.name] = drafted(calendar, subject, statuses, parents, request)
    models = tuple(draft.plan for draft in drafts.values() if draft.plan.statuses)
    pieces = tuple(_pieces(models))
    busy = Spans(piece.span for piece in pieces)
    left_alone = tuple(skipped(calendar, models, request, busy))
    return Plan(calendar, request, models, pieces, left_alone)


def _pieces(models: Sequence[ModelPlan]) -> Iterator[Chunk]:
    """Contiguous ranges in which the same models run.

    What knows no windows is built with whatever runs; alone only where nothing else does.
    """
    busy = Spans(span for m in models if m.subject.is_windowed for span in m.todo)
    runs = {m.subject.name: m.runs if m.subject.is_windowed else m.runs - busy for m in models}
    todo = [span for m in models for spans in (runs[m.subject.name], m.checks) for span in spans]
    bounds = sorted({bound for span in todo for bound in (span.start, span.end)})
    parts = []
    for start, end in pairwise(bounds):
        span = Span(start, end)
        built = tuple(m.subject.name for m in models if span in runs[m.subject.name])
        judged = tuple(m.subject.name for m in models if span in m.checks)
        if built or judged:
            parts.append((span, (built, judged)))
    for span, (built, judged) in Timeline(parts):
        yield _with_reasons(Chunk(span, built, judged), models)


def _with_reasons(chunk: Chunk, models: Sequence[ModelPlan]) -> Chunk:
    names = {*chunk.models, *chunk.checks}
    found = {
        status
        for model in models
        if model.subject.name in names
        for status, spans in model.statuses.items()
        if spans.meets(chunk.span)
    }
    reasons = tuple(str(status) for status in WindowStatus if status in found)
    return Chunk(chunk.span, chunk.models, chunk.checks, reasons)
