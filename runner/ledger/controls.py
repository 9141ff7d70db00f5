"""Pause, resume and stop pipelines, as a person tells them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.core.states import RunState
from runner.ledger.database import Database
from runner.ledger.leases import end_runs
from runner.ledger.records import IN_FLIGHT, Pause


@dataclass
class Controls:
    """Pauses, and the end of everything that a pipeline has in flight."""

    database: Database

    def pause(self, pipeline: str, reason: str, now: datetime) -> None:
        """Let a pipeline start nothing more; the latest reason stands."""
        pause = {"pipeline": pipeline, "reason": reason, "paused_at": now}
        with self.database.transaction() as connection:
            connection.replace("pauses", [pause], pipeline=pipeline)

    def resume(self, pipeline: str) -> bool:
        """Let a pipeline start again; False if it was not paused."""
        ended = "delete from pauses where pipeline = :pipeline"
        return bool(self.database.change(ended, pipeline=pipeline))

    def get_pause(self, pipeline: str) -> Pause | None:
        """Return the pause of a pipeline, None if it may start."""
        query = "select reason, paused_at from pauses where pipeline = :pipeline"
        return next(iter(self.database.select(Pause, query, pipeline=pipeline)), None)

    def cancel_runs(self, pipeline: str, reason: str, now: datetime) -> int:
        """End every unfinished run, whoever holds it; returns how many there were.

        Who holds one finds out with its next heartbeat, and kills its child.
        """
        ended = {"pipeline": pipeline, "reason": reason, "now": now}
        with self.database.transaction() as connection:
            return end_runs(connection, IN_FLIGHT, RunState.CANCELLED, **ended)
