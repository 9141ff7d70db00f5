"""From what replays have changed to what every model has to answer for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.core.proofs import Property, PropertyResult, Result
from runner.core.retries import Remedy, classify
from runner.proving.results import ReplayFinding
from runner.proving.scope import ReplayScope, Target

_OF_SEVERAL = (Property.COMMUTES, Property.ADDITIVE, Property.ISOLATED)
_PASS = PropertyResult(Result.PASSED)


def outcomes(
    scene: ReplayScope, findings: Iterable[ReplayFinding], windows_with_rows: Mapping[str, int]
) -> dict[str, dict[Property, PropertyResult]]:
    """The outcome of every property of every model, parents first.

    ``windows_with_rows`` counts those of each model after one run in order; of a model that is
    compared as a whole it is 0 or what was replayed.
    """
    failed = {(found.model, found.property): found for found in reversed(list(findings))}
    return {
        target.name: {
            tested: _outcome(scene, target, tested, failed, windows_with_rows[target.name])
            for tested in Property
        }
        for target in scene.targets
    }


def blamed(
    findings: Iterable[ReplayFinding], outcomes: Mapping[str, Mapping[Property, PropertyResult]]
) -> tuple[ReplayFinding, ...]:
    """The first finding of each property that a model has failed itself."""
    kept: dict[tuple[str, Property], ReplayFinding] = {}
    for found in findings:
        if outcomes[found.model][found.property].result is Result.FAILED:
            kept.setdefault((found.model, found.property), found)
    return tuple(
        kept[model, tested] for model in outcomes for tested in Property if (model, tested) in kept
    )


def _outcome(
    scene: ReplayScope,
    target: Target,
    tested: Property,
    failed: Mapping[tuple[str, Property], ReplayFinding],
    windows_with_rows: int,
) -> PropertyResult:
    finding = failed.get((target.name, tested))
    if finding is not None:
        culprits = [o.name for o in scene.targets if _is_upstream(scene, o, target, tested, failed)]
        if culprits:
            return _not_applicable(f"{culprits[0]}, which it is made from, failed it", is_open=True)
        if finding.error is not None and classify(finding.error).remedy is not Remedy.PERMANENT:
            return _not_applicable(_in_words(finding), is_open=True)
        return PropertyResult(Result.FAILED, _in_words(finding))
    if windows_with_rows == 0:
        return _not_applicable("no window that was replayed has a row of it", is_open=True)
    if tested is Property.ISOLATED and target.event_time is None:
        return _not_applicable("nothing says which window a row belongs to, it has no event_time")
    if tested in _OF_SEVERAL and windows_with_rows < 2:
        return _not_applicable("only one window that was replayed has rows of it", is_open=True)
    return _PASS


def _is_upstream(
    scene: ReplayScope,
    other: Target,
    target: Target,
    tested: Property,
    failed: Mapping[tuple[str, Property], ReplayFinding],
) -> bool:
    return other.name in scene.upstream[target.name] and (other.name, tested) in failed


def _not_applicable(reason: str, *, is_open: bool = False) -> PropertyResult:
    return PropertyResult(Result.NOT_APPLICABLE, reason, is_open)


def _in_words(finding: ReplayFinding) -> str:
    if finding.error is not None:
        return f"{finding.replayed}, it could not be built: {finding.error}"
    return f"{finding.replayed}, it holds other rows"


def windows_with_rows(
    targets: Sequence[Target], buckets: Mapping[str, Iterable[int]], window_count: int
) -> dict[str, int]:
    """How many of the windows have rows of each model; ``buckets`` are those that have."""
    return {
        target.name: (
            len(list(buckets[target.name]))
            if target.event_time is not None
            else window_count * bool(list(buckets[target.name]))
        )
        for target in targets
    }
