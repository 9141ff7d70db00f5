"""The parsed dbt project: nodes, edges, checks and code hashes.

Built from the manifest of the last parse and kept as a small file beside the ledger, so that
commands that only look never import dbt. A fingerprint of the project's files says whether the
last parse still holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from runner.core.errors import ProjectError
from runner.core.graph import depths, grouped, walk
from runner.core.windows import Grain, are_batches
from runner.dbt.arguments import select_options
from runner.dbt.package import PACKAGE
from runner.dbt.protocol import Description, Target
from runner.dbt.target import target_of
from runner.project.declarations import (
    LATE_ROWS,
    Declared,
    Keys,
    check_name,
    closures_of,
    inexact_columns,
    known_keys,
    location_of,
    most_windows,
    says_when_loaded,
    window_var,
)
from runner.project.files import (
    environment_of,
    model_text,
    named_environment,
    project_vars,
    project_zone,
)
from runner.project.hashes import Code, combined_hash, own_code, seed_code
from runner.project.names import exact_selectors, unique_names

DATA_KINDS = ("model", "seed", "snapshot")  # what is built and holds or shows rows
WINDOWED_STRATEGIES = ("overwrite_window", "merge")
MICROBATCH = "microbatch"  # dbt's own: its batches are windows where both are cut alike
_COMPILED = ("model", "snapshot")
_NOT_STORED = ("view", "ephemeral")
_CODES = "code.json"  # beside the kept project: read only to compare


@dataclass(frozen=True)
class Node:
    """One node of dbt's graph."""

    unique_id: str
    name: str  # of what holds or shows rows: no two have one, see runner.project.names
    kind: str  # model, seed, snapshot, test, unit_test, source, exposure
    materialized: str | None
    parents: tuple[str, ...]  # unique ids
    grain: Grain | None = None  # of a windowed model, else None
    # Of a windowed model: the local date of its first window; of a microbatch an instant in it.
    begin: date | None = None
    is_microbatch: bool = False  # dbt's: with windows, if its batches are some
    why_no_windows: str | None = None  # of a microbatch without: why, and what to do
    lookback: int = 0  # of a windowed microbatch: windows before a new one that are read again
    code_hash: str = ""  # of a model, seed or snapshot: its code, and that behind it
    own_code: str = ""  # of the same: the digest of what is its own of that
    code_parents: tuple[str, ...] | None = None  # unique ids that its SQL reads; None: all parents
    plain_code: str | None = None  # what a plain `dbt build` of this code writes into its markers
    why_raw: str | None = None  # why its raw text stands for its code; None: it does not
    checks_hash: str | None = None  # of a model: of all that judges it; empty: nothing does
    attached_to: str | None = None  # of a generic test: the unique id of its model
    is_gate: bool = False  # of a test: judged inside the transaction of a windowed model
    is_marked_as_gate: bool = False  # of a test: says it is one, whatever it judges
    is_singular: bool = False  # of a test: a query of its own
    check: str | None = None  # of a generic test: which, with its package
    reads_windows: bool = False  # whether a windowed model is among its ancestors
    relation: str | None = None  # of what holds rows: schema.identifier, in its database
    location: str | None = None  # of a source or seed: its files; None: not to be seen
    declared: Declared | None = None  # of a model of the project itself, not of a package
    keys: Keys = ()  # columns that a test, or its contract, says are unique
    inexact: tuple[str, ...] = ()  # columns that are floating point numbers, as its YAML says
    says_when_loaded: bool = False  # of a source: whether dbt can ask it for its freshness
    exact: str | None = None  # what selects it, where its name would select others too
    window_var: str | None = None  # of a windowed model: the var that tells it its one window
    most_windows: int | None = None  # likewise: how many windows it can build at once; None: any
    # Of a check: the seed of the days that may be empty, by unique id, and its column.
    closures: tuple[str, str] | None = None

    @property
    def is_windowed(self) -> bool:
        """True if it is replaced window by window."""
        return self.grain is not None

    @property
    def selector(self) -> str:
        """What selects it in dbt, and nothing else."""
        return self.exact or self.name

    @property
    def is_replayable(self) -> bool:
        """False if it grows by what is new at each run: dbt's incremental without windows."""
        return self.materialized != "incremental" or self.is_windowed

    @property
    def is_following_table(self) -> bool:
        """True if it is a table that is made from windows and has none: built after them."""
        is_table = self.kind in DATA_KINDS and self.is_stored and not self.is_windowed
        return is_table and self.reads_windows

    @property
    def shown_kind(self) -> str:
        """Its kind in a word or two for a person."""
        if self.grain is not None:
            return f"by {self.grain}"
        return str(self.materialized) if self.kind == "model" else self.kind

    @property
    def is_stored(self) -> bool:
        """True if it holds rows of its own: a view and an ephemeral model are only a query."""
        return self.materialized not in _NOT_STORED


