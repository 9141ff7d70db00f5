"""What the engines share: every call is one dbt command line, run to its end and reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from runner.core.spans import Span
from runner.dbt.arguments import (
    build_arguments,
    loaded_arguments,
    report_arguments,
    schema_arguments,
)
from runner.dbt.process_group import InvocationGroup
from runner.dbt.protocol import (
    Invocation,
    InvocationResult,
    NodeListener,
    Publication,
    SourceSchema,
)
from runner.dbt.reports import loaded_told, publications_told, schema_told


class DbtEngine(ABC):
    """The half of :class:`runner.dbt.protocol.Engine` that does not depend on how dbt runs."""

    def __init__(self) -> None:
        self._group = InvocationGroup()

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        """Run one ``dbt build``. What fails in dbt is in the result, not raised."""
        return self._run(build_arguments(invocation), invocation.timeout, listener)

    def published(self, span: Span | None, timeout: timedelta) -> tuple[Publication, ...]:
        """Ask the warehouse for its markers; see :class:`runner.dbt.protocol.Engine`."""
        result = self._run(report_arguments(span), timeout, lambda *_: None)
        return publications_told(result)

    def schema(self, source: str, timeout: timedelta, *, accept: bool) -> SourceSchema:
        """Look at a source's columns; see :class:`runner.dbt.protocol.Engine`."""
        arguments = schema_arguments(source, accept=accept)
        return schema_told(source, self._run(arguments, timeout, lambda *_: None))

    def loaded_at(self, source: str, timeout: timedelta) -> datetime | None:
        """Ask up to when a source is loaded; see :class:`runner.dbt.protocol.Engine`."""
        result = self._run(loaded_arguments(source), timeout, lambda *_: None)
        return loaded_told(source, result)

    def kill(self) -> None:
        """Kill the running invocation, from any thread."""
        self._group.kill()

    def _run(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener
    ) -> InvocationResult:
        with self._group.invocation():
            return self._invoke(arguments, timeout, listener)

    @abstractmethod
    def _invoke(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener
    ) -> InvocationResult:
        """Run dbt with these arguments, and kill it when the timeout is over.

        Tells the group of its process; has ended it when it returns or raises.
        """

    @abstractmethod
    def close(self) -> None:
        """End whatever still runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
