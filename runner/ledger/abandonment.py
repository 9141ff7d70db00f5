"""Whose windows are free again: those of processes that died, or gave no sign of life."""

from __future__ import annotations

from datetime import datetime

from runner.core.states import RunState
from runner.ledger import owners
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.leases import LEASE_SECONDS
from runner.ledger.records import Run

# What becomes of the runs of a process that died.
_ABANDONED = {
    RunState.QUEUED: RunState.CANCELLED,
    RunState.RUNNING: RunState.FAILED,
    RunState.RETRYING: RunState.FAILED,
}


class Abandonment(Database):
    """The runs that nobody will end any more."""

    def release_abandoned(self, pipeline: str, now: datetime) -> None:
        """End the runs of processes that died: theirs failed if started, else are cancelled."""
        with self._transaction() as connection:
            for owner in _gone(connection, pipeline):
                _release(connection, owner, pipeline, now)

    def abandoned(self, pipeline: str) -> list[Run]:
        """The unfinished runs whose process has died, or has let its lease expire."""
        query = """
            select * from runs
            where pipeline = :pipeline and state in ('queued', 'running', 'retrying')
            order by window_start
        """
        with self._transaction(reads_only=True) as connection:
            gone = _gone(connection, pipeline)
            found = connection.rows(query, pipeline=pipeline)
            return [Run.from_row(row) for row in found if row["owner"] in gone]


def _gone(connection: Connection, pipeline: str) -> frozenset[str]:
    """The owners of unfinished runs who have died, or have let their leases expire.

    A lease that ends later than any lease can was given before the clock was set back: whoever
    lives on this machine gives itself another soon, of the others nobody knows.
    """
    query = """
        select
            owner,
            max(lease_until) < ledger_now(:no_time) as is_expired,
            max(lease_until) > ledger_now(:too_long) as is_impossible
        from runs
        where pipeline = :pipeline and state in ('queued', 'running', 'retrying')
        group by owner
    """
    holders = connection.rows(query, pipeline=pipeline, no_time=0, too_long=2 * LEASE_SECONDS)
    return frozenset(
        holder["owner"]
        for holder in holders
        if holder["is_expired"]
        or owners.is_dead(holder["owner"])
        or (holder["is_impossible"] and not owners.is_here(holder["owner"]))
    )


def _release(connection: Connection, owner: str, pipeline: str, now: datetime) -> None:
    what = "died" if owners.is_dead(owner) else "gave no sign of life"
    released = """
        update runs
        set state = :new,
            reason = :reason,
            finished_at = :now,
            lease_until = null,
            is_unsettled = (state = 'running')
        where pipeline = :pipeline and owner = :owner and state = :old
    """
    for old, new in _ABANDONED.items():
        connection.change(
            released,
            pipeline=pipeline,
            owner=owner,
            old=old,
            new=new,
            reason=f"its runner {what}; run the same command again",
            now=now,
        )
