"""Which of the replayed windows a row lies in, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from runner.core.windows import Window
from runner.proving.scope import Target

NO_WINDOW = -1  # the bucket of rows that lie in none of them, or of a table that has none


@dataclass(frozen=True)
class Buckets:
    """The windows, by index."""

    windows: tuple[Window, ...]
    zone: ZoneInfo  # in which they were cut

    def of_row(self, target: Target) -> str:
        """SQL for the index of the window that a row of a model lies in, else `NO_WINDOW`.

        >>> from runner.proving.scope import Relation
        >>> start, end = datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC)
        >>> buckets = Buckets((Window(start, end, "2026-03-01"),), ZoneInfo("America/New_York"))
        >>> print(buckets.of_row(Target("a", "model.a", "", Relation("main", "a"), "sold_on")))
        case when sold_on >= date '2026-03-01' and sold_on < date '2026-03-02' then 0 else -1 end
        """
        if target.event_time is None:
            return str(NO_WINDOW)
        column = target.event_time
        cases = " ".join(
            f"when {column} >= {self._literal(window.start, target.read_as)} "
            f"and {column} < {self._literal(window.end, target.read_as)} then {index}"
            for index, window in enumerate(self.windows)
        )
        return f"case {cases} else {NO_WINDOW} end"

    def label(self, bucket: int) -> str | None:
        """The window's label, None for rows of no window."""
        return None if bucket == NO_WINDOW else self.windows[bucket].label

    def _literal(self, bound: datetime, read_as: str) -> str:
        if read_as == "date":
            return f"date '{bound.astimezone(self.zone).date()}'"
        local = bound.astimezone(self.zone if read_as == "local" else UTC).replace(tzinfo=None)
        if read_as == "instant":
            return f"timestamptz '{local}+00'"
        return f"timestamp '{local}'"
