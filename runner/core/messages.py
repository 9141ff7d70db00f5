"""Write the messages to people, in words that can be read at six in the morning.

One message per pipeline and kind of news, however many windows it is about: ranges and counts,
a few reasons, and for each the command that repairs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from operator import is_

from runner.core.graph import grouped
from runner.core.incidents import Incident, IncidentChange, IncidentKind
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.visible import visible
from runner.core.windows import Calendar

_MOST_RANGES = 5
_MOST_REASONS = 3
_LONGEST_REASON = 300  # characters


class Tone(StrEnum):
    """The loudness of a message, which a pager goes by."""

    FAILURE = "failure"
    WARNING = "warning"  # it ran, and a check failed
    INFO = "info"  # some of it is right again, or a test
    SUCCESS = "success"  # nothing is left in trouble


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person is told, whole."""

    tone: Tone
    title: str  # one line
    body: str


_TONES = {
    IncidentKind.MISSED: Tone.FAILURE,
    IncidentKind.FAILED: Tone.FAILURE,
    IncidentKind.INCORRECT: Tone.WARNING,
}


def messages_of(
    pipeline: str,
    calendar: Calendar,
    news: Sequence[IncidentChange],
    open_now: Timeline[IncidentKind],
) -> tuple[Message, ...]:
    """Write the news of a pipeline: one message per kind of trouble, one of what recovered.

    ``open_now`` is everything that is in trouble now, told before or just now.
    """
    opened = grouped((item.trouble.kind, (item, item.trouble)) for item in news if item.trouble)
    closed = [item for item in news if item.trouble is None]
    kinds = (kind for kind in IncidentKind if kind in opened)
    messages = [_opening(pipeline, calendar, kind, opened[kind]) for kind in kinds]
    if closed:
        messages.append(_closing(pipeline, calendar, closed, open_now))
    return tuple(messages)


def _opening(
    pipeline: str,
    calendar: Calendar,
    kind: IncidentKind,
    items: Sequence[tuple[IncidentChange, Incident]],
) -> Message:
    by_trouble = grouped((trouble, item.span) for item, trouble in items)
    parts = [
        f"{ranges_in_words(calendar, Spans(spans))}\n"
        f"why: {_one_line(trouble.reason)}\n"
        f"do: {_one_line(trouble.remedy)}"
        for trouble, spans in list(by_trouble.items())[:_MOST_REASONS]
    ]
    if (more := len(by_trouble) - _MOST_REASONS) > 0:
        reasons = "reason" if more == 1 else "reasons"
        parts.append(f"and {more} more {reasons}: runner status {pipeline}")
    parts += [
        f"told before as {other}: {ranges_in_words(calendar, spans)}"
        for other, spans in _told_before(item for item, _ in items)
    ]
    spans = Spans(item.span for item, _ in items)
    title = _title(pipeline, calendar, spans, kind)
    return Message(_TONES[kind], title, "\n\n".join((*parts, _footer(calendar))))


def _closing(
    pipeline: str,
    calendar: Calendar,
    items: Sequence[IncidentChange],
    open_now: Timeline[IncidentKind],
) -> Message:
    spans = Spans(item.span for item in items)
    parts = [
        f"recovered: {ranges_in_words(calendar, found)}; was {kind}"
        for kind, found in _told_before(items)
    ]
    still = [
        f"still {kind}: {ranges_in_words(calendar, found)}"
        for kind in IncidentKind
        if (found := open_now.where(partial(is_, kind)))
    ]
    rest = "\n".join(still) or f"nothing of {pipeline} is in trouble now"
    title = _title(pipeline, calendar, spans, "recovered")
    body = "\n\n".join(("\n".join(parts), rest, _footer(calendar)))
    return Message(Tone.INFO if still else Tone.SUCCESS, title, body)


def _told_before(items: Iterable[IncidentChange]) -> Iterator[tuple[IncidentKind, Spans]]:
    found = grouped((item.before, item.span) for item in items if item.before is not None)
    return ((kind, Spans(found[kind])) for kind in IncidentKind if kind in found)


def _title(pipeline: str, calendar: Calendar, spans: Spans, what: str) -> str:
    ranges = list(spans)
    where = calendar.label(Span(ranges[0].start, ranges[-1].end))
    if len(ranges) > 1:
        where = "between " + where.replace(" … ", " and ")
    return f"{pipeline}: {_counted(_count(calendar, spans))} {what}, {where}"


def _footer(calendar: Calendar) -> str:
    return f"a window is one {calendar.grain} in {calendar.zone.key}"


def ranges_in_words(calendar: Calendar, spans: Spans) -> str:
    """Name a few ranges by the labels of their windows, and count the windows.

    >>> from datetime import date
    >>> from zoneinfo import ZoneInfo
    >>> from runner.core.windows import Grain
    >>> days = Calendar(Grain.DAY, ZoneInfo("UTC"))
    >>> def june(first, last): return days.span_of_dates(date(2026, 6, first), date(2026, 6, last))
    >>> ranges_in_words(days, Spans([june(1, 3), june(7, 7)]))
    '2026-06-01 … 2026-06-03, 2026-06-07 (4 windows)'
    >>> ranges_in_words(days, Spans(june(day, day) for day in range(1, 18, 2)))[-40:]
    '2026-06-09 and 4 more ranges (9 windows)'
    """
    ranges = [calendar.label(span) for span in spans]
    words = ", ".join(ranges[:_MOST_RANGES])
    if (more := len(ranges) - _MOST_RANGES) > 0:
        words += f" and {more} more {'range' if more == 1 else 'ranges'}"
    count = _count(calendar, spans)
    return words if count == 1 else f"{words} ({_counted(count)})"


def _count(calendar: Calendar, spans: Spans) -> int:
    # What was told before the pipeline changed its grain or zone may not be aligned.
    return sum(calendar.count(calendar.covering(span)) for span in spans)


def _counted(count: int) -> str:
    return f"{count:,} {'window' if count == 1 else 'windows'}"


def _one_line(text: str) -> str:
    words = visible(" ".join(text.split()))
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 1] + "…"
