"""The command line of a ``dbt build``, built from typed values."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

from runner.core.errors import UsageError
from runner.core.spans import Span
from runner.dbt.package import PACKAGE
from runner.dbt.protocol import Invocation

GIVEN_VARS = "DAYBREAK_VARS"  # dbt has no variable of the environment for its --vars
# What an invocation is told by vars; a project's vars have other names.
OWN_VARS = frozenset(
    {
        "window_start",
        "window_end",
        "run_id",
        "fence",
        "code_hashes",
        "checks_hashes",
        "judged",
        "newest_window",
        "plain_codes",
        "start_date",
        "end_date",
        "timezone",
    }
)
# Options of dbt's that change what is selected, built or read in a command of ours: whoever exports
# one of them for a `dbt build` of his own does not mean the runner's.
_OVERRULED = tuple(
    f"{prefix}{name}"
    for prefix in ("DBT_", "DBT_ENGINE_")
    for name in (
        *("INDIRECT_SELECTION", "RESOURCE_TYPES", "EXCLUDE_RESOURCE_TYPES"),
        *("EMPTY", "SAMPLE", "FULL_REFRESH", "EVENT_TIME_START", "EVENT_TIME_END"),
        *("DEFER", "DEFER_TO_STATE", "DEFER_STATE", "FAVOR_STATE", "FAVOR_STATE_MODE"),
        *("STATE", "ARTIFACT_STATE_PATH", "FAIL_FAST", "SINGLE_THREADED"),
        *("INTROSPECT", "POPULATE_CACHE", "CACHE_SELECTED_ONLY"),
        *("LOG_FORMAT", "LOG_LEVEL", "PRINT", "NO_PRINT", "QUIET"),
    )
)
_JINJA = re.compile(r"\{\{|\{%|\{#")
# dbt's console and file logs cost a third of a short invocation; events reach us otherwise.
QUIET = ("--no-write-json", "--log-level-file", "none", "--no-use-colors")


def build_arguments(invocation: Invocation) -> list[str]:
    """Arguments of the ``dbt build`` that executes ``invocation``.

    Raises :class:`ValueError` if it selects nothing: dbt would take that for everything.
    """
    selected = [*invocation.nodes, *invocation.checks]
    if not selected:
        raise ValueError("an invocation without nodes and checks would build everything")
    arguments = ["build", "--indirect-selection", "buildable", "--vars", window_vars(invocation)]
    # A test that is named runs whether or not its model is selected.
    arguments += ["--select", *selected]
    if invocation.exclude:
        arguments += ["--exclude", *invocation.exclude]
    if not invocation.with_unit_tests:
        arguments += ["--exclude-resource-type", "unit_test"]
    if invocation.has_batches:
        arguments += ["--event-time-start", _naive(invocation.span.start)]
        arguments += ["--event-time-end", _naive(invocation.span.end)]
    return arguments


def select_options(selection: str) -> list[str]:
    """Options of dbt's for a selection.

    That is what stands after ``--select``, or an option that selects, such as ``--selector``.
    """
    words = selection.split()
    return words if words[0].startswith("--") else ["--select", *words]


def list_arguments(selection: str) -> list[str]:
    """Arguments of the ``dbt ls`` that resolves a selection: a line of JSON for every node."""
    options = select_options(selection)
    return ["ls", *options, "--quiet", "--output", "json", "--output-keys", "unique_id"]


def given_vars(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the project's vars that a person gives, as dbt's ``--vars`` takes them.

    Raises :class:`UsageError` if they are no keys and values.
    """
    text = environment.get(GIVEN_VARS)
    if not text:
        return {}
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(
            f"the vars {text!r} are no keys and values: write --vars '{{name: value}}', "
            f"or let {GIVEN_VARS} say so"
        )
    return found


def as_given(arguments: list[str], environment: Mapping[str, str]) -> list[str]:
    """Add to a command line of dbt the target and the vars that a person gives.

    Vars of the runner are added to his; dbt takes one ``--vars`` only.
    """
    target, given = environment.get("DBT_TARGET"), given_vars(environment)
    found = [*arguments, *(["--target", target] if target else [])]
    if not given:
        return found
    if "--vars" not in found:
        return [*found, "--vars", json.dumps(given, default=str)]
    place = found.index("--vars") + 1
    found[place] = json.dumps({**given, **json.loads(found[place])}, sort_keys=True, default=str)
    return found


def overrule(environment: MutableMapping[str, str]) -> None:
    """Take out of the environment of a dbt of ours what would change what it does."""
    for name in _OVERRULED:
        environment.pop(name, None)


def report_arguments(span: Span | None, models: Collection[str] | None = None) -> list[str]:
    """Arguments of the call that asks the warehouse for its markers; None: for all."""
    return _operation("report_publications", span, models=models and sorted(models))


def survey_arguments(digested: Collection[str] = ()) -> list[str]:
    """Arguments of the call that looks what stands in the warehouse; some rows are digested."""
    return _operation("survey_warehouse", digested=sorted(digested) or None)


def verify_arguments(models: Collection[str], span: Span | None, *, contents: bool) -> list[str]:
    """Arguments of the call that compares the rows of models with what was published."""
    return _operation("verify_publications", span, models=sorted(models), contents=contents)


def source_arguments(operation: str, source: str) -> list[str]:
    """Arguments of the call of a macro that looks at a source, and may record what it sees.

    Raises :class:`UsageError` for a name that holds Jinja, which dbt would render.
    """
    return _operation(operation, source_name=source)


def window_vars(invocation: Invocation) -> str:
    """The ``--vars`` of an invocation as JSON: nothing else ever travels through them.

    Raises :class:`UsageError` for a string that holds Jinja, which dbt would render.
    """
    values: dict[str, Any] = {
        **invocation.window_vars,
        **_bounds(invocation.span),
        "run_id": invocation.run_id,
        "fence": invocation.fence,
        "code_hashes": dict(invocation.code_hashes),
    }
    if invocation.checks_hashes:
        values["checks_hashes"] = dict(invocation.checks_hashes)
    if invocation.judged:
        values["judged"] = list(invocation.judged)
    if invocation.newest is not None:
        values["newest_window"] = invocation.newest.isoformat()
    if invocation.plain_codes:
        values["plain_codes"] = dict(invocation.plain_codes)
    _refuse_jinja(invocation.run_id, *invocation.judged)
    for hashes in (invocation.code_hashes, invocation.checks_hashes, invocation.plain_codes):
        _refuse_jinja(*hashes, *hashes.values())
    return json.dumps(values, sort_keys=True)


def _operation(name: str, span: Span | None = None, **arguments: object) -> list[str]:
    """Arguments of a call of a macro; raises :class:`UsageError` for Jinja, which dbt would run."""
    found = ["run-operation", f"{PACKAGE}.{name}"]
    if given := {key: value for key, value in arguments.items() if value is not None}:
        text = json.dumps(given)
        _refuse_jinja(text)
        found += ["--args", text]
    return found if span is None else [*found, "--vars", json.dumps(_bounds(span), sort_keys=True)]


def _bounds(span: Span) -> dict[str, str]:
    return {"window_start": span.start.isoformat(), "window_end": span.end.isoformat()}


def _naive(instant: datetime) -> str:
    """Write an instant as dbt takes an event time: UTC, and without saying so."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _refuse_jinja(*texts: str) -> None:
    for text in texts:
        if _JINJA.search(text):
            message = f"{text!r} holds Jinja, which dbt would run: use letters, digits, _ and -"
            raise UsageError(message)
