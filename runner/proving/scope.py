"""What a proof builds, what it compares, and what it needs from the real warehouse.

Every incremental SQL or Python model of a pipeline is replayed, whatever its strategy. One that
Daybreak replaces by windows is compared window by window. Of another nothing says which window a
row belongs to: it is compared as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.core.errors import UsageError
from runner.core.graph import walk
from runner.project.manifest import Node, Project
from runner.project.pipelines import DATA_KINDS, Pipeline


@dataclass(frozen=True, order=True)
class Relation:
    """A table of the warehouse, whichever file it is looked for in."""

    schema: str
    name: str

    def __str__(self) -> str:
        """As SQL, quoted."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True)
class Target:
    """A model that is replayed and compared."""

    name: str
    unique_id: str
    code_hash: str
    relation: Relation
    event_time: str | None  # the column as SQL; None: it is compared as a whole
    read_as: str = "date"  # what the event time is: date, utc, local or instant


@dataclass(frozen=True)
class ReplayScope:
    """What a proof is about; parents come first everywhere."""

    targets: tuple[Target, ...]
    upstream: Mapping[str, frozenset[str]]  # names of the targets that each target is made from
    levels: tuple[tuple[str, ...], ...]  # names of what each replay builds, see `scenarios`
    read: Mapping[str, Relation]  # the tables that are only read, by unique id
    to_prepare: Mapping[str, str]  # views and, where they are missing, tables: name by unique id
    relations: Mapping[str, Relation]  # of what each replay builds, by name
    tests: tuple[str, ...]  # names: none is run, gates are part of their models
    left_out: Mapping[str, str]  # incremental models that are not replayed, and why

    @cached_property
    def by_unique_id(self) -> Mapping[str, Target]:
        """The targets by dbt's name for them."""
        return {target.unique_id: target for target in self.targets}


def quoted(name: str) -> str:
    """A name as SQL.

    >>> print(quoted('the "best" days'))
    "the ""best"" days"
    """
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def make_scope(
    pipeline: Pipeline, project: Project, manifest: Mapping[str, Any], select: frozenset[str] | None
) -> ReplayScope:
    """Find out what a proof of some models of a pipeline is about; None: of all.

    Raises :class:`UsageError` for what cannot be replayed safely in a copy of one file.
    """
    lineage = _Lineage(project, manifest)
    left_out = dict(_left_out(pipeline, lineage, select))
    chosen = _chosen(pipeline, left_out, select)
    chosen |= _windowed_above(pipeline, lineage, chosen)
    made_again = chosen | lineage.between(chosen)
    only_read = lineage.in_order(lineage.read_by(made_again))
    database = _one_database(lineage, [*lineage.in_order(made_again), *only_read])
    targets = tuple(
        _target(node, lineage.raw(node.unique_id))
        for node in lineage.in_order(made_again)
        if _is_incremental(node)
    )
    return ReplayScope(
        targets=targets,
        upstream={target.name: _upstream(lineage, target, targets) for target in targets},
        levels=_levels(lineage, made_again),
        read={
            node.unique_id: _relation(lineage.raw(node.unique_id))
            for node in only_read
            if node.is_stored and lineage.database(node) == database
        },
        to_prepare={
            node.unique_id: node.name
            for node in only_read
            if _is_built(node) and lineage.database(node) == database
        },
        relations={
            node.name: _relation(lineage.raw(node.unique_id))
            for node in lineage.in_order(made_again)
            if node.is_stored
        },
        tests=tuple(node.name for node in project.nodes.values() if node.kind == "test"),
        left_out=left_out,
    )


class _Lineage:
    """Who is made from whom, gates included."""

    def __init__(self, project: Project, manifest: Mapping[str, Any]) -> None:
        self._nodes = project.nodes
        self._manifest = manifest
        self._project = project
        self._known: dict[str, frozenset[str]] = {}

    def raw(self, unique_id: str) -> Mapping[str, Any]:
        """What dbt's manifest says of a node or source."""
        group = "sources" if unique_id in self._manifest["sources"] else "nodes"
        found: Mapping[str, Any] = self._manifest[group][unique_id]
        return found

    def parents(self, unique_id: str) -> Iterator[str]:
        """What a node and its gates read."""
        gates = (n for n in self._nodes.values() if n.is_gate and n.attached_to == unique_id)
        for reader in (self._nodes[unique_id], *gates):
            yield from (p for p in reader.parents if p in self._nodes and p != unique_id)

    def ancestors(self, unique_id: str) -> frozenset[str]:
        """Everything that a node is made from and judged by, itself aside."""
        if unique_id not in self._known:
            found = walk(self.parents(unique_id), self.parents)
            self._known[unique_id] = frozenset(found) - {unique_id}
        return self._known[unique_id]

    def between(self, chosen: set[str]) -> set[str]:
        """What is made from some of the chosen and read by others of them."""
        around = {found for node in chosen for found in self.ancestors(node)}
        return {node for node in around - chosen if self.ancestors(node) & chosen}

    def read_by(self, made: set[str]) -> set[str]:
        """What some nodes are made from; of other incremental models only their tables."""

        def onward(node: str) -> Iterable[str]:
            is_read_on = node in made or not _is_incremental(self._nodes[node])
            return self.parents(node) if is_read_on else ()

        return set(walk(made, onward)) - made

    def database(self, node: Node) -> str:
        """The database that a node lies in; DuckDB takes its name in any case."""
        return str(self.raw(node.unique_id)["database"]).lower()

    def in_order(self, unique_ids: Iterable[str]) -> list[Node]:
        """Return nodes, parents first."""
        return self._project.parents_first(self._nodes[unique_id] for unique_id in unique_ids)


