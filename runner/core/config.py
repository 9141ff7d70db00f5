"""``pipelines.yml``: what it may say, and one clear error when it says something else.

Pydantic judges the values; only the first error by line is reported, in one line, as a
ConfigError that begins with its place. A wrong value never runs anything.
"""

import re
import string
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from runner.core.errors import ConfigError, UsageError, nearest
from runner.core.schedules import Schedule
from runner.core.windows import Grain
from runner.core.yaml_lines import YamlReader, shown

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_UTC = ZoneInfo("UTC")
_EXAMPLES = {
    "select": 'select: "+daily_revenue"',
    "schedule": 'schedule: "0 5 * * *"',
    "grain": "grain: day",
    "timezone": "timezone: Europe/Berlin",
    "start": "start: 2026-03-01",
    "end": "end: 2026-05-31",
    "deadline": "deadline: 2h",
    "lookback": "lookback: 3",
    "catchup": "catchup: all",
    "retries": "retries: {attempts: 3, backoff: 30s, max_backoff: 15m}",
    "attempts": "attempts: 3",
    "backoff": "backoff: 30s",
    "max_backoff": "max_backoff: 15m",
    "timeout": "timeout: 1h",
    "lock_timeout": "lock_timeout: 10m",
    "wait_for": 'wait_for: [{file: "data/{window:%Y-%m-%d}.csv"}]',
    "file": 'file: "data/{window:%Y-%m-%d}.csv"',
    "alerts": 'alerts: ["${RUNNER_ALERT_URL}"]',
    "description": 'description: "Revenue per day"',
    "pipelines": 'pipelines: {orders: {select: "+daily_revenue"}}',
}

_EXPECTED = {  # in a person's words, by pydantic's kind of error
    "dict_type": "keys and values",
    "int_type": "a whole number",
    "model_type": "keys and values",
    "string_too_short": "longer than nothing",
    "string_type": "text (put it in quotes)",
    "too_short": "at least one pipeline",
    "tuple_type": "a list",
}


def _duration(value: object) -> object:
    """Turn '30s', '15m', '2h' or '1d' into a timedelta."""
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
    return path


Duration = Annotated[timedelta, BeforeValidator(_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Catchup(StrEnum):
    """Which of several windows due at once are run on schedule."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


class _Strict(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class Retries(_Strict):
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


class WaitFor(_Strict):
    """Something that must be there, complete, before a window runs."""

    file: Annotated[Text, AfterValidator(_template)]  # '{window:%Y-%m-%d}' is its local start


class PipelineConfig(_Strict):
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
    retries: Retries = Retries()
    timeout: PositiveDuration = timedelta(hours=1)  # of one attempt
    lock_timeout: Duration = timedelta(minutes=10)  # patience with another writer; 0s: none
    wait_for: tuple[WaitFor, ...] = ()
    alerts: tuple[Text, ...] = ()  # URLs; '${NAME}' is left as written

    @field_validator("end")
    @classmethod
    def _not_before_start(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if start and end and end < start:
            raise ValueError(f"end {end} is before start {start}")
        return end


class _File(_Strict):
    pipelines: dict[PipelineName, PipelineConfig] = Field(min_length=1)


def parse_pipelines(text: str, source: str = "pipelines.yml") -> dict[str, PipelineConfig]:
    """Return the pipelines by name, in the order of the text.

    ``source`` is only the file's name in messages. Raises ConfigError with the line of the
    first offending key and what to write instead.
    """
    reader = YamlReader(source)
    value = reader.read(text)
    if value is None:
        message = f"the file is empty: write `{_EXAMPLES['pipelines']}`."
        raise ConfigError(message, source, line=1)
    try:
        return _File.model_validate(value).pipelines
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        # A missing key has no line, and is often one that is there, misspelt.
        first = min(errors, key=lambda e: (e["type"] == "missing", reader.line(e["loc"])))
        line = reader.line(first["loc"])
        raise ConfigError(_explained(first), source, line) from invalid


def _explained(error: ErrorDetails) -> str:
    """Say in one line what is wrong at ``error["loc"]`` and what to write instead."""
    path = [part for part in error["loc"] if isinstance(part, str)]
    kind, given, key = error["type"], shown(error["input"]), path[-1] if path else "pipelines"
    place = f" of pipeline '{path[1]}'" if len(path) > 2 else ""
    if key == "[key]":
        return f"{given} cannot name a pipeline: use a-z, 0-9 and _, beginning with a letter."
    if kind == "extra_forbidden":
        known = _known_keys(path)
        hint = nearest(key, known) or f" The keys here are: {', '.join(known)}."
        return f"unknown key {key!r}{place}.{hint}"
    if len(path) == 2:
        return (
            f"pipeline '{key}' must be keys and values: write `{key}: {{{_EXAMPLES['select']}}}`."
        )
    example = f"write it like `{_EXAMPLES[key]}`."
    if kind == "missing":
        return f"'{key}'{place} is missing: {example}"
    if kind == "value_error":
        cause = error["ctx"]["error"]
        if isinstance(cause.__cause__, UsageError):  # which says what to do next
            return f"'{key}'{place}: {cause}"
        return f"'{key}'{place}: {cause}{'' if str(cause).endswith('?') else ';'} {example}"
    expected = _EXPECTED.get(kind) or error["msg"].removeprefix("Input should be ")
    return f"'{key}'{place} must be {expected}, not {given}: {example}"


def _known_keys(path: list[str]) -> list[str]:
    """Return the keys that may stand where the last of ``path`` does."""
    owners: dict[str, type[_Strict]] = {"retries": Retries, "wait_for": WaitFor}
    owner = owners.get(path[-2], PipelineConfig) if len(path) > 1 else _File
    return list(owner.model_fields)
