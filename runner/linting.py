"""Judge the models of a parsed project: reads their text, and imports no dbt."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from runner.core.errors import ProjectError, UsageError, nearest
from runner.core.plan import Plan
from runner.pipelines import Pipeline
from runner.project import Node, Project
from runner.safety.facts import Facts
from runner.safety.findings import Finding
from runner.safety.judge import judged
from runner.safety.refusals import Allowance, Objection, refuse_unsafe, require_known
from runner.safety.rules import RULES, Severity


@dataclass(frozen=True)
class ModelFinding:
    """What breaks a rule, and in which model's file."""

    model: str
    path: str  # in the project's folder
    finding: Finding


def lint(
    project: Project, project_dir: Path, select: Collection[str] = ()
) -> tuple[ModelFinding, ...]:
    """What breaks a rule in the project's own models, file by file; ``select`` names models.

    Raises :class:`UsageError` for a name that is no model's.
    """
    models = {node.name: node for node in project.nodes.values() if node.declared is not None}
    for name in select:
        if name not in models:
            raise UsageError(
                f"the project has no model {name!r}.{nearest(name, models)} Try: dbt ls"
            )
    paths = {
        node.declared.path: node
        for node in models.values()
        if node.declared is not None and (not select or node.name in select)
    }
    return tuple(
        ModelFinding(node.name, path, finding)
        for path, node in sorted(paths.items())
        if node.materialized == "incremental" and path.endswith(".sql")  # not Python
        for finding in judged(_text(project_dir / path), facts_of(node, project))
    )


def facts_of(node: Node, project: Project) -> Facts:
    """What the project declares of a model."""
    declared = node.declared
    if declared is None:
        return Facts(materialized=node.materialized)
    return Facts(
        materialized=node.materialized,
        incremental_strategy=declared.strategy,
        event_time=declared.event_time,
        unique_key=declared.unique_key,
        version_column=declared.version_column,
        keys=declared.keys,
        windowed_parents=windowed_parents(project),
        reaches_in_window=declared.reaches_in_window,
        is_whole=True,
    )


def windowed_parents(project: Project) -> dict[str, str]:
    """The windowed models that a model can read, by name, with their event times."""
    return {
        node.name: node.declared.event_time
        for node in project.nodes.values()
        if node.is_windowed and node.declared is not None and node.declared.event_time
    }


def allow(
    plan: Plan,
    pipeline: Pipeline,
    project: Project,
    project_dir: Path,
    allowed: Collection[str],
    others: Iterable[Objection] = (),
) -> tuple[Allowance, ...]:
    """Let a plan run, or raise one :class:`UsageError`; returns what was allowed by name.

    ``others`` are objections that are not in a model's text.
    """
    known = {node.name: node for node in pipeline.data_nodes}
    require_known(allowed, known, pipeline.name)
    models = models_of(plan, pipeline)
    judgeable = [name for name in models if known[name].declared is not None]
    found = lint(project, project_dir, judgeable) if judgeable else ()
    return refuse_unsafe(models, [*objections(found), *others], allowed)


def models_of(plan: Plan, pipeline: Pipeline) -> frozenset[str]:
    """What a plan builds: models of its windows, and what is built along with them."""
    if not plan.pieces:
        return frozenset()
    select = plan.request.select
    along = (
        node.name
        for node in pipeline.data_nodes
        if not node.is_windowed and (select is None or node.name in select)
    )
    return frozenset({*along, *(name for piece in plan.pieces for name in piece.models)})


def objections(found: Iterable[ModelFinding]) -> list[Objection]:
    """The findings for which a model may not run."""
    return [
        Objection(
            model=one.model,
            reason=f"{one.finding.rule} {RULES[one.finding.rule].title}",
            explanation=f"{one.path}:{one.finding.line}: {one.finding.message}",
        )
        for one in found
        if one.finding.severity is Severity.ERROR
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"{path} cannot be read ({error}): run the command again, or mend the file"
        ) from error
