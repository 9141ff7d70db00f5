"""Read lines from a pipe or socket with a deadline."""

from __future__ import annotations

import os
import selectors
import time


class LineReader:
    """Lines of a file descriptor, without ever waiting past a deadline."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unread = b""

    def line(self, deadline: float | None) -> str | None:
        """The next line without its end, or None when the other side has closed.

        ``deadline`` is on the clock of :func:`time.monotonic`; past it :class:`TimeoutError`.
        """
        while b"\n" not in self._unread:
            self._wait(deadline)
            try:
                received = os.read(self._descriptor, 1 << 20)
            except ConnectionResetError:  # it was killed, with something of ours unread
                return None
            if not received:
                return None
            self._unread += received
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode(errors="replace")

    def _wait(self, deadline: float | None) -> None:
        if deadline is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
