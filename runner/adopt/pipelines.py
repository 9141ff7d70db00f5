"""Propose the pipelines of a project: one for each exposure, or one for all of it.

Where models have windows of several lengths there is one for each length instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from runner.core.graph import walk
from runner.core.windows import Grain
from runner.project.manifest import grain_of

_UTC = ZoneInfo("UTC")
_STORED = ("table", "incremental", "snapshot")
_SCHEDULE = '"0 5 * * *"  # every morning, in the zone of dbt_project.yml'
_HOURLY = '"0 * * * *"  # every hour'
_TAKEN = "the default of selectors.yml, which a plain `dbt build` takes too"
_LEFT = "Not the default of selectors.yml, {}: a pipeline has windows of one length."
_HEAD = "# What is built together, and when. Every key: docs/scheduling.md of Daybreak.\npipelines:"


def proposed_pipelines(
    project: str, manifest: Mapping[str, Any], zone: ZoneInfo = _UTC, default: str | None = None
) -> str:
    """Return a text for pipelines.yml.

    There is one pipeline for what the selector ``default`` selects, which a plain `dbt build`
    takes. Without it there is a pipeline for every exposure where each table belongs to one of
    them; else, a table would be built by several or by none, and one pipeline builds the whole
    project. A pipeline has windows of one length, so where there are several, each has its own.
    """
    found = {grain_of(raw, zone) for raw in manifest["nodes"].values()}
    grains = [grain for grain in Grain if grain in found]
    if len(grains) > 1:
        left = [f"  # {_LEFT.format(default)}"] if default is not None else []
        return "\n".join([_HEAD, *left, *_by_grain(_named(project), grains), ""])
    if default is not None:
        selector = f'    selector: "{default}"  # {_TAKEN}'
        return "\n".join(
            [_HEAD, f"  {_named(project)}:", selector, f"    schedule: {_SCHEDULE}", ""]
        )
    exposures = _exposures(manifest)
    tables = [_tables_above(unique_id, manifest) for unique_id in exposures]
    is_split = (
        len({_named(name) for name in exposures.values()}) == len(exposures) > 1
        and sum(map(len, tables)) == len(set().union(*tables))
        and set().union(*tables) == _tables(manifest)
    )
    selects = (
        {_named(name): f"+exposure:{name}" for name in exposures.values()}
        if is_split
        else {_named(project): "*"}
    )
    lines = [_HEAD]
    for name, select in selects.items():
        lines += [f"  {name}:", f'    select: "{select}"', f"    schedule: {_SCHEDULE}"]
    return "\n".join([*lines, ""])


def _by_grain(project: str, grains: Sequence[Grain]) -> Iterator[str]:
    """Yield the lines of a pipeline for each grain; what has no windows is with the days.

    Of the others each has what its models are made from, as far as that has other windows.
    """
    rest = Grain.DAY if Grain.DAY in grains else grains[0]
    for grain in grains:
        others = " ".join(f"config.batch_size:{other}" for other in grains if other is not grain)
        select = "*" if grain is rest else f"+config.batch_size:{grain}"
        yield f"  {project if grain is rest else f'{project}_{grain}'}:"
        yield f'    select: "{select}"'
        yield f'    exclude: "{others}"'
        yield f"    schedule: {_HOURLY if grain is Grain.HOUR else _SCHEDULE}"


def _exposures(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the project's exposures by unique id."""
    own = manifest["metadata"]["project_name"]
    found = manifest["exposures"].items()
    return {key: raw["name"] for key, raw in found if raw["package_name"] == own}


def _tables(manifest: Mapping[str, Any]) -> set[str]:
    nodes = manifest["nodes"].items()
    return {key for key, raw in nodes if (raw.get("config") or {}).get("materialized") in _STORED}


def _tables_above(unique_id: str, manifest: Mapping[str, Any]) -> set[str]:
    """Return what an exposure is made from, as far as it holds rows."""
    known = {**manifest["nodes"], **manifest["exposures"]}
    above = walk(
        [unique_id], lambda key: (known.get(key, {}).get("depends_on") or {}).get("nodes", ())
    )
    return set(above) & _tables(manifest)


def _named(name: str) -> str:
    """Return a name that a pipeline may have.

    >>> _named("Weekly Revenue-review"), _named("2nd")
    ('weekly_revenue_review', 'p_2nd')
    """
    found = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "all"
    return found if found[0].isalpha() else f"p_{found}"
