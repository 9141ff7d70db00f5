"""Incidents that a person is told of: windows that are missed, failed or incorrect.

Absence is computed, never waited for: what should have been a success by now, minus what is one.
What was told before is a timeline too, and news is the difference of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline

T = TypeVar("T")


class IncidentKind(StrEnum):
    """The kind of trouble that a window is in."""

    MISSED = "missed"  # past its deadline, and no success
    FAILED = "failed"  # after its last retry
    INCORRECT = "incorrect"  # a check failed


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that is wrong with some windows of a pipeline."""

    kind: IncidentKind
    reason: str  # in one line: what has become of them, or what they wait for
    remedy: str  # the exact command, or act, that repairs them


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """Some windows whose trouble began, changed its kind, or ended since somebody was told."""

    span: Span  # contiguous windows
    trouble: Incident | None  # None: recovered
    before: IncidentKind | None  # what was told of them last


def incident_changes(
    told: Timeline[IncidentKind], current: Timeline[Incident]
) -> Iterator[IncidentChange]:
    """Yield what is to be told, in order of time; only the kind of a trouble makes news.

    >>> from datetime import UTC, datetime
    >>> def day(number): return datetime(2026, 6, number, tzinfo=UTC)
    >>> late = Incident(IncidentKind.MISSED, "not started", "runner serve")
    >>> told = Timeline([(Span(day(1), day(3)), IncidentKind.FAILED)])
    >>> for found in incident_changes(told, Timeline([(Span(day(2), day(5)), late)])):
    ...     is_now = found.trouble.kind if found.trouble else "recovered"
    ...     print(f"{found.span.start:%d}-{found.span.end:%d} {found.before} -> {is_now}")
    01-02 failed -> recovered
    02-03 failed -> missed
    03-05 None -> missed
    """
    found: list[tuple[Span, tuple[Incident | None, IncidentKind | None]]] = []
    in_trouble = current.covered
    for span, trouble in current:
        known = told.within(Spans([span]))
        rest = known.covered.outside(span)
        found += [(part, (trouble, None)) for part in rest]
        found += [(part, (trouble, kind)) for part, kind in known if kind is not trouble.kind]
    for span, kind in told:
        found += [(part, (None, kind)) for part in in_trouble.outside(span)]
    for span, (now, before) in Timeline(found):
        yield IncidentChange(span, now, before)


def compared(
    told: Timeline[IncidentKind], current: Timeline[Incident], undecided: Spans
) -> tuple[tuple[IncidentChange, ...], Timeline[IncidentKind]]:
    """Return the changes to tell now, and what has been told after that.

    Compare what was told with what is; of ``undecided`` windows nobody knows yet.
    A window in flight is neither in trouble nor recovered: what was told of it stands.
    """
    known = _without(current, undecided)
    stands = told.within(undecided)
    kinds = [(span, trouble.kind) for span, trouble in known]
    found = tuple(incident_changes(_without(told, undecided), known))
    return found, Timeline([*stands, *kinds])


def _without(timeline: Timeline[T], spans: Spans) -> Timeline[T]:
    return Timeline((part, value) for span, value in timeline for part in Spans([span]) - spans)
