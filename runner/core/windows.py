"""Windows of data time as values, and the calendars that cut time into them.

A window is half-open, ``[start, end)``, in real time, and its bounds are instants in UTC. Local
time appears in three places only: a calendar's zone, labels, and the dates a person types.

Day, week, month and year bounds are ``datetime.combine(day, time.min, zone)`` (fold 0) converted to
UTC, so days of 23 and 25 hours tile perfectly, and a local day that never happened has no
window. Weeks start on Monday, months on the 1st, years on January 1st.

Hour bounds are exactly the instants at which the local clock reads a whole hour. Where clocks
shift by whole hours every window is one hour long; where they shift by half an hour
(Australia/Lord_Howe) the window that holds the shift lasts 90 minutes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import chain, islice, pairwise, starmap, takewhile
from zoneinfo import ZoneInfo

from runner.core.errors import UsageError
from runner.core.spans import Span, as_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVER = Span(EPOCH, datetime(9000, 1, 1, tzinfo=UTC))  # more than any calendar here holds
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_DATE_LABEL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOUR_LABEL = re.compile(_DATE_LABEL.pattern + r"T[0-9]{2}([+-][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?")


class Grain(StrEnum):
    """The length of a window."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


_EXAMPLES = {
    Grain.HOUR: "2026-06-19T05",
    Grain.DAY: "2026-06-19",
    Grain.WEEK: "2026-06-15",
    Grain.MONTH: "2026-06-01",
    Grain.YEAR: "2026-01-01",
}
_STARTS = {
    Grain.WEEK: "weeks start on Monday",
    Grain.MONTH: "months on the 1st",
    Grain.YEAR: "years on January 1st",
}
_ASKED = range(2000, 2038)  # years
_STRIDES = {Grain.DAY: DAY, Grain.WEEK: 7 * DAY, Grain.MONTH: 31 * DAY, Grain.YEAR: 366 * DAY}


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """One half-open interval of data time, keyed by ``start``; made by a `Calendar`."""

    start: datetime  # first instant inside, UTC
    end: datetime  # first instant after, UTC
    label: str  # local start: '2026-06-19', '2026-06-19T05', '2026-11-01T01-04:00'

    def __post_init__(self) -> None:
        span = Span(self.start, self.end)
        object.__setattr__(self, "start", span.start)
        object.__setattr__(self, "end", span.end)

    @property
    def span(self) -> Span:
        """The window's instants, without its name."""
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Cuts time into windows: a grain in a time zone.

    New York's clocks skip an hour on 8 March 2026, and Samoa skipped a whole day:

    >>> new_york = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
    >>> for label in ("2026-03-07", "2026-03-08", "2026-11-01"):
    ...     window = new_york.labelled(label)
    ...     print(window.label, window.end - window.start)
    2026-03-07 1 day, 0:00:00
    2026-03-08 23:00:00
    2026-11-01 1 day, 1:00:00
    >>> samoa = Calendar(Grain.DAY, ZoneInfo("Pacific/Apia"))
    >>> samoa.following(samoa.labelled("2011-12-29")).label
    '2011-12-31'

    An hour that happens twice is named with its UTC offset:

    >>> hourly = Calendar(Grain.HOUR, ZoneInfo("America/New_York"))
    >>> [w.label for w in hourly.windows(new_york.labelled("2026-11-01").span)][:4]
    ['2026-11-01T00', '2026-11-01T01-04:00', '2026-11-01T01-05:00', '2026-11-01T02']
    """

    grain: Grain  # the length of every window
    zone: ZoneInfo  # whose midnights and whole hours are the bounds

    def window_at(self, instant: datetime) -> Window:
        """Return the window that contains ``instant``.

        >>> weekly = Calendar(Grain.WEEK, ZoneInfo("UTC"))
        >>> weekly.window_at(datetime(2026, 6, 19, 5, tzinfo=UTC)).label
        '2026-06-15'
        """
        return _window_around(self, as_utc(instant))

    def labelled(self, label: str) -> Window:
        """Return the window called ``label``; UsageError if there is none.

        An hour may carry a UTC offset, and must where the clock shows it twice.
        """
        pattern = _HOUR_LABEL if self.grain is Grain.HOUR else _DATE_LABEL
        example = f"write it like '{_EXAMPLES[self.grain]}'."
        if not pattern.fullmatch(label):
            raise UsageError(f"{label!r} does not name {self._a_grain()}: {example}")
        try:
            if self.grain is Grain.HOUR:
                return self._labelled_hour(datetime.fromisoformat(label), label)
            return self._labelled_date(date.fromisoformat(label))
        except (ValueError, OverflowError) as error:
            message = f"{label!r} is not on the calendar ({error}): {example}"
            raise UsageError(message) from error

    def following(self, window: Window) -> Window:
        """Return the window that starts where ``window`` ends."""
        return self.window_at(window.end)

    def preceding(self, window: Window) -> Window:
        """Return the window that ends where ``window`` starts."""
        return self.before(window.start)

    def before(self, instant: datetime) -> Window:
        """Return the window that holds what comes just before ``instant``: the last of a span."""
        return self.window_at(instant - timedelta.resolution)

    def floor(self, instant: datetime) -> datetime:
        """Return the start of the window around ``instant``: the last complete one's end."""
        return self.window_at(instant).start

    def ceiling(self, instant: datetime) -> datetime:
        """Return the first window bound at or after ``instant``."""
        window = self.window_at(instant)
        return window.start if window.start == instant else window.end

    def label(self, span: Span) -> str:
        """Name a span by its first and last window: ``2026-03-01 … 2026-05-31``."""
        return range_label(self.window_at(span.start).label, self.before(span.end).label)

    def covering(self, span: Span) -> Span:
        """Return the whole windows that touch ``span``."""
        return Span(self.floor(span.start), self.ceiling(span.end))

    def span_of_dates(self, first: date, last: date) -> Span:
        """Return every window that touches the local dates ``first`` to ``last``, inclusive.

        >>> monthly = Calendar(Grain.MONTH, ZoneInfo("UTC"))
        >>> span = monthly.span_of_dates(date(2026, 3, 15), date(2026, 4, 1))
        >>> f"{span.start:%Y-%m-%d} {span.end:%Y-%m-%d}"
        '2026-03-01 2026-05-01'
        """
        if last < first:
            raise UsageError(f"{last} is before {first}: give the earlier date first.")
        try:
            start, end = self._midnight(first), self._midnight(last + DAY)
            if start < end:
                return self.covering(Span(start, end))
        except (ValueError, OverflowError) as error:
            message = f"{first} to {last} is beyond the calendar: give dates nearer to today."
            raise UsageError(message) from error
        raise UsageError(f"{first} did not happen in {self.zone.key}: give another date.")

    def windows(self, span: Span) -> Iterator[Window]:
        """Return the windows that tile ``span``, in order; ValueError if it is not aligned."""
        bounds = pairwise(chain([span.start], self._ends(span)))
        return (Window(start, end, self._label_at(start)) for start, end in bounds)

    def count(self, span: Span) -> int:
        """Return how many windows tile ``span``; ValueError if it is not aligned."""
        if self.grain is Grain.DAY:
            self._check_aligned(span)
            days = (self._date_at(span.end) - self._date_at(span.start)).days
            # Unless a zone has skipped a date, which takes a whole day out of the time between.
            if abs(span.end - span.start - days * DAY) < DAY / 2:
                return days
        return sum(1 for _ in self._ends(span))

    def chunks(self, span: Span, size: int) -> Iterator[Span]:
        """Cut ``span`` into contiguous spans of ``size`` windows; the last may be shorter."""
        if size < 1:
            raise ValueError(f"a chunk of {size} windows: pass 1 or more")
        ends = self._ends(span)
        lasts = (batch[-1] for batch in iter(lambda: list(islice(ends, size)), []))
        return starmap(Span, pairwise(chain([span.start], lasts)))

    def halves(self, span: Span) -> tuple[Span, Span]:
        """Split ``span`` in two; an odd window goes to the second half.

        ValueError for a single window, which has no halves, or a span that is not aligned.
        """
        size = self.count(span) // 2
        if size == 0:
            raise ValueError(f"{span} is a single window: it has no halves")
        middle = next(islice(self._ends(span), size - 1, None))
        return Span(span.start, middle), Span(middle, span.end)

    def _check_aligned(self, span: Span) -> None:
        for bound in (span.start, span.end):
            if self.floor(bound) != bound:
                raise ValueError(f"{bound} is not the bound of {self._a_grain()}: use floor()")

    def _ends(self, span: Span) -> Iterator[datetime]:
        """Return the end of every window in ``span``, much faster than the windows."""
        self._check_aligned(span)
        bounds = self._hours_after if self.grain is Grain.HOUR else self._midnights_after
        return takewhile(lambda bound: bound <= span.end, bounds(span.start))

    def _label_at(self, bound: datetime) -> str:
        is_hour = self.grain is Grain.HOUR
        return self._hour_label(bound) if is_hour else self.window_at(bound).label

    def _a_grain(self) -> str:
        article = "an" if self.grain is Grain.HOUR else "a"
        return f"{article} {self.grain} in {self.zone.key}"

    def _window_around(self, instant: datetime) -> Window:
        if self.grain is Grain.HOUR:
            start = self._hour_at_or_before(instant)
            return Window(start, self._hour_after(start), self._hour_label(start))
        first = self._first_day(instant.astimezone(self.zone).date())
        while instant < self._midnight(first):  # a shift can carry midnight past the date's
            first = self._first_day(first - DAY)
        while instant >= (end := self._midnight(self._next_first_day(first))):
            first = self._next_first_day(first)
        return Window(self._midnight(first), end, first.isoformat())

    # Days and longer: a window is the local date of its first midnight.

    def _date_at(self, bound: datetime) -> date:
        return date.fromisoformat(self.window_at(bound).label)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def _first_day(self, day: date) -> date:
        if self.grain is Grain.WEEK:
            return day - day.weekday() * DAY
        if self.grain is Grain.YEAR:
            return day.replace(month=1, day=1)
        return day.replace(day=1) if self.grain is Grain.MONTH else day

    def _next_first_day(self, first: date) -> date:
        return self._first_day(first + _STRIDES[self.grain])

    def _midnights_after(self, start: datetime) -> Iterator[datetime]:
        first = self._date_at(start)
        while True:
            first, previous = self._next_first_day(first), start
            start = self._midnight(first)
            if previous < start:  # else a local day that never happened
                yield start

    def _labelled_date(self, day: date) -> Window:
        if (first := self._first_day(day)) != day:
            starts = _STARTS[self.grain]
            raise UsageError(f"'{day}' is a {day:%A}, but {starts}: write '{first}'.")
        start, end = self._midnight(day), self._midnight(self._next_first_day(day))
        if start == end:
            other = self.window_at(start).label
            raise UsageError(f"'{day}' did not happen in {self.zone.key}: the next is '{other}'.")
        return Window(start, end, day.isoformat())

    # Hours: a bound is an instant at which the local clock reads a whole hour.

    def _offset(self, instant: datetime) -> timedelta:
        return instant.astimezone(self.zone).replace(tzinfo=UTC) - instant

    def _past_hour(self, instant: datetime, offset: timedelta) -> timedelta:
        return (instant - EPOCH + offset) % HOUR

    def _is_hour(self, instant: datetime) -> bool:
        return not self._past_hour(instant, self._offset(instant))

    def _hour_at_or_before(self, instant: datetime) -> datetime:
        offsets = {self._offset(instant - hours * HOUR) for hours in range(3)}
        nearest = [instant - self._past_hour(instant, offset) for offset in offsets]
        return max(at for near in nearest for at in (near, near - HOUR) if self._is_hour(at))

    def _hour_after(self, instant: datetime) -> datetime:
        offsets = {self._offset(instant + hours * HOUR) for hours in range(3)}
        nearest = [instant - self._past_hour(instant, offset) + HOUR for offset in offsets]
        return min(at for near in nearest for at in (near, near + HOUR) if self._is_hour(at))

    def _hours_after(self, start: datetime) -> Iterator[datetime]:
        """Yield bounds a day at a time; only a day with an odd shift is looked at by hours."""
        while True:
            if self._is_hour(start + DAY):
                yield from (start + hours * HOUR for hours in range(1, 25))
                start += DAY
            else:
                start = self._hour_after(start)
                yield start

    def _hour_label(self, start: datetime) -> str:
        local = start.astimezone(self.zone)
        twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        return (local if twice else local.replace(tzinfo=None)).isoformat(timespec="hours")

    def _labelled_hour(self, wall: datetime, label: str) -> Window:
        naive = wall.replace(tzinfo=None)
        folds = (naive.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        starts = {at for at in folds if at.astimezone(self.zone).replace(tzinfo=None) == naive}
        if wall.tzinfo is not None:
            starts &= {as_utc(wall)}
        if not starts:
            raise UsageError(f"'{label}' did not happen in {self.zone.key}: give another hour.")
        if len(starts) > 1:
            both = " or ".join(f"'{self._hour_label(start)}'" for start in sorted(starts))
            raise UsageError(f"'{label}' happened twice in {self.zone.key}: write {both}.")
        return self.window_at(starts.pop())


def are_batches(grain: Grain, zone: ZoneInfo) -> bool:
    """Return whether windows are the batches of dbt's microbatch, which cuts time in UTC.

    Hours are, where the zone is whole hours from UTC; longer ones, where it is UTC. Asked of the
    years 2000 to 2037, in winter and summer; the macros ask the same (windows/microbatch.sql).

    >>> are_batches(Grain.HOUR, ZoneInfo("Europe/Berlin")), are_batches(Grain.DAY, ZoneInfo("UTC"))
    (True, True)
    >>> are_batches(Grain.DAY, ZoneInfo("Europe/Berlin"))
    False
    """
    noons = (datetime(year, month, 1, 12, tzinfo=zone) for year in _ASKED for month in (1, 7))
    offsets = {noon.utcoffset() or timedelta() for noon in noons}
    return not any(offset % HOUR if grain is Grain.HOUR else offset for offset in offsets)


def range_label(first: str, last: str) -> str:
    """Name a range by the labels of its first and last window.

    >>> range_label("2026-03-01", "2026-05-31"), range_label("2026-03-01", "2026-03-01")
    ('2026-03-01 … 2026-05-31', '2026-03-01')
    """
    return first if first == last else f"{first} … {last}"


# The models of a pipeline share their windows' bounds: a large ledger asks for each often.
@lru_cache(maxsize=32_768)
def _window_around(calendar: Calendar, instant: datetime) -> Window:
    return calendar._window_around(instant)  # noqa: SLF001 - its own, remembered
