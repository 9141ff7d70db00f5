"""Find what a proof builds, what it compares, and what it needs from the real warehouse.

Every incremental SQL or Python model of a pipeline is replayed, whatever its strategy. One that
Daybreak replaces by windows is compared window by window. Of another nothing says which window a
row belongs to: it is compared as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from runner.core.errors import UsageError
from runner.core.graph import grouped, walk
from runner.project.declarations import volatile_columns
from runner.project.manifest import DATA_KINDS, Node, Project
from runner.project.pipelines import Pipeline


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
    read_as: str = "date"  # what the event time is: date, utc, local or instant; batch: as dbt's
    volatile: tuple[str, ...] = ()  # columns that are meant to differ, in lower case
    is_microbatch: bool = False  # dbt's


@dataclass(frozen=True)
class ReplayScope:
    """The scope of a proof; parents come first everywhere."""

    targets: tuple[Target, ...]
    upstream: Mapping[str, frozenset[str]]  # names of the targets that each target is made from
    levels: tuple[tuple[str, ...], ...]  # names of what each replay builds, see `scenarios`
    read: Mapping[str, Relation]  # the tables that are only read, by unique id
    to_prepare: tuple[str, ...]  # unique ids: views and, where they are missing, tables
    relations: Mapping[str, Relation]  # of what each replay builds, by name
    selectors: Mapping[str, str]  # what builds a node and nothing else, by its name
    names: Mapping[str, str]  # by unique id
    window_vars: Mapping[str, str]  # the var that tells a node its one window, by its name
    left_out: Mapping[str, str]  # incremental models that are not replayed, and why
    made_from: Mapping[str, frozenset[str]]  # names of all that each node is made from

    def without(self, names: Collection[str]) -> Self:
        """Return the scope less some nodes and all that is made from them."""
        gone = {
            n for n, above in self.made_from.items() if n in names or not above.isdisjoint(names)
        }
        levels = (tuple(name for name in level if name not in gone) for level in self.levels)
        return replace(
            self,
            targets=tuple(target for target in self.targets if target.name not in gone),
            levels=tuple(filter(None, levels)),
            relations={name: table for name, table in self.relations.items() if name not in gone},
        )


def quoted(name: str) -> str:
    """Quote a name as SQL.

    >>> print(quoted('the "best" days'))
    "the ""best"" days"
    """
    return '"' + name.replace('"', '""') + '"'


def make_scope(
    pipeline: Pipeline, project: Project, manifest: Mapping[str, Any], select: frozenset[str] | None
) -> ReplayScope:
    """Find the scope of a proof of some models of a pipeline; None: of all.

    Raises :class:`UsageError` for what cannot be replayed safely in a copy of one file.
    """
    lineage = _Lineage(project, manifest)
    chosen, left_out = _chosen(pipeline, select)
    chosen |= _windowed_above(pipeline, lineage, chosen)
    made_again = chosen | lineage.between(chosen)
    made = lineage.in_order(made_again)
    only_read = lineage.in_order(lineage.read_by(made_again))
    database = _one_database(lineage, [*made, *only_read])
    copied = [node for node in only_read if lineage.database(node) == database]
    replayed = [node for node in made if _is_incremental(node)]
    above = {node.name: lineage.ancestors(node.unique_id) for node in replayed}
    return ReplayScope(
        targets=tuple(_target(node, lineage) for node in replayed),
        upstream={
            name: frozenset(node.name for node in replayed if node.unique_id in found)
            for name, found in above.items()
        },
        levels=_levels(lineage, made),
        read={node.unique_id: lineage.relation(node) for node in copied if node.is_stored},
        to_prepare=tuple(node.unique_id for node in copied if _is_built(node)),
        relations={node.name: lineage.relation(node) for node in made if node.is_stored},
        selectors={node.name: node.selector for node in [*made, *only_read]},
        names=project.names,
        window_vars={node.name: node.window_var for node in made if node.window_var},
        left_out=left_out,
        made_from={
            node.name: frozenset(
                project.names[found] for found in lineage.ancestors(node.unique_id)
            )
            for node in made
        },
    )


class _Lineage:
    """The graph of what is made from what, gates included."""

    def __init__(self, project: Project, manifest: Mapping[str, Any]) -> None:
        self._project = project
        self._nodes = project.nodes
        self._raw = {**manifest["nodes"], **manifest["sources"]}
        self._known: dict[str, frozenset[str]] = {}

    def config(self, node: Node) -> Mapping[str, Any]:
        """Return a node's config."""
        return self._raw[node.unique_id].get("config") or {}

    def volatile(self, node: Node) -> tuple[str, ...]:
        """Return the columns that are meant to differ."""
        return volatile_columns(self._raw[node.unique_id])

    def relation(self, node: Node) -> Relation:
        """Return the table of a node or source."""
        raw = self._raw[node.unique_id]
        return Relation(raw["schema"], raw.get("alias") or raw.get("identifier") or raw["name"])

    def database(self, node: Node) -> str:
        """Return the database that a node lies in; DuckDB takes its name in any case."""
        return str(self._raw[node.unique_id]["database"]).lower()

    def parents(self, unique_id: str) -> Iterator[str]:
        """Yield what a node and its gates read."""
        gates = (n for n in self._nodes.values() if n.is_gate and n.attached_to == unique_id)
        for reader in (self._nodes[unique_id], *gates):
            yield from (p for p in reader.parents if p in self._nodes and p != unique_id)

    def ancestors(self, unique_id: str) -> frozenset[str]:
        """Return all that a node is made from and judged by, itself aside."""
        if unique_id not in self._known:
            found = walk(self.parents(unique_id), self.parents)
            self._known[unique_id] = frozenset(found) - {unique_id}
        return self._known[unique_id]

    def between(self, chosen: set[str]) -> set[str]:
        """Return what is made from some of the chosen and read by others of them."""
        around = {found for node in chosen for found in self.ancestors(node)}
        return {node for node in around - chosen if self.ancestors(node) & chosen}

    def read_by(self, made: set[str]) -> set[str]:
        """Return what some nodes are made from; of other incremental models their tables alone."""

        def onward(node: str) -> Iterable[str]:
            is_read_on = node in made or not _is_incremental(self._nodes[node])
            return self.parents(node) if is_read_on else ()

        return set(walk(made, onward)) - made

    def in_order(self, unique_ids: Iterable[str]) -> list[Node]:
        """Return nodes, parents first."""
        return self._project.parents_first(self._nodes[unique_id] for unique_id in unique_ids)


