"""The exit codes of results; see the table in :mod:`runner.cli`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from runner.core.errors import DaybreakError, UsageError
from runner.core.states import Verdict
from runner.core.status import WindowStatus

if TYPE_CHECKING:
    from runner.execution.context import RunResult
    from runner.scheduling.deadlines import WatchReport
    from runner.scheduling.passes import PipelinePass

FAILED = 1
USAGE = 2
UNVERIFIED = 3
MISSED = 4
INTERRUPTED = 130


def of_windows(done: RunResult) -> int:
    """By the worst window that was asked for, run or left alone."""
    # What is missing counts for who asked for it: a retry does not.
    missing = {WindowStatus.MISSING} - done.plan.request.takes
    left_alone = {skipped.status for skipped in done.plan.skipped} - missing
    if done.left_to_others:
        left_alone.add(WindowStatus.IN_FLIGHT)
    return worst([*(_of_status(status) for status in left_alone), of_runs(done)])


def of_runs(done: RunResult) -> int:
    """By the worst window that was run, or that a check has condemned though it was not."""
    condemned = [UNVERIFIED] if done.condemned else []
    return worst([*condemned, *(_of_verdict(state.verdict) for state in done.states.values())])


def of_pass(found: PipelinePass) -> int:
    """By the worst window that a pass ran of a pipeline, or by what kept it from that."""
    if found.error is not None:
        return of_error(found.error)
    return of_runs(found.done) if found.done is not None else 0


def of_watch(report: WatchReport) -> int:
    """By what is missed or not whole, else by what could not be looked at."""
    if report.missed or report.scheduler is not None or report.cut_off:
        return MISSED
    return worst([of_error(error) for error in report.errors.values()])


def of_error(error: DaybreakError) -> int:
    """By who has to mend it: a person, before anything runs, or not."""
    return USAGE if isinstance(error, UsageError) else FAILED


def worst(codes: Collection[int]) -> int:
    """By what failed, else by what cannot be used, else by what is not verified."""
    return next((code for code in (FAILED, USAGE, UNVERIFIED, MISSED) if code in codes), 0)


def _of_status(status: WindowStatus) -> int:
    return 0 if status is WindowStatus.STALE else _of_verdict(status.verdict)


def _of_verdict(verdict: Verdict) -> int:
    if not verdict.ran:
        return FAILED
    return 0 if verdict.correct else UNVERIFIED
