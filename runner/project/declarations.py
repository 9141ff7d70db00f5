"""Read what the manifest says of models and sources beyond the graph: keys, strategies, files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from runner.core.errors import ProjectError
from runner.core.graph import walk
from runner.dbt.arguments import OWN_VARS
from runner.dbt.package import PACKAGE

# Tests that say which columns are a key, and the argument that names them.
_KEY_TESTS = {
    "unique": "column_name",
    "unique_combination_of_columns": "combination_of_columns",
    "expect_column_values_to_be_unique": "column_name",
    "expect_compound_columns_to_be_unique": "column_list",
}
_KEY_CONSTRAINTS = ("unique", "primary_key")
_INEXACT = re.compile(r"double|float|real", re.IGNORECASE)  # types of floating point numbers
_PREDICATES = ("incremental_predicates", "predicates")  # dbt takes both
# What a text names of the project's vars and of the environment.
VAR = re.compile(r"""\bvar\s*\(\s*['"]([^'"]+)['"]""")
ENV_VAR = re.compile(r"""\benv_var\s*\(\s*['"]([^'"]+)['"]""")
LATE_ROWS = f"{PACKAGE}.late_rows"  # the check that looks at rows yet to be read
ROWS_IN_EVERY_WINDOW = f"{PACKAGE}.rows_in_every_window"  # the check that knows closed days
_REF = re.compile(r"""\bref\s*\((?:[^)]*,)?\s*['"]([^'"]+)['"]\s*\)""")
# As dbt writes them, and as it keeps them.
_HOOKS = ("pre-hook", "pre_hook", "post-hook", "post_hook")

Keys = tuple[tuple[str, ...], ...]
Hooks = tuple[tuple[str, bool], ...]  # SQL, and whether it runs in its model's transaction


def says_when_loaded(source: Mapping[str, Any]) -> bool:
    """Return True if dbt's freshness can ask a source up to when it is loaded."""
    config = source.get("config") or {}
    asked = ("loaded_at_field", "loaded_at_query")
    return any(source.get(key) or config.get(key) for key in asked)


def location_of(raw: Mapping[str, Any]) -> str | None:
    """Return the path or glob of a source's files, or of a seed's one; None if it is unknown.

    A source says it in dbt-duckdb's ``external_location``.
    """
    if raw.get("resource_type") == "seed":
        return str(raw["original_file_path"])
    if raw.get("resource_type") != "source":
        return None
    config = raw.get("config") or {}
    places = (raw.get("meta"), config.get("meta"), config, raw.get("source_meta"))
    said = (place.get("external_location") for place in places if place)
    text = str(next(filter(None, said), ""))
    is_quoted = len(text) > 2 and text[0] == text[-1] == "'"  # then a round bracket is no call
    location = text[1:-1].replace("''", "'") if is_quoted else text.strip("'\"")
    unseen = ("{", "://") if is_quoted else ("(", "{", "://")
    return location if location and not any(mark in location for mark in unseen) else None


def volatile_columns(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that are meant to differ when a window runs again, in lower case.

    They stand in ``meta: {volatile: [loaded_at]}``.
    """
    named = _meta(raw, "volatile") or ()
    return tuple(str(n).lower() for n in ([named] if isinstance(named, str) else named))


def window_var(raw: Mapping[str, Any]) -> str | None:
    """Return the var by which a model is told its window, one at a time; None: it has none.

    It stands in ``meta: {window_var: snapshot_dt}``. Raises :class:`ProjectError` for what is no
    name, or one that the runner gives another meaning.
    """
    name = _meta(raw, "window_var")
    if name is None:
        return None
    if not isinstance(name, str) or not name.isidentifier() or name in OWN_VARS:
        raise ProjectError(
            f"{raw['name']}: meta window_var is {name!r}; write the name of a var of your own, "
            "such as snapshot_dt"
        )
    return name


def most_windows(raw: Mapping[str, Any]) -> int | None:
    """Return how many windows a model can build at once; None: any number.

    It stands in ``meta: {chunk: 7}``; what is told its window by a var has one. Raises
    :class:`ProjectError` for what is no such number.
    """
    most = _meta(raw, "chunk")
    if most is not None and (type(most) is not int or most < 1):
        raise ProjectError(f"{raw['name']}: meta chunk is {most!r}; write a whole number from 1 on")
    return 1 if window_var(raw) is not None else most


def _meta(raw: Mapping[str, Any], name: str) -> Any:
    """Return something of a node's meta, which dbt keeps in the config since 1.10."""
    places = ((raw.get("config") or {}).get("meta"), raw.get("meta"))
    return next((meta[name] for meta in places if meta and meta.get(name) is not None), None)


@dataclass(frozen=True)
class Declared:
    """The part of a model's config that says how its windows are replaced."""

    path: str  # of its SQL, in the project's folder
    strategy: str | None  # incremental_strategy
    event_time: str | None  # the column that says which window a row belongs to
    unique_key: tuple[str, ...]
    version_column: str | None
    reaches_in_window: bool  # whether its SQL, or a macro that it calls, calls in_window
    hooks: Hooks = ()  # its own and its folder's
    volatile: tuple[str, ...] = ()  # columns that are meant to differ, in lower case
    event_time_as: str | None = None  # what the event time is, as its meta says
    predicates: tuple[str, ...] = ()  # what dbt looks for in the table when it replaces rows

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any], macros: Mapping[str, Any]) -> Self:
        """Read a model of the manifest."""
        config = raw.get("config") or {}
        unique_key = config.get("unique_key") or ()
        return cls(
            path=raw["original_file_path"],
            strategy=config.get("incremental_strategy"),
            event_time=config.get("event_time"),
            unique_key=(unique_key,) if isinstance(unique_key, str) else tuple(unique_key),
            version_column=config.get("version_column"),
            reaches_in_window=_reaches_in_window(raw, macros),
            hooks=tuple(
                (hook["sql"], bool(hook["transaction"]))
                for name in _HOOKS
                for hook in config.get(name) or ()
            ),
            volatile=volatile_columns(raw),
            event_time_as=_meta(raw, "event_time_as"),
            predicates=_listed(next(filter(None, map(config.get, _PREDICATES)), None)),
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The one way back from what was kept as JSON."""
        lists = ("unique_key", "volatile", "predicates")
        names = {name: tuple(row[name]) for name in lists}
        return cls(**{**row, **names, "hooks": tuple(tuple(hook) for hook in row["hooks"])})


def check_name(raw: Mapping[str, Any]) -> str | None:
    """Return which generic test a node is, with its package; None of what is none.

    >>> check_name({"test_metadata": {"name": "late_rows", "namespace": "daybreak"}})
    'daybreak.late_rows'
    """
    metadata = raw.get("test_metadata") or {}
    name, package = metadata.get("name"), metadata.get("namespace")
    return f"{package}.{name}" if package else name


def closures_of(raw: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the seed in which a check finds closed days, and its column; None if in none."""
    if check_name(raw) != ROWS_IN_EVERY_WINDOW:
        return None
    arguments = raw["test_metadata"].get("kwargs") or {}
    named = _REF.search(str(arguments.get("closures")))
    seeds = (key for key in raw["depends_on"]["nodes"] if key.startswith("seed."))
    found = next((key for key in seeds if named and key.split(".")[2] == named[1]), None)
    return (found, str(arguments.get("closed_on", "closed_on"))) if found else None


def known_keys(manifest: Mapping[str, Any]) -> dict[str, Keys]:
    """Return the columns, by unique id, that a test of all rows or a contract says are unique."""
    found = {i: keys for i, raw in manifest["nodes"].items() if (keys := _contracted_keys(raw))}
    for raw in manifest["nodes"].values():
        test = raw.get("test_metadata") or {}
        argument = _KEY_TESTS.get(test.get("name", ""))
        columns = test.get("kwargs", {}).get(argument) if argument else None
        if not columns or (raw.get("config") or {}).get("where"):
            continue
        read = raw.get("depends_on", {}).get("nodes") or []
        # A test of a source is attached to nothing.
        tested = raw.get("attached_node") or (read[0] if len(read) == 1 else None)
        if tested is not None:
            found[tested] = (*found.get(tested, ()), _listed(columns))
    return found


def inexact_columns(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of a node that are floating point numbers, as its YAML says."""
    columns = (raw.get("columns") or {}).items()
    return tuple(n for n, column in columns if _INEXACT.match(column.get("data_type") or ""))


def _contracted_keys(raw: Mapping[str, Any]) -> Keys:
    """Return the columns that a contract, which the warehouse enforces, says are unique."""
    if not ((raw.get("config") or {}).get("contract") or {}).get("enforced"):
        return ()
    of_columns = (
        (name,)
        for name, column in (raw.get("columns") or {}).items()
        for constraint in column.get("constraints") or ()
        if constraint.get("type") in _KEY_CONSTRAINTS
    )
    of_all = (
        _listed(constraint.get("columns"))
        for constraint in raw.get("constraints") or ()
        if constraint.get("type") in _KEY_CONSTRAINTS
    )
    return tuple(key for key in (*of_columns, *of_all) if key)


def _listed(names: Any) -> tuple[str, ...]:
    """Return what may be one name or several."""
    return (names,) if isinstance(names, str) else tuple(map(str, names or ()))


def _reaches_in_window(raw: Mapping[str, Any], macros: Mapping[str, Any]) -> bool:
    called = walk(
        raw["depends_on"].get("macros", ()),
        lambda macro: macros[macro]["depends_on"]["macros"] if macro in macros else (),
    )
    return f"macro.{PACKAGE}.in_window" in called
