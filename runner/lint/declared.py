"""DB03, DB05 and DB09: what config() declares, and whether the rest could be read at all."""

from __future__ import annotations

from collections.abc import Iterator

from runner.lint.facts import Facts
from runner.lint.rules import Spot
from runner.lint.source import Source

_OF_ALL = "DB06 to DB08, DB11, DB12, DB14 and DB15"  # need the text as a tree


def appended(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB03: find strategies that only ever add rows."""
    strategy = facts.incremental_strategy
    if strategy == "append":
        yield Spot("DB03", *source.config_place, "incremental_strategy append")
    elif strategy is None and facts.is_whole and not facts.unique_key:
        what = "neither incremental_strategy nor unique_key, so dbt appends"
        yield Spot("DB03", *source.config_place, what)


def merged_blindly(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB05: find a merge that cannot tell an old version from a new one."""
    if facts.incremental_strategy != "merge":
        return
    needed = {"unique_key": facts.unique_key, "version_column": facts.version_column}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        yield Spot("DB05", *source.config_place, f"merge without {' and '.join(missing)}")


def not_understood(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB09: report that no branch can be parsed, so that rules which need that are silent."""
    if not source.trees:
        silent = f"{_OF_ALL} were" if facts.is_replaced else "DB06, DB12 and DB15 were"
        yield Spot("DB09", 0, 0, f"SQL that the parser does not understand, so {silent} not judged")
