"""Cut a range of windows that failed, when no check has named the bad ones.

An error that mentions windows by their label (a landed file carries its day in its name) is a
hint where to cut, never a verdict. Else the range is first tried at both ends and in the middle:
the same failure there is systematic; else it is halved until what is poisoned stands alone, which
costs O(k log n) invocations for k poisoned windows among n.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.core.spans import Span, Spans
from runner.core.windows import Calendar, Window
from runner.execution.results import Failure


def mentioned(calendar: Calendar, span: Span, failure: Failure) -> list[Span]:
    """Return the range cut at the windows that a failure mentions; empty if it mentions none."""
    named = [window.span for window in calendar.windows(span) if failure.mentions(window)]
    if not named or named == [span]:
        return []
    return sorted([*named, *(Spans([span]) - Spans(named))])


def probes(windows: Sequence[Window]) -> list[Window]:
    """Return the windows to try alone before a range is halved: both ends, and one between."""
    return [windows[0], windows[len(windows) // 2], windows[-1]]


def around(span: Span, probed: Sequence[Window], calendar: Calendar) -> list[Span]:
    """Return a range without the windows that were tried alone, halved at them."""
    rest = Spans([span]) - Spans(window.span for window in probed)
    return [part for left in rest for part in halves(calendar, left)]


def halves(calendar: Calendar, span: Span) -> tuple[Span, ...]:
    """Return a range in two; a single window stays as it is."""
    return calendar.halves(span) if calendar.count(span) > 1 else (span,)
