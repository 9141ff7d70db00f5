"""Decide which code of a model counts as equal, and accept a change of it as cosmetic."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from runner.core.errors import UsageError, nearest
from runner.core.status import WorkResult
from runner.core.timelines import Timeline
from runner.ledger import Ledger
from runner.project.manifest import Project


def equal_hashes(
    current: str, accepted: Iterable[tuple[str, str]], plain: str | None = None
) -> frozenset[str]:
    """Return the hashes of code as good as the current one: itself, and what was accepted.

    ``plain`` is what a plain ``dbt build`` calls it.

    >>> sorted(equal_hashes("c", [("a", "b"), ("b", "c"), ("x", "y")], "plain:c"))
    ['a', 'b', 'c', 'plain:c']
    """
    equal = {current} if plain is None else {current, plain}
    pairs = list(accepted)
    while older := {old for old, new in pairs if new in equal} - equal:
        equal |= older
    return frozenset(equal)


def accept_code(model: str, project: Project, ledger: Ledger, now: datetime) -> int:
    """Record that what earlier code of a model published is as good; returns how many codes.

    Raises :class:`UsageError` for a name that is no windowed model's.
    """
    found = {node.name: node for node in project.data_nodes}
    windowed = {name: node for name, node in found.items() if node.is_windowed}
    if model not in windowed:
        what = "has no windows, so nothing of it is ever stale" if model in found else "is no model"
        hint = nearest(model, windowed).strip()
        if model in found:
            # The windowed models that read a view or table, directly or through others like it.
            readers = sorted(
                name
                for name, node in windowed.items()
                if any(read.name == model for read in project.read_by(node))
            )
            hint = f"name the models that read it, {', '.join(readers)}" if readers else ""
        raise UsageError(f"{model} {what}: {hint or 'see runner list and runner dag'}")
    current, plain = windowed[model].code_hash, windowed[model].plain_code
    equal = equal_hashes(current, ledger.windows.get_accepted_changes().get(model, ()), plain)
    records = ledger.windows.get_records().get(model, Timeline())
    published = [record for _, record in records if record.standing is not WorkResult.FAILED]
    others = {record.code_hash for record in published if record.code_hash} - equal
    ledger.windows.accept_change(model, sorted(others), current, now)
    return len(others)
