"""What every command takes as dbt does, before its name or after: target, vars, folders.

It becomes variables of the environment, which dbt reads too: the runner's own processes, and the
fingerprint of the parsed project, see what a person has said however it was said.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.core.errors import UsageError
from runner.dbt.arguments import GIVEN_VARS, given_vars


def take_given(arguments: Sequence[str]) -> list[str]:
    """Take the options out of a command line and into the environment; returns what is left.

    Raises :class:`UsageError` for an option without a value, or vars that are none.
    """
    left, words = [], iter(arguments)
    for word in words:
        name, is_joined, value = word.partition("=")
        if name not in _USES:
            left.append(word)
            continue
        value = value if is_joined else next(words, "")
        if not value:
            raise UsageError(f"{name} says nothing: write a value after it")
        _USES[name](value)
    return left


def _use_target(value: str) -> None:
    os.environ["DBT_TARGET"] = value


def _use_vars(value: str) -> None:
    given_vars({GIVEN_VARS: value})
    os.environ[GIVEN_VARS] = value


def _use_profiles(value: str) -> None:
    # From where the command was typed; dbt runs in the project's folder.
    os.environ["DBT_PROFILES_DIR"] = str(Path(value).expanduser().absolute())


def _use_project(value: str) -> None:
    os.environ["DBT_PROJECT_DIR"] = str(Path(value).expanduser().absolute())


_USES: dict[str, Callable[[str], None]] = {
    "--target": _use_target,
    "-t": _use_target,
    "--vars": _use_vars,
    "--profiles-dir": _use_profiles,
    "--project-dir": _use_project,
}
