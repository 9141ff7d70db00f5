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

from runner.core.errors import nearest
from runner.core.fields import (
    BadNameError,
    Path,
    Record,
    UnfitError,
    key,
    many,
    one_of,
    record,
    text,
    whole,
    words,
)
from runner.core.schedules import Schedule
from runner.core.windows import Grain

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = timedelta(days=3_660)  # ten years: no clock is that late, and no calendar ends within
_YEARS = range(1800, 9000)  # in which dates lie; beyond them a zone's arithmetic ends
_UTC = ZoneInfo("UTC")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=_UTC)


def parsed_duration(value: object) -> timedelta:
    """Turn '30s', '15m', '2h' or '1d' into a timedelta; ValueError for anything else.

    Also for one of more than ten years, which no window can be late.
    """
    match = re.fullmatch(r"([0-9]{1,18})([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("a duration is a whole number and one of s, m, h, d")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{value} is too long: at most {_LONGEST.days}d")
    return timedelta(seconds=seconds)


def _positive(value: object) -> timedelta:
    duration = parsed_duration(value)
    if not duration:
        raise ValueError("the duration must be longer than zero")
    return duration


def _day(value: object) -> date:
    """Read a date, or one in quotes; never one with a time."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        value = date.fromisoformat(value)
    if type(value) is not date:
        raise ValueError("a date is written YYYY-MM-DD")
    if value.year not in _YEARS:
        raise ValueError(
            f"{value} is beyond the calendar, which reaches from {_YEARS[0]} to {_YEARS[-1]}; "
            "leave it out if there is no such end"
        )
    return value


def _cron(value: object) -> str:
    return Schedule(words(value), _UTC).expression


def _zone(value: object) -> str:
    name = words(value)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, LookupError) as error:
        hint = nearest(name, available_timezones())
        raise ValueError(f"there is no time zone {name!r}{hint and '.' + hint}") from error


# Methods of dbt that select by what another run has left behind.
_OF_OTHER_RUNS = re.compile(r"(?:^|[\s,@+\d])(state|result|source_status):")


def selection(value: object) -> str:
    """Read a selection; it holds no option of dbt's, which are the runner's to give."""
    select = text(value)
    option = next((word for word in select.split() if word.startswith("-")), None)
    if option is not None:
        raise ValueError(f"{option!r} is an option, not a selection; leave it out")
    if found := _OF_OTHER_RUNS.search(select):
        raise ValueError(
            f"'{found[1]}:' selects by what another run has left, and a pipeline is the same each "
            "time; the runner knows what has changed by itself"
        )
    return select


def selection_of(select: str, exclude: str | None) -> str:
    """Return a selection as options of ``dbt ls``; the first, ``--select``, is left out."""
    return f"{select} --exclude {exclude}" if exclude else select


def _selector(value: object) -> str:
    """Read the name of a selector of selectors.yml."""
    name = text(value)
    if len(name.split()) > 1 or name.startswith("-"):
        raise UnfitError("the name of a selector in selectors.yml")
    return name


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


def _reasons(value: object) -> tuple[tuple[str, str], ...]:
    """Read models that may run although a rule says no, each with why it is right to."""
    entries = value if isinstance(value, list) else [None]
    if not all(isinstance(one, dict) and len(one) == 1 for one in entries):
        raise UnfitError("a list of models, each with the reason after a colon")
    return tuple((words(model), text(why)) for entry in entries for model, why in entry.items())


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
    backoff: timedelta = key(parsed_duration, "30s")  # before the second attempt
    max_backoff: timedelta = key(parsed_duration, "15m")

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """See :class:`Record`."""
        if self.max_backoff < self.backoff:
            yield ("max_backoff",), "max_backoff is shorter than backoff"


@dataclass(frozen=True, kw_only=True)
class WaitFor(Record):
    """Something that must be there, complete, before a window runs: a file, or a fresh source."""

    file: str | None = key(_template, None, '"data/{window:%Y-%m-%d}.csv"')  # a glob, per window
    marker: str | None = key(_template, None, '"data/{window:%Y-%m-%d}.done"')  # after the file
    settle: timedelta = key(parsed_duration, "1m")  # unchanged so long: complete
    source: str | None = key(_source, None, "landing.transactions")  # name.table
    # Of a source: how long before the window's end it may stop.
    lag: timedelta = key(parsed_duration, "0s", "2h")
    timeout: timedelta | None = key(parsed_duration, None, "1h")  # after due; then it is missed

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

    # In dbt's selection syntax; or the name of a selector that `selectors.yml` defines.
    select: str | None = key(selection, None, '"+daily_revenue"')
    exclude: str | None = key(selection, None, '"tag:slow"')
    selector: str | None = key(_selector, None, "nightly")
    description: str | None = key(words, None, '"Revenue per day"')
    schedule: str | None = key(_cron, None, '"0 5 * * *"')  # cron, in `timezone`
    grain: Grain | None = key(one_of(Grain), None, "day")
    timezone: str | None = key(_zone, None, "Europe/Berlin")  # an IANA name
    start: date | None = key(_day, None, "2026-03-01")  # first local date
    end: date | None = key(_day, None, "2026-05-31")  # last local date, inclusive
    deadline: timedelta | None = key(parsed_duration, None, "2h")  # after due; then it is missed
    lookback: int = key(whole(least=0), 0, "3")  # windows made stale for late rows
    catchup: Catchup = key(one_of(Catchup), "all")
    chunk: int | None = key(whole(least=1), None, "31")  # windows in one dbt build, at most
    max_catchup: int = key(whole(least=1), 366)  # windows; beyond: a clock that jumped
    after: tuple[str, ...] = key(many(pipeline_name), [], "[orders]")  # must be success first
    # Models that break a rule of replays and run all the same, and why that is right.
    allow_unsafe: tuple[tuple[str, str], ...] = key(_reasons, [], '[event_log: "ids are unique"]')
    retries: Retries = key(record(Retries), {}, "{attempts: 3, backoff: 30s, max_backoff: 15m}")
    timeout: timedelta = key(_positive, "1h")  # of one attempt
    lock_timeout: timedelta = key(parsed_duration, "10m")  # patience with another writer; 0s: none
    wait_for: tuple[WaitFor, ...] = key(
        many(record(WaitFor)), [], '[{file: "data/{window:%Y-%m-%d}.csv"}]'
    )
    # URLs, which may hold a password, as they were written: '${NAME}' is replaced when used.
    # Apprise's, first choice first:
    alerts: tuple[str, ...] = key(many(text), [], '["${RUNNER_ALERT_URL}"]', is_secret=True)
    # Of a dead-man's switch:
    ping: str | None = key(text, None, '"${RUNNER_PING_URL}"', is_secret=True)

    @property
    def selection(self) -> str:
        """What it selects, as options of ``dbt ls``; the first, ``--select``, is left out."""
        if self.selector is not None:
            return f"--selector {self.selector}"
        return selection_of(str(self.select), self.exclude)

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """See :class:`Record`."""
        if self.select is None and self.selector is None:
            yield ("select",), "neither this nor 'selector' is there"
        if self.selector is not None and (self.select or self.exclude):
            yield ("selector",), "a selector stands alone, without select and exclude"
        if self.start and self.end and self.end < self.start:
            yield ("end",), f"end {self.end} is before start {self.start}"
