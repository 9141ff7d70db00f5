"""A stop that is asked for twice: first what runs is ended, then it is cut off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from runner.core import interrupts


class StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a wish, and the second into an interrupt."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self._event = threading.Event()

    def listen(self) -> None:
        """From now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)

    def is_asked(self) -> bool:
        """Whether somebody wants it."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep, and wake up at once when somebody wants it."""
        self._event.wait(seconds)

    def _heard(self, number: int, frame: object) -> None:
        if self._event.is_set():
            interrupts.interrupt(number, frame)
        self._event.set()
        self._asked()
