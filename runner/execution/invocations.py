"""One invocation: claim the windows, run dbt, and ask the markers if it died."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from runner.core.chunks import Chunk
from runner.core.crash_points import reached
from runner.core.errors import EngineError, LedgerError
from runner.core.spans import Span
from runner.core.states import RunKind
from runner.dbt.protocol import Invocation, InvocationResult
from runner.execution.context import RunContext
from runner.execution.heartbeat import Heartbeat
from runner.project.manifest import Node


class Invoker:
    """Runs one ``dbt build`` at a time under a lease."""

    def __init__(self, context: RunContext, kind: RunKind, heartbeat: Heartbeat) -> None:
        self._context = context
        self._kind = kind
        self._heartbeat = heartbeat
        self.running: Span | None = None  # of the invocation in progress
        self.fence: int | None = None  # of the last one

    def run(
        self, chunk: Chunk, unwindowed: Sequence[Node], checks: Sequence[str], *, unit_tests: bool
    ) -> tuple[int, InvocationResult]:
        """Run a chunk with some nodes that know no windows; returns its fence too.

        Raises :class:`LedgerError` if the windows are, or come into, other hands: then dbt is
        stopped and nothing is recorded.
        """
        context = self._context
        self.running = chunk.span
        self.fence = fence = context.ledger.leases.claim(
            context.pipeline.name, chunk.span, context.environment.now()
        )
        reached("after-claim")
        context.observer.invoking(chunk)
        invocation = Invocation(
            nodes=(*(node.name for node in unwindowed), *chunk.models),
            checks=tuple(checks),
            exclude=tuple(node.name for node in context.pipeline.nodes if node.is_gate),
            with_unit_tests=unit_tests,
            span=chunk.span,
            run_id=f"{self._kind}__{'__'.join(self._ends(chunk.span))}",
            fence=fence,
            code_hashes={node.name: node.code_hash for node in context.pipeline.windowed},
            timeout=context.pipeline.config.timeout,
            newest=self._newest(),
        )
        result = self._built(invocation)
        reached("after-build")
        if result.error is not None:
            result = self._with_markers(result, chunk, fence)
        return fence, result

    def _newest(self) -> datetime | None:
        """Return the start of the newest complete window: only that is news to a monitor."""
        pipeline = self._context.pipeline
        complete = pipeline.complete(self._context.environment.now())
        if complete is None:
            return None
        return pipeline.calendar.preceding(pipeline.calendar.window_at(complete.end)).start

    def _built(self, invocation: Invocation) -> InvocationResult:
        if not invocation.nodes and not invocation.checks:
            return InvocationResult(nodes=())  # a table that failed before, and is still to come
        self._heartbeat.watch(invocation.fence)
        try:
            result = self._context.engine.build(invocation, self._context.observer.node)
        finally:
            self._heartbeat.watch(None)
        if self._heartbeat.lost is not None:
            raise LedgerError(
                f"this runner no longer holds its windows ({self._heartbeat.lost}): dbt was "
                f"stopped, nothing more was recorded; see runner list-runs "
                f"{self._context.pipeline.name}"
            )
        return result

    def _with_markers(self, result: InvocationResult, chunk: Chunk, fence: int) -> InvocationResult:
        """Add what the markers say was published and judged: what died could not report."""
        with suppress(EngineError):
            markers = self._context.published(chunk.span)
            # What it was to judge only, others have published.
            mine = (
                m for m in markers if m.fence == fence or (m.model in chunk.checks and m.run_id)
            )
            return replace(result, publications=tuple(mine))
        return result

    def _ends(self, span: Span) -> Iterator[str]:
        """Yield the labels of the first and the last window, one if they are the same."""
        calendar = self._context.pipeline.calendar
        first = calendar.window_at(span.start)
        yield first.label
        if first.end != span.end:
            yield calendar.before(span.end).label
