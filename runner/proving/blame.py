"""Judge models by what replays have changed: which of them has to answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.core.proofs import Property, PropertyResult, Result
from runner.core.retries import Remedy, classify
from runner.proving.results import ReplayFinding
from runner.proving.scope import ReplayScope, Target

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
            above = (other.name for other in scope.targets if other.name in upstream[target.name])
            culprit = next((name for name in above if (name, tested) in failed), None)
            if culprit is not None:
                return _not_applicable(f"{culprit}, which it is made from, failed it", is_open=True)
            if finding.error is None:
                return PropertyResult(Result.FAILED, f"{finding.replayed}, it holds other rows")
            reason = f"{finding.replayed}, it could not be built: {finding.error}"
            if classify(finding.error).remedy is Remedy.PERMANENT:
                return PropertyResult(Result.FAILED, reason)
            return _not_applicable(reason, is_open=True)
        if count == 0:
            return _not_applicable("no window that was replayed has a row of it", is_open=True)
        if tested is Property.ISOLATED and target.event_time is None:
            return _not_applicable(
                "nothing says which window a row belongs to, it has no event_time"
            )
        if tested in _OF_SEVERAL and count < 2:
            return _not_applicable("only one window that was replayed has rows of it", is_open=True)
        return PropertyResult(Result.PASSED)

    upstream = scope.upstream
    return {t.name: {tested: outcome(t, tested) for tested in Property} for t in scope.targets}


def blamed(
    findings: Iterable[ReplayFinding], outcomes: Mapping[str, Mapping[Property, PropertyResult]]
) -> tuple[ReplayFinding, ...]:
    """Return the first finding of each property that a model has failed itself."""
    kept: dict[tuple[str, Property], ReplayFinding] = {}
    for found in findings:
        if outcomes[found.model][found.property].result is Result.FAILED:
            kept.setdefault((found.model, found.property), found)
    return tuple(
        kept[model, tested] for model in outcomes for tested in Property if (model, tested) in kept
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


def _not_applicable(reason: str, *, is_open: bool = False) -> PropertyResult:
    return PropertyResult(Result.NOT_APPLICABLE, reason, is_open)
