"""What the ledger can count: runs, what they took, when one was last a success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.states import RunState
from runner.ledger.database import Database
from runner.ledger.values import maybe_instant

_TOOK = """
    select count(*) as runs, sum(seconds) as seconds
    from runs
    where pipeline = :pipeline
        and state not in ('queued', 'running', 'retrying')
        and seconds is not null
"""
_NEWEST = """
    select seconds
    from runs
    where pipeline = :pipeline
        and state not in ('queued', 'running', 'retrying')
        and seconds is not null
    order by finished_at desc
    limit 1
"""
_RETRIES = "select count from retries where pipeline = :pipeline"


@dataclass(frozen=True)
class Figures:
    """The runs of a pipeline that the ledger remembers, counted."""

    runs: Mapping[RunState, int]  # every state, also those that none is in
    timed: int  # finished runs of which it is known what they took
    seconds: float  # that those took, all together
    newest_seconds: float | None  # that the one took that finished last; None: none has
    last_success: datetime | None  # UTC; when a run last ended as a success; None: none has
    retries: int  # invocations, ever, that came after a failure that might pass by itself


class Counting(Database):
    """What is counted."""

    def figures(self, pipeline: str) -> Figures:
        """The figures of a pipeline; zeros for one that never ran."""
        by_state = """
            select state, count(*) as runs from runs where pipeline = :pipeline group by state
        """
        success = """
            select max(finished_at) from runs where pipeline = :pipeline and state = 'success'
        """
        with self._transaction(reads_only=True) as connection:
            found = connection.rows(by_state, pipeline=pipeline)
            counts = {row["state"]: row["runs"] for row in found}
            (took,) = connection.rows(_TOOK, pipeline=pipeline)
            last_success = connection.value(success, pipeline=pipeline)
            return Figures(
                runs={state: counts.get(state, 0) for state in RunState},
                timed=took["runs"],
                seconds=took["seconds"] or 0.0,
                newest_seconds=connection.value(_NEWEST, pipeline=pipeline),
                last_success=maybe_instant(last_success),
                retries=connection.value(_RETRIES, pipeline=pipeline) or 0,
            )

    def retried(self, pipeline: str) -> None:
        """Count that something of a pipeline is tried again."""
        again = "update retries set count = count + 1 where pipeline = :pipeline"
        first = "insert into retries (pipeline, count) values (:pipeline, 1)"
        with self._transaction() as connection:
            if not connection.change(again, pipeline=pipeline):
                connection.change(first, pipeline=pipeline)
