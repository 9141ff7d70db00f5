"""What a pipeline may be told in ``pipelines.yml``, as values: pydantic judges them.

See :mod:`runner.core.pipelines_file` for the text and its errors.
"""

import re
import string
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from runner.core.errors import UsageError, nearest
from runner.core.schedules import Schedule
from runner.core.windows import Grain

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_UTC = ZoneInfo("UTC")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=_UTC)


def parsed_duration(value: object) -> timedelta:
    """Turn '30s', '15m', '2h' or '1d' into a timedelta; ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("a duration is a whole number and one of s, m, h, d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _positive(duration: timedelta) -> timedelta:
    if not duration:
        raise ValueError("the duration must be longer than zero")
    return duration


def _day(value: object) -> object:
    """Accept a date, or one in quotes; never a number, which pydantic reads as seconds."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    if type(value) is date:
        return value
    raise ValueError("a date is written YYYY-MM-DD")


def _cron(expression: str) -> str:
    try:
        return Schedule(expression, _UTC).expression
    except UsageError as error:
        raise ValueError(str(error)) from error


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, LookupError) as error:
        hint = nearest(name, available_timezones())
        raise ValueError(f"there is no time zone {name!r}{hint and '.' + hint}") from error


def _selection(select: str) -> str:
    """Check that a selection holds no option of dbt's: those are the runner's to give."""
    option = next((word for word in select.split() if word.startswith("-")), None)
    if option is not None:
        raise ValueError(f"{option!r} is an option, not a selection; leave it out")
    return select


def _template(path: str) -> str:
    """Check that a path's only placeholder is ``{window:…}``."""
    for _, name, _, conversion in string.Formatter().parse(path):
        if name not in (None, "window") or conversion:
            raise ValueError(f"'{{{name}}}' is not known; the only placeholder is {{window:…}}")
    try:
        path.format(window=_ANY_TIME)
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError("what stands in {window:…} is no format of a time") from error
    return path


Duration = Annotated[timedelta, BeforeValidator(parsed_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Catchup(StrEnum):
    """Which of several windows due at once are run on schedule."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


class Strict(BaseModel):
    """Takes no key that it does not know, and never changes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class Retries(Strict):
    """How often a transient failure is tried again, and how patiently."""

    attempts: int = Field(default=3, ge=1, strict=True)  # the first one included
    backoff: Duration = timedelta(seconds=30)  # before the second attempt
    max_backoff: Duration = Field(default=timedelta(minutes=15), validate_default=True)

    @field_validator("max_backoff")
    @classmethod
    def _not_below_backoff(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("backoff", value):
            raise ValueError("max_backoff is shorter than backoff")
        return value


class WaitFor(Strict):
    """Something that must be there, complete, before a window runs: a file, or a fresh source."""

    file: Annotated[Text, AfterValidator(_template)] | None = None  # a glob, per window
    marker: Annotated[Text, AfterValidator(_template)] | None = None  # lands after the file
    settle: Duration = timedelta(minutes=1)  # unchanged for so long, the file is complete
    source: Annotated[str, StringConstraints(pattern=r"^\w+\.\w+$")] | None = None  # name.table
    lag: Duration = timedelta(0)  # of a source: how long before the window's end it may stop
    timeout: Duration | None = None  # after due; then the window is missed

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.file is None) == (self.source is None):
            raise ValueError("each entry names either a file or a source")
        if self.marker is not None and self.file is None:
            raise ValueError("a marker belongs to a file")
        if self.lag and self.source is None:
            raise ValueError("a lag belongs to a source")
        return self


class PipelineConfig(Strict):
    """One pipeline as a person wrote it; what is None is taken from its models, or absent."""

    select: Annotated[Text, AfterValidator(_selection)]  # dbt's selection syntax
    description: str | None = None
    schedule: Annotated[str, AfterValidator(_cron)] | None = None  # cron, in `timezone`
    grain: Grain | None = None
    timezone: Annotated[str, AfterValidator(_zone)] | None = None  # an IANA name
    start: Day | None = None  # first local date
    end: Day | None = None  # last local date, inclusive
    deadline: Duration | None = None  # after due; then the window is missed
    lookback: int = Field(default=0, ge=0, strict=True)  # windows made stale for late rows
    catchup: Catchup = Catchup.ALL
    max_catchup: int = Field(default=366, ge=1, strict=True)  # windows; beyond: a clock that jumped
    after: tuple[PipelineName, ...] = ()  # whose windows must be success first
    retries: Retries = Retries()
    timeout: PositiveDuration = timedelta(hours=1)  # of one attempt
    lock_timeout: Duration = timedelta(minutes=10)  # patience with another writer; 0s: none
    wait_for: tuple[WaitFor, ...] = ()
    # URLs, which may hold a password, as they were written: '${NAME}' is replaced when used.
    alerts: tuple[Text, ...] = Field(default=(), repr=False)  # Apprise's, first choice first
    ping: Text | None = Field(default=None, repr=False)  # of a dead-man's switch

    @field_validator("end")
    @classmethod
    def _not_before_start(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if start and end and end < start:
            raise ValueError(f"end {end} is before start {start}")
        return end
