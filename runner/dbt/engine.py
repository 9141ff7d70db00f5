"""The base of the engines: every call is one dbt command line, run to its end and reported."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from runner.core.spans import Span
from runner.dbt.arguments import (
    as_given,
    build_arguments,
    given_vars,
    report_arguments,
    source_arguments,
    survey_arguments,
    verify_arguments,
)
from runner.dbt.protocol import (
    Engine,
    Invocation,
    InvocationResult,
    NodeListener,
    Publication,
    RowDifference,
    SourceSchema,
    Survey,
)
from runner.dbt.reports import (
    differences_told,
    loaded_told,
    publications_told,
    schema_told,
    survey_told,
)


class DbtEngine(Engine):
    """The half of :class:`runner.dbt.protocol.Engine` that does not depend on how dbt runs."""

    def __init__(self) -> None:
        self._group = InvocationGroup()

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        """Run one ``dbt build``. What fails in dbt is in the result, not raised."""
        if given_vars(os.environ):  # a plain build with vars does not tell its code
            invocation = replace(invocation, plain_codes={})
        return self._run(build_arguments(invocation), invocation.timeout, listener)

    def published(
        self, span: Span | None, timeout: timedelta, models: Collection[str] | None = None
    ) -> tuple[Publication, ...]:
        """Ask the warehouse for its markers; see :class:`runner.dbt.protocol.Engine`."""
        return publications_told(self._run(report_arguments(span, models), timeout))

    def survey(self, timeout: timedelta, digested: Collection[str] = ()) -> Survey:
        """Look what stands in the warehouse; see :class:`runner.dbt.protocol.Engine`."""
        return survey_told(self._run(survey_arguments(digested), timeout))

    def verify(
        self, models: Collection[str], span: Span | None, timeout: timedelta, *, contents: bool
    ) -> tuple[RowDifference, ...]:
        """Compare rows with what was published; see :class:`runner.dbt.protocol.Engine`."""
        arguments = verify_arguments(models, span, contents=contents)
        return differences_told(self._run(arguments, timeout))

    def schema(self, source: str, timeout: timedelta, *, accept: bool) -> SourceSchema:
        """Look at a source's columns; see :class:`runner.dbt.protocol.Engine`."""
        operation = "accept_schema" if accept else "report_schema"
        return schema_told(source, self._run(source_arguments(operation, source), timeout))

    def loaded_at(self, source: str, timeout: timedelta) -> datetime | None:
        """Ask up to when a source is loaded; see :class:`runner.dbt.protocol.Engine`."""
        arguments = source_arguments("report_loaded_at", source)
        return loaded_told(source, self._run(arguments, timeout))

    def notices(self) -> tuple[str, ...]:
        """Return nothing: a dbt that is not patched goes without nothing."""
        return ()

    def kill(self) -> None:
        """Kill the running invocation, from any thread."""
        self._group.kill()

    def _run(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener = lambda *_: None
    ) -> InvocationResult:
        with self._group.invocation():
            return self._invoke(as_given(arguments, os.environ), timeout, listener)

    @abstractmethod
    def _invoke(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener
    ) -> InvocationResult:
        """Run dbt with these arguments, and kill it when the timeout is over.

        Tells the group of its process; has ended it when it returns or raises.
        """

    def __exit__(self, *_: object) -> None:
        self.close()


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
        """Return true if there is a process that has not been seen to end."""
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
