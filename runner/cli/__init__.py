"""The command line: parse, call one service, render once, exit with a code.

Exit codes: 0 all success · 1 some window failed, is blocked or in other hands · 2 usage or
configuration · 3 ran, not verified (incorrect or unchecked), or not proved · 4 missed: past its
deadline and no success · 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from runner.cli import (
    alerts,
    caring,
    exits,
    keeping,
    linting,
    looking,
    operating,
    proving,
    running,
    scheduling,
    schemas,
    tracing,
    watching,
)
from runner.cli.app import app
from runner.core import interrupts
from runner.core.errors import DaybreakError

__all__ = [
    "alerts",
    "app",
    "caring",
    "keeping",
    "linting",
    "looking",
    "main",
    "operating",
    "proving",
    "running",
    "scheduling",
    "schemas",
    "tracing",
    "watching",
]


def main() -> NoReturn:
    """Run the command line; the only place that knows exit codes."""
    interrupts.listen()
    try:
        app()
    except DaybreakError as error:
        _fail(str(error), exits.of_error(error))
    except interrupts.Interrupted as interrupted:
        _fail(f"interrupted; {interrupted.what_is_left}.", exits.INTERRUPTED)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"runner: {message}", err=True)
    sys.exit(code)
