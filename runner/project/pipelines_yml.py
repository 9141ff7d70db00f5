"""Read ``pipelines.yml``: turn its text into values, or one clear error.

Only the first error by line is reported, in one line, as a ConfigError that begins with its
place. A wrong value never runs anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from runner.core.config import PipelineConfig, Retries, WaitFor, pipeline_name
from runner.core.errors import ConfigError, UsageError, nearest
from runner.core.fields import (
    BadNameError,
    MissingKeyError,
    Mistake,
    MistakesError,
    Record,
    UnfitError,
    UnknownKeyError,
    key,
    named,
    record,
)
from runner.core.graph import walk
from runner.project.yaml_lines import YamlReader, shown

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

_SECRET = ("alerts", "ping")  # whose URLs may hold a password


@dataclass(frozen=True)
class _File(Record):
    pipelines: dict[str, PipelineConfig] = key(
        named(pipeline_name, record(PipelineConfig), least="at least one pipeline")
    )


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
        pipelines = record(_File)(value).pipelines
    except MistakesError as wrong:
        # A missing key has no line, and is often one that is there, misspelt.
        first = min(wrong.found, key=lambda m: (_is_missing(m), reader.line(m.path)))
        raise ConfigError(_explained(first), source, reader.line(first.path)) from wrong
    except UnfitError as unfit:
        first = Mistake((), value, unfit)
        raise ConfigError(_explained(first), source, line=1) from unfit
    for name, why in _impossible_orders(pipelines):
        raise ConfigError(why, source, reader.line(("pipelines", name, "after")))
    return pipelines


def _impossible_orders(pipelines: Mapping[str, PipelineConfig]) -> Iterator[tuple[str, str]]:
    """Yield the pipelines that cannot come `after` what they say, and why."""
    for name, config in pipelines.items():
        for other in config.after:
            if other not in pipelines:
                hint = nearest(other, pipelines) or f" Known: {', '.join(sorted(pipelines))}."
                yield name, f"'after' of pipeline '{name}': there is no pipeline {other!r}.{hint}"
    for name, config in pipelines.items():
        if name in walk(config.after, lambda other: pipelines[other].after):
            yield name, f"'after' of pipeline '{name}' leads back to itself: take one name out."


def _is_missing(mistake: Mistake) -> bool:
    return isinstance(mistake.error, MissingKeyError)


def _explained(mistake: Mistake) -> str:
    """Say in one line what is wrong, and what to write instead."""
    path = [part for part in mistake.path if isinstance(part, str)]
    error, given, name = mistake.error, shown(mistake.given), path[-1] if path else "pipelines"
    if name in _SECRET and isinstance(mistake.given, str):
        given = "a text"
    place = f" of pipeline '{path[1]}'" if len(path) > 2 else ""
    if isinstance(error, BadNameError):
        return f"{given} cannot name a pipeline: use a-z, 0-9 and _, beginning with a letter."
    if isinstance(error, UnknownKeyError):
        known = _known_keys(path)
        hint = nearest(name, known) or f" The keys here are: {', '.join(known)}."
        return f"unknown key {name!r}{place}.{hint}"
    if len(path) == 2:
        return (
            f"pipeline '{name}' must be keys and values: write `{name}: {{{_EXAMPLES['select']}}}`."
        )
    example = f"write it like `{_EXAMPLES[name]}`."
    if isinstance(error, MissingKeyError):
        return f"'{name}'{place} is missing: {example}"
    if isinstance(error, UnfitError):
        return f"'{name}'{place} must be {error}, not {given}: {example}"
    if isinstance(error.__cause__, UsageError):  # which says what to do next
        return f"'{name}'{place}: {error}"
    return f"'{name}'{place}: {error}{'' if str(error).endswith('?') else ';'} {example}"


def _known_keys(path: list[str]) -> list[str]:
    """Return the keys that may stand where the last of ``path`` does."""
    owners: dict[str, type[Record]] = {"retries": Retries, "wait_for": WaitFor}
    owner = owners.get(path[-2], PipelineConfig) if len(path) > 1 else _File
    return [one.name for one in fields(owner)]  # type: ignore[arg-type]
