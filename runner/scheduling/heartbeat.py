"""Show that the scheduler lives, also while a window takes an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from runner.core.errors import LedgerError


@contextmanager
def pulse(beat: Callable[[], None], interval: timedelta) -> Iterator[None]:
    """Give a sign of life every ``interval``, from another thread, until the block is left.

    A ledger that is busy for a moment costs one sign, not the scheduler.
    """
    stopped = threading.Event()

    def beating() -> None:
        while True:
            with suppress(LedgerError):
                beat()
            if stopped.wait(interval.total_seconds()):
                return

    thread = threading.Thread(target=beating, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
