"""What a person tells a pipeline: pause, go on, stop."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update

from runner.core.states import State
from runner.ledger.database import Database
from runner.ledger.records import Pause
from runner.ledger.schema import UNFINISHED, pauses, runs


class Controls(Database):
    """Pauses, and the end of everything that a pipeline has in flight."""

    def pause(self, pipeline: str, reason: str, now: datetime) -> None:
        """Start nothing more of a pipeline; the latest reason stands."""
        with self._transaction() as connection:
            connection.execute(delete(pauses).where(pauses.c.pipeline == pipeline))
            row = {"pipeline": pipeline, "reason": reason, "paused_at": now}
            connection.execute(insert(pauses), [row])

    def resume(self, pipeline: str) -> bool:
        """Let a pipeline start again; False if it was not paused."""
        with self._transaction() as connection:
            ended = connection.execute(delete(pauses).where(pauses.c.pipeline == pipeline))
            return bool(ended.rowcount)

    def paused(self, pipeline: str) -> Pause | None:
        """The pause of a pipeline, None if it may start."""
        with self._transaction(reads_only=True) as connection:
            query = select(pauses).where(pauses.c.pipeline == pipeline)
            row = connection.execute(query).one_or_none()
        return Pause(row.reason, row.paused_at) if row else None

    def cancel_all(self, pipeline: str, reason: str, now: datetime) -> int:
        """End every unfinished run, whoever holds it; returns how many there were.

        Who holds one finds out with its next heartbeat, and kills its child.
        """
        mine = runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED)
        with self._transaction() as connection:
            ended = connection.execute(
                update(runs)
                .where(*mine)
                .values(
                    state=State.CANCELLED,
                    reason=reason,
                    finished_at=now,
                    lease_until=None,
                    is_unsettled=runs.c.state == State.RUNNING,
                )
            )
            return int(ended.rowcount)
