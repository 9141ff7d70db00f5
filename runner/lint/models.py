"""Judge the models of a parsed project by their texts, without dbt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.core.errors import UsageError, nearest
from runner.core.graph import walk
from runner.core.planning import Plan
from runner.core.refusals import Allowance, Objection, refuse_unsafe, require_known
from runner.lint.facts import Facts, Parent
from runner.lint.judge import judge, not_judged
from runner.lint.rules import RULES, LintFinding, Severity
from runner.project.declarations import Keys
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline


@dataclass(frozen=True)
class ModelFinding:
    """A breach of a rule, and the model in whose file it is."""

    model: str
    path: str  # in the project's folder
    finding: LintFinding
    readers: tuple[str, ...] = ()  # of a view: the incremental models whose rows it makes


def lint(
    project: Project, project_dir: Path, select: Collection[str] = ()
) -> tuple[ModelFinding, ...]:
    """Find what breaks a rule in the project's own models, file by file.

    ``select`` names models; the views that they read come with them. Raises
    :class:`UsageError` for a name that is no model's.
    """
    models = {n.name: n.declared.path for n in project.nodes.values() if n.declared is not None}
    others = {node.name for node in project.data_nodes}
    for name in select:
        if name not in models and name not in others:
            unknown = f"the project has no model {name!r}."
            raise UsageError(f"{unknown}{nearest(name, models)} Try: dbt ls")
    facts = known_facts(project)

    def findings(path: str, facts: Facts) -> list[LintFinding]:
        if not path.endswith(".sql"):
            return [not_judged("a model in Python")] if facts.is_replaced else []
        is_judged = facts.is_replaced or facts.is_read_on
        return judge(project.text(path, project_dir), facts) if is_judged else []

    return tuple(
        ModelFinding(name, path, finding, facts[path].readers)
        for path, name in sorted((path, name) for name, path in models.items())
        if not select or not {name, *facts[path].readers}.isdisjoint(select)
        for finding in findings(path, facts[path])
    )


def known_facts(project: Project) -> dict[str, Facts]:
    """Return what the project declares of each of its own models, by the path of its file."""
    parents, read = windowed_parents(project), known_parents(project)
    readers = _readers(project)
    return {
        declared.path: Facts(
            materialized=node.materialized,
            incremental_strategy=declared.strategy,
            event_time=declared.event_time,
            unique_key=declared.unique_key,
            version_column=declared.version_column,
            keys=node.keys,
            windowed_parents=parents,
            parents=read,
            reaches_in_window=declared.reaches_in_window,
            window_var=node.window_var,
            hooks=declared.hooks,
            volatile=declared.volatile,
            readers=readers.get(node.unique_id, ()),
            name=(node.relation or node.name).rpartition(".")[2],
            schema=(node.relation or "").rpartition(".")[0] or None,
            grain=node.grain,
            event_time_as=declared.event_time_as,
            predicates=declared.predicates,
            is_whole=True,
        )
        for node in project.nodes.values()
        if (declared := node.declared) is not None
    }


def _readers(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Return, by unique id of a view, the incremental models that it is a part of.

    A table in between is none: it stands still while its readers' windows are replayed.
    """

    def queries_of(parents: Iterable[str]) -> Iterator[str]:
        return (p for p in parents if p in project.nodes and not project.nodes[p].is_stored)

    readers: dict[str, tuple[str, ...]] = {}
    for node in sorted(project.nodes.values(), key=lambda node: node.name):
        if node.materialized == "incremental":
            read = walk(queries_of(node.parents), lambda p: queries_of(project.nodes[p].parents))
            for query in read:
                readers[query] = (*readers.get(query, ()), node.name)
    return readers


def windowed_parents(project: Project) -> dict[str, str]:
    """Return the windowed models that a model can read, by name, with their event times."""
    return {
        node.name: node.declared.event_time
        for node in project.nodes.values()
        if node.is_windowed and node.declared is not None and node.declared.event_time
    }


def known_parents(project: Project) -> dict[str, Parent]:
    """Return what is known of everything that a model can read, by the name it is read by."""

    def keys(node: Node) -> Keys:
        # Both strategies hold the whole table to it.
        said = node.declared.unique_key if node.declared and node.is_windowed else ()
        return (*node.keys, said) if said and not node.is_microbatch else node.keys

    sources = {name.lower(): node for name, node in project.sources.items()}
    named = {node.name.lower(): node for node in project.data_nodes}
    return {name: Parent(keys(node), node.inexact) for name, node in (sources | named).items()}


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
    nodes = {node.name: node for node in pipeline.data_nodes}
    require_known(allowed, nodes, pipeline.name)
    models = {name for piece in plan.pieces for name in piece.models}
    if plan.pieces:  # what is built along with its windows
        select = nodes if plan.request.select is None else plan.request.select
        models |= {n.name for n in nodes.values() if not n.is_windowed and n.name in select}
        # What grows at each run is built like a table, once; who names it would replay it.
        named = plan.request.select or ()
        models = {name for name in models if nodes[name].is_replayable or name in named}
    judgeable = [name for name in models if nodes[name].declared is not None]
    found = lint(project, project_dir, judgeable) if judgeable else ()
    return refuse_unsafe(models, [*_objections(found), *others], allowed)


def _objections(found: Iterable[ModelFinding]) -> list[Objection]:
    """Turn findings into objections to running a model; a view's are those of its readers."""
    return [
        Objection(
            model=model,
            reason=f"{one.finding.rule} {RULES[one.finding.rule].title}",
            explanation=f"{through}{one.path}:{one.finding.line}: {one.finding.message}",
        )
        for one in found
        if one.finding.severity is Severity.ERROR
        for through in [f"through the view {one.model}, " if one.readers else ""]
        for model in one.readers or (one.model,)
    ]
