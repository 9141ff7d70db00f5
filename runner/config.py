"""``pipelines.yml``: what it may say, and one clear error when it says something else.

The text is composed into YAML nodes first, so that every key keeps its line, and only then
made into values: strings, integers, floats, true and false, null and dates, nothing else
(``no`` and ``12:30`` are strings). Pydantic judges the values; only the first error by line
is reported, in one line, as a ConfigError that begins with its place. A wrong value never
runs anything.
"""

import re
import string
from collections.abc import Callable, Hashable, Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
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

from runner.errors import ConfigError, UsageError, nearest
from runner.schedules import Schedule
from runner.windows import Grain

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

    select: Text  # dbt's selection syntax
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
    nodes = _Nodes(source)
    value = nodes.read(text)
    try:
        return _File.model_validate(value).pipelines
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        # A missing key has no line, and is often one that is there, misspelt.
        first = min(errors, key=lambda e: (e["type"] == "missing", nodes.line(e["loc"])))
        line = nodes.line(first["loc"])
        raise ConfigError(_explained(first), source, line) from invalid


class _Loader(yaml.SafeLoader):
    """SafeLoader with the plain scalars of YAML 1.2 and dates, and no other surprises."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _firsts in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?[0-9]+\.[0-9]*", list("-+0123456789")),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", list("0123456789")),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _firsts
    )


class _Nodes:
    """YAML text as plain values, and the line of every key and item."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines: dict[tuple[Hashable, ...], int] = {(): 1}
        self._parents: list[yaml.Node] = []
        self._constructor = _Loader("")

    def line(self, path: tuple[Hashable, ...]) -> int:
        """Return the 1-based line of ``path``, or of its nearest ancestor in the text."""
        return next(
            self._lines[path[:size]]
            for size in range(len(path), -1, -1)
            if path[:size] in self._lines
        )

    def read(self, text: str) -> object:
        """Return the text's value: dicts, lists and scalars."""
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            message = f"the character U+{error.character:04X} is not allowed: remove it."
            raise ConfigError(message, self._source, line) from error
        except yaml.MarkedYAMLError as error:
            quoted = (error.context or "").startswith("while scanning a quoted")
            mark = error.context_mark if quoted else error.problem_mark  # where the quote opens
            problem = error.problem or error.context
            message = f"this is not YAML ({problem}): check the indentation and the quotes here."
            line = mark.line + 1 if mark else 1
            raise ConfigError(message, self._source, line) from error
        if node is None or node.tag == "tag:yaml.org,2002:null":
            raise self._error(f"the file is empty: write `{_EXAMPLES['pipelines']}`.", None)
        return self._value(node, ())

    def _error(self, message: str, node: yaml.Node | None) -> ConfigError:
        return ConfigError(message, self._source, node.start_mark.line + 1 if node else 1)

    def _value(self, node: yaml.Node, path: tuple[Hashable, ...]) -> object:
        if node in self._parents:
            raise self._error("this alias refers to itself: write the value out.", node)
        readers: dict[str, Callable[[], object]] = {
            "tag:yaml.org,2002:map": lambda: dict(self._items(node, path)),
            "tag:yaml.org,2002:seq": lambda: list(self._elements(node, path)),
        }
        self._parents.append(node)
        try:
            return readers.get(node.tag, lambda: self._scalar(node))()
        finally:
            self._parents.pop()

    def _items(self, node: yaml.Node, path: tuple[Hashable, ...]) -> Iterator[tuple[str, object]]:
        for key, value in node.value:
            name = key.value
            if not isinstance(name, str):
                raise self._error("a key must be a word: write `name: value`.", key)
            if (here := (*path, name)) in self._lines:
                first = self._lines[here]
                raise self._error(f"{name!r} is already on line {first}: keep one.", key)
            self._lines[here] = key.start_mark.line + 1
            yield name, self._value(value, here)

    def _elements(self, node: yaml.Node, path: tuple[Hashable, ...]) -> Iterator[object]:
        for index, element in enumerate(node.value):
            here = (*path, index)
            self._lines[here] = element.start_mark.line + 1
            yield self._value(element, here)

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._constructor.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            reason = getattr(error, "problem", None) or error
            message = f"{_shown(node.value)} is not a value ({reason}): correct it, or quote it."
            raise self._error(message, node) from error


def _explained(error: ErrorDetails) -> str:
    """Say in one line what is wrong at ``error["loc"]`` and what to write instead."""
    path = [part for part in error["loc"] if isinstance(part, str)]
    kind, given, key = error["type"], _shown(error["input"]), path[-1] if path else "pipelines"
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


def _shown(value: object) -> str:
    """Show a value in a message: on one line, and not all of a long one."""
    if value is None:
        return "nothing"
    if value in ([], {}):
        return "empty"
    if not isinstance(value, str | int | float | date):
        return "a list" if isinstance(value, list) else "keys and values"
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _known_keys(path: list[str]) -> list[str]:
    """Return the keys that may stand where the last of ``path`` does."""
    owners: dict[str, type[_Strict]] = {"retries": Retries, "wait_for": WaitFor}
    owner = owners.get(path[-2], PipelineConfig) if len(path) > 1 else _File
    return list(owner.model_fields)
