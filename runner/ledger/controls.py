"""What a person tells a pipeline: pause, go on, stop."""

from __future__ import annotations

from datetime import datetime

from runner.ledger.database import Database
from runner.ledger.records import Pause
from runner.ledger.values import instant


class Controls(Database):
    """Pauses, and the end of everything that a pipeline has in flight."""

    def pause(self, pipeline: str, reason: str, now: datetime) -> None:
        """Start nothing more of a pipeline; the latest reason stands."""
        with self._transaction() as connection:
            connection.change("delete from pauses where pipeline = :pipeline", pipeline=pipeline)
            connection.change(
                """
                insert into pauses (pipeline, reason, paused_at)
                values (:pipeline, :reason, :now)
                """,
                pipeline=pipeline,
                reason=reason,
                now=now,
            )

    def resume(self, pipeline: str) -> bool:
        """Let a pipeline start again; False if it was not paused."""
        ended = "delete from pauses where pipeline = :pipeline"
        with self._transaction() as connection:
            return bool(connection.change(ended, pipeline=pipeline))

    def paused(self, pipeline: str) -> Pause | None:
        """The pause of a pipeline, None if it may start."""
        query = "select reason, paused_at from pauses where pipeline = :pipeline"
        with self._transaction(reads_only=True) as connection:
            row = connection.row(query, pipeline=pipeline)
            return Pause(row["reason"], instant(row["paused_at"])) if row else None

    def cancel_all(self, pipeline: str, reason: str, now: datetime) -> int:
        """End every unfinished run, whoever holds it; returns how many there were.

        Who holds one finds out with its next heartbeat, and kills its child.
        """
        cancelled = """
            update runs
            set state = 'cancelled',
                reason = :reason,
                finished_at = :now,
                lease_until = null,
                is_unsettled = (state = 'running')
            where pipeline = :pipeline and state in ('queued', 'running', 'retrying')
        """
        with self._transaction() as connection:
            return connection.change(cancelled, pipeline=pipeline, reason=reason, now=now)
