"""The command line: parse, call one service, render once, exit with a code.

Exit codes: 0 all success · 1 some window failed, is blocked or in other hands · 2 usage or
configuration · 3 ran, not verified (incorrect or unchecked), or not proved ·
130 interrupted.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from runner.cli import (
    alerts,
    caring,
    linting,
    looking,
    operating,
    proving,
    running,
    schemas,
    tracing,
)
from runner.cli.app import app
from runner.core import interrupts
from runner.core.errors import DaybreakError, UsageError

__all__ = [
    "alerts",
    "app",
    "caring",
    "linting",
    "looking",
    "main",
    "operating",
    "proving",
    "running",
    "schemas",
    "tracing",
]


def main() -> NoReturn:
    """Run the command line; the only place that knows exit codes."""
    interrupts.listen()
    try:
        app()
    except UsageError as error:
        _fail(str(error), 2)
    except DaybreakError as error:
        _fail(str(error), 1)
    except interrupts.Interrupted as interrupted:
        _fail(f"interrupted; {interrupted.what_is_left}.", 130)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"runner: {message}", err=True)
    sys.exit(code)
