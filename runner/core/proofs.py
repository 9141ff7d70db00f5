"""The results of replaying a model: six properties, and the verdict that they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Property(StrEnum):
    """A property that a model must have so that its windows may be run again at any time."""

    IDEMPOTENT = "idempotent"  # run twice = run once
    COMMUTES = "commutes"  # in any order = in order
    ADDITIVE = "additive"  # as one chunk = window by window
    ISOLATED = "isolated"  # running one window leaves the rows of the others alone
    CRASH_SAFE = "crash-safe"  # killed half-way, then run again = undisturbed
    DETERMINISTIC = "deterministic"  # the same input twice, however it lies on the disk = the same


class Result(StrEnum):
    """The result of testing a property."""

    PASSED = "pass"
    FAILED = "fail"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class PropertyResult:
    """The result of testing one property of a model, with its reason."""

    result: Result
    reason: str | None = None  # why it failed or does not apply, in one line
    is_open: bool = False  # not applicable this time: another proof may tell


class ProofVerdict(StrEnum):
    """The verdict on a model's code."""

    PROVED = "proved"  # it has every property that applies to it
    UNPROVED = "unproved"  # never replayed, or something is still open
    DISPROVED = "disproved"  # it lacks a property


@dataclass(frozen=True)
class Proof:
    """A verdict on one model's code."""

    model: str
    code_hash: str  # of the code that was replayed
    verdict: ProofVerdict
    failed: tuple[Property, ...]  # the properties that it lacks
    windows: str  # which were replayed, in words
    proved_at: datetime  # UTC


def verdict_of(outcomes: Mapping[Property, PropertyResult]) -> ProofVerdict:
    """Return the verdict that the outcomes of a model's properties amount to.

    >>> passed, failed = PropertyResult(Result.PASSED), PropertyResult(Result.FAILED, "other rows")
    >>> verdict_of({Property.IDEMPOTENT: passed, Property.COMMUTES: failed})
    <ProofVerdict.DISPROVED: 'disproved'>
    >>> one_window = PropertyResult(Result.NOT_APPLICABLE, "one window only", is_open=True)
    >>> verdict_of({Property.IDEMPOTENT: passed, Property.COMMUTES: one_window})
    <ProofVerdict.UNPROVED: 'unproved'>
    """
    if any(outcome.result is Result.FAILED for outcome in outcomes.values()):
        return ProofVerdict.DISPROVED
    if any(outcome.is_open for outcome in outcomes.values()):
        return ProofVerdict.UNPROVED
    return ProofVerdict.PROVED
