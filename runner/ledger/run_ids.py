"""What runs are called: ``<kind>__<window label>``, then ``.2``, ``.3`` for those that follow."""

from __future__ import annotations

from sqlalchemy import Connection, Integer, cast, func, select

from runner.core.windows import Window
from runner.ledger.records import Kind
from runner.ledger.schema import runs


def last_numbers(connection: Connection, pipeline: str, kind: Kind) -> dict[str, int]:
    """The number of each window's last run of a kind, by the label that their ids carry.

    Read from the ids: earlier runs may have been forgotten, and no id is given twice.
    """
    after = func.length(runs.c.label) + len(f"{kind}__.") + 1
    number = cast(func.nullif(func.substr(runs.c.run_id, after), ""), Integer)
    query = (
        select(runs.c.label, func.max(func.coalesce(number, 1)))
        .where(runs.c.pipeline == pipeline, runs.c.kind == kind)
        .group_by(runs.c.label)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def run_id(kind: Kind, window: Window, last: int) -> str:
    """The id of the next run of a window; ``last`` is the number of the last, 0 for none."""
    return f"{kind}__{window.label}" + (f".{last + 1}" if last else "")
