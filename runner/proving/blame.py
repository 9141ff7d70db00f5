"""Judge models by what replays have changed: which of them has to answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from runner.core.proofs import Property, PropertyResult, Result
from runner.core.retries import Remedy, classify
from runner.proving.results import ReplayFinding
from runner.proving.scope import ReplayScope, Target

_open = partial(PropertyResult, Result.NOT_APPLICABLE, is_open=True)
_OF_SEVERAL = (Property.COMMUTES, Property.ADDITIVE, Property.ISOLATED)


def outcomes(
    scope: ReplayScope, findings: Sequence[ReplayFinding], windows_with_rows: Mapping[str, int]
) -> dict[str, dict[Property, PropertyResult]]:
    """Return the outcome of every property of every model, parents first.

    ``windows_with_rows`` counts those of each model after one run in order; of a model that is
    compared as a whole it is 0 or what was replayed.
    """
    failed = {(found.model, found.property): found for found in reversed(findings)}

    def outcome(target: Target, tested: Property) -> PropertyResult:
        count = windows_with_rows[target.name]
        if (finding := failed.get((target.name, tested))) is not None:
            upstream = scope.upstream[target.name]
            above = (other.name for other in scope.targets if other.name in upstream)
            culprit = next((name for name in above if (name, tested) in failed), None)
            if culprit is not None:
                return _open(f"{culprit}, which it is made from, failed it")
            if finding.error is None:
                return PropertyResult(Result.FAILED, f"{finding.replayed}, it holds other rows")
            reason = f"{finding.replayed}, it could not be built: {finding.error}"
            if classify(finding.error).remedy is Remedy.PERMANENT:
                return PropertyResult(Result.FAILED, reason)
            return _open(reason)
        if count == 0:
            return _open("no window that was replayed has a row of it")
        if tested is Property.ISOLATED and target.event_time is None:
            reason = "nothing says which window a row belongs to, it has no event_time"
            return PropertyResult(Result.NOT_APPLICABLE, reason)
        if tested in _OF_SEVERAL and count < 2:
            return _open("only one window that was replayed has rows of it")
        return PropertyResult(Result.PASSED)

    return {t.name: {tested: outcome(t, tested) for tested in Property} for t in scope.targets}


def not_replayed(
    scope: ReplayScope, not_built: Mapping[str, str]
) -> dict[str, dict[Property, PropertyResult]]:
    """Return the outcomes of every model that is not built, or is made from one that is not."""

    def reason(model: str) -> str | None:
        if model in not_built:
            return f"it cannot be built even once: {not_built[model]}"
        culprit = next((name for name in not_built if name in scope.made_from[model]), None)
        return f"{culprit}, which it is made from, cannot be built" if culprit else None

    reasons = ((target.name, reason(target.name)) for target in scope.targets)
    return {name: dict.fromkeys(Property, _open(why)) for name, why in reasons if why}


def blamed(
    findings: Sequence[ReplayFinding], outcomes: Mapping[str, Mapping[Property, PropertyResult]]
) -> tuple[ReplayFinding, ...]:
    """Return the first finding of each property that a model has failed itself."""
    first = {(found.model, found.property): found for found in reversed(findings)}
    return tuple(
        first[model, tested]
        for model, results in outcomes.items()
        for tested, outcome in results.items()
        if outcome.result is Result.FAILED
    )


def windows_with_rows(
    targets: Iterable[Target], buckets: Mapping[str, Iterable[int]], window_count: int
) -> dict[str, int]:
    """Count the windows that have rows of each model; ``buckets`` are those that have."""
    counts = {target: len(list(buckets[target.name])) for target in targets}
    return {
        target.name: window_count * bool(count) if target.event_time is None else count
        for target, count in counts.items()
    }
