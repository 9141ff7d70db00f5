"""Which exit code a result has; see the table in :mod:`runner.cli`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from runner.core.errors import DaybreakError, UsageError
from runner.core.planning import Plan
from runner.core.states import RunState
from runner.core.status import WindowStatus

if TYPE_CHECKING:
    from runner.execution.context import RunResult

FAILED = 1
USAGE = 2
UNVERIFIED = 3
MISSED = 4
INTERRUPTED = 130

_CODES = {
    WindowStatus.IN_FLIGHT: FAILED,
    WindowStatus.MISSING: FAILED,
    WindowStatus.FAILED: FAILED,
    WindowStatus.BLOCKED: FAILED,
    WindowStatus.INCORRECT: UNVERIFIED,
    WindowStatus.UNCHECKED: UNVERIFIED,
    WindowStatus.PUBLISHED: UNVERIFIED,
    WindowStatus.STALE: 0,
    WindowStatus.SUCCESS: 0,
}


def of_windows(plan: Plan, done: RunResult) -> int:
    """By the worst window that was asked for, run or left alone."""
    # What is missing counts for who asked for it: a retry does not.
    left_alone = {s.status for s in plan.skipped} - ({WindowStatus.MISSING} - plan.request.takes)
    if done.left_to_others:
        left_alone.add(WindowStatus.IN_FLIGHT)
    return worst([*(_CODES[status] for status in left_alone), of_runs(done)])


def of_runs(done: RunResult) -> int:
    """By the worst window that was run."""
    return worst([_of_state(state) for state in done.states.values()])


def of_error(error: DaybreakError) -> int:
    """Whether it is a person's to mend before anything runs."""
    return USAGE if isinstance(error, UsageError) else FAILED


def worst(codes: Collection[int]) -> int:
    """What failed weighs most, then what cannot be used, then what is not verified."""
    return next((code for code in (FAILED, USAGE, UNVERIFIED, MISSED) if code in codes), 0)


def _of_state(state: RunState) -> int:
    if state in (RunState.FAILED, RunState.CANCELLED):
        return FAILED
    return 0 if state is RunState.SUCCESS else UNVERIFIED
