"""Hash the code that a model's rows depend on; it is recorded with every published window.

A hash covers the model's SQL, its config, the project's macros that it reaches and, through
:func:`combined_hash`, the views that it reads. Daybreak's own macros and dbt's stay out: an
upgrade must not make every window look old.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.core.graph import walk

# Settings of a model that never change its rows.
_COSMETIC_CONFIG = frozenset({"access", "description", "docs", "group", "meta", "tags"})
_OWN_MACROS = "macros/daybreak/"


def own_code_hash(raw: Mapping[str, Any], macros: Mapping[str, Any]) -> str:
    """Digest a model's SQL, config and the project's macros that it reaches."""
    config = raw.get("unrendered_config") or {}
    parts = [
        raw["raw_code"].strip(),
        json.dumps({k: v for k, v in config.items() if k not in _COSMETIC_CONFIG}, sort_keys=True),
        *_macro_sources(raw["depends_on"].get("macros", ()), raw["package_name"], macros),
    ]
    return _digest(parts)


def combined_hash(own: str, parents: Iterable[str]) -> str:
    """Return the hash of a model that reads views: its own if it reads none."""
    read = sorted(parents)
    return _digest([own, *read]) if read else own


def _macro_sources(
    reached: Iterable[str], package: str, macros: Mapping[str, Any]
) -> Iterator[str]:
    def own(unique_ids: Iterable[str]) -> list[str]:
        return [i for i in unique_ids if i in macros and macros[i]["package_name"] == package]

    found = walk(own(reached), lambda macro: own(macros[macro]["depends_on"]["macros"]))
    for unique_id in sorted(found):
        if not macros[unique_id]["original_file_path"].startswith(_OWN_MACROS):
            yield macros[unique_id]["macro_sql"].strip()


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
