"""``pipelines.yml``: its text turned into values, and one clear error when it says something else.

Only the first error by line is reported, in one line, as a ConfigError that begins with its
place. A wrong value never runs anything.
"""

from collections.abc import Iterator, Mapping

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from runner.core.config import PipelineConfig, PipelineName, Retries, Strict, WaitFor
from runner.core.errors import ConfigError, UsageError, nearest
from runner.core.walks import walk
from runner.core.yaml_lines import YamlReader, shown

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
    "marker": 'marker: "data/{window:%Y-%m-%d}.done"',
    "settle": "settle: 1m",
    "lag": "lag: 2h",
    "source": "source: landing.transactions",
    "max_catchup": "max_catchup: 366",
    "after": "after: [orders]",
    "ping": 'ping: "${RUNNER_PING_URL}"',
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
_SECRET = ("alerts", "ping")  # whose URLs may hold a password


class _File(Strict):
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
        pipelines = _File.model_validate(value).pipelines
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        # A missing key has no line, and is often one that is there, misspelt.
        first = min(errors, key=lambda e: (e["type"] == "missing", reader.line(e["loc"])))
        line = reader.line(first["loc"])
        raise ConfigError(_explained(first), source, line) from invalid
    for name, wrong in _impossible_orders(pipelines):
        raise ConfigError(wrong, source, reader.line(("pipelines", name, "after")))
    return pipelines


def _impossible_orders(pipelines: Mapping[str, PipelineConfig]) -> Iterator[tuple[str, str]]:
    """What cannot come `after` what, by the pipeline that says so."""
    for name, config in pipelines.items():
        for other in config.after:
            if other not in pipelines:
                hint = nearest(other, pipelines) or f" Known: {', '.join(sorted(pipelines))}."
                yield name, f"'after' of pipeline '{name}': there is no pipeline {other!r}.{hint}"
    for name, config in pipelines.items():
        if name in walk(config.after, lambda other: pipelines[other].after):
            yield name, f"'after' of pipeline '{name}' leads back to itself: take one name out."


def _explained(error: ErrorDetails) -> str:
    """Say in one line what is wrong at ``error["loc"]`` and what to write instead."""
    path = [part for part in error["loc"] if isinstance(part, str)]
    kind, given, key = error["type"], shown(error["input"]), path[-1] if path else "pipelines"
    if key in _SECRET and isinstance(error["input"], str):
        given = "a text"
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
    owners: dict[str, type[Strict]] = {"retries": Retries, "wait_for": WaitFor}
    owner = owners.get(path[-2], PipelineConfig) if len(path) > 1 else _File
    return list(owner.model_fields)
