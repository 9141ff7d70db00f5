"""What a person types, turned into values: one clear line if it cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from runner.errors import UsageError
from runner.pipelines import Pipeline
from runner.spans import Span


def chunk_size(text: str) -> int | None:
    """Windows in a chunk; None takes every contiguous range as one."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--chunk {text} is no size: write auto, or a number of windows such as 7")
    return int(text)


def parsed_date(text: str | None, option: str) -> date | None:
    """A date such as 2026-06-19; ``option`` names it in the error."""
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError as error:
        raise UsageError(f"{option} {text} is no date: write it like 2026-06-19") from error


def now() -> datetime:
    """The one place that reads the clock, UTC."""
    return datetime.now(UTC)


def parsed_timestamp(text: str | None) -> datetime | None:
    """A timestamp, with or without an offset."""
    try:
        return datetime.fromisoformat(text) if text is not None else None
    except ValueError as error:
        hint = "write it like 2026-06-19 or 2026-06-19T05:00"
        raise UsageError(f"--as-of {text} is no timestamp: {hint}") from error


def instant_of(timestamp: datetime | None, zone: ZoneInfo) -> datetime:
    """The time to look from, UTC: now by default; without an offset it is in ``zone``."""
    if timestamp is None:
        return now()
    local = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=zone)
    return local.astimezone(UTC)


def range_of_dates(
    pipeline: Pipeline, first: date | None, last: date | None, now: datetime
) -> Span | None:
    """The windows of the dates; a missing date is that end of what is complete."""
    complete = pipeline.complete(now)
    if first is None and last is None:
        return complete
    local = pipeline.calendar.zone
    if first is None:
        first = pipeline.first.astimezone(local).date()
    if last is None and complete is not None:
        last = (complete.end - timedelta(microseconds=1)).astimezone(local).date()
    return pipeline.span_of_dates(first, last or first, now)