@dataclass(frozen=True)
class Project:
    """A parsed dbt project."""

    zone: ZoneInfo  # the project var `timezone`: in it a day is a day
    nodes: Mapping[str, Node]  # by unique id
    selections: Mapping[str, tuple[str, ...]]  # a selection in dbt's syntax → unique ids
    fingerprint: str  # of the files it was parsed from
    target: Target = field(default_factory=Target)
    environment: Mapping[str, str | None] = field(default_factory=dict)  # that it names; digests
    # Of models as they were parsed, if they may be edited meanwhile; by path in the project.
    texts: Mapping[str, str] = field(default_factory=dict)
    # Texts of code by `own_code`, after a parse; kept apart, as few commands read them.
    codes: Mapping[str, str] = field(default_factory=dict, compare=False)
    refused: Mapping[str, str] = field(
        default_factory=dict
    )  # selections that dbt does not take: why

    @classmethod
    def from_description(
        cls, description: Description, project_dir: Path, fingerprint: str
    ) -> Self:
        """Read what an engine has just parsed; ``fingerprint`` was taken before it began.

        Raises :class:`ProjectError` if the project's time zone is missing or unknown.
        """
        from runner.project.checks_hash import checks_hashes  # who loads a parse has them

        zone = project_zone(project_dir)
        codes = dict(_codes(description, project_dir, zone))
        checks = checks_hashes(
            description.manifest, project_vars(project_dir), project_dir, description.reads
        )
        nodes = {node.unique_id: node for node in _nodes(description, codes, checks, zone)}
        return cls(
            zone=zone,
            nodes=completed(nodes),
            selections=description.selections,
            fingerprint=fingerprint,
            target=description.target,
            environment=environment_of(named_environment(project_dir)),
            codes={code.digest: code.text for code in codes.values()},
            refused=description.refused,
        )

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read the project that :meth:`save` kept; None if there is none that can be read."""
        try:
            kept = json.loads(path.read_text())
            return cls(
                zone=ZoneInfo(kept["zone"]),
                nodes={row["unique_id"]: _node_from_row(row) for row in kept["nodes"]},
                selections={key: tuple(ids) for key, ids in kept["selections"].items()},
                fingerprint=kept["fingerprint"],
                target=target_of(kept["target"]),
                environment=kept["environment"],
                refused=kept["refused"],
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None  # a cache: whatever is wrong with it, a parse makes it anew

    def is_current(self, fingerprint: str) -> bool:
        """Return whether the project's files and the environment are as when it was parsed."""
        return self.fingerprint == fingerprint and self.environment == environment_of(
            self.environment
        )

    @cached_property
    def needs_package(self) -> bool:
        """True if a model or a check is ours: it is nothing without our macros."""
        return any(
            node.is_windowed or (node.check or "").startswith(f"{PACKAGE}.")
            for node in self.nodes.values()
        )

    @property
    def warehouse(self) -> Path | None:
        """The DuckDB file that dbt's target writes; None: no file that can be seen."""
        return self.target.file

    def knows(self, selections: set[str]) -> bool:
        """Return True if dbt was asked for some selections."""
        return selections <= self.selections.keys() | self.refused.keys()

    def with_texts(self, project_dir: Path) -> Self:
        """Return the same with the models' texts, to go on with while files are edited."""
        paths = {node.declared.path for node in self.nodes.values() if node.declared is not None}
        return replace(self, texts={path: model_text(project_dir / path) for path in paths})

    def text(self, path: str, project_dir: Path) -> str:
        """Return the text of a model's file, by its path in the project."""
        return self.texts[path] if path in self.texts else model_text(project_dir / path)

    def save(self, path: Path) -> None:
        """Keep it for commands that only look; replaced at once, never half written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.codes:
            _write(path.with_name(_CODES), self.codes)
        kept = {
            "zone": self.zone.key,
            "nodes": [asdict(node) for node in self.nodes.values()],
            "selections": self.selections,
            "fingerprint": self.fingerprint,
            "target": asdict(self.target),
            "environment": self.environment,
            "refused": self.refused,
        }
        _write(path, kept)

    def code_texts(self, path: Path) -> Mapping[str, str]:
        """Return the texts of nodes' own code by digest, as :meth:`save` kept them at a path."""
        if self.codes:
            return self.codes
        try:
            found: dict[str, str] = json.loads(path.with_name(_CODES).read_text())
        except (OSError, ValueError):
            return {}  # a cache too
        return found

    def code_behind(self, node: Node) -> Iterator[Node]:
        """Return a node and what it reads that has no windows: whose code its hash covers."""

        def onward(unique_id: str) -> Iterator[str]:
            found = self.nodes[unique_id]
            return (p for p in _read(found) if p in self.nodes and _is_code(self.nodes[p]))

        return (self.nodes[unique_id] for unique_id in walk([node.unique_id], onward))

    def read_by(self, node: Node) -> Iterator[Node]:
        """Return what a node reads, as far as models with windows, sources and seeds."""

        def onward(unique_id: str) -> tuple[str, ...]:
            found = self.nodes.get(unique_id)
            return () if found is None or found.is_windowed else found.parents

        read = walk(node.parents, onward)
        return (self.nodes[unique_id] for unique_id in read if unique_id in self.nodes)

    @cached_property
    def windows_read(self) -> Mapping[str, frozenset[str]]:
        """By name, the windowed models that a node is made from, also through other nodes."""
        return self._made_from(lambda node: node.is_windowed)

    @cached_property
    def built_before(self) -> Mapping[str, frozenset[str]]:
        """By name, what a node is made from that has no windows and a pipeline builds.

        Its code is part of the node's, so it must be built by that before the node is. Snapshots
        are left out: they only see today, whatever their code.
        """
        selected = {unique_id for found in self.selections.values() for unique_id in found}
        kinds = set(DATA_KINDS) - {"snapshot"}
        return self._made_from(
            lambda n: n.kind in kinds and not n.is_windowed and n.unique_id in selected
        )

    def _made_from(self, counts: Callable[[Node], bool]) -> dict[str, frozenset[str]]:
        """Return the names of what counts above each data node, as far as windowed models."""
        made: dict[str, frozenset[str]] = {}
        for unique_id in self._depths:  # parents first
            above = [self.nodes[p] for p in self.nodes[unique_id].parents if p in made]
            passed_on = (made[node.unique_id] for node in above if not node.is_windowed)
            made[unique_id] = frozenset(n.name for n in above if counts(n)).union(*passed_on)
        return {node.name: made[node.unique_id] for node in self.data_nodes}

    @cached_property
    def data_nodes(self) -> tuple[Node, ...]:
        """What is built and holds or shows rows: of these no two have one name."""
        return tuple(node for node in self.nodes.values() if node.kind in DATA_KINDS)

    @cached_property
    def readers(self) -> Mapping[str, frozenset[str]]:
        """By name, the windowed models that are made from each windowed model."""
        return self._made_from_windows(lambda node: node.is_windowed)

    @cached_property
    def tables(self) -> Mapping[str, frozenset[str]]:
        """By name, the tables without windows that are made from each windowed model."""
        return self._made_from_windows(lambda node: node.is_stored and not node.is_windowed)

    @cached_property
    def readings(self) -> frozenset[tuple[str, str]]:
        """The names of each windowed model and of everything with rows that is made from it."""
        return frozenset(
            (parent, reader)
            for found in (self.readers, self.tables)
            for parent, readers in found.items()
            for reader in readers
        )

    def _made_from_windows(self, counts: Callable[[Node], bool]) -> dict[str, frozenset[str]]:
        nodes = filter(counts, self.data_nodes)
        found = grouped((p, node.name) for node in nodes for p in self.windows_read[node.name])
        return {name: frozenset(readers) for name, readers in found.items()}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The names of all nodes by unique id."""
        return {unique_id: node.name for unique_id, node in self.nodes.items()}

    @cached_property
    def sources(self) -> Mapping[str, Node]:
        """The sources as a person names them: source.shop.landing.lines is landing.lines."""
        sources = (node for node in self.nodes.values() if node.kind == "source")
        return {node.unique_id.split(".", 2)[2]: node for node in sources}

    def upstream(self, unique_ids: Iterable[str]) -> Iterator[str]:
        """Yield some nodes and everything above them, each once, in no certain order."""
        return walk(unique_ids, lambda name: self.nodes[name].parents if name in self.nodes else ())

    @cached_property
    def _depths(self) -> Mapping[str, int]:
        return depths({node.unique_id: node.parents for node in self.nodes.values()})

    def parents_first(self, nodes: Iterable[Node]) -> list[Node]:
        """Sort nodes in the order in which they are made, by name where that leaves it open."""
        return sorted(nodes, key=lambda node: (self._depths[node.unique_id], node.name))

    def selected(self, select: str) -> list[Node]:
        """Return the nodes of a resolved selection; :class:`ProjectError` if there are none."""
        if select in self.refused:
            raise ProjectError(self.refused[select])
        nodes = [self.nodes[node] for node in self.selections[select] if node in self.nodes]
        if not any(node.kind in DATA_KINDS for node in nodes):
            raise ProjectError(
                f"select {select!r} matches no model, seed or snapshot: "
                f"try it with `dbt ls {' '.join(select_options(select))}` and mend pipelines.yml"
            )
        return nodes


def _codes(
    description: Description, project_dir: Path, zone: ZoneInfo
) -> Iterator[tuple[str, Code]]:
    """Yield what is each node's own of its code, by unique id."""
    manifest, variables = description.manifest, project_vars(project_dir)
    for unique_id, raw in manifest["nodes"].items():
        if raw["resource_type"] == "seed":
            yield unique_id, seed_code(raw, project_dir)
        elif raw["resource_type"] in _COMPILED:
            compiled = description.compiled.get(unique_id)
            windows = zone.key if grain_of(raw, zone) else None
            yield unique_id, own_code(raw, compiled, manifest["macros"], windows, variables)


