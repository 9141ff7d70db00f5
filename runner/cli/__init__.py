"""The command line: parse, call one service, render once, exit with a code.

Exit codes: 0 all success · 1 some window failed, is blocked or in other hands · 2 usage or
configuration · 3 ran, not verified (incorrect or unchecked), or not proved · 4 missed: past its
deadline and no success · 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import NoReturn

import typer

from runner.cli import exits
from runner.cli.app import app
from runner.core import interrupts
from runner.core.errors import DaybreakError

# The module of each command. A new command goes into the module of its group, or into one of its
# own, and here. Only the module of the command that is called is imported: to import them all
# takes longer than most commands do.
ROOMS = {
    "accept": "accept",
    "alerts": "alerts",
    "backfill": "backfill",
    "cancel": "pause",
    "dag": "why",
    "doctor": "doctor",
    "lint": "lint",
    "list": "status",
    "list-runs": "status",
    "metrics": "doctor",
    "pause": "pause",
    "plan": "status",
    "prove": "prove",
    "prune": "doctor",
    "resume": "pause",
    "retry": "backfill",
    "run": "backfill",
    "schema": "accept",
    "serve": "serve",
    "show-run": "status",
    "status": "status",
    "tick": "serve",
    "watch": "serve",
    "why": "why",
}

__all__ = ["ROOMS", "app", "load", "main"]


def load(arguments: Iterable[str]) -> None:
    """Import the module of the command that is called; all of them if that is none."""
    name = next(iter(arguments), "")
    rooms = [ROOMS[name]] if name in ROOMS else dict.fromkeys(ROOMS.values())
    for room in rooms:
        import_module(f"runner.cli.{room}")


def main() -> NoReturn:
    """Run the command line; the only place that knows exit codes."""
    interrupts.listen()
    try:
        load(sys.argv[1:])
        app()
    except DaybreakError as error:
        _fail(str(error), exits.of_error(error))
    except interrupts.Interrupted as interrupted:
        _fail(f"interrupted; {interrupted.what_is_left}.", exits.INTERRUPTED)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"runner: {message}", err=True)
    sys.exit(code)
