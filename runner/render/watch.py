"""Windows that are past their deadline, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from runner.render.columns import Column, Table
from runner.render.words import minute
from runner.scheduling.deadlines import Missed, WatchReport


def missed_table(zone: tzinfo = UTC) -> Table:
    """Describe windows that are past their deadline; people read times in ``zone``."""

    def why(missed: Missed) -> str:
        if missed.failing_since is None:
            return missed.incident.reason
        return f"since {minute(missed.failing_since.astimezone(zone))}: {missed.incident.reason}"

    return Table(
        Column("pipeline", "pipeline.name", "pipeline"),
        Column(None, lambda missed: missed.pipeline.calendar.label(missed.span), "windows"),
        Column("first", lambda m: m.pipeline.calendar.window_at(m.span.start).label),
        Column("last", lambda m: m.pipeline.calendar.before(m.span.end).label),
        Column("windows", lambda m: m.pipeline.calendar.count(m.span)),
        Column("is", "incident.kind", "is"),
        Column("late_seconds", lambda missed: missed.late.total_seconds()),
        Column(None, "late", "late", late_in_words),
        Column("why", "incident.reason"),
        Column(None, why, "why"),
        Column("failing_since"),
        Column("do", "incident.remedy", "do"),
    )


def watch_page(report: WatchReport, told: Sequence[str], zone: ZoneInfo) -> str:
    """Show what is missed, why, and what repairs it; and who was told of it."""
    blocks = [missed_table(zone).text(report.missed)] if report.missed else []
    wrong = [f"{name}: {error}" for name, error in report.errors.items()]
    if report.scheduler is not None:
        wrong.append(f"{report.scheduler}: start it with runner serve, or what runs runner tick")
    wrong += [f"{name}: {line}; land it again" for name, line in report.cut_off.items()]
    if wrong:
        blocks.append("\n".join(wrong))
    if not blocks:
        at = minute(report.at.astimezone(zone))
        blocks.append(f"everything that should be a success at {at} is one")
    if told:
        blocks.append("\n".join(told))
    return "\n\n".join(blocks)


def watch_record(report: WatchReport, told: Sequence[str]) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "at": report.at,
        "missed": missed_table().records(report.missed),
        "scheduler": report.scheduler,
        "errors": {name: str(error) for name, error in report.errors.items()},
        "cut_off": report.cut_off,
        "told": list(told),
    }


def what_is_wrong(report: WatchReport) -> object:
    """Return what two reports have in common while nothing has changed but the time."""
    missed = [(m.pipeline.name, m.span, m.incident.kind, m.incident.remedy) for m in report.missed]
    errors = {name: str(error) for name, error in report.errors.items()}
    return missed, report.scheduler, errors, report.cut_off


def late_in_words(late: timedelta) -> str:
    """Say how late something is, in its two largest units.

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
