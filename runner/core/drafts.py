"""One model of a plan: what runs of it, what is held back, and what that means for its readers.

What reads a window that runs, runs too; what reads a window that is wrong and does not run is held
back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.core.requests import Request
from runner.core.spans import Span, Spans
from runner.core.status import GOOD, PlannedNode, WindowStatus, explained
from runner.core.windows import Calendar

_NONE = Spans()
_BROKEN = (
    WindowStatus.FAILED,
    WindowStatus.INCORRECT,
    WindowStatus.BLOCKED,
)  # of what knows no windows


@dataclass(frozen=True)
class Held:
    """Windows of a model that do not run because something that it reads is not right."""

    span: Span
    parent: str
    status: WindowStatus  # of the parent


@dataclass(frozen=True)
class ModelPlan:
    """One model of a plan."""

    subject: PlannedNode
    statuses: Mapping[WindowStatus, Spans]  # of the windows asked for, each in exactly one
    runs: Spans  # built
    checks: Spans  # only judged
    held: tuple[Held, ...]

    @property
    def todo(self) -> Spans:
        """Everything that runs."""
        return self.runs | self.checks

    def why(self, status: WindowStatus, span: Span) -> str | None:
        """More about the status of some windows."""
        return explained(self.subject, status, span)


@dataclass(frozen=True)
class Draft:
    """A model's plan, and what it means for what reads the model."""

    plan: ModelPlan
    flows: Spans  # what reads it there runs after it
    bad: tuple[Held, ...]  # what reads it there must not run


def drafted(
    calendar: Calendar,
    subject: PlannedNode,
    statuses: Mapping[WindowStatus, Spans],
    parents: Sequence[Draft],
    request: Request,
) -> Draft:
    """A model's draft; ``statuses`` are those of the windows asked for, ``parents`` its own."""
    is_selected = request.select is None or subject.name in request.select
    taken = request.takes | ({WindowStatus.BLOCKED} if request.force else set())
    todo = _union(spans for status, spans in statuses.items() if status in taken)
    if request.outdated:
        todo |= statuses.get(WindowStatus.STALE, _NONE) & subject.outdated(calendar)
    flows = _union(parent.flows for parent in parents)
    may_follow = _union(s for status, s in statuses.items() if status is not WindowStatus.IN_FLIGHT)
    if not is_selected:
        todo = _NONE
    elif subject.is_windowed:
        todo |= flows & may_follow
    # Several ways through views may lead to the same parent.
    upstream = list(dict.fromkeys(held for parent in parents for held in parent.bad))
    held = [
        Held(span, bad.parent, bad.status) for bad in upstream for span in todo.inside(bad.span)
    ]
    todo -= Spans(found.span for found in held)
    # Who asks for what is done already asks to have it built again, not judged.
    only_judged = (
        _NONE if WindowStatus.SUCCESS in request.takes else statuses.get(WindowStatus.PUBLISHED)
    )
    checks = (todo & (only_judged or _NONE)) - flows
    plan = ModelPlan(subject, statuses, todo - checks, checks, tuple(held))
    bad = [
        Held(span, subject.name, status)
        for status, spans in statuses.items()
        if status not in GOOD
        for span in spans - todo
    ]
    if subject.is_windowed:
        return Draft(plan, plan.runs, tuple(bad))
    # What reads a view reads on. What was only not built yet does not make its readers wrong.
    unfit = (*_BROKEN, WindowStatus.IN_FLIGHT) if subject.follows else _BROKEN
    broken = [held for held in bad if held.status in unfit]
    mended = plan.runs & _union(statuses.get(status, _NONE) for status in _BROKEN)
    return Draft(plan, flows | mended, (*broken, *upstream))


def _union(all_spans: Iterable[Spans]) -> Spans:
    return Spans(span for spans in all_spans for span in spans)
