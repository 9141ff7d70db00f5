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
# In which order a chunk says what its windows are now.
_REASONS = (State.FAILED, State.INCORRECT, State.CANCELLED, State.UNCHECKED, State.SUCCESS)
_NONE = Spans()


@dataclass(frozen=True)
class Chunk:
    """A contiguous range of windows that one invocation replaces."""

    span: Span
    reasons: tuple[str, ...]  # what its windows are now: failed, incorrect, …, missing


@dataclass(frozen=True)
class Skipped:
    """A range of windows that is left alone."""

    span: Span
    state: State | None  # of its newest runs; None: they are in flight

    @property
    def reason(self) -> str:
        """Why it is left alone."""
        return "in flight" if self.state is None else f"already {self.state}"


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
    wanted = desired
    left_alone: dict[State | None, Spans] = {}
    # A window in flight and done by an earlier grain is in flight first of all.
    for state in sorted(history, key=lambda state: state not in _IN_FLIGHT):
        if state in _IN_FLIGHT:
            kept: State | None = None
            spans = _touched_windows(calendar, history[state])
        elif state in _LEFT_ALONE[reprocess]:
            kept = state
            spans = _whole_windows(calendar, history[state])
        else:
            continue
        left_alone[kept] = left_alone.get(kept, Spans()) | (wanted & spans)
        wanted -= spans
    skipped = [Skipped(span, state) for state, spans in left_alone.items() for span in spans]
    return Plan(
        calendar=calendar,
        chunks=tuple(_chunks(calendar, wanted, history, chunk_size)),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.span)),
    )


def _whole_windows(calendar: Calendar, spans: Spans) -> Spans:
    """The windows that lie wholly in ``spans``, which an earlier grain may have cut otherwise."""
    inner = ((calendar.ceiling(span.start), calendar.floor(span.end)) for span in spans)
    return Spans(Span(start, end) for start, end in inner if start < end)


def _touched_windows(calendar: Calendar, spans: Spans) -> Spans:
    return Spans(Span(calendar.floor(span.start), calendar.ceiling(span.end)) for span in spans)


def _chunks(
    calendar: Calendar, wanted: Spans, history: Mapping[State, Spans], size: int | None
) -> Iterator[Chunk]:
    known = Spans(span for spans in history.values() for span in spans)
    for span in wanted:
        for part in calendar.chunks(span, size) if size is not None else [span]:
            reasons = [str(state) for state in _REASONS if history.get(state, _NONE).meets(part)]
            yield Chunk(part, tuple(reasons if part in known else [*reasons, "missing"]))