def _is_incremental(node: Node) -> bool:
    return node.kind == "model" and node.materialized == "incremental"


def _is_built(node: Node) -> bool:
    return node.kind in DATA_KINDS and node.materialized != "ephemeral"


def _chosen(pipeline: Pipeline, select: frozenset[str] | None) -> tuple[set[str], dict[str, str]]:
    """Return the unique ids of the models to replay, and by name why some are left out."""
    candidates = [
        node
        for node in pipeline.data_nodes
        if _is_incremental(node) and (select is None or node.name in select)
    ]
    left_out = {
        node.name: "dbt's microbatch, whose batches are no windows of the project"
        for node in candidates
        if node.is_microbatch and not node.is_windowed
    }
    chosen = {node.unique_id for node in candidates if node.name not in left_out}
    if not chosen:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise UsageError(
            f"{pipeline.name} has no incremental model to replay{f' ({why})' if why else ''}: "
            "name one with --select, and give it incremental_strategy overwrite_window or merge"
        )
    return chosen, left_out


def _windowed_above(pipeline: Pipeline, lineage: _Lineage, chosen: set[str]) -> set[str]:
    """Return the models with the same windows that the chosen are made from, of any pipeline.

    Copied whole they would stand still, and a reader of all their history would pass.
    """
    above = {found for node in chosen for found in lineage.ancestors(node)}
    grain = pipeline.calendar.grain
    return {node.unique_id for node in lineage.in_order(above) if node.grain is grain}


def _target(node: Node, lineage: _Lineage) -> Target:
    config = lineage.config(node)
    event_time = None
    if node.is_windowed:
        column = str(config["event_time"])
        event_time = column if column.startswith('"') else quoted(column)
    return Target(
        name=node.name,
        unique_id=node.unique_id,
        code_hash=node.code_hash,
        relation=lineage.relation(node),
        event_time=event_time,
        read_as=(config.get("meta") or {}).get(
            "event_time_as", "batch" if node.is_microbatch else "date"
        ),
        is_microbatch=node.is_microbatch,
        volatile=lineage.volatile(node),
    )


def _levels(lineage: _Lineage, made: Sequence[Node]) -> tuple[tuple[str, ...], ...]:
    level: dict[str, int] = {}
    for node in made:
        above = [level[found] for found in lineage.ancestors(node.unique_id) if found in level]
        # What is only a query, and a level of its own would cost a build, goes with its readers.
        level[node.unique_id] = max(above, default=-1) + (1 if node.is_stored else 0)
    names = grouped((max(level[n.unique_id], 0), n.name) for n in made if _is_built(n))
    return tuple(tuple(names[index]) for index in sorted(names))


def _one_database(lineage: _Lineage, nodes: Sequence[Node]) -> str:
    """Return the database of all that is written: it must be the one file that is copied."""
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
