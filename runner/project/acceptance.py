"""Accept a change of a model's code as cosmetic."""

from __future__ import annotations

from datetime import datetime

from runner.core.errors import UsageError, nearest
from runner.core.status import WorkResult
from runner.core.timelines import Timeline
from runner.ledger import Ledger
from runner.project.hashes import equal_hashes
from runner.project.manifest import Project


def accept(model: str, project: Project, ledger: Ledger, now: datetime) -> int:
    """Record that what earlier code of a model published is as good; returns how many codes.

    Raises :class:`UsageError` for a name that is no windowed model's.
    """
    windowed = {node.name: node for node in project.nodes.values() if node.is_windowed}
    if model not in windowed:
        is_known = any(node.name == model for node in project.nodes.values())
        what = "has no windows, so nothing of it is ever stale" if is_known else "is no model"
        hint = nearest(model, windowed).strip()
        if is_known:
            readers = sorted(_readers(model, project))
            hint = f"name the models that read it, {', '.join(readers)}" if readers else ""
        raise UsageError(f"{model} {what}: {hint or 'see runner list and runner dag'}")
    current = windowed[model].code_hash
    known = ledger.windows.get_records().get(model, Timeline())
    equal = equal_hashes(current, ledger.windows.get_accepted_changes().get(model, ()))
    published = [value for _, value in known if value.standing is not WorkResult.FAILED]
    others = {value.code_hash for value in published if value.code_hash} - equal
    ledger.windows.accept_change(model, sorted(others), current, now)
    return len(others)


def _readers(name: str, project: Project) -> set[str]:
    """The windowed models that read a view or table, directly or through others like it."""
    return {
        node.name
        for node in project.nodes.values()
        if node.is_windowed and any(read.name == name for read in project.read_by(node))
    }
