"""Values over time: which value holds in which span, kept as few ranges instead of long lists."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Generic, TypeVar

from runner.core.spans import Span, Spans

T = TypeVar("T")


@dataclass(frozen=True, slots=True, init=False)
class Timeline(Generic[T]):
    """An immutable mapping from instants to values; neighbours with equal values are one span.

    >>> from datetime import UTC
    >>> march = Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    >>> second = Span(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
    >>> days = Timeline([(march, "done")]).painted([(second, "failed")])
    >>> [(f"{span.start:%d}-{span.end:%d}", value) for span, value in days]
    [('01-02', 'done'), ('02-03', 'failed'), ('03-01', 'done')]
    >>> days.painted([(second, "done")]) == Timeline([(march, "done")])
    True
    """

    _parts: tuple[tuple[Span, T], ...]

    def __init__(self, parts: Iterable[tuple[Span, T]] = ()) -> None:
        """Take spans in any order; ValueError if two of them overlap."""
        found = tuple(parts)
        if len(found) < 2:
            object.__setattr__(self, "_parts", found)
            return
        joined: list[tuple[Span, T]] = []
        for span, value in sorted(found, key=lambda part: part[0].start):
            before = joined[-1] if joined else None
            if before is not None and span.start < before[0].end:
                raise ValueError(f"{span} overlaps {before[0]}: an instant has one value")
            if before is not None and before[0].end == span.start and before[1] == value:
                joined[-1] = (Span(before[0].start, span.end), value)
            else:
                joined.append((span, value))
        object.__setattr__(self, "_parts", tuple(joined))

    def __iter__(self) -> Iterator[tuple[Span, T]]:
        return iter(self._parts)

    @property
    def covered(self) -> Spans:
        """The instants that have a value."""
        return Spans(span for span, _ in self)

    def at(self, instant: datetime) -> T | None:
        """Return the value at an instant, None if there is none."""
        index = bisect_right(self._parts, instant, key=lambda part: part[0].start)
        if index == 0 or instant >= self._parts[index - 1][0].end:
            return None
        return self._parts[index - 1][1]

    def touching(self, span: Span) -> Iterator[tuple[Span, T]]:
        """Yield the parts that meet a span, whole, in order."""
        index = bisect_right(self._parts, span.start, key=lambda part: part[0].end)
        while index < len(self._parts) and self._parts[index][0].start < span.end:
            yield self._parts[index]
            index += 1

    def painted(self, parts: Iterable[tuple[Span, T]]) -> Timeline[T]:
        """Return the same timeline with ``parts`` painted over it."""
        above = Timeline(parts)
        bounds = {bound for span, _ in (*self, *above) for bound in (span.start, span.end)}
        painted = []
        for start, end in pairwise(sorted(bounds)):
            value = above.at(start)
            value = self.at(start) if value is None else value
            if value is not None:
                painted.append((Span(start, end), value))
        return Timeline(painted)

    def where(self, holds: Callable[[T], bool]) -> Spans:
        """Return the spans whose value answers a question with yes."""
        return Spans(span for span, value in self if holds(value))

    def within(self, spans: Spans) -> Timeline[T]:
        """Return the part of it that lies in some spans."""
        return Timeline((part, value) for span, value in self for part in spans.inside(span))

    def changed(self, spans: Spans, change: Callable[[T], T]) -> Timeline[T]:
        """Return the same timeline with the values within ``spans`` changed."""
        return self.painted((part, change(value)) for part, value in self.within(spans))
