"""Desired minus done: which windows would run, in which chunks, and which are skipped and why.

Everything is kept as ranges: ten years of days are one row, not 3,650.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from runner.spans import Span, Spans
from runner.states import State
from runner.windows import Calendar


class Reprocess(StrEnum):
    """Which windows a backfill takes; each policy includes the one before it."""

    MISSING = "missing"  # never finished
    FAILED = "failed"  # and those that failed or are incorrect
    ALL = "all"  # and those that are done


# The states that each policy leaves alone, beside what is in flight.
_LEFT_ALONE: Mapping[Reprocess, frozenset[State]] = {
    Reprocess.MISSING: frozenset({State.SUCCESS, State.UNCHECKED, State.FAILED, State.INCORRECT}),
    Reprocess.FAILED: frozenset({State.SUCCESS, State.UNCHECKED}),
    Reprocess.ALL: frozenset(),
}
_IN_FLIGHT = frozenset({State.QUEUED, State.RUNNING, State.RETRYING})


@dataclass(frozen=True)
class Chunk:
    """A contiguous range of windows that one invocation replaces."""

    span: Span
    reasons: tuple[str, ...]  # why its windows run: missing, failed, incorrect, asked for


@dataclass(frozen=True)
class Skipped:
    """A range of windows that is left alone."""

    span: Span
    reason: str


@dataclass(frozen=True)
class Plan:
    """What a backfill would do."""

    calendar: Calendar
    chunks: tuple[Chunk, ...]  # oldest first
    skipped: tuple[Skipped, ...]

    @property
    def window_count(self) -> int:
        """How many windows would run."""
        return sum(self.calendar.count(chunk.span) for chunk in self.chunks)

    @property
    def span(self) -> Span | None:
        """From the first to the last window that would run; None if none would."""
        if not self.chunks:
            return None
        return Span(self.chunks[0].span.start, self.chunks[-1].span.end)


def make_plan(
    calendar: Calendar,
    desired: Spans,
    history: Mapping[State, Spans],
    reprocess: Reprocess,
    chunk_size: int | None,
) -> Plan:
    """Subtract what is done from what should exist.

    ``history`` says in which state the newest run of each window is. ``chunk_size`` is the
    number of windows in a chunk; None takes every contiguous range as one.
    """
    skipped: list[Skipped] = []
    wanted = desired
    for state, spans in history.items():
        if state in _IN_FLIGHT:
            reason = "in flight"
        elif state in _LEFT_ALONE[reprocess]:
            reason = f"already {state}"
        else:
            continue
        skipped += [Skipped(span, reason) for span in desired & spans]
        wanted = wanted - spans
    return Plan(
        calendar=calendar,
        chunks=tuple(_chunks(calendar, wanted, history, chunk_size)),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.span)),
    )


def _chunks(
    calendar: Calendar, wanted: Spans, history: Mapping[State, Spans], size: int | None
) -> Iterator[Chunk]:
    for span in wanted:
        for part in calendar.chunks(span, size) if size is not None else [span]:
            yield Chunk(part, tuple(_reasons(part, history)))


def _reasons(part: Span, history: Mapping[State, Spans]) -> Iterator[str]:
    """Why a range runs: what its windows are now."""
    rest = Spans([part])
    for state in (State.FAILED, State.INCORRECT, State.CANCELLED, State.UNCHECKED, State.SUCCESS):
        spans = history.get(state, Spans())
        if Spans([part]) & spans:
            yield str(state)
        rest = rest - spans
    if rest:
        yield "missing"
