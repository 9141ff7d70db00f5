"""Sets of instants as values: half-open spans, kept as few ranges instead of long lists.

Every instant is a timezone-aware ``datetime`` in UTC; a naive one is a ``ValueError``, another
zone is converted.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime


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
        object.__setattr__(self, "start", as_utc(self.start))
        object.__setattr__(self, "end", as_utc(self.end))
        if self.start >= self.end:
            raise ValueError(f"{self.start} is not before {self.end}: a span is never empty")


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
        merged: list[Span] = []
        for span in sorted(spans):
            if merged and span.start <= merged[-1].end:
                merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        object.__setattr__(self, "_spans", tuple(merged))

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def __or__(self, other: "Spans") -> "Spans":
        return Spans((*self, *other))

    def __and__(self, other: "Spans") -> "Spans":
        return self._swept(other, lambda left, right: left and right)

    def __sub__(self, other: "Spans") -> "Spans":
        return self._swept(other, lambda left, right: left and not right)

    def __contains__(self, item: Span) -> bool:
        """Whether every instant of ``item`` is in the set."""
        index = bisect_right(self._spans, item.start, key=lambda span: span.start)
        return index > 0 and item.end <= self._spans[index - 1].end

    def meets(self, span: Span) -> bool:
        """Whether any instant of ``span`` is in the set."""
        index = bisect_right(self._spans, span.start, key=lambda found: found.end)
        return index < len(self._spans) and self._spans[index].start < span.end

    def _swept(self, other: "Spans", keep: Callable[[bool, bool], bool]) -> "Spans":
        """Sweep over both sets' bounds; ``keep`` decides from (in self, in other)."""
        bounds = sorted(
            (bound, side)
            for side, spans in enumerate((self, other))
            for span in spans
            for bound in (span.start, span.end)
        )
        inside = [False, False]
        kept: list[Span] = []
        previous = None
        for bound, side in bounds:
            if previous is not None and previous < bound and keep(*inside):
                kept.append(Span(previous, bound))
            inside[side] = not inside[side]
            previous = bound
        return Spans(kept)
