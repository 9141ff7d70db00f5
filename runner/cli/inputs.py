"""What a person types, turned into values: one clear line if it cannot be."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from runner.core.config import parsed_duration
from runner.core.environment import Environment
from runner.core.errors import UsageError, nearest
from runner.core.spans import Span
from runner.project.pipelines import Pipeline


def chunk_size(text: str) -> int | None:
    """Windows in a chunk; None takes every contiguous range as one."""
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise UsageError(f"--chunk {text} is no size: write auto, or a number of windows such as 7")
    return int(text)


def parsed_date(text: str | None, option: str) -> date | None:
    """A date such as 2026-06-19; ``option`` names it in the error."""
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError as error:
        raise UsageError(f"{option} {text} is no date: write it like 2026-06-19") from error


def duration(text: str, option: str) -> timedelta:
    """A duration such as 30s, longer than zero; ``option`` names it in the error."""
    try:
        found = parsed_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text} is no duration: write it like 30s, 5m or 2h") from error
    if not found:
        raise UsageError(f"{option} {text} is no time at all: write it like 30s, 5m or 2h")
    return found


def now() -> datetime:
    """The one place that reads the clock, UTC."""
    return datetime.now(UTC)


def the_world() -> Environment:
    """The real clock, patience and chance."""
    return Environment(now, time.monotonic, time.sleep, random.random)


def parsed_timestamp(text: str | None) -> datetime | None:
    """A timestamp, with or without an offset."""
    if text is None:
        return None
    hint = "write it like 2026-06-19 or 2026-06-19T05:00"
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--as-of {text} is no timestamp: {hint}") from error
    if not 1970 <= timestamp.year <= 9000:  # beyond, calendar arithmetic leaves datetime's range
        raise UsageError(f"--as-of {text} lies outside the years 1970 to 9000: {hint}")
    return timestamp


def instant_of(timestamp: datetime | None, zone: ZoneInfo) -> datetime:
    """The time to look from, UTC: now by default; without an offset it is in ``zone``."""
    if timestamp is None:
        return now()
    local = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=zone)
    return local.astimezone(UTC)


def selected_models(pipeline: Pipeline, names: Iterable[str]) -> frozenset[str] | None:
    """The models that a person named, None if none; several may share a word."""
    chosen = _known_models(pipeline, names)
    if chosen and not any(node.name in chosen for node in pipeline.windowed):
        raise UsageError(
            f"{chosen[0]} has no windows, so there is nothing of it to replay: "
            f"dbt build --select {chosen[0]}"
        )
    return frozenset(chosen) or None


def models_to_prove(pipeline: Pipeline, names: Iterable[str]) -> frozenset[str] | None:
    """The incremental models that a person named, None if none; several may share a word."""
    chosen = _known_models(pipeline, names)
    replayed = {n.name for n in pipeline.data_nodes if n.materialized == "incremental"}
    for name in chosen:
        if name not in replayed:
            raise UsageError(
                f"{name} is not incremental: it is built as a whole each time, so there is "
                "nothing to prove; leave it out"
            )
    return frozenset(chosen) or None


def _known_models(pipeline: Pipeline, names: Iterable[str]) -> list[str]:
    chosen = [name for words in names for name in words.replace(",", " ").split()]
    known = {node.name for node in pipeline.data_nodes}
    for name in chosen:
        if name not in known:
            raise UsageError(
                f"{pipeline.name} has no model {name!r}.{nearest(name, known)} "
                f"See: runner dag {pipeline.name}"
            )
    return chosen


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
    if last is None:
        newest = complete.end - timedelta(microseconds=1) if complete is not None else now
        last = max(first, newest.astimezone(local).date())
    return pipeline.span_of_dates(first, last, now)
