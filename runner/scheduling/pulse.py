"""Show that the scheduler lives, also while a window takes an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

from runner.core.errors import LedgerError


class Pulse:
    """Gives a sign of life every ``interval``, from another thread, until it is left.

    A ledger that is busy for a moment costs one sign, not the scheduler.
    """

    def __init__(self, beat: Callable[[], None], interval: timedelta) -> None:
        self._beat = beat
        self._seconds = interval.total_seconds()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beating, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _beating(self) -> None:
        while True:
            with suppress(LedgerError):
                self._beat()
            if self._stopped.wait(self._seconds):
                return
