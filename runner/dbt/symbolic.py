"""Compile every model to the text that is the same in every window, target and warehouse.

In it relations stand as their unique ids and Daybreak's macros as they were called, so that it
tells what the code of a model is: vars, environment, macros of packages and places of sources are
in it. Nothing asks the warehouse. A model that does, or cannot be compiled so, is told by its raw
text with the macros, vars and environment that it names, and with the reason.

Runs where dbt has just parsed; what has not changed since the last time is not compiled again.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

from runner.core.graph import walk
from runner.core.status import PLAIN
from runner.core.windows import Grain, are_batches
from runner.dbt.meaning import Meaning, UnreadableSqlError, digest_of, meaning_of
from runner.dbt.package import PACKAGE

_INTERNAL = ("dbt", "dbt_duckdb", "dbt_postgres", "dbt_spark", PACKAGE)
_ENV_VAR = re.compile(r"""\benv_var\(\s*['"]([^'"]+)""")
_VAR = re.compile(r"""\bvar\(\s*['"]([^'"]+)""")
# `ref('a')`, `source('a', 'b')`: what they return is all that is rendered.
_REFERENCE = re.compile(
    r"""\{\{-?\s*(ref|source)\(\s*'([^'\\]*)'\s*(?:,\s*'([^'\\]*)'\s*)?\)\s*-?\}\}"""
)
_COMMENT_LINES = re.compile(r"(?m)^\s*--.*$")
_LEXER = jinja2.Environment()  # noqa: S701 - SQL is no HTML, and nothing is rendered by it
_ASKS = "InvalidConnectionError"
_FOREVER = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_VERSION = digest_of(
    [Path(__file__).read_text(), Path(__file__).with_name("meaning.py").read_text()]
)
Kept = Mapping[str, Mapping[str, Any]]


def compile_all(manifest: Any, adapter: Any, kept: Path | None) -> dict[str, dict[str, Any]]:
    """Return, by unique id, the fields of a :class:`runner.dbt.protocol.CompiledNode`.

    Of the models and snapshots of a parsed manifest. ``kept`` is a file of what was compiled
    before; it is read, and written if something has changed.
    """
    if kept is not None and not _is_ours(kept.parent):
        kept = None
    before = _read(kept)
    compiler = _Compiler(manifest, adapter)
    nodes = [n for n in manifest.nodes.values() if n.resource_type in ("model", "snapshot")]
    found: dict[str, dict[str, Any]] = {}
    for node in nodes:
        key = compiler.key(node)
        old = before.get(node.unique_id)
        found[node.unique_id] = (
            dict(old) if old and old["key"] == key else {"key": key, **compiler.compiled(node)}
        )
    if kept is not None and found != before:
        _write(kept, found)
    plain = _PlainBuilds(manifest, compiler.zone)
    return {unique_id: plain.told(unique_id, entry) for unique_id, entry in found.items()}


class _Compiler:
    """Renders the nodes of a manifest, in one context that is moved from node to node."""

    def __init__(self, manifest: Any, adapter: Any) -> None:
        self._manifest = manifest
        self._adapter = adapter
        self._config = adapter.config
        self._contexts: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {}
        self._has_graph = False
        self._renderer = _Renderer()

    def key(self, node: Any) -> str:
        """Digest whatever a node's text may depend on: if that is the same, so is the text."""
        config = json.dumps(node.unrendered_config, sort_keys=True, default=str)
        parts = [self._surroundings, node.raw_code, config, *self._relations(node)]
        parts += [h.sql for h in _hooks(node)]
        if _is_microbatch(node):
            parts += self._event_times(node)
        if any("macro.dbt." not in macro for macro in node.depends_on.macros) or "{%" in "".join(
            [node.raw_code, *(h.sql for h in _hooks(node))]
        ):
            parts.append(self._macros)
        return digest_of(parts)

    def compiled(self, node: Any) -> dict[str, Any]:
        """Compile a node."""
        if node.language != "sql":
            return self._as_text(node, "it is not written in SQL")
        try:
            texts, rendered = self._rendered(node)
            meanings = [meaning_of(text, self._adapter.type()) for text in texts]
        except UnreadableSqlError as error:
            return self._as_text(node, f"its SQL cannot be read ({error})")
        except Exception as error:
            if type(error).__name__ == _ASKS:
                return self._as_text(node, "it asks the database while it is compiled")
            why = " ".join(str(error).split()) or type(error).__name__
            return self._as_text(node, f"it cannot be compiled ahead ({why})")
        return {
            "text": "\n\n".join(text.strip() for text in texts),
            "meaning": digest_of(meaning.digest for meaning in meanings),
            "reads": self._read(node, meanings),
            "rendered": rendered,
            "why_not": None,
        }

    def _rendered(self, node: Any) -> tuple[list[str], list[Any] | None]:
        """Return the node's SQL and its hooks, and what a plain build would render of it."""
        macros, ctes = list(node.depends_on.macros), list(getattr(node, "extra_ctes", ()))
        try:
            if _is_microbatch(node):
                node.batch = _any_batch()
            try:
                texts, rendered = self._texts(node)
            except Exception as error:
                if type(error).__name__ == _ASKS or self._has_graph:
                    raise
                # A model that looks at the graph: dbt makes it for a run, not for a parse.
                self._manifest.build_flat_graph()
                self._has_graph = True
                texts, rendered = self._texts(node)
        finally:
            node.depends_on.macros[:] = macros  # rendering adds to them
            if hasattr(node, "extra_ctes"):
                node.extra_ctes[:] = ctes
            if _is_microbatch(node):
                node.batch = None
        return [self._with_ids(node, text) for text in texts], rendered

    def _texts(self, node: Any) -> tuple[list[str], list[Any] | None]:
        context = self._context(node)
        is_asked: list[bool] = []

        def is_incremental() -> bool:
            is_asked.append(True)
            return is_later

        context["is_incremental"] = is_incremental
        texts, is_later = [], False
        hooks = _hooks(node)
        for sql in (node.raw_code, *(hook.sql for hook in hooks)):
            is_later = False
            texts.append(self._renderer.render(sql, context, node))
            if is_asked:
                is_later = True
                later = self._renderer.render(sql, context, node)
                texts.append(f"-- where it was built before\n{later}")
                is_asked.clear()
        rendered = None
        if len(texts) == 1 + len(hooks):
            settings = _plain_config(context["model"]["config"])
            rendered = [*(text.strip() for text in texts), settings]
            for index, hook in enumerate(hooks):
                texts[index + 1] = f"-- {hook.kind}\n{texts[index + 1].strip()}"
        return texts, rendered

    def _context(self, node: Any) -> dict[str, Any]:
        """Return the context to render a node in: macros stay, what is a node's own is replaced."""
        from dbt.context.providers import ModelContext, RuntimeProvider

        package = node.package_name
        if package not in self._contexts:
            provider = ModelContext(node, self._config, self._manifest, RuntimeProvider(), None)
            context: dict[str, Any] = provider.to_dict()  # type: ignore[no-untyped-call]
            self._contexts[package] = provider, context, dict(provider.namespace)
        provider, context, macros = self._contexts[package]
        provider.model = node
        context.update(provider.generate_builtins())
        context.update(macros)
        context["model"]["daybreak_symbolic"] = True
        context.update(run_started_at=_FOREVER, invocation_id="", thread_id="")
        context["modules"] = {**context["modules"], "datetime": _Timeless.names()}
        return context

    def _as_text(self, node: Any, why_not: str) -> dict[str, Any]:
        """Tell a node by its raw text, and all that this names."""
        macros = self._manifest.macros
        reached = walk(
            node.depends_on.macros,
            lambda macro: macros[macro].depends_on.macros if macro in macros else (),
        )
        texts = [node.raw_code.strip(), *(hook.sql for hook in _hooks(node))]
        texts += [macros[m].macro_sql.strip() for m in sorted(reached) if self._is_foreign(m)]
        named = "\n".join(texts)
        variables = self._config.vars.to_dict()
        own = variables.get(node.package_name)
        scoped = {**variables, **(own if isinstance(own, dict) else {}), **self._config.cli_vars}
        texts += [f"-- var {n}: {scoped.get(n)}" for n in sorted(set(_VAR.findall(named)))]
        names = sorted(set(_ENV_VAR.findall(named)))
        texts += [f"-- env_var {name}: {_digested(os.environ.get(name))}" for name in names]
        return {
            "text": "\n\n".join(texts),
            "meaning": digest_of(texts),
            "reads": None,
            "rendered": None,
            "why_not": why_not,
        }

    def _is_foreign(self, unique_id: str) -> bool:
        """Return whether a macro is neither dbt's nor ours: an upgrade changes no code."""
        macro = self._manifest.macros.get(unique_id)
        return macro is not None and macro.package_name not in _INTERNAL

    def _relations(self, node: Any) -> dict[str, str]:
        """Return unique ids by what stands for them in rendered SQL."""
        found = {str(node.relation_name): node.unique_id} if node.relation_name else {}
        for unique_id in node.depends_on.nodes:
            parent = self._manifest.nodes.get(unique_id)
            source = self._manifest.sources.get(unique_id)
            if parent is not None and parent.is_ephemeral_model:
                relation = self._adapter.Relation.create_ephemeral_from(parent)
                found[str(relation)] = unique_id
            elif parent is not None and parent.relation_name:
                found[parent.relation_name] = unique_id
            elif source is not None and source.relation_name:
                found[source.relation_name] = unique_id
        return found

    def _event_times(self, node: Any) -> list[str]:
        """Return the columns by which dbt filters what a microbatch reads."""
        known = {**self._manifest.nodes, **self._manifest.sources}
        read = (known[unique_id] for unique_id in node.depends_on.nodes if unique_id in known)
        return [
            f"{parent.unique_id} {getattr(parent.config, 'event_time', None)}" for parent in read
        ]

    def _with_ids(self, node: Any, text: str) -> str:
        # A source that is a file or a call is told by that: where it is belongs to the code.
        relations = {
            relation: self._adapter.quote(unique_id)
            for relation, unique_id in self._relations(node).items()
            if not re.search(r"['()]", relation)
        }
        for relation, symbol in relations.items():
            if relation[-1].isalnum():  # not quoted: it may be the beginning of another's name
                pattern = rf"(?<![\w.]){re.escape(relation)}(?!\w)"
                text = re.sub(pattern, symbol.replace("\\", r"\\"), text)
            else:
                text = text.replace(relation, symbol)
        return text

    def _read(self, node: Any, meanings: Iterable[Meaning]) -> list[str]:
        """Return the parents that the SQL reads: what a comment names, only a check does."""
        names = frozenset[str]().union(*(meaning.names for meaning in meanings))
        return sorted(names.intersection(node.depends_on.nodes))

    @cached_property
    def zone(self) -> ZoneInfo:
        """The var timezone of the project, as the macros see it."""
        variables = self._config.vars.to_dict()
        own = variables.get(self._config.project_name)
        given = {**variables, **(own if isinstance(own, dict) else {}), **self._config.cli_vars}
        try:
            return ZoneInfo(str(given.get("timezone") or "UTC"))
        except (ValueError, OSError, LookupError):
            return ZoneInfo("UTC")  # whoever reads it says that there is no such zone

    @cached_property
    def _surroundings(self) -> str:
        """All vars, the environment that is named, the target, the versions."""
        config, manifest = self._config, self._manifest
        packages = sorted((config.dependencies or {}).items())
        variables = [package.vars.to_dict() for _, package in packages]
        texts = [node.raw_code for node in manifest.nodes.values() if "env_var" in node.raw_code]
        texts += [m.macro_sql for m in manifest.macros.values() if "env_var" in m.macro_sql]
        names = {*manifest.env_vars, *(name for text in texts for name in _ENV_VAR.findall(text))}
        environment = {name: _digested(os.environ.get(name)) for name in sorted(names)}
        credentials = config.credentials
        target = [config.target_name, credentials.database, credentials.schema]
        variables += [config.vars.to_dict(), config.cli_vars]
        parts = [variables, environment, target, version("dbt-core")]
        return json.dumps([_VERSION, *parts], sort_keys=True, default=str)

    @cached_property
    def _macros(self) -> str:
        """All macros: which ones a macro calls is seen only when it is called."""
        macros = sorted(self._manifest.macros.items())
        return digest_of(f"{unique_id} {macro.macro_sql}" for unique_id, macro in macros)


class _PlainBuilds:
    """What a plain ``dbt build`` writes into its markers: see `_plain_code` in the macros."""

    def __init__(self, manifest: Any, zone: ZoneInfo) -> None:
        self._manifest = manifest
        self._zone = zone

    def told(self, unique_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is told of a node; ``rendered`` gives way to its digest."""
        told = {key: value for key, value in entry.items() if key not in ("key", "rendered")}
        return {**told, "plain": self._digest(unique_id, entry["rendered"])}

    def _digest(self, unique_id: str, rendered: list[Any] | None) -> str | None:
        from dbt_common.utils.encoding import md5

        node = self._manifest.nodes[unique_id]
        # A plain build of a microbatch is dbt's own, and writes no markers.
        if rendered is None or _is_microbatch(node) or not self._is_windowed(node):
            return None
        sql = _COMMENT_LINES.sub("", "\n".join(rendered[:-1]))
        behind = self._behind(p for p in node.depends_on.nodes if self._is_named(p, sql))
        if behind is None:
            return None
        told = json.dumps([*rendered, behind], sort_keys=True)
        return f"{PLAIN}{md5(told)}"  # type: ignore[no-untyped-call]

    def _is_named(self, unique_id: str, sql: str) -> bool:
        node = self._manifest.nodes.get(unique_id)
        if node is None:
            return False
        return (node.relation_name or f"__dbt__cte__{node.alias}") in sql

    def _behind(self, parents: Iterable[str]) -> dict[str, Any] | None:
        """Return what tells the code behind a model; None if it cannot be told of some of it."""
        nodes, sources = self._manifest.nodes, self._manifest.sources

        def onward(unique_id: str) -> Iterable[str]:
            node = nodes.get(unique_id)
            if node is None or self._is_windowed(node):
                return ()
            return getattr(node.depends_on, "nodes", ())  # a seed reads nothing

        found = {}
        for unique_id in walk(parents, onward):
            if unique_id in nodes and not self._is_windowed(nodes[unique_id]):
                node = nodes[unique_id]
                if not _is_told_by_its_file(node):
                    return None
                found[unique_id] = node.checksum.checksum
            elif unique_id in sources:
                found[unique_id] = sources[unique_id].relation_name
        return found

    def _is_windowed(self, node: Any) -> bool:
        config = node.config
        if node.resource_type != "model" or config.materialized != "incremental":
            return False
        if not config.event_time:
            return False
        if _is_microbatch(node):
            size = str(getattr(config.batch_size, "value", config.batch_size))
            is_known = node.language == "sql" and size in set(Grain)
            return is_known and are_batches(Grain(size), self._zone)
        return bool(
            config.incremental_strategy == "overwrite_window"
            or (config.incremental_strategy == "merge" and config.batch_size)
        )


_TOLD_BY_FILE = re.compile(
    r"\{\{\s*(?:ref|source|config|daybreak\.(?:in_window|window_key|window_spine|utc_to_local"
    r"|local_to_utc|landed_in_window|landed_date))\s*\("
)


def _is_told_by_its_file(node: Any) -> bool:
    """Return whether a node's file is all its code: no var, macro or big file is behind it."""
    openings = re.findall(r"\{[{%]", node.raw_code)
    return (
        node.checksum.name == "sha256"
        and len(openings) == len(_TOLD_BY_FILE.findall(node.raw_code))
        and not re.search(r"\b(?:env_)?var\s*\(", node.raw_code)
    )


_PLAIN_CONFIG = (
    "batch_size",
    "event_time",
    "incremental_strategy",
    "materialized",
    "on_schema_change",
    "sql_header",
    "unique_key",
    "version_column",
)


def _plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: config.get(name) for name in _PLAIN_CONFIG}
    return {**told, "event_time_as": (config.get("meta") or {}).get("event_time_as")}


def _is_microbatch(node: Any) -> bool:
    config = node.config
    return bool(
        node.resource_type == "model"
        and config.materialized == "incremental"
        and config.incremental_strategy == "microbatch"
    )


def _any_batch() -> Any:
    """Return what stands for every batch: dbt filters by it what a microbatch reads."""
    from dbt.contracts.graph.nodes import BatchContext

    day = datetime.timedelta(days=1)
    return BatchContext(id="batch", event_time_start=_FOREVER, event_time_end=_FOREVER + day)


class _Hook:
    def __init__(self, kind: str, hook: Any) -> None:
        self.kind = kind if hook.transaction else f"{kind}, outside the transaction"
        self.sql: str = hook.sql


def _hooks(node: Any) -> list[_Hook]:
    config = node.config
    pre = [_Hook("pre-hook", hook) for hook in getattr(config, "pre_hook", ())]
    return pre + [_Hook("post-hook", hook) for hook in getattr(config, "post_hook", ())]


class _Timeless(datetime.datetime):
    """A datetime whose now is always the same: when a model is compiled is no code of it."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Timeless:
        """Return the first instant of 2000."""
        return cls(2000, 1, 1, tzinfo=tz)

    utcnow = today = now

    @classmethod
    def names(cls) -> dict[str, Any]:
        """Return what Jinja sees of Python's module."""
        others = ("time", "timedelta", "timezone", "tzinfo")
        named = {name: getattr(datetime, name) for name in others}
        return {**named, "datetime": cls, "date": _TimelessDate}


class _TimelessDate(datetime.date):
    @classmethod
    def today(cls) -> _TimelessDate:
        return cls(2000, 1, 1)


class _Renderer:
    """Renders texts as dbt does.

    One without blocks is cut at its expressions: each is a template that many models share, and
    that is made in a part of the time.
    """

    def __init__(self) -> None:
        self._templates: dict[str, Any] = {}

    def render(self, sql: str, context: dict[str, Any], node: Any) -> str:
        """Render a text; raises what its code raises."""
        pieces = _pieces(sql) or [(sql, True)]
        return "".join(
            self._code(piece, context, node) if is_code else piece for piece, is_code in pieces
        )

    def _code(self, code: str, context: dict[str, Any], node: Any) -> str:
        from dbt_common.clients.jinja import get_template, render_template

        if called := _REFERENCE.fullmatch(code):
            name, first, second = called.groups()
            return str(context[name](first, *([second] if second else [])))
        if code not in self._templates:
            self._templates[code] = get_template(code, context, node)
        return str(render_template(self._templates[code], context, node))


def _pieces(sql: str) -> list[tuple[str, bool]] | None:
    """Cut a text into what is written and what is code; None for what has blocks."""
    if "{%" in sql or "{#" in sql:
        return None
    pieces, code = [], None
    for _, kind, text in _LEXER.lex(sql):
        if kind == "variable_begin":
            code = [text]
        elif code is not None:
            code.append(text)
            if kind == "variable_end":
                pieces.append(("".join(code), True))
                code = None
        else:
            pieces.append((text, False))
    return pieces


def _digested(value: str | None) -> str | None:
    """What stands for a value that may be a secret."""
    return None if value is None else digest_of([value])[:16]


def _is_ours(folder: Path) -> bool:
    """Return whether nobody else can have written what is in a folder."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read(path: Path | None) -> Kept:
    if path is not None:
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text())
            if isinstance(found, dict) and all("key" in entry for entry in found.values()):
                return found
    return {}


def _write(path: Path, found: Kept) -> None:
    """Keep what was compiled; that it cannot be kept is no harm."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.partial")
        unfinished.write_text(json.dumps(found))
        unfinished.replace(path)
