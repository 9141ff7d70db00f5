"""Turn what a person types into values: one clear line if it cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from runner.core.config import parsed_duration
from runner.core.errors import UsageError


def chunk_size(text: str) -> int | None:
    """Read how many windows a chunk holds; None: as many as fit."""
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise UsageError(f"--chunk {text} is no size: write auto, or a number of windows such as 7")
    return int(text)


def dates(start_date: str | None, end_date: str | None) -> tuple[date | None, date | None]:
    """Read a range of dates such as 2026-06-19; :class:`UsageError` if one is none."""
    return _date(start_date, "--start-date"), _date(end_date, "--end-date")


def _date(text: str | None, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError as error:
        raise UsageError(f"{option} {text} is no date: write it like 2026-06-19") from error


def duration(text: str, option: str) -> timedelta:
    """Read a duration such as 30s, longer than zero; ``option`` names it in the error."""
    try:
        found = parsed_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text} is no duration: write it like 30s, 5m or 2h") from error
    if not found:
        raise UsageError(f"{option} {text} is no time at all: write it like 30s, 5m or 2h")
    return found


def parsed_timestamp(text: str | None) -> datetime | None:
    """Read a timestamp, with or without an offset."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        hint = "write it like 2026-06-19 or 2026-06-19T05:00"
        raise UsageError(f"--as-of {text} is no timestamp: {hint}") from error


def names(words: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names that were given with a repeatable option; several may share a word.

    >>> names(["orders,lines", "stores days"])
    ('orders', 'lines', 'stores', 'days')
    """
    return tuple(name for word in words or () for name in word.replace(",", " ").split())
