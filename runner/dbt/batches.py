"""Hear what becomes of the batches of a microbatch model: dbt's results do not say why one failed.

dbt tells in one event what went wrong, and in the next, of the same thread, which batch has ended.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

ENDED = "LogBatchResult"
WRONG = ("GenericExceptionOnRun", "CatchableExceptionOnRun", "InternalErrorOnRun")
# `batch 2026-01-31T20 of main.orders_by_hour`: of a day without the hour, of a month without both.
_BATCH = re.compile(r"batch (\d{4})(?:-(\d{2}))?(?:-(\d{2}))?(?:T(\d{2}))? of ")
_WORKER = "Exception on worker thread."  # dbt's words, before those of the error

Heard = list[tuple[str, str, str]]  # UTC start, status (success, error, skipped), message


class BatchListener:
    """Gathers how batches have ended by the unique id of their model, as they come."""

    def __init__(self) -> None:
        self.batches: dict[str, Heard] = {}
        self._wrong: dict[tuple[str, str], str] = {}  # by thread and model: what it has last said

    def wrong(self, thread: str, unique_id: str, what: str) -> None:
        """Hear that something is wrong; `WRONG` are the names of such events."""
        self._wrong[thread, unique_id] = what.removeprefix(_WORKER).lstrip()

    def ended(self, thread: str, unique_id: str, description: str, status: str) -> None:
        """Hear the event called `ENDED`."""
        said, start = self._wrong.pop((thread, unique_id), ""), _start(description)
        if start is None:
            return
        is_good = status not in ("error", "skipped")
        told = start.isoformat(), "success" if is_good else status, status if is_good else said
        self.batches.setdefault(unique_id, []).append(told)


def _start(description: str) -> datetime | None:
    """Return where a batch begins; None if dbt's words are others.

    >>> _start("batch 2026-01-31T20 of main.orders_by_hour").isoformat()
    '2026-01-31T20:00:00+00:00'
    >>> _start("batch 2026-02 of main.revenue_by_month").isoformat()
    '2026-02-01T00:00:00+00:00'
    """
    found = _BATCH.match(description)
    if found is None:
        return None
    year, month, day, hour = found.groups()
    return datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), tzinfo=UTC)
