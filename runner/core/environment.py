"""The environment of services: time, patience and chance; tests pass their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from runner.core.errors import UsageError

_FIRST_YEAR, _LAST_YEAR = 1970, 9000

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
        """Return the time to look from, UTC: now without one; one without offset is in ``zone``.

        Raises :class:`UsageError` for one whose calendar would leave what a datetime can be.
        """
        if as_of is None:
            return self.now()
        if not isinstance(as_of, datetime):
            raise UsageError(f"{as_of!r} is no time to look from: give a datetime")
        if not _FIRST_YEAR <= as_of.year <= _LAST_YEAR:
            raise UsageError(
                f"{as_of} lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}: "
                "look from a time between"
            )
        local = as_of if as_of.tzinfo else as_of.replace(tzinfo=zone)
        return local.astimezone(UTC)
