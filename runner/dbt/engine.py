"""What the engines share: every call is one dbt command line, run to its end and reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from runner.dbt.arguments import build_arguments, report_arguments
from runner.dbt.protocol import Invocation, InvocationResult, NodeListener, Publication
from runner.dbt.reports import publications_told


class DbtEngine(ABC):
    """The half of :class:`runner.dbt.protocol.Engine` that does not depend on how dbt runs."""

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        """Run one ``dbt build``. What fails in dbt is in the result, not raised."""
        return self._run(build_arguments(invocation), invocation, listener)

    def published(self, invocation: Invocation) -> tuple[Publication, ...]:
        """Ask the warehouse for the markers of an invocation."""
        result = self._run(report_arguments(invocation), invocation, lambda *_: None)
        return publications_told(result)

    @abstractmethod
    def _run(
        self, arguments: list[str], invocation: Invocation, listener: NodeListener
    ) -> InvocationResult:
        """Run dbt with these arguments, and kill it when the invocation's timeout is over."""

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
