"""What somebody wants to have run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runner.core.chunks import Sizing
from runner.core.spans import Spans
from runner.core.status import WindowStatus


class Reprocess(StrEnum):
    """Which windows a backfill takes; each policy includes the one before it."""

    MISSING = "missing"  # never finished
    FAILED = "failed"  # and those that failed or are incorrect
    STALE = "stale"  # and those published by other code, or before what they read
    ALL = "all"  # and those that are done, or that would fail again


_MISSING = frozenset({WindowStatus.MISSING, WindowStatus.PUBLISHED})
_FAILED = _MISSING | {WindowStatus.FAILED, WindowStatus.INCORRECT}
_STALE = _FAILED | {WindowStatus.STALE}
TAKEN: Mapping[Reprocess, frozenset[WindowStatus]] = {
    Reprocess.MISSING: _MISSING,
    Reprocess.FAILED: _FAILED,
    Reprocess.STALE: _STALE,
    Reprocess.ALL: _STALE | {WindowStatus.UNCHECKED, WindowStatus.SUCCESS, WindowStatus.BLOCKED},
}
# What a person tries again by hand: what went wrong, even if nothing has changed since.
RETRIED = frozenset(
    {WindowStatus.FAILED, WindowStatus.INCORRECT, WindowStatus.BLOCKED, WindowStatus.PUBLISHED}
)


@dataclass(frozen=True)
class Request:
    """What somebody wants to have run."""

    windows: Spans
    takes: frozenset[WindowStatus] = TAKEN[Reprocess.FAILED]
    select: frozenset[str] | None = None  # names of models; None: all
    force: bool = False  # also what would fail again
    outdated: bool = False  # also what is stale by its data, not by its code
    newest_first: bool = False
    sizing: Sizing = field(default_factory=Sizing)
