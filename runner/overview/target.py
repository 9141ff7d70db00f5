"""The database that a project's commands are about, so that nobody takes one for another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.warehouse.reconciliation import has_changed, place_of
from runner.workspace import Workspace


@dataclass(frozen=True)
class TargetInUse:
    """The target of dbt, and whether what is known of its warehouse may be out of date."""

    name: str  # in profiles.yml
    place: str  # the file, relative to the project where it lies in it; or what else it is
    schema: str
    has_changed: bool  # written by somebody else since it was last looked at
    seen_at: datetime | None  # UTC; when it was last looked at


def target_in_use(workspace: Workspace) -> TargetInUse:
    """Return the target that the project is parsed for; opens nothing but the ledger."""
    project, ledger = workspace.project(), workspace.ledger
    target, known = project.target, ledger.warehouses.get()
    seen_at, changed = known.seen_at if known else None, has_changed(project, ledger)
    place = place_of(target, workspace.project_dir)
    return TargetInUse(target.name, place, target.schema, changed, seen_at)
