"""The process group of the running invocation, which another thread may kill at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator


class InvocationGroup:
    """At most one process group at a time, killed once it is known or not at all.

    The thread that runs the invocation says that its leader has started, and that it has ended
    *before* anybody reaps it: until then the system gives the leader's id to no other process, so
    a signal can only reach the group that was meant. :meth:`kill` is for every thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_running = False
        self._is_doomed = False
        self._leader: int | None = None

    @contextlib.contextmanager
    def invocation(self) -> Iterator[None]:
        """From here on a kill counts, whether or not there is a process yet."""
        with self._lock:
            self._is_running, self._is_doomed = True, False
        try:
            yield
        finally:
            with self._lock:
                self._is_running, self._leader = False, None

    @property
    def is_led(self) -> bool:
        """Whether there is a process that has not been seen to end."""
        return self._leader is not None

    def started(self, leader: int) -> None:
        """The invocation's process leads a group of its own; killed at once if it is too late."""
        with self._lock:
            self._leader = leader
            if self._is_doomed:
                self._signal()

    def ended(self) -> None:
        """The leader has ended and will be reaped: its id means nothing from here on."""
        with self._lock:
            self._leader = None

    def kill(self) -> None:
        """Kill the running invocation, or the one whose process is only being started."""
        with self._lock:
            self._is_doomed = self._is_running
            self._signal()

    def _signal(self) -> None:
        if self._leader is not None:
            # A group whose last process waits to be reaped is gone, or may not be signalled.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, signal.SIGKILL)
