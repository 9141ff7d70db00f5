"""Look at a dbt project that is to be run: what would be written, and what a person should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from runner.adopt.changes import Change, FileChange, read_text
from runner.adopt.convert import Proposal, converted, propose
from runner.adopt.extent import measure
from runner.adopt.findings import AdoptionFinding, find_obstacles, is_not_replayable
from runner.adopt.install import DEFAULT_ZONE, missing_pieces
from runner.adopt.yaml_edits import with_key
from runner.core.errors import ProjectError, UsageError, nearest
from runner.dbt.protocol import Description
from runner.lint.facts import Facts
from runner.lint.judge import judge
from runner.lint.rules import LintFinding
from runner.project.files import project_vars, project_zone
from runner.workspace import EngineKind, Workspace


@dataclass(frozen=True)
class Adoption:
    """What `runner init` would do to a project, and what it has found."""

    project_dir: Path
    changes: tuple[Change, ...]  # in the order in which they are written
    findings: tuple[AdoptionFinding, ...]
    proposals: tuple[Proposal, ...]  # one for every incremental model without windows
    problem: str | None  # why the project does not parse yet, in a line; None: it does


@dataclass(frozen=True)
class Conversion:
    """A model as a windowed one: the changes, and what a person has to look at."""

    proposal: Proposal
    changes: tuple[FileChange, ...]  # of the model, and of dbt_project.yml if a var is missing
    left: tuple[LintFinding, ...]  # rules that it breaks all the same


def examine_project(project_dir: Path, kind: EngineKind, *, upgrade: bool = False) -> Adoption:
    """Look at a project; writes nothing in it but what a parse writes.

    Raises :class:`UsageError` if there is no dbt project, or for a file that cannot be edited.
    """
    workspace = Workspace.find(project_dir, ["dbt_project.yml"])
    described, problem = None, None
    try:
        described = _described(workspace, kind)
    except ProjectError as error:
        problem = str(error)
    manifest = described.manifest if described else None
    zone = _zone(workspace.project_dir)
    changes = missing_pieces(workspace.project_dir, manifest, zone, upgrade=upgrade)
    return Adoption(
        project_dir=workspace.project_dir,
        changes=tuple(changes),
        findings=tuple(
            find_obstacles(manifest, described.target, zone) if manifest and described else ()
        ),
        proposals=tuple(_proposals(described, zone) if described else ()),
        problem=problem,
    )


def convert_model(project_dir: Path, kind: EngineKind, model: str) -> Conversion:
    """Return the change that gives an incremental model windows; writes nothing.

    Raises :class:`UsageError` if there is no such model, or if a person has to write it.
    """
    workspace = Workspace.find(project_dir, ["dbt_project.yml"])
    described = _described(workspace, kind)
    growing = _growing(described, _zone(workspace.project_dir))
    if model not in growing:
        raise UsageError(
            f"{model} is no incremental model without windows.{nearest(model, growing)} "
            f"These are: {', '.join(sorted(growing)) or 'none'}"
        )
    proposal = _proposed(model, growing[model], described)
    change = converted(workspace.project_dir, proposal)
    changes = (change, *_with_start(workspace.project_dir, proposal.config["begin"]))
    return Conversion(
        proposal, changes, tuple(judge(change.after, Facts("incremental", name=model)))
    )


def _with_start(project_dir: Path, begin: str) -> Iterator[FileChange]:
    """Yield the var that a plain `dbt build` of windows needs, if there is none."""
    if "start_date" in project_vars(project_dir):
        return
    name = "dbt_project.yml"
    before = read_text(project_dir / name) or ""
    comment = "What a plain `dbt build` of windows covers; without an end_date it goes on to today."
    after = with_key(before, ("vars",), "start_date", begin, comment=comment)
    yield FileChange(name, before, after)


def _described(workspace: Workspace, kind: EngineKind) -> Description:
    with workspace.start_engine(kind) as engine:
        return engine.describe(())


def _zone(project_dir: Path) -> ZoneInfo:
    """Return the project's zone, or what it will be when it has been adopted."""
    has_zone = project_vars(project_dir).get("timezone")
    return project_zone(project_dir) if has_zone else DEFAULT_ZONE


def _growing(described: Description, zone: ZoneInfo) -> dict[str, Mapping[str, Any]]:
    own = described.manifest["metadata"]["project_name"]
    return {
        raw["name"]: raw
        for raw in described.manifest["nodes"].values()
        if is_not_replayable(raw, zone) and raw["package_name"] == own
    }


def _proposals(described: Description, zone: ZoneInfo) -> list[Proposal]:
    found = sorted(_growing(described, zone).items())
    return [_proposed(name, raw, described) for name, raw in found]


def _proposed(name: str, raw: Mapping[str, Any], described: Description) -> Proposal:
    """Propose twice: what the text says names the column that is then counted."""
    first = propose(name, raw, None)
    if not first.config:
        return first
    relation = f"{raw['schema']}.{raw.get('alias') or name}"
    extent = measure(described.target.file, relation, first.config["event_time"])
    return propose(name, raw, extent)
