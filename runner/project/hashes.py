"""Digest the code that a node's rows depend on; it is recorded with every published window.

What is a node's own: the meaning of its compiled SQL and hooks (see :mod:`runner.dbt.symbolic`),
the config that shapes rows and, if it has windows, the zone that they are cut in; of a seed its
file. :func:`combined_hash` adds what it reads that has no windows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.core.graph import walk
from runner.dbt.package import PACKAGE
from runner.dbt.protocol import CompiledNode
from runner.project.declarations import ENV_VAR, VAR

# Settings that never change a row of a window; hooks count as what they compile to.
_COSMETIC_CONFIG = frozenset(
    {
        "access", "alias", "begin", "database", "description", "docs", "enabled", "freshness",
        "grants", "group", "meta", "packages", "persist_docs", "post-hook", "post_hook", "pre-hook",
        "pre_hook", "schema", "tags",
    }
)  # fmt: skip
_HOOKS = ("pre-hook", "pre_hook", "post-hook", "post_hook")
_SAME_ROWS = ("view", "ephemeral", "table")  # of the same query
PACKAGES = "dbt_packages"  # where dbt installs them, unless the project says otherwise
_SHORT = 16


@dataclass(frozen=True)
class Code:
    """What is a node's own of its code."""

    digest: str
    text: str  # for a person


def own_code(
    raw: Mapping[str, Any],
    compiled: CompiledNode | None,
    macros: Mapping[str, Any],
    zone: str | None,
    variables: Mapping[str, Any],
) -> Code:
    """Tell a model or snapshot; ``zone`` is that of its windows.

    What no engine has compiled is told by its raw text, the macros that it reaches, and what the
    project's ``variables`` and the environment say of the names in them.
    """
    settings = _settings(raw)
    if zone is not None:
        settings["timezone"] = zone
    head = [f"-- {name}: {json.dumps(value)}" for name, value in sorted(settings.items())]
    if compiled is not None:
        return Code(_digest([compiled.meaning, *head]), "\n".join([*head, "", compiled.text, ""]))
    written = raw.get("unrendered_config") or {}
    hooks = [json.dumps(written[name]) for name in _HOOKS if written.get(name)]
    texts = [raw["raw_code"].strip(), *hooks, *_macro_sources(raw, macros)]
    texts += _named_values("\n".join(texts), variables)
    return Code(_digest([*texts, *head]), "\n".join([*head, "", *texts, ""]))


def _named_values(text: str, variables: Mapping[str, Any]) -> list[str]:
    """Tell the vars and environment variables in a text; those may be secret, so by digests."""
    found = {f"var {name}": variables.get(name) for name in VAR.findall(text)}
    for name in ENV_VAR.findall(text):
        value = os.environ.get(name)
        found[f"env_var {name}"] = value if value is None else _digest([value])
    return [f"-- {name}: {json.dumps(value, default=str)}" for name, value in sorted(found.items())]


def seed_code(raw: Mapping[str, Any], project_dir: Path) -> Code:
    """Tell a seed: the digest of its file, and how it is read."""
    checksum = raw.get("checksum") or {}
    digest = checksum.get("checksum", "")
    if checksum.get("name") != "sha256":  # of a large file dbt knows only where it is
        installed = project_dir / PACKAGES / raw["package_name"]
        file = (installed if installed.is_dir() else project_dir) / raw["original_file_path"]
        try:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError:  # gone: dbt will say so
            digest = ""
    settings = sorted(_settings(raw).items())
    head = [f"-- {name}: {json.dumps(value)}" for name, value in settings]
    text = [*head, f"-- {raw['original_file_path']}: sha256 {digest}", ""]
    return Code(_digest([digest, *head]), "\n".join(text))


def combined_hash(own: str, parents: Mapping[str, str]) -> str:
    """Return the hash of what reads nodes without windows, by unique id; its own if none."""
    read = [f"{unique_id} {code}" for unique_id, code in sorted(parents.items())]
    return _digest([own, *read]) if read else own


def _settings(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config that somebody has written, as it is rendered: no default of a dbt."""
    written, rendered = raw.get("unrendered_config") or {}, raw.get("config") or {}
    found = {
        name: _as_written(value, rendered.get(name, value))
        for name, value in written.items()
        if name not in _COSMETIC_CONFIG
    }
    if found.get("materialized") in _SAME_ROWS:
        del found["materialized"]
    event_time_as = (rendered.get("meta") or {}).get("event_time_as")
    return found if event_time_as is None else {**found, "event_time_as": event_time_as}


def _as_written(written: Any, rendered: Any) -> Any:
    if isinstance(written, Mapping) and isinstance(rendered, Mapping):
        return {key: _as_written(value, rendered.get(key)) for key, value in written.items()}
    return rendered


def _macro_sources(raw: Mapping[str, Any], macros: Mapping[str, Any]) -> list[str]:
    # Through ours, as they call what a project overrides of them; an upgrade of ours is no change.
    walked = (raw["package_name"], PACKAGE)

    def own(unique_ids: Iterable[str]) -> list[str]:
        return [i for i in unique_ids if i in macros and macros[i]["package_name"] in walked]

    reached = own(raw["depends_on"].get("macros", ()))
    closure = walk(reached, lambda macro: own(macros[macro]["depends_on"]["macros"]))
    found = (macros[unique_id] for unique_id in sorted(closure))
    return [m["macro_sql"].strip() for m in found if m["package_name"] != PACKAGE]


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_SHORT]
