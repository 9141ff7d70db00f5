"""Name what of a project is built without windows, or may stand in the way, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from runner.dbt.package import PACKAGE
from runner.dbt.protocol import Target
from runner.project.manifest import DATA_KINDS, grain_of, is_microbatch, why_not_windows
from runner.project.names import unique_names

_UTC = ZoneInfo("UTC")
_OWN_ANSWERS = {
    "get_where_subquery": "it decides which rows a test reads, also in a run",
    "get_test_sql": "it decides how a test counts, also in a run",
    "materialization_incremental": "a windowed model would be built by it, and judged by nobody: "
    "take it out, or call ours from it",
}
_COMMITS = re.compile(r"(?i)^\s*(?:commit|rollback|begin)\b|;\s*(?:commit|rollback|begin)\b")


class Weight(StrEnum):
    """What a finding means for who adopts the project."""

    OBSTACLE = "in the way"  # until it is mended a run, or a windowed model, does not work
    NOTE = "to know"
    NOT_REPLAYABLE = "not replayable"  # built like a table, once per run


@dataclass(frozen=True)
class AdoptionFinding:
    """One thing that a person should know before the first run."""

    weight: Weight
    what: str  # the model, macro or file
    text: str


def find_obstacles(
    manifest: Mapping[str, Any], target: Target, zone: ZoneInfo = _UTC
) -> list[AdoptionFinding]:
    """Return what a person should know of a parsed project, the heaviest first."""
    names = unique_names(manifest)  # by which every command finds them
    found = [*_of_target(target), *_of_macros(manifest), *_of_names(manifest, names)]
    for unique_id, raw in sorted(manifest["nodes"].items()):
        if raw["resource_type"] == "model":
            found += _of_model(names[unique_id], raw, zone)
    order = list(Weight)
    return sorted(found, key=lambda one: order.index(one.weight))


def is_not_replayable(raw: Mapping[str, Any], zone: ZoneInfo) -> bool:
    """Return True for an incremental model without windows."""
    config = raw.get("config") or {}
    is_incremental = raw["resource_type"] == "model" and config.get("materialized") == "incremental"
    return is_incremental and grain_of(raw, zone) is None


def _of_target(target: Target) -> Iterator[AdoptionFinding]:
    if target.file is None and ":memory:" in target.place:
        text = "the target is a database in memory, and is gone after each run: give it a file"
        yield AdoptionFinding(Weight.OBSTACLE, "profiles.yml", text)


def _of_macros(manifest: Mapping[str, Any]) -> Iterator[AdoptionFinding]:
    own = manifest["metadata"]["project_name"]
    for unique_id, raw in sorted(manifest["macros"].items()):
        name = unique_id.rsplit(".", 1)[1]
        is_ours = f"{PACKAGE}._build_windows" in raw["macro_sql"]
        if raw["package_name"] != own or is_ours:
            continue
        for asked, text in _OWN_ANSWERS.items():
            if name.removeprefix("default__").removeprefix("duckdb__").startswith(asked):
                is_way = asked.startswith("materialization")
                weight = Weight.OBSTACLE if is_way else Weight.NOTE
                yield AdoptionFinding(weight, f"macro {name}", text)


def _of_names(manifest: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[AdoptionFinding]:
    """Yield what shares its name with others: versions of a model, models of two packages."""
    by_name: dict[str, list[str]] = {}
    for unique_id, raw in manifest["nodes"].items():
        if raw["resource_type"] in DATA_KINDS:
            by_name.setdefault(raw["name"], []).append(names[unique_id])
    for name, same in sorted(by_name.items()):
        if len(same) > 1:
            text = f"{len(same)} nodes have this name, and go by {', '.join(sorted(same))}"
            yield AdoptionFinding(Weight.NOTE, name, text)


def _of_model(name: str, raw: Mapping[str, Any], zone: ZoneInfo) -> Iterator[AdoptionFinding]:
    if raw["original_file_path"].endswith(".py"):
        text = "a Python model: built by dbt as ever; it cannot have windows"
        yield AdoptionFinding(Weight.NOTE, name, text)
    config = raw.get("config") or {}
    if config.get("materialized") == "incremental":
        for hook in (*(config.get("pre_hook") or ()), *(config.get("post_hook") or ())):
            if not hook.get("transaction", True) or _COMMITS.search(hook["sql"]):
                text = (
                    "a hook commits, or runs outside the transaction: as a windowed model it would "
                    "be refused (DB10)"
                )
                yield AdoptionFinding(Weight.NOTE, name, text)
    if is_not_replayable(raw, zone):
        text = f"{how_it_grows(raw)}: built like a table, once per run"
        if is_microbatch(raw):
            text += f"; {why_not_windows(raw, zone)}"
        yield AdoptionFinding(Weight.NOT_REPLAYABLE, name, text)


def how_it_grows(raw: Mapping[str, Any]) -> str:
    """Return in two or three words how an incremental model without windows is built."""
    config, text = raw.get("config") or {}, raw.get("raw_code") or ""
    strategy = config.get("incremental_strategy")
    by = str(strategy or ("delete+insert" if config.get("unique_key") else "append"))
    return f"{by}, by a watermark" if re.search(r"max\s*\(.*\{\{\s*this\b", text, re.S) else by
