"""The settings of a pipeline in ``pipelines.yml`` as values, with a reader for each.

See :mod:`runner.project.pipelines_yml` for the text and its errors.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, available_timezones

from runner.core.errors import UsageError, nearest
from runner.core.fields import (
    BadNameError,
    Path,
    Record,
    UnfitError,
    key,
    many,
    maybe,
    one_of,
    record,
    text,
    whole,
    words,
)
from runner.core.schedules import Schedule
from runner.core.windows import Grain

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_UTC = ZoneInfo("UTC")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=_UTC)


def parsed_duration(value: object) -> timedelta:
    """Turn '30s', '15m', '2h' or '1d' into a timedelta; ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("a duration is a whole number and one of s, m, h, d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _positive(value: object) -> timedelta:
    duration = parsed_duration(value)
    if not duration:
        raise ValueError("the duration must be longer than zero")
    return duration


def _day(value: object) -> date:
    """Read a date, or one in quotes; never one with a time."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    if type(value) is date:
        return value
    raise ValueError("a date is written YYYY-MM-DD")


def _cron(value: object) -> str:
    try:
        return Schedule(words(value), _UTC).expression
    except UsageError as error:
        raise ValueError(str(error)) from error


def _zone(value: object) -> str:
    name = words(value)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, LookupError) as error:
        hint = nearest(name, available_timezones())
        raise ValueError(f"there is no time zone {name!r}{hint and '.' + hint}") from error


def _selection(value: object) -> str:
    """Read a selection; it holds no option of dbt's, which are the runner's to give."""
    select = text(value)
    option = next((word for word in select.split() if word.startswith("-")), None)
    if option is not None:
        raise ValueError(f"{option!r} is an option, not a selection; leave it out")
    return select


def _template(value: object) -> str:
    """Read a path; its only placeholder is ``{window:…}``."""
    path = text(value)
    for _, name, _, conversion in string.Formatter().parse(path):
        if name not in (None, "window") or conversion:
            raise ValueError(f"'{{{name}}}' is not known; the only placeholder is {{window:…}}")
    try:
        path.format(window=_ANY_TIME)
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError("what stands in {window:…} is no format of a time") from error
    return path


def _source(value: object) -> str:
    if not re.fullmatch(r"\w+\.\w+", words(value)):
        raise UnfitError("the name of a source and of its table, with a dot between")
    return words(value)


def pipeline_name(value: object) -> str:
    """Read the name of a pipeline."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", words(value)):
        raise BadNameError
    return words(value)


class Catchup(StrEnum):
    """The choice of windows to run on schedule when several are due at once."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Retries(Record):
    """The number of attempts after transient failures, and the pauses between them."""

    attempts: int = key(whole(least=1), 3)  # the first one included
    backoff: timedelta = key(parsed_duration, timedelta(seconds=30))  # before the second attempt
    max_backoff: timedelta = key(parsed_duration, timedelta(minutes=15))

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """See :class:`Record`."""
        if self.max_backoff < self.backoff:
            yield ("max_backoff",), "max_backoff is shorter than backoff"


@dataclass(frozen=True, kw_only=True)
class WaitFor(Record):
    """Something that must be there, complete, before a window runs: a file, or a fresh source."""

    file: str | None = key(maybe(_template), None)  # a glob, per window
    marker: str | None = key(maybe(_template), None)  # lands after the file
    settle: timedelta = key(parsed_duration, timedelta(minutes=1))  # unchanged so long: complete
    source: str | None = key(maybe(_source), None)  # name.table
    # Of a source: how long before the window's end it may stop.
    lag: timedelta = key(parsed_duration, timedelta(0))
    timeout: timedelta | None = key(maybe(parsed_duration), None)  # after due; then it is missed

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """See :class:`Record`."""
        if (self.file is None) == (self.source is None):
            yield (), "each entry names either a file or a source"
        if self.marker is not None and self.file is None:
            yield (), "a marker belongs to a file"
        if self.lag and self.source is None:
            yield (), "a lag belongs to a source"


@dataclass(frozen=True, kw_only=True)
class PipelineConfig(Record):
    """One pipeline as a person wrote it; what is None is taken from its models, or absent."""

    select: str = key(_selection)  # dbt's selection syntax
    description: str | None = key(maybe(words), None)
    schedule: str | None = key(maybe(_cron), None)  # cron, in `timezone`
    grain: Grain | None = key(maybe(one_of(Grain)), None)
    timezone: str | None = key(maybe(_zone), None)  # an IANA name
    start: date | None = key(maybe(_day), None)  # first local date
    end: date | None = key(maybe(_day), None)  # last local date, inclusive
    deadline: timedelta | None = key(maybe(parsed_duration), None)  # after due; then it is missed
    lookback: int = key(whole(least=0), 0)  # windows made stale for late rows
    catchup: Catchup = key(one_of(Catchup), Catchup.ALL)
    max_catchup: int = key(whole(least=1), 366)  # windows; beyond: a clock that jumped
    after: tuple[str, ...] = key(many(pipeline_name), ())  # whose windows must be success first
    retries: Retries = key(record(Retries), Retries())
    timeout: timedelta = key(_positive, timedelta(hours=1))  # of one attempt
    # Patience with another writer; 0s: none.
    lock_timeout: timedelta = key(parsed_duration, timedelta(minutes=10))
    wait_for: tuple[WaitFor, ...] = key(many(record(WaitFor)), ())
    # URLs, which may hold a password, as they were written: '${NAME}' is replaced when used.
    alerts: tuple[str, ...] = key(many(text), (), is_secret=True)  # Apprise's, first choice first
    ping: str | None = key(maybe(text), None, is_secret=True)  # of a dead-man's switch

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """See :class:`Record`."""
        if self.start and self.end and self.end < self.start:
            yield ("end",), f"end {self.end} is before start {self.start}"
