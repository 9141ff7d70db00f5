"""Keep the lease while dbt works, and stop dbt when the lease is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from runner.core.errors import LedgerError
from runner.ledger import Leases

BEAT_SECONDS = 1.0  # how soon it is seen that somebody else has taken or ended the windows
BEATS_PER_LEASE = 10  # between two extensions of the lease


class Heartbeat:
    """Extends the lease of everything that this process holds in a pipeline.

    When the windows of the watched invocation are no longer this process's, ``on_lost`` is called
    from another thread; then it should end the invocation. A ledger that is busy for a moment
    ends nothing.
    """

    def __init__(
        self,
        leases: Leases,
        pipeline: str,
        on_lost: Callable[[], None],
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self._leases = leases
        self._pipeline = pipeline
        self._on_lost = on_lost
        self._beat_seconds = beat_seconds
        self._fence: int | None = None  # of the invocation that runs now
        self._lock = threading.Lock()  # the watch is not changed while it is asked about
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self.lost: str | None = None  # what has become of the windows

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

    def watch(self, fence: int | None) -> None:
        """Watch over the invocation with this fence from now on; None: over nothing."""
        with self._lock:
            self._fence = fence

    def _beat(self) -> None:
        beats = 0  # since the lease was extended
        while not self._stopped.wait(self._beat_seconds):
            beats += 1
            with self._lock, suppress(LedgerError):
                self._look()
            if beats >= BEATS_PER_LEASE:
                with suppress(LedgerError):  # then with the next beat
                    self._leases.renew(self._pipeline)
                    beats = 0

    def _look(self) -> None:
        if self._fence is None or self._leases.is_held(self._pipeline, self._fence):
            return
        self.lost = self._leases.get_loss_reason(self._pipeline, self._fence)
        self._fence = None
        self._on_lost()
