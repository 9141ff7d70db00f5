"""The command line: parse, call one service, render once, exit with a code.

Exit codes: 0 all success · 1 some window failed, is blocked or in other hands · 2 usage or
configuration · 3 ran, not verified (incorrect or unchecked), or not proved · 4 missed: past its
deadline and no success · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from runner.cli import exits
from runner.cli.app import app
from runner.cli.completion import COMPLETE, typed_words
from runner.cli.given import take_given
from runner.cli.output import echo, lost, open_streams
from runner.core import interrupts
from runner.core.errors import DaybreakError, UsageError

# The commands of each module. A new command goes into the module of its group, or into one of its
# own, and here. Only the module of the command that is called is imported: to import them all
# takes longer than most commands do.
_COMMANDS = {  # `runner --help` lists them by its own sections: runner.cli.help
    "alerts": ("alerts",),
    "accept": ("accept", "schema"),
    "pause": ("pause", "resume", "cancel"),
    "backfill": ("backfill", "run", "retry", "judge"),
    "why": ("why", "diff", "dag"),
    "init": ("init",),
    "doctor": ("doctor", "verify", "prune", "metrics"),
    "lint": ("lint",),
    "status": ("plan", "status", "list", "list-runs", "show-run"),
    "prove": ("prove",),
    "serve": ("tick", "serve", "watch"),
}
ROOMS = {command: module for module, commands in _COMMANDS.items() for command in commands}

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
    open_streams()
    code = _code()
    if (why := lost()) is not None:
        echo(f"runner: what this command says could not be written: {why}", err=True)
    sys.exit(code or (exits.FAILED if why else 0))


def _code() -> int:
    try:
        if COMPLETE in os.environ:
            _complete()
        arguments = take_given(sys.argv[1:])
        load(arguments)
        app(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except DaybreakError as error:
        echo(f"runner: {error}", err=True)
        return exits.of_error(error)
    except interrupts.Interrupted as interrupted:
        echo(f"runner: interrupted; {interrupted.what_is_left}.", err=True)
        return exits.INTERRUPTED
    return 0


def _complete() -> None:
    """Print what fits the line that the shell is asking about."""
    words = typed_words(os.environ)
    with suppress(UsageError):  # an option whose value is about to be typed
        words = take_given(words)
    if words and words[0] in ROOMS:
        load(words)
    app()
