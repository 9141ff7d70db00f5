"""What did not happen, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from runner.render.words import minute, span_in_words, table
from runner.scheduling.deadlines import Missed, WatchReport


def look_page(look: WatchReport, told: Sequence[str], zone: ZoneInfo) -> str:
    """What is missed, why, and what repairs it; who was told of it."""
    blocks = []
    rows = [
        (
            missed.pipeline.name,
            span_in_words(missed.pipeline.calendar, missed.span),
            missed.trouble.kind,
            late_in_words(missed.late),
            _why(missed, zone),
            missed.trouble.remedy,
        )
        for missed in look.missed
    ]
    if rows:
        blocks.append(table(("pipeline", "windows", "is", "late", "why", "do"), rows))
    wrong = [f"{name}: {error}" for name, error in look.errors.items()]
    if look.scheduler is not None:
        wrong.append(f"{look.scheduler}: start it with runner serve, or what runs runner tick")
    if wrong:
        blocks.append("\n".join(wrong))
    if not blocks:
        at = minute(look.at.astimezone(zone))
        blocks.append(f"everything that should be a success at {at} is one")
    if told:
        blocks.append("\n".join(told))
    return "\n\n".join(blocks)


def look_record(look: WatchReport, told: Sequence[str]) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "at": look.at,
        "missed": [
            {
                "pipeline": missed.pipeline.name,
                "first": missed.pipeline.calendar.window_at(missed.span.start).label,
                "last": missed.pipeline.calendar.before(missed.span.end).label,
                "windows": missed.pipeline.calendar.count(missed.span),
                "is": missed.trouble.kind,
                "late_seconds": missed.late.total_seconds(),
                "why": missed.trouble.reason,
                "failing_since": missed.failing_since,
                "do": missed.trouble.remedy,
            }
            for missed in look.missed
        ],
        "scheduler": look.scheduler,
        "errors": {name: str(error) for name, error in look.errors.items()},
        "told": list(told),
    }


def _why(missed: Missed, zone: ZoneInfo) -> str:
    if missed.failing_since is None:
        return missed.trouble.reason
    return f"since {minute(missed.failing_since.astimezone(zone))}: {missed.trouble.reason}"


def what_is_wrong(look: WatchReport) -> object:
    """What two looks have in common while nothing has changed but the time."""
    missed = [(m.pipeline.name, m.span, m.trouble.kind, m.trouble.remedy) for m in look.missed]
    return missed, look.scheduler, {name: str(error) for name, error in look.errors.items()}


def late_in_words(late: timedelta) -> str:
    """How late something is, in its two largest units.

    >>> late_in_words(timedelta(days=3, hours=2, minutes=5)), late_in_words(timedelta(seconds=130))
    ('3 d 2 h', '2 min 10 s')
    """
    seconds = int(late.total_seconds())
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for unit, size in units:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