def _nodes(
    description: Description, codes: Mapping[str, Code], checks: Mapping[str, str], zone: ZoneInfo
) -> Iterator[Node]:
    manifest, macros = description.manifest, description.manifest["macros"]
    own_package = manifest["metadata"]["project_name"]
    why_raw = description.why_raw
    keys, names, exact = known_keys(manifest), unique_names(manifest), exact_selectors(manifest)
    for group in ("nodes", "sources", "exposures", "unit_tests"):
        for unique_id, raw in manifest[group].items():
            if raw["resource_type"] == "operation" and raw.get("package_name") == PACKAGE:
                continue  # our hooks, which are there in some parses only
            config, kind = raw.get("config") or {}, raw["resource_type"]
            grain = grain_of(raw, zone)
            is_own = kind == "model" and raw["package_name"] == own_package
            code, compiled = codes.get(unique_id), description.compiled.get(unique_id)
            yield Node(
                unique_id=unique_id,
                name=names.get(unique_id, raw["name"]),
                kind=kind,
                materialized=config.get("materialized"),
                parents=tuple(raw.get("depends_on", {}).get("nodes", ())),
                grain=grain,
                begin=_begin(raw) if grain else None,
                is_microbatch=is_microbatch(raw),
                why_no_windows=why_not_windows(raw, zone) if is_microbatch(raw) else None,
                lookback=_lookback(raw) if grain else 0,
                code_hash=code.digest if code else "",
                own_code=code.digest if code else "",
                code_parents=compiled.reads if compiled else None,
                plain_code=compiled.plain if compiled else None,
                why_raw=compiled.why_not if compiled else why_raw if kind in _COMPILED else None,
                checks_hash=checks.get(unique_id),
                attached_to=raw.get("attached_node"),
                is_gate=_is_marked_as_gate(raw),
                is_marked_as_gate=_is_marked_as_gate(raw),
                is_singular=kind == "test" and not raw.get("test_metadata"),
                check=check_name(raw),
                relation=_relation(raw),
                location=location_of(raw),
                says_when_loaded=kind == "source" and says_when_loaded(raw),
                declared=Declared.from_raw(raw, macros) if is_own else None,
                keys=keys.get(unique_id, ()),
                inexact=inexact_columns(raw),
                exact=exact.get(unique_id),
                window_var=window_var(raw) if grain else None,
                most_windows=most_windows(raw) if grain else None,
                closures=closures_of(raw),
            )


