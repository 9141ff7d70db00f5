"""Which windows are replayed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from random import Random

from runner.core.errors import UsageError
from runner.core.spans import Span
from runner.core.windows import Window
from runner.project.pipelines import Pipeline

_LOOKED_AT = 1000  # windows: what is older proves nothing that these do not


def select_windows(
    pipeline: Pipeline, now: datetime, starts: frozenset[datetime], count: int, seed: int | None
) -> tuple[Window, ...]:
    """``count`` consecutive complete windows, the newest ones with rows or some by chance.

    ``starts`` are the UTC starts of the windows that the warehouse says have rows; while it says
    nothing, any may. Raises :class:`UsageError` if no window is complete.
    """
    complete = pipeline.complete(now)
    if complete is None:
        raise UsageError(
            f"{pipeline.name} has no complete window at {now.isoformat()}, so there is nothing to "
            "replay: wait for its first, or look from later with --as-of"
        )
    windows = list(_newest_first(pipeline, complete))[::-1]
    with_rows = [window for window in windows if window.start in starts] or windows
    ranges = list(_consecutive(with_rows, count))
    if not ranges:
        return _up_to(with_rows[-1], with_rows)
    return ranges[-1] if seed is None else Random(seed).choice(ranges)  # noqa: S311


def _newest_first(pipeline: Pipeline, complete: Span) -> Iterator[Window]:
    window = pipeline.calendar.window_at(complete.end)
    for _ in range(_LOOKED_AT):
        if window.start <= complete.start:
            return
        window = pipeline.calendar.preceding(window)
        yield window


def _consecutive(windows: Sequence[Window], count: int) -> Iterator[tuple[Window, ...]]:
    """Every run of ``count`` windows without a gap, oldest first."""
    for index in range(len(windows) - count + 1):
        found = tuple(windows[index : index + count])
        if all(a.end == b.start for a, b in pairwise(found)):
            yield found


def _up_to(newest: Window, windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows without a gap before ``newest``, and itself."""
    found = [newest]
    for window in reversed(windows):
        if window.end == found[0].start:
            found.insert(0, window)
    return tuple(found)
