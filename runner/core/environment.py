"""The environment of services: time, patience and chance; tests pass their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Environment:
    """The time, patience and chance that a service uses."""

    now: Clock  # UTC
    monotonic: Callable[[], float]  # seconds, never set back
    sleep: Callable[[float], None]  # seconds
    random: Callable[[], float]  # from 0 to 1
    is_stopping: Callable[[], bool] = lambda: False  # nothing new is to be started

    def instant(self, as_of: datetime | None, zone: ZoneInfo) -> datetime:
        """Return the time to look from, UTC: now without one; one without offset is in ``zone``."""
        if as_of is None:
            return self.now()
        local = as_of if as_of.tzinfo else as_of.replace(tzinfo=zone)
        return local.astimezone(UTC)
