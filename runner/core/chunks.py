"""Chunks: some models over a contiguous range of windows, and how many windows one may hold.

A chunk is one transaction per model, so its size is a matter of memory and of time: what is
lost when it fails. Both are reckoned from the rows and the seconds that windows took so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from runner.core.spans import Span
from runner.core.windows import Calendar

UNKNOWN_SIZE = 366  # windows of a chunk while nobody knows how many rows a window has
EVERYTHING = 10**9  # windows
LANDED_BYTES_PER_ROW = 5  # of a narrow row in a file that is well compressed
BYTES_PER_ROW = 200  # of a wide row in DuckDB's memory, uncompressed
SHARE_OF_MEMORY = 4  # a chunk may take a quarter of what the machine has
SHARE_OF_TIMEOUT = 4  # and a quarter of the time after which it would be killed


@dataclass(frozen=True)
class Chunk:
    """The work of one invocation: it replaces some models' windows, and judges some others'."""

    span: Span
    models: tuple[str, ...]  # built, in the order of the graph
    checks: tuple[str, ...] = ()  # published already: only their checks are run
    reasons: tuple[str, ...] = ()  # what its windows are now: failed, incorrect, …, missing

    @property
    def is_for_tables(self) -> bool:
        """True if nothing is to do of its windows: what knows none is built in their name."""
        return not self.models and not self.checks


@dataclass(frozen=True)
class Sizing:
    """The number of windows that the next chunk may hold, and what it is reckoned from."""

    fixed: int | None = None  # windows, as a person asked; None: by the budget
    rows_per_window: float | None = None  # all models together; None: nobody knows
    seconds_per_window: float | None = None
    timeout: timedelta = timedelta(hours=1)  # after which an invocation is killed
    row_budget: int = 30_000_000  # rows that a chunk may hold
    landed_bytes: int | None = None  # of all that windows are made from; None: not only of files
    most: int | None = None  # windows that one of the models can build at once; None: any number

    @property
    def size(self) -> int:
        """Windows in a chunk, at least one.

        >>> Sizing(fixed=7).size, Sizing().size
        (7, 366)
        >>> Sizing(landed_bytes=30_000_000).size == EVERYTHING
        True
        >>> Sizing(rows_per_window=1e6, row_budget=30_000_000).size
        30
        >>> Sizing(rows_per_window=1, seconds_per_window=90, timeout=timedelta(hours=1)).size
        10
        >>> Sizing(fixed=7, most=1).size
        1
        """
        return self._asked if self.most is None else min(self._asked, self.most)

    @property
    def _asked(self) -> int:
        if self.fixed is not None:
            return self.fixed
        if self.rows_per_window is None:
            # All the rows that there can be may fit into one chunk.
            most = self.row_budget * LANDED_BYTES_PER_ROW
            is_little = self.landed_bytes is not None and self.landed_bytes <= most
            return EVERYTHING if is_little else UNKNOWN_SIZE
        rows = self.row_budget / max(self.rows_per_window, 1)
        seconds = self.timeout.total_seconds() / SHARE_OF_TIMEOUT
        patience = seconds / max(self.seconds_per_window or 0, 1e-6)
        return max(1, int(min(rows, patience, EVERYTHING)))

    def learned(self, windows: int, rows: int, seconds: float) -> Self:
        """The sizing after a chunk of so many windows took so many rows and seconds."""
        return replace(self, rows_per_window=rows / windows, seconds_per_window=seconds / windows)


def cut(chunk: Chunk, calendar: Calendar, size: int, *, newest: bool = False) -> Iterator[Chunk]:
    """A chunk in parts of ``size`` windows, oldest or newest first; the last may be smaller."""
    if not newest:
        yield from (replace(chunk, span=span) for span in calendar.chunks(chunk.span, size))
        return
    windows = list(calendar.chunks(chunk.span, 1))
    while part := windows[-size:]:
        del windows[-size:]
        yield replace(chunk, span=Span(part[0].start, part[-1].end))


def first_part(chunk: Chunk, calendar: Calendar, size: int, *, newest: bool) -> Chunk:
    """The part of a chunk that runs first: its ``size`` oldest windows, or its newest."""
    return next(cut(chunk, calendar, size, newest=newest))