def _is_incremental(node: Node) -> bool:
    return node.kind == "model" and node.materialized == "incremental"


def _is_built(node: Node) -> bool:
    return node.kind in DATA_KINDS and node.materialized != "ephemeral"


def _chosen(
    pipeline: Pipeline, left_out: Mapping[str, str], select: frozenset[str] | None
) -> set[str]:
    chosen = {
        node.unique_id
        for node in pipeline.data_nodes
        if _is_incremental(node)
        and node.name not in left_out
        and (select is None or node.name in select)
    }
    if not chosen:
        raise UsageError(_nothing_to_prove(pipeline, left_out))
    return chosen


def _windowed_above(pipeline: Pipeline, lineage: _Lineage, chosen: set[str]) -> set[str]:
    """The models with the same windows that the chosen are made from, in whatever pipeline.

    Copied whole they would stand still, and a reader of all their history would pass.
    """
    above = {found for node in chosen for found in lineage.ancestors(node)}
    grain = pipeline.calendar.grain
    return {node.unique_id for node in lineage.in_order(above) if node.grain is grain}


def _left_out(
    pipeline: Pipeline, lineage: _Lineage, select: frozenset[str] | None
) -> Iterator[tuple[str, str]]:
    for node in pipeline.data_nodes:
        config = lineage.raw(node.unique_id).get("config") or {}
        is_wanted = select is None or node.name in select
        if (
            is_wanted
            and _is_incremental(node)
            and config.get("incremental_strategy") == "microbatch"
        ):
            yield node.name, "dbt's microbatch takes its windows from dbt, not from the runner"


def _upstream(lineage: _Lineage, target: Target, targets: Iterable[Target]) -> frozenset[str]:
    ancestors = lineage.ancestors(target.unique_id)
    return frozenset(other.name for other in targets if other.unique_id in ancestors)


def _nothing_to_prove(pipeline: Pipeline, left_out: Mapping[str, str]) -> str:
    why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
    return (
        f"{pipeline.name} has no incremental model to replay{f' ({why})' if why else ''}: "
        "name one with --select, and give it incremental_strategy overwrite_window or merge"
    )


def _target(node: Node, raw: Mapping[str, Any]) -> Target:
    config = raw.get("config") or {}
    event_time = None
    if node.is_windowed:
        column = str(config["event_time"])
        event_time = column if column.startswith('"') else quoted(column)
    return Target(
        name=node.name,
        unique_id=node.unique_id,
        code_hash=node.code_hash,
        relation=_relation(raw),
        event_time=event_time,
        read_as=(config.get("meta") or {}).get("event_time_as", "date"),
    )


def _relation(raw: Mapping[str, Any]) -> Relation:
    return Relation(raw["schema"], raw.get("alias") or raw.get("identifier") or raw["name"])


def _levels(lineage: _Lineage, made_again: set[str]) -> tuple[tuple[str, ...], ...]:
    level: dict[str, int] = {}
    for node in lineage.in_order(made_again):
        above = [level[found] for found in lineage.ancestors(node.unique_id) if found in level]
        # What is only a query, and a level of its own would cost a build, goes with its readers.
        level[node.unique_id] = max(above, default=-1) + (1 if node.is_stored else 0)
    names: dict[int, list[str]] = {}
    for node in lineage.in_order(made_again):
        if _is_built(node):
            names.setdefault(max(level[node.unique_id], 0), []).append(node.name)
    return tuple(tuple(names[index]) for index in sorted(names))


def _one_database(lineage: _Lineage, nodes: Sequence[Node]) -> str:
    """The database of everything that is written: it must be the one file that is copied."""
    found: dict[str, str] = {}
    for node in nodes:
        if node.materialized == "external":
            raise UsageError(
                f"{node.name} writes a file outside of the warehouse (external), which a scratch "
                "copy does not cover: leave it out with --select"
            )
        if _is_incremental(node) or node.materialized == "view":
            found.setdefault(lineage.database(node), node.name)
    if len(found) > 1:
        (first, one), (second, other), *_ = found.items()
        raise UsageError(
            f"{one} lies in the database {first} and {other} in {second}: only models of one "
            "DuckDB file can be replayed in a copy; leave one out with --select"
        )
    return next(iter(found))
