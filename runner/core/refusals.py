"""Refuse to run models that somebody has an objection to, unless a person allows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from runner.core.errors import UsageError, nearest
from runner.core.proofs import Proof, ProofVerdict


@dataclass(frozen=True)
class Objection:
    """The reason why replaying a model is not safe."""

    model: str
    reason: str  # in a word or two, for the record: DB03 append
    explanation: str  # where it is seen, what it does and what to do: half a line


@dataclass(frozen=True)
class Allowance:
    """The permission of a person to run a model all the same."""

    model: str
    reason: str  # that of the objection


def refuse_unsafe(
    models: Collection[str], objections: Iterable[Objection], allowed: Collection[str]
) -> tuple[Allowance, ...]:
    """Let a plan's ``models`` run, or raise one :class:`UsageError`; ``allowed`` are names.

    Returns what was allowed by name and would have been refused, to be kept with the runs.
    """
    about = [objection for objection in objections if objection.model in models]
    refused = [objection for objection in about if objection.model not in allowed]
    if refused:
        first = refused[0]
        others = sorted({o.model for o in refused} - {first.model})
        more = f" (and {', '.join(others)}: see runner lint and runner plan)" if others else ""
        raise UsageError(
            f"{first.model} is not safe to replay, {first.reason}, {first.explanation}{more}; "
            f"or run it all the same with --allow-unsafe {first.model}"
        )
    return tuple(dict.fromkeys(Allowance(o.model, o.reason) for o in about))


def disproved(pipeline: str, proofs: Mapping[str, Proof | None]) -> list[Objection]:
    """Object to the models of a pipeline that lacked a property when they were replayed."""
    return [
        Objection(
            model=name,
            reason="disproved by replaying it",
            explanation=(
                f"{', '.join(proof.failed)} failed over {proof.windows}: "
                f"mend it and run runner prove {pipeline} --select {name}"
            ),
        )
        for name, proof in proofs.items()
        if proof is not None and proof.verdict is ProofVerdict.DISPROVED
    ]


def require_known(allowed: Iterable[str], models: Collection[str], where: str) -> None:
    """Raise :class:`UsageError` with the nearest name if an allowed name is no model's."""
    for name in allowed:
        if name not in models:
            raise UsageError(
                f"--allow-unsafe {name}: {where} has no such model.{nearest(name, models)} "
                f"See: runner dag {where}"
            )
