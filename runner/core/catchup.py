"""Which of the windows that were never run a scheduler runs by itself, after any downtime."""

from __future__ import annotations

from dataclasses import dataclass

from runner.core.config import Catchup
from runner.core.spans import Span, Spans
from runner.core.windows import Calendar


@dataclass(frozen=True)
class CaughtUp:
    """What is caught up on."""

    windows: Spans
    refused: int = 0  # windows: too many at once, so perhaps a clock that jumped


def caught_up(
    calendar: Calendar, due: Span, missing: Spans, overdue: Spans, policy: Catchup, most: int
) -> CaughtUp:
    """What to run of the ``missing`` windows, all of them due.

    - `all`: every one;
    - `latest`: the newest that is due; those before it are left to a person;
    - `none`: that one only while it is not ``overdue``.

    More than ``most`` windows at once are refused.
    """
    windows = missing & expected(calendar, due, policy)
    if policy is Catchup.NONE:
        windows -= overdue
    count = sum(calendar.count(span) for span in windows)
    return CaughtUp(windows) if count <= most else CaughtUp(Spans(), count)


def expected(calendar: Calendar, due: Span, policy: Catchup) -> Spans:
    """The due windows that somebody still waits for: unless all are, the newest supersedes them."""
    return Spans([due if policy is Catchup.ALL else calendar.before(due.end).span])
