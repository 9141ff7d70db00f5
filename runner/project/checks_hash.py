"""Hash the checks of a model; a verdict stores the hash of the checks that gave it.

A hash covers every test that is about the model: which it is, its thresholds, its arguments and the
project's vars in them, its SQL or the macros that it reaches, and what only exists for checks to
read: seeds, and queries that the model is not built from. Daybreak's own macros and dbt's stay out:
an upgrade must not make every window look unjudged. What an ``env_var`` gives is not seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.core.graph import grouped, walk
from runner.dbt.package import PACKAGE
from runner.project.declarations import LATE_ROWS, VAR, check_name

NO_CHECKS = ""  # the hash of none
_THRESHOLDS = ("severity", "error_if", "warn_if", "limit", "where", "fail_calc")
_LOOKS_ELSEWHERE = LATE_ROWS  # at what is yet to be read: no verdict on what is published
# Packages that an upgrade brings.
_NOT_OF_OTHERS = frozenset({"dbt", "dbt_duckdb", "dbt_postgres", "dbt_spark", PACKAGE})


def checks_hashes(
    manifest: Mapping[str, Any],
    variables: Mapping[str, Any],
    project_dir: Path,
    reads: Mapping[str, Collection[str]],
) -> dict[str, str]:
    """Return the hash of the checks of each model, by unique id; NO_CHECKS if it has none.

    ``manifest`` is dbt's, ``variables`` are the vars that ``dbt_project.yml`` sets; ``reads`` are
    the nodes that a node's SQL really reads, where that is known: what a comment names, only
    checks read.
    """
    nodes = manifest["nodes"]
    tests = sorted(key for key, raw in nodes.items() if raw["resource_type"] == "test")
    by_model = grouped((about, test) for test in tests for about in _about(test, nodes))
    reader = _Reader(manifest, variables, project_dir, reads)
    return {
        unique_id: _digest(reader.texts_of_all(by_model.get(unique_id, ()), unique_id))
        for unique_id, raw in nodes.items()
        if raw["resource_type"] == "model"
    }


def _about(test: str, nodes: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a test is about: what it is attached to; of a singular one all that it reads."""
    if check_name(nodes[test]) == _LOOKS_ELSEWHERE:
        return
    attached_to = nodes[test].get("attached_node")
    yield from [attached_to] if attached_to else _parents(nodes, test)


def _parents(nodes: Mapping[str, Any], unique_id: str) -> list[str]:
    raw = nodes.get(unique_id) or {}
    return [read for read in (raw.get("depends_on") or {}).get("nodes", ()) if read in nodes]


@dataclass(frozen=True)
class _Reader:
    """Reads what checks are made of."""

    manifest: Mapping[str, Any]
    variables: Mapping[str, Any]
    project_dir: Path
    reads: Mapping[str, Collection[str]]

    def texts_of_all(self, tests: Collection[str], model: str) -> list[str]:
        """Return all that says what some tests find of a model; unique ids."""
        nodes = self.manifest["nodes"]

        def made_of(unique_id: str) -> Collection[str]:
            return self.reads.get(unique_id, _parents(nodes, unique_id))

        above = set(walk([model] if tests else [], made_of))
        return [text for test in tests for text in self._texts(test, above)]

    def _texts(self, unique_id: str, above: Collection[str]) -> Iterator[str]:
        """Yield what says what a test finds; ``above`` is its model and what that is made of."""
        test = self.manifest["nodes"][unique_id]
        config, metadata = test.get("config") or {}, test.get("test_metadata")
        said = {key: config.get(key) for key in _THRESHOLDS}
        said["gate"] = bool((config.get("meta") or {}).get("gate"))
        arguments = (metadata or {}).get("kwargs") or {}
        texts = [
            json.dumps([said, arguments], sort_keys=True, default=str),
            "" if metadata else (test.get("raw_code") or "").strip(),
            *self._macros(test),
            *self._queries(unique_id, above),
        ]
        names = sorted({name for text in texts for name in VAR.findall(text.replace('\\"', '"'))})
        values = {name: self.variables.get(name) for name in names}
        yield from (unique_id, *texts, json.dumps(values, default=str))

    def _macros(self, test: Mapping[str, Any]) -> Iterator[str]:
        macros = self.manifest["macros"]

        def others(unique_ids: Iterable[str]) -> list[str]:
            return [found for found in unique_ids if self._is_of_others(macros.get(found))]

        reached = walk(
            others((test.get("depends_on") or {}).get("macros", ())),
            lambda found: others(macros[found]["depends_on"]["macros"]),
        )
        yield from (macros[found]["macro_sql"].strip() for found in sorted(reached))

    def _is_of_others(self, macro: Mapping[str, Any] | None) -> bool:
        """Return True for a macro that is neither Daybreak's nor dbt's own."""
        return macro is not None and macro["package_name"] not in _NOT_OF_OTHERS

    def _queries(self, test: str, above: Collection[str]) -> Iterator[str]:
        """Yield the seeds that a test reads, and the queries that its model is not made of."""
        nodes = self.manifest["nodes"]

        def is_read_through(unique_id: str) -> bool:
            return unique_id not in above and _has_no_windows(nodes[unique_id])

        def onward(unique_id: str) -> list[str]:
            return _parents(nodes, unique_id) if is_read_through(unique_id) else []

        for unique_id in sorted(walk(_parents(nodes, test), onward)):
            if nodes[unique_id]["resource_type"] == "seed":
                yield self._seed(nodes[unique_id])
            elif is_read_through(unique_id):
                yield (nodes[unique_id].get("raw_code") or "").strip()

    def _seed(self, raw: Mapping[str, Any]) -> str:
        """Return a digest of a seed's file; nothing of one that cannot be read: dbt will say so."""
        package, folder = raw["package_name"], self.project_dir
        if package != self.manifest["metadata"]["project_name"]:
            folder = folder / "dbt_packages" / package
        try:
            return hashlib.sha256((folder / raw["original_file_path"]).read_bytes()).hexdigest()
        except OSError:
            return ""


def _has_no_windows(raw: Mapping[str, Any]) -> bool:
    """Return True for a model that is built as a whole: its rows change with its code alone."""
    config = raw.get("config") or {}
    return raw["resource_type"] == "model" and not (
        config.get("materialized") == "incremental" and config.get("event_time")
    )


def _digest(texts: Collection[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16] if texts else NO_CHECKS
