"""Handle Ctrl-C and SIGTERM, which must not tear what may only be done as a whole.

Python raises in the middle of whatever runs: between a database's ``BEGIN`` and the code that
would undo it, say. A shield puts that off to its own end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not KeyboardInterrupt, which typer would swallow."""

    what_is_left = "what was published stays. Run the same command to go on"


class _Shields:
    """The number of shields that the main thread holds, and a signal that came meanwhile."""

    count = 0
    is_pending = False


def listen() -> None:
    """Let Ctrl-C and SIGTERM raise :class:`Interrupted` in the main thread from now on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def interrupt(*_signal: object) -> None:
    """Raise :class:`Interrupted`, or leave it to the shield that is held."""
    _Shields.is_pending = _Shields.count > 0
    if not _Shields.is_pending:
        raise Interrupted


@contextmanager
def shielded() -> Iterator[None]:
    """Put an interrupt off until the end of this; signals only ever reach the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Shields.count += 1
    try:
        yield
    finally:
        _Shields.count -= 1
        if _Shields.is_pending:
            interrupt()
