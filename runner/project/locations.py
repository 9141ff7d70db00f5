"""Where a source's files land, as dbt-duckdb's ``external_location`` says."""

from __future__ import annotations

from collections.abc import Mapping


def location_of(raw: Mapping[str, object]) -> str | None:
    """Where the files of a source, or the one of a seed, lie: a path or glob, None if unknown."""
    if raw.get("resource_type") == "seed":
        return str(raw["original_file_path"])
    if raw.get("resource_type") != "source":
        return None
    config = raw.get("config")
    metas = [raw.get("meta"), config.get("meta") if isinstance(config, dict) else None]
    for meta in (*metas, config, raw.get("source_meta")):
        location = meta.get("external_location") if isinstance(meta, dict) else None
        if location:
            text = str(location).strip("'\"")
            return None if any(mark in text for mark in ("(", "{", "://")) else text
    return None
