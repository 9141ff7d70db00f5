"""Sets of instants as values: half-open spans, kept as few ranges instead of long lists.

Every instant is a timezone-aware ``datetime`` in UTC; a naive one is a ``ValueError``, another
zone is converted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Self


def as_utc(instant: datetime) -> datetime:
    """Return the same instant in UTC; ValueError if it is naive."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} is naive: pass an instant with a time zone")
    return instant.astimezone(UTC)


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """A half-open range of instants, never empty."""

    start: datetime  # first instant inside, UTC
    end: datetime  # first instant after, UTC

    def __post_init__(self) -> None:
        # There are a hundred thousand of them in a large ledger's plan.
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            object.__setattr__(self, "start", as_utc(self.start))
            object.__setattr__(self, "end", as_utc(self.end))
        if self.start >= self.end:
            raise ValueError(f"{self.start} is not before {self.end}: a span is never empty")


_start = attrgetter("start")
_end = attrgetter("end")


@dataclass(frozen=True, slots=True, init=False)
class Spans:
    """An immutable set of instants, kept as sorted, disjoint spans that do not touch.

    >>> june = Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    >>> hole = Span(datetime(2026, 6, 19, tzinfo=UTC), datetime(2026, 6, 20, tzinfo=UTC))
    >>> rest = Spans([june]) - Spans([hole])
    >>> [f"{span.start:%d}-{span.end:%d}" for span in rest]
    ['01-19', '20-01']
    >>> hole in rest, rest | Spans([hole]) == Spans([june])
    (False, True)
    """

    _spans: tuple[Span, ...]

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        found = tuple(spans)
        if len(found) < 2:  # most of them, where a project has a thousand models
            object.__setattr__(self, "_spans", found)
            return
        merged: list[Span] = []
        for span in sorted(found, key=_start):
            if not merged or merged[-1].end < span.start:
                merged.append(span)
            elif merged[-1].end < span.end:
                merged[-1] = Span(merged[-1].start, span.end)
        object.__setattr__(self, "_spans", tuple(merged))

    @classmethod
    def _of(cls, spans: Iterable[Span]) -> Self:
        """Make it of spans that are sorted and disjoint already, and do not touch."""
        made = object.__new__(cls)
        object.__setattr__(made, "_spans", tuple(spans))
        return made

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        """The number of ranges that it is kept as."""
        return len(self._spans)

    def __or__(self, other: Spans) -> Spans:
        if not self or not other:
            return self or other
        return Spans((*self, *other))

    def __and__(self, other: Spans) -> Spans:
        if not self._spans or not other._spans:
            return self if not self._spans else other
        few, many = (self, other) if len(self._spans) <= len(other._spans) else (other, self)
        return Spans._of(part for span in few._spans for part in many.inside(span))

    def __sub__(self, other: Spans) -> Spans:
        if not self._spans or not other._spans:
            return self
        return Spans._of(part for span in self for part in other.outside(span))

    def __contains__(self, item: Span) -> bool:
        """Return True if every instant of ``item`` is in the set."""
        index = bisect_right(self._spans, item.start, key=_start)
        return index > 0 and item.end <= self._spans[index - 1].end

    def meets(self, span: Span) -> bool:
        """Return True if any instant of ``span`` is in the set."""
        index = bisect_right(self._spans, span.start, key=_end)
        return index < len(self._spans) and self._spans[index].start < span.end

    def inside(self, span: Span) -> Iterator[Span]:
        """Yield the parts of a span that are in the set, in order."""
        index = bisect_right(self._spans, span.start, key=_end)
        while index < len(self._spans) and (found := self._spans[index]).start < span.end:
            is_whole = span.start <= found.start and found.end <= span.end
            start, end = max(found.start, span.start), min(found.end, span.end)
            yield found if is_whole else Span(start, end)
            index += 1

    def outside(self, span: Span) -> Iterator[Span]:
        """Yield the parts of a span that are not in the set, in order."""
        start = span.start
        for found in self.inside(span):
            if start < found.start:
                yield Span(start, found.start)
            start = found.end
        if start == span.start:
            yield span
        elif start < span.end:
            yield Span(start, span.end)