def _relation(raw: Mapping[str, Any]) -> str | None:
    is_stored = raw["resource_type"] in DATA_KINDS
    if not is_stored or (raw.get("config") or {}).get("materialized") == "ephemeral":
        return None
    return f"{raw.get('schema')}.{raw.get('alias') or raw['name']}"


def is_microbatch(raw: Mapping[str, Any]) -> bool:
    """Return True for a model that dbt builds batch by batch."""
    config = raw.get("config") or {}
    is_incremental = raw["resource_type"] == "model" and config.get("materialized") == "incremental"
    return is_incremental and config.get("incremental_strategy") == MICROBATCH


def grain_of(raw: Mapping[str, Any], zone: ZoneInfo) -> Grain | None:
    """Return the grain of a windowed model: its strategy replaces windows of its event time."""
    config = raw.get("config") or {}
    if (
        raw["resource_type"] != "model"
        or config.get("materialized") != "incremental"
        or not config.get("event_time")
    ):
        return None
    if is_microbatch(raw):
        return None if why_not_windows(raw, zone) else Grain(config["batch_size"])
    if config.get("incremental_strategy") not in WINDOWED_STRATEGIES:
        return None
    size, is_merge = config.get("batch_size"), config["incremental_strategy"] == "merge"
    if size is None and is_merge:
        return None  # dbt's own merge, whatever else its event_time is for
    if size not in set(Grain):
        known = ", ".join(Grain)
        raise ProjectError(f"{raw['name']}: batch_size is {size!r}; write one of {known}")
    return Grain(size)


