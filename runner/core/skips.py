"""What a plan leaves alone, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.core.drafts import ModelPlan
from runner.core.requests import Request
from runner.core.spans import Span, Spans
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import Calendar


@dataclass(frozen=True)
class Skipped:
    """A range of windows of which nothing runs."""

    span: Span
    status: WindowStatus  # the worst of its models
    reason: str


def skipped(
    calendar: Calendar, models: Sequence[ModelPlan], request: Request, busy: Spans
) -> Iterator[Skipped]:
    """The windows of which nothing runs, each with the worst that is true of it."""
    left = request.windows - busy
    asked = [m for m in models if request.select is None or m.subject.name in request.select]
    found: list[tuple[Span, tuple[WindowStatus, str]]] = []
    for status in WindowStatus:
        for model in asked:
            spans = left & model.statuses.get(status, Spans())
            left -= spans
            parts = _told_apart(calendar, model, spans)
            found += [(part, (status, _reason(model, status, part))) for part in parts]
    for span, (status, reason) in Timeline(found):
        yield Skipped(span, status, reason)


def _told_apart(calendar: Calendar, model: ModelPlan, spans: Spans) -> Iterator[Span]:
    """Spans cut where something else is known of a model, or another parent holds it back."""
    if not spans:
        return
    edges = (*spans, *(span for span, _ in model.subject.known), *(h.span for h in model.held))
    bounds = {calendar.floor(bound) for edge in edges for bound in (edge.start, edge.end)}
    for start, end in pairwise(sorted(bounds)):
        if Span(start, end) in spans:
            yield Span(start, end)


def _reason(model: ModelPlan, status: WindowStatus, span: Span) -> str:
    if status is WindowStatus.IN_FLIGHT:
        return "in flight"
    name = model.subject.name
    for held in model.held:
        if held.span.start <= span.start < held.span.end:
            return f"{name} waits: {held.parent} is {held.status}"
    if status is WindowStatus.BLOCKED:
        return f"blocked: {model.why(status, span)} (--force tries again)"
    if status is WindowStatus.MISSING:
        return f"{name} is missing"
    if status is WindowStatus.STALE:
        return f"{name} is stale: {model.why(status, span)} (--reprocess stale runs it again)"
    return f"already {status}"
