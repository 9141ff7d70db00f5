"""What has no windows, as it stands in the warehouse against how a run of ours has left it.

No marker speaks of it, so the ledger remembers what stood there when it was built.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from runner.dbt.protocol import StandingTable, Survey
from runner.project.manifest import Project

FEW_ROWS = 1_000_000  # some 50 ms; more only `runner verify` looks at


def changed_tables(
    built: Mapping[str, StandingTable], standing: Mapping[str, StandingTable]
) -> dict[str, str]:
    """Return why tables, by name, are not as they were built, in words; what nobody knows is left.

    Contents are compared where both know them.
    """
    found = ((name, _why_changed(built[name], standing[name])) for name in built.keys() & standing)
    return {name: why for name, why in found if why is not None}


def new_tables(
    built: Mapping[str, StandingTable], standing: Mapping[str, StandingTable]
) -> dict[str, StandingTable]:
    """Return the tables of which nothing is known that can be compared with how they stand."""
    return {
        name: table
        for name, table in standing.items()
        if name not in built or _engine(built[name].definition) != _engine(table.definition)
    }


def digestible(built: Mapping[str, StandingTable], project: Project) -> list[str]:
    """Return the unique ids of the tables whose rows are few enough to be compared before a run."""
    return [
        node.unique_id
        for node in project.data_nodes
        if (known := built.get(node.name)) is not None
        and known.contents is not None
        and (known.row_count or 0) <= FEW_ROWS
    ]


def standing_tables(
    project: Project, survey: Survey, names: Container[str]
) -> dict[str, StandingTable]:
    """Return how what has no windows stands, as far as it is one of some names, by name."""
    found = ((project.names[unique_id], table) for unique_id, table in survey.tables.items())
    return {name: table for name, table in found if name in names}


def _why_changed(then: StandingTable, now: StandingTable) -> str | None:
    """Say how a table differs from what was built; None: it does not, as far as one can tell.

    >>> then = StandingTable(12, "duckdb 1.5 a", None)
    >>> _why_changed(then, StandingTable(11, "duckdb 1.5 a", None))
    'its rows are not those that were built: 12 then, 11 now'
    """
    rows = "its rows are not those that were built"
    if None in (then.row_count, now.row_count) and then.row_count != now.row_count:
        return "it is another kind of relation than was built"
    if then.row_count != now.row_count:
        return f"{rows}: {then.row_count:,} then, {now.row_count:,} now"
    if _is_other(then.definition, now.definition):
        what = "its query is not the one" if now.row_count is None else "its columns are not those"
        return f"{what} of its build"
    if then.contents and now.contents and _is_other(then.contents, now.contents):
        return f"{rows}: {then.row_count:,} then and now, with other contents"
    return None


def _is_other(then: str, now: str) -> bool:
    """Tell whether two digests differ; those of two versions of an engine say nothing."""
    return _engine(then) == _engine(now) and then != now


def _engine(digest: str) -> str:
    return digest.rpartition(" ")[0]
