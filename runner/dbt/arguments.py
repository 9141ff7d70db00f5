"""The command line of a ``dbt build``, built from typed values."""

from __future__ import annotations

import json
import re

from runner.dbt.protocol import Invocation
from runner.errors import UsageError

_JINJA = re.compile(r"\{\{|\{%|\{#")
# dbt's console and file logs cost a third of a short invocation; events reach us otherwise.
QUIET = ("--no-write-json", "--log-level-file", "none", "--no-use-colors")


def build_arguments(invocation: Invocation) -> list[str]:
    """Arguments of the ``dbt build`` that executes ``invocation``."""
    arguments = ["build", "--indirect-selection", "buildable", "--vars", window_vars(invocation)]
    arguments += ["--select", *invocation.nodes]
    if invocation.exclude:
        arguments += ["--exclude", *invocation.exclude]
    if not invocation.with_unit_tests:
        arguments += ["--exclude-resource-type", "unit_test"]
    return arguments


def report_arguments(invocation: Invocation) -> list[str]:
    """Arguments of the call that asks the warehouse what ``invocation`` has published."""
    return ["run-operation", "report_publications", "--vars", window_vars(invocation)]


def window_vars(invocation: Invocation) -> str:
    """The ``--vars`` of an invocation as JSON: nothing else ever travels through them.

    Raises :class:`UsageError` for a string that holds Jinja, which dbt would render.
    """
    values = {
        "window_start": invocation.span.start.isoformat(),
        "window_end": invocation.span.end.isoformat(),
        "run_id": invocation.run_id,
        "fence": invocation.fence,
        "code_hashes": dict(invocation.code_hashes),
    }
    strings = [invocation.run_id, *invocation.code_hashes, *invocation.code_hashes.values()]
    for text in strings:
        if _JINJA.search(text):
            message = f"{text!r} holds Jinja, which dbt would run: use letters, digits, _ and -"
            raise UsageError(message)
    return json.dumps(values, sort_keys=True)
