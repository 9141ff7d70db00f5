"""Read ``pipelines.yml``: turn its text into values, or one clear error.

Only the first error by line is reported, in one line, as a ConfigError that begins with its
place. A wrong value never runs anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

from runner.core.config import PipelineConfig, Retries, WaitFor, pipeline_name
from runner.core.errors import ConfigError, UsageError, nearest
from runner.core.fields import (
    BadNameError,
    MissingKeyError,
    Mistake,
    Record,
    UnfitError,
    UnknownKeyError,
    key,
    named,
    read_at,
    record,
    words,
)
from runner.core.graph import walk
from runner.project.yaml_lines import YamlText, shown


@dataclass(frozen=True)
class PipelinesFile(Record):
    """The whole of the file."""

    pipelines: dict[str, PipelineConfig] = key(
        named(pipeline_name, record(PipelineConfig), least="at least one pipeline"),
        example='{orders: {select: "+daily_revenue"}}',
    )
    dbt: str | None = key(words, None, "~/.venvs/dbt/bin/dbt")  # an executable; see ADR 2


_FIELDS = {
    one.name: one
    for made in (PipelinesFile, WaitFor, Retries, PipelineConfig)
    for one in fields(made)
}
_EXAMPLES = {name: f"{name}: {one.metadata['example']}" for name, one in _FIELDS.items()}


@lru_cache(4)  # a command asks for it several times, and YAML is slow to read
def parse_pipelines(text: str, source: str = "pipelines.yml") -> PipelinesFile:
    """Read the file; its pipelines stand in the order of the text.

    ``source`` is only the file's name in messages. Raises ConfigError with the line of the
    first offending key and what to write instead.
    """
    yaml = YamlText(text, source)
    value = yaml.value()
    if value is None:
        message = f"the file is empty: write `{_EXAMPLES['pipelines']}`."
        raise ConfigError(message, source, line=1)
    try:
        file = read_at(record(PipelinesFile), value)
    except Mistake as mistake:
        raise ConfigError(_explained(mistake), source, yaml.line(mistake.path)) from mistake
    for name, why in _impossible_orders(file.pipelines):
        raise ConfigError(why, source, yaml.line(("pipelines", name, "after")))
    return file


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


def _explained(mistake: Mistake) -> str:
    """Say in one line what is wrong, and what to write instead."""
    path = [part for part in mistake.path if isinstance(part, str)]
    error, given, name = mistake.error, shown(mistake.given), path[-1] if path else "pipelines"
    place = f" of pipeline '{path[1]}'" if len(path) > 2 else ""
    if isinstance(error, BadNameError):
        return f"{given} cannot name a pipeline: use a-z, 0-9 and _, beginning with a letter."
    if isinstance(error, UnknownKeyError):
        return f"unknown key {name!r}{place}.{error}"
    if len(path) == 2:
        return (
            f"pipeline '{name}' must be keys and values: write `{name}: {{{_EXAMPLES['select']}}}`."
        )
    example = f"write it like `{_EXAMPLES[name]}`."
    if isinstance(error, MissingKeyError):
        return f"'{name}'{place} is missing: {example}"
    if isinstance(error, UnfitError):
        if not _FIELDS[name].repr and isinstance(mistake.given, str):
            given = "a text"  # it may hold a password
        return f"'{name}'{place} must be {error}, not {given}: {example}"
    if isinstance(error, UsageError):  # which says what to do next
        return f"'{name}'{place}: {error}"
    return f"'{name}'{place}: {error}{'' if str(error).endswith('?') else ';'} {example}"
