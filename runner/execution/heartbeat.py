"""Keep the lease while dbt works, and stop dbt when the lease is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runner.core.errors import LedgerError
from runner.ledger import Leases

BEAT_SECONDS = 1.0  # how soon it is seen that somebody else has taken or ended the windows
BEATS_PER_LEASE = 10  # between two extensions of the lease


@contextmanager
def repeating(act: Callable[[], None], seconds: float) -> Iterator[None]:
    """Do something every so many seconds, in another thread, while the block runs.

    A ledger that is busy for a moment costs one time, and ends nothing.
    """
    stopped = threading.Event()

    def repeat() -> None:
        while not stopped.wait(seconds):
            with suppress(LedgerError):
                act()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


class Heartbeat:
    """Extends the lease of everything that this process holds in a pipeline.

    When the windows of the watched invocation are no longer this process's, ``on_lost`` is called
    from another thread; then it should end the invocation.
    """

    def __init__(self, leases: Leases, pipeline: str, on_lost: Callable[[], None]) -> None:
        self._leases = leases
        self._pipeline = pipeline
        self._on_lost = on_lost
        self._fence: int | None = None  # of the invocation that runs now
        self._lock = threading.Lock()  # the watch is not changed while it is asked about
        self._beats = 0  # since the lease was extended
        self.lost: str | None = None  # what has become of the windows

    def watch(self, fence: int | None) -> None:
        """Watch over the invocation with this fence from now on; None: over nothing."""
        with self._lock:
            self._fence = fence

    def beat(self) -> None:
        """Look after the invocation, and extend the lease now and then."""
        self._beats += 1
        with self._lock, suppress(LedgerError):
            fence = self._fence
            if fence is not None and not self._leases.is_held(self._pipeline, fence):
                self.lost = self._leases.get_loss_reason(self._pipeline, fence)
                self._fence = None
                self._on_lost()
        if self._beats >= BEATS_PER_LEASE:
            self._leases.renew(self._pipeline)
            self._beats = 0
