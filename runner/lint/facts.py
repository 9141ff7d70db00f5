"""Gather what is declared of a model: in the parsed project, and in the config() of its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

from jinja2 import Environment, TemplateError, nodes

from runner.lint.source import Source

_QUERIES = ("view", "ephemeral")  # they hold no rows of their own
_WINDOWED = ("overwrite_window", "merge", "microbatch")  # strategies that replace windows
_STATED = ("materialized", "incremental_strategy", "event_time", "version_column")
_PREDICATES = ("incremental_predicates", "predicates")  # dbt takes both


@dataclass(frozen=True)
class Parent:
    """The things that are known of what a model can read."""

    keys: tuple[tuple[str, ...], ...] = ()  # columns that tests or a contract say are unique
    inexact: tuple[str, ...] = ()  # columns that are floating point numbers, as it says


@dataclass(frozen=True)
class Facts:
    """The things that rules have to know of a model besides its text."""

    materialized: str | None = None
    incremental_strategy: str | None = None
    event_time: str | None = None  # a column of the model's own rows
    unique_key: tuple[str, ...] = ()
    version_column: str | None = None
    keys: tuple[tuple[str, ...], ...] = ()  # columns that a test says are unique
    # Name → event time; a mapping has no hash.
    windowed_parents: Mapping[str, str] = field(default_factory=dict, hash=False)
    # Of models, and of sources as `shop.lines`, in lower case.
    parents: Mapping[str, Parent] = field(default_factory=dict, hash=False)
    reaches_in_window: bool = False  # whether a macro that it calls does, by the last parse
    window_var: str | None = None  # the var that tells it its window
    hooks: tuple[tuple[str, bool], ...] = ()  # SQL, and whether it runs in the transaction
    readers: tuple[str, ...] = ()  # of a view: the incremental models whose rows it makes
    volatile: tuple[str, ...] = ()  # columns that are meant to differ, in lower case
    name: str | None = None  # of its table
    schema: str | None = None
    grain: str | None = None  # the length of its windows
    event_time_as: str | None = None  # what its event time is: date, utc, local, instant
    predicates: tuple[str, ...] = ()  # what dbt looks for in the table when it replaces rows
    is_whole: bool = False  # whether the folder's config is in it too; else only the text's own

    @property
    def is_replaced(self) -> bool:
        """True if its rows are replaced part by part, so that each part may be replayed."""
        if self.materialized is None:  # only the folder's config knows
            return bool(self.incremental_strategy or self.event_time)
        return self.materialized == "incremental"

    @property
    def is_windowed(self) -> bool:
        """True if each window is replaced and judged in one transaction."""
        return self.incremental_strategy in _WINDOWED and self.event_time is not None

    @property
    def is_read_on(self) -> bool:
        """True if it is only a query, which what is replaced in parts asks anew each time."""
        return self.materialized in _QUERIES and bool(self.readers)

    @property
    def all_keys(self) -> tuple[frozenset[str], ...]:
        """All declared keys, names in lower case."""
        declared = (self.unique_key, *self.keys)
        return tuple(frozenset(name.lower() for name in key) for key in declared if key)

    def with_config_of(self, source: Source) -> Self:
        """Let the text's own config() win: it may be newer than the last parse."""
        said: dict[str, Any] = {}  # as Jinja has it
        for tag in source.tags:
            if tag.call == "config":
                said |= _constant_keywords(tag.code)
        changes: dict[str, Any] = {name: str(said[name]) for name in _STATED if said.get(name)}
        key = said.get("unique_key")
        if key and isinstance(key, (str, list, tuple)):
            changes["unique_key"] = (key,) if isinstance(key, str) else tuple(map(str, key))
        meta = said.get("meta")
        if isinstance(meta, dict) and meta.get("event_time_as"):
            changes["event_time_as"] = str(meta["event_time_as"])
        if isinstance(meta, dict) and (named := meta.get("volatile")):
            names = [named] if isinstance(named, str) else named
            changes["volatile"] = tuple(str(name).lower() for name in names)
        if said.get("batch_size"):
            changes["grain"] = str(said["batch_size"])
        predicates = next(filter(None, map(said.get, _PREDICATES)), None)
        if isinstance(predicates, (str, list, tuple)):
            listed = [predicates] if isinstance(predicates, str) else predicates
            changes["predicates"] = tuple(map(str, listed))
        # dbt adds a model's hooks to those of its folder.
        stated = (hook for name in ("pre_hook", "post_hook") for hook in _hooks(said.get(name)))
        changes["hooks"] = tuple(dict.fromkeys((*self.hooks, *stated)))
        return replace(self, **changes)


def _hooks(said: Any) -> Iterator[tuple[str, bool]]:
    """Yield what a config() says of hooks: one or several, each a text or a mapping."""
    for hook in said if isinstance(said, (list, tuple)) else [said]:
        if isinstance(hook, str):
            yield hook, True
        elif isinstance(hook, dict):
            yield str(hook.get("sql", "")), bool(hook.get("transaction", True))


def _constant_keywords(code: str) -> dict[str, Any]:
    """Read the keyword arguments of a call; what only dbt can work out is left out."""
    try:
        tree = Environment(autoescape=True).parse("{{" + code + "}}")
    except TemplateError:
        return {}
    call = tree.find(nodes.Call)
    found: dict[str, Any] = {}
    for keyword in call.kwargs if call is not None else ():
        with suppress(nodes.Impossible):
            found[keyword.key] = keyword.value.as_const()
    return found