def why_not_windows(raw: Mapping[str, Any], zone: ZoneInfo) -> str | None:
    """Say why the batches of a microbatch are no windows of the project; None: they are."""
    config = raw.get("config") or {}
    size = config.get("batch_size")
    if not config.get("event_time"):
        return "it has no event_time"
    if size not in set(Grain):
        return "it has no batch_size"
    if raw["original_file_path"].endswith(".py"):
        return "it is a Python model"
    if not are_batches(Grain(size), zone):
        return (
            f"dbt cuts its {size}s in UTC, and the project's are those of {zone.key}: "
            "set the var timezone to UTC, or write it with overwrite_window"
        )
    return None


def _begin(raw: Mapping[str, Any]) -> date | None:
    begin = raw["config"].get("begin")
    if begin is None:
        return None
    try:
        found = datetime.fromisoformat(str(begin))
    except ValueError as error:
        message = f"{raw['name']}: begin {begin!r} is no date; write it like 2026-06-19"
        raise ProjectError(message) from error
    return found.replace(tzinfo=found.tzinfo or UTC) if is_microbatch(raw) else found.date()


def _lookback(raw: Mapping[str, Any]) -> int:
    """Return how many windows before a new one a microbatch reads again.

    dbt counts from the batch that is not over yet, which is no window here: the newest complete
    one is the first that it looks back at.
    """
    lookback = (raw.get("config") or {}).get("lookback")
    return max(0, int(1 if lookback is None else lookback) - 1) if is_microbatch(raw) else 0


def _is_marked_as_gate(raw: Mapping[str, Any]) -> bool:
    config = raw.get("config") or {}
    is_error = str(config.get("severity", "error")).lower() == "error"
    is_marked = raw["resource_type"] == "test" and bool((config.get("meta") or {}).get("gate"))
    # late_rows sets its own severity, and is refused as a gate whatever that is.
    return is_marked and (is_error or check_name(raw) == LATE_ROWS)


def completed(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Add what only the nodes above can tell: code of views, gates, who is made from windows."""
    made: dict[str, Node] = {}
    for unique_id in depths({node.unique_id: node.parents for node in nodes.values()}):
        node = nodes[unique_id]
        above = [made[parent] for parent in node.parents if parent in made]
        read = _read(node)
        behind = {p.unique_id: p.code_hash for p in above if p.unique_id in read and _is_code(p)}
        has_code = node.kind in _COMPILED
        judged = nodes.get(node.attached_to or "")
        made[unique_id] = replace(
            node,
            code_hash=combined_hash(node.code_hash, behind) if has_code else node.code_hash,
            # A gate on a model without windows is judged after it, like any other test.
            is_gate=node.is_gate and judged is not None and judged.is_windowed,
            reads_windows=any(parent.is_windowed or parent.reads_windows for parent in above),
        )
    return {unique_id: made[unique_id] for unique_id in nodes}


def _read(node: Node) -> tuple[str, ...]:
    """Return what a node's code reads; a comment may name more, for a check."""
    return node.parents if node.code_parents is None else node.code_parents


def _is_code(node: Node) -> bool:
    """Return whether a node's code makes its readers' rows: what has windows is published."""
    return bool(node.code_hash) and not node.is_windowed


def _write(path: Path, kept: object) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")  # two may save at once
    unfinished.write_text(json.dumps(kept, default=str))
    unfinished.replace(path)


def _node_from_row(row: Mapping[str, Any]) -> Node:
    begin, declared, read = row["begin"], row["declared"], row["code_parents"]
    closures = row["closures"]
    return Node(
        **{
            **row,
            "parents": tuple(row["parents"]),
            "code_parents": None if read is None else tuple(read),
            "grain": Grain(row["grain"]) if row["grain"] else None,
            "begin": _date_of(begin) if begin else None,
            "declared": Declared.from_row(declared) if declared else None,
            "closures": tuple(closures) if closures else None,
            "keys": tuple(tuple(key) for key in row["keys"]),
            "inexact": tuple(row["inexact"]),
        }
    )


def _date_of(text: str) -> date:
    """Return a date, or an instant, as it was kept."""
    found = datetime.fromisoformat(text)
    return found.date() if found.tzinfo is None else found
