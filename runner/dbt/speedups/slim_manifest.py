"""A manifest is written with no more than the runner reads: a fifth of a first parse.

It has the form of dbt's manifest.json. dbt's own way to write one makes a serializer for each of
its classes first, which takes longer than all else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from dbt_common.utils.encoding import JSONEncoder

from runner.dbt.speedups import UnexpectedDbtError, expect

_GROUPS = ("nodes", "sources", "exposures", "unit_tests")
_OF_NODES = (
    "name", "resource_type", "package_name", "original_file_path", "database", "schema", "alias",
    "identifier", "raw_code", "depends_on", "config", "unrendered_config", "meta", "source_meta",
    "attached_node", "test_metadata", "freshness", "loaded_at_field", "loaded_at_query",
    "checksum", "fqn", "version",
)  # fmt: skip
_OF_MACROS = ("package_name", "original_file_path", "macro_sql", "depends_on")


def probe() -> None:
    """Expect a manifest that keeps its nodes in groups, and is written to a path."""
    expect(Manifest.write, "self", "path")
    lacking = {"metadata", "macros", *_GROUPS} - {field.name for field in fields(Manifest)}
    if lacking:
        raise UnexpectedDbtError(f"dbt's manifest has no {', '.join(sorted(lacking))}")


def apply() -> None:
    """Write every manifest so; whatever is not as expected in one, dbt writes itself."""
    write_all = Manifest.write

    def write(manifest: Manifest, path: str) -> None:
        try:
            text = _described(manifest)
        except (AttributeError, TypeError, ValueError):
            write_all(manifest, path)  # type: ignore[no-untyped-call]
        else:
            Path(path).write_text(text)

    Manifest.write = write  # type: ignore[method-assign]


def _described(manifest: Any) -> str:
    """A parsed manifest as JSON: of its nodes and macros what the runner reads."""
    told: dict[str, Any] = {
        "metadata": {"project_name": manifest.metadata.project_name},
        "macros": {found: _told(it, _OF_MACROS) for found, it in manifest.macros.items()},
    }
    for group in _GROUPS:
        found = getattr(manifest, group)
        told[group] = {unique_id: _told(it, _OF_NODES) for unique_id, it in found.items()}
    return json.dumps(told, cls=JSONEncoder)


def _told(node: Any, names: tuple[str, ...]) -> dict[str, Any]:
    # A dataclass keeps its fields by name; what is only a property, dbt does not write either.
    known = node.__dataclass_fields__
    return {name: _plain(getattr(node, name)) for name in names if name in known}


def _plain(value: Any) -> Any:
    """A value as dbt's serializers tell it: what a config does not know stands beside the rest."""
    if is_dataclass(value):
        named = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {**named.pop("_extra", {}), **named}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _plain(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(found) for found in value]
    return value
