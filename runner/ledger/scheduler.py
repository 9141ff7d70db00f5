"""Keep what the scheduler leaves behind: signs of life, and what it was told of sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.ledger import owners
from runner.ledger.database import Database

_NAME = "scheduler"
_INTERVALS = 2  # without a sign of life, after which a scheduler counts as dead


@dataclass(frozen=True)
class SchedulerHeartbeat:
    """The last sign of life of the scheduler."""

    kind: str  # serve or tick
    owner: str  # host:pid:start
    seen_at: datetime  # UTC
    interval: timedelta | None  # until the next sign; None: nobody has said
    is_stopped: bool  # it was told to stop, and did

    def is_dead(self, now: datetime) -> bool:
        """Return whether it stopped, or has given no sign of life for two of its intervals."""
        if self.is_stopped:
            return True
        return self.interval is not None and now - self.seen_at > _INTERVALS * self.interval


@dataclass
class Scheduler:
    """The traces of the scheduler."""

    database: Database

    def record_heartbeat(
        self, kind: str, interval: timedelta | None, now: datetime, *, is_stopped: bool = False
    ) -> None:
        """Give a sign of life; the next is to come within ``interval``."""
        owner = owners.this_process()
        sign = {"kind": kind, "owner": owner, "seen_at": now, "is_stopped": is_stopped}
        seconds = None if interval is None else interval.total_seconds()
        row = {"name": _NAME, **sign, "interval_seconds": seconds}
        with self.database.transaction() as connection:
            connection.replace("heartbeats", [row], name=_NAME)

    def get_heartbeat(self) -> SchedulerHeartbeat | None:
        """Return the last sign of life; None if there never was one."""
        found = self.database.select(SchedulerHeartbeat, "select * from heartbeats")
        return next(iter(found), None)

    def record_source(self, source: str, loaded_at: datetime | None, now: datetime) -> None:
        """Remember up to when a source was loaded when it was asked; None: it had no rows."""
        seen = {"source": source, "loaded_at": loaded_at, "seen_at": now}
        with self.database.transaction() as connection:
            connection.replace("sources_seen", [seen], source=source)

    def get_loaded_at(self, source: str) -> datetime | None:
        """Return up to when a source was loaded when last asked; None: no rows, or never asked."""
        query = "select loaded_at from sources_seen where source = :source"
        return self.database.instant(query, source=source)
