"""Tell when windows become due: at the first tick of a cron schedule at or after their end.

Which wall-clock times match an expression is cronsim's answer. How they become instants
follows Debian's cron, as cronsim does, but by a rule that does not depend on where the search
starts, so that looking back and looking ahead always agree:

- a schedule at fixed times ("0 5 * * *") fires once per wall-clock time: a time that the
  clocks skip fires at the end of the gap, one that they repeat fires the first time;
- a schedule whose minute or hour begins with "*" follows the clock on the wall: a skipped
  time does not fire, a repeated one fires twice.

Instants are timezone-aware, in UTC; a naive one is a ValueError.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from runner.core.errors import UsageError
from runner.core.spans import as_utc
from runner.core.windows import DAY, Calendar, Window

_SECOND = timedelta(seconds=1)
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - wall-clock times are naive by nature


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression read in a time zone; UsageError if it never fires or is not cron.

    >>> daily = Schedule("0 5 * * *", ZoneInfo("Europe/Berlin"))
    >>> print(daily.tick_at_or_after(datetime(2026, 6, 19, 12, tzinfo=UTC)))
    2026-06-20 03:00:00+00:00
    """

    expression: str  # five fields: minute, hour, day of month, month, day of week
    zone: ZoneInfo  # whose wall clock the fields are read from

    def __post_init__(self) -> None:
        example = "write five fields such as '0 5 * * *', every day at 05:00."
        if (fields := len(self.expression.split())) != 5:
            message = f"{self.expression!r} is not a cron expression: it has {fields} fields"
            raise UsageError(f"{message}; {example}")
        try:
            first = next(CronSim(self.expression, _ANY_DAY), None)
        except CronSimError as error:
            reason = str(error).lower()
            message = f"{self.expression!r} is not a cron expression ({reason}): {example}"
            raise UsageError(message) from error
        if first is None:
            raise UsageError(f"{self.expression!r} never fires: {example}")

    def tick_at_or_after(self, instant: datetime) -> datetime:
        """Return the first tick at or after ``instant``, in UTC."""
        return min(self._nearest(as_utc(instant), reverse=False))

    def tick_at_or_before(self, instant: datetime) -> datetime:
        """Return the last tick at or before ``instant``, in UTC."""
        return max(self._nearest(as_utc(instant), reverse=True))

    def due_at(self, window: Window) -> datetime:
        """Return when ``window`` may run: the first tick at or after its end."""
        return self.tick_at_or_after(window.end)

    def due_end(self, calendar: Calendar, now: datetime) -> datetime:
        """Return the instant B such that a window is due at ``now`` if and only if it ends by B.

        A window is due when a tick lies between its end and ``now``, so when it ends by the
        last tick: one look back finds B, however many windows a tick makes due.

        >>> mondays = Schedule("0 5 * * MON", ZoneInfo("UTC"))
        >>> friday = datetime(2026, 6, 19, tzinfo=UTC)
        >>> from runner.core.windows import Grain
        >>> days = Calendar(Grain.DAY, ZoneInfo("UTC"))
        >>> print(mondays.due_end(days, friday))
        2026-06-15 00:00:00+00:00
        """
        return calendar.floor(self.tick_at_or_before(now))

    def next_due(self, calendar: Calendar, now: datetime) -> tuple[Window, datetime]:
        """Return the first window that is not due at ``now``, and when (UTC) it will be.

        The same tick may make later windows due too.
        """
        window = calendar.window_at(self.due_end(calendar, now))
        return window, self.due_at(window)

    @property
    def _fixed(self) -> bool:
        minute, hour, *_ = self.expression.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def _nearest(self, instant: datetime, *, reverse: bool) -> Iterator[datetime]:
        for fold in (0,) if self._fixed else (0, 1):
            ticks = self._ticks(instant, fold, reverse=reverse)
            yield next(tick for tick in ticks if (tick <= instant if reverse else tick >= instant))

    def _ticks(self, instant: datetime, fold: int, *, reverse: bool) -> Iterator[datetime]:
        """Yield ticks away from ``instant``, starting a little on its other side.

        Wall-clock times are searched from as far on the other side as the clocks shift
        around ``instant``, because a skipped time fires later than it reads, and a repeated
        one twice. For one ``fold`` wall-clock order is the order of the ticks.
        """
        sign = 1 if reverse else -1
        near = (self._offset(instant + days * DAY) for days in (-1, 0, 1))
        low, _, high = sorted(near)
        wall = instant.astimezone(self.zone).replace(tzinfo=None, microsecond=0)
        start = wall + sign * (high - low + _SECOND)  # cronsim leaves its start out
        for tick in CronSim(self.expression, start, reverse=reverse):
            if (fired := self._fired(tick, fold)) is not None:
                yield fired

    def _fired(self, wall: datetime, fold: int) -> datetime | None:
        """Return when a wall-clock time fires, or None if the clocks skip it and it does not."""
        fired = wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
        if fired.astimezone(self.zone).replace(tzinfo=None) == wall:
            return fired
        return self._gap_end(wall) if self._fixed else None

    def _gap_end(self, skipped: datetime) -> datetime:
        """Return the first instant after the gap that holds the wall-clock time ``skipped``."""
        before, after = (
            skipped.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (1, 0)
        )
        seconds = range((after - before) // _SECOND)
        offset = self._offset(after)
        shift = bisect_left(
            seconds, True, key=lambda second: self._offset(before + second * _SECOND) == offset
        )
        return before + shift * _SECOND

    def _offset(self, instant: datetime) -> timedelta:
        return instant.astimezone(self.zone).replace(tzinfo=UTC) - instant
