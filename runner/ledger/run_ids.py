"""What runs are called: ``<kind>__<window label>``, then ``.2``, ``.3`` for those that follow."""

from __future__ import annotations

from runner.core.states import Kind
from runner.core.windows import Window
from runner.ledger.connection import Connection


def last_numbers(connection: Connection, pipeline: str, kind: Kind) -> dict[str, int]:
    """The number of each window's last run of a kind, by the label that their ids carry.

    Read from the ids: earlier runs may have been forgotten, and no id is given twice.
    """
    query = """
        select
            label,
            max(
                coalesce(
                    cast(nullif(substr(run_id, length(label) + :after), '') as integer), 1
                )
            ) as number
        from runs
        where pipeline = :pipeline and kind = :kind
        group by label
    """
    after = len(f"{kind}__.") + 1
    rows = connection.rows(query, after=after, pipeline=pipeline, kind=kind)
    return {row["label"]: row["number"] for row in rows}


def run_id(kind: Kind, window: Window, last: int) -> str:
    """The id of the next run of a window; ``last`` is the number of the last, 0 for none."""
    return f"{kind}__{window.label}" + (f".{last + 1}" if last else "")
