"""Read ``pipelines.yml``: turn its text into values, or one clear error for each pipeline.

Of a pipeline only the first error by line is reported, in one line that begins with its place. A
wrong value never runs anything, and keeps no other pipeline from running.
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
class _WholeFile(Record):
    """The keys of the file."""

    pipelines: dict[str, PipelineConfig | Mistake] = key(
        named(pipeline_name, record(PipelineConfig), least="at least one pipeline"),
        example='{orders: {select: "+daily_revenue"}}',
    )
    dbt: str | None = key(words, None, "~/.venvs/dbt/bin/dbt")  # an executable; see ADR 2


@dataclass(frozen=True)
class PipelinesFile:
    """The whole of the file, as far as it can be read."""

    names: tuple[str, ...]  # of all pipelines, in the order of the text
    pipelines: Mapping[str, PipelineConfig]  # those that can be read, in the same order
    unreadable: Mapping[str, str]  # the others: why not, with the line
    dbt: str | None = None


_FIELDS = {
    one.name: one for made in (_WholeFile, WaitFor, Retries, PipelineConfig) for one in fields(made)
}
_EXAMPLES = {name: f"{name}: {one.metadata['example']}" for name, one in _FIELDS.items()}


@lru_cache(4)  # a command asks for it several times, and YAML is slow to read
def parse_pipelines(text: str, source: str = "pipelines.yml") -> PipelinesFile:
    """Read the file; its pipelines stand in the order of the text.

    ``source`` is only the file's name in messages. Raises ConfigError for what is wrong with all
    of it, with the line of the first offending key and what to write instead.
    """
    yaml = YamlText(text, source)
    value = yaml.value()
    if value is None:
        message = f"the file is empty: write `{_EXAMPLES['pipelines']}`."
        raise ConfigError(message, source, line=1)
    try:
        file = read_at(record(_WholeFile), value)
    except Mistake as mistake:
        raise ConfigError(_explained(mistake), source, yaml.line(mistake.path)) from mistake

    def located(path: tuple[str | int, ...], why: str) -> str:
        return str(ConfigError(why, source, yaml.line(("pipelines", *path))))

    unreadable: dict[str, str] = {}
    readable: dict[str, PipelineConfig] = {}
    for name, found in file.pipelines.items():
        if isinstance(found, Mistake):
            found.path = ("pipelines", *found.path)
            unreadable[name] = located(found.path[1:], _explained(found))
        else:
            readable[name] = found
    for name, why in _impossible_orders(readable, file.pipelines):
        unreadable.setdefault(name, located((name, "after"), why))
    return PipelinesFile(
        names=tuple(file.pipelines),
        pipelines={name: one for name, one in readable.items() if name not in unreadable},
        unreadable={name: unreadable[name] for name in file.pipelines if name in unreadable},
        dbt=file.dbt,
    )


def _impossible_orders(
    pipelines: Mapping[str, PipelineConfig], known: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Yield the pipelines that cannot come `after` what they say, and why.

    ``known`` are all that there are: one that cannot be read is waited for.
    """
    for name, config in pipelines.items():
        for other in config.after:
            if other not in known:
                hint = nearest(other, known) or f" Known: {', '.join(sorted(known))}."
                yield name, f"'after' of pipeline '{name}': there is no pipeline {other!r}.{hint}"

    def onward(name: str) -> tuple[str, ...]:
        return pipelines[name].after if name in pipelines else ()

    for name, config in pipelines.items():
        if name in walk(config.after, onward):
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
