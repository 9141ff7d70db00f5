"""Execute chunks: run them, record every window, and split those that fail.

A chunk whose checks name windows is cut at them, and so is one whose error mentions some (a
landed file carries its day in its name): a hint where to cut, never a verdict. One that fails
without either is first tried at both ends: the same failure there is systematic, reported once
for all; else it is halved until what is poisoned stands alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from runner.dbt.protocol import Engine, Invocation, InvocationResult
from runner.judge import Failure, Judgement, judge
from runner.ledger import Kind, Ledger, Outcome
from runner.pipelines import Pipeline
from runner.project import Node
from runner.spans import Span, Spans
from runner.states import State
from runner.windows import Window

Clock = Callable[[], datetime]
HEARTBEAT_SECONDS = 10


class Observer(Protocol):
    """Told what happens, as it happens; shows it to a person."""

    def invoking(self, span: Span) -> None:
        """A chunk, or a part of one, starts."""

    def node(self, unique_id: str, status: str) -> None:
        """A node of the running invocation has started or ended."""

    def settled(self, window: Window, outcome: Outcome) -> None:
        """A window has its verdict."""

    def splitting(self, span: Span, reason: str) -> None:
        """A chunk failed and is split."""


@dataclass(frozen=True)
class _Part:
    """A range of windows still to run."""

    span: Span
    probes_ends: bool  # whether a failure is first looked for at both ends


class Executor:
    """Runs the windows of one pipeline that this process has queued."""

    def __init__(
        self,
        pipeline: Pipeline,
        ledger: Ledger,
        engine: Engine,
        kind: Kind,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._engine = engine
        self._kind = kind
        self._clock = clock
        self._observer = observer
        self._built: set[str] = set()  # nodes without windows that need no second build
        self._code_hashes = {node.name: node.code_hash for node in pipeline.windowed}

    def execute(self, chunks: Iterable[Span]) -> dict[Window, State]:
        """Run every chunk; returns the state of each window.

        On an interrupt the running child is killed and what is left is cancelled in the ledger.
        """
        states: dict[Window, State] = {}
        try:
            with self._heartbeat():
                for span in chunks:
                    states |= self._run_chunk(span)
        except BaseException:
            self._engine.close()
            reason = "stopped before it was done; run the same command again"
            self._ledger.cancel(self._pipeline.name, reason, self._clock())
            raise
        return states

    def _run_chunk(self, span: Span) -> dict[Window, State]:
        states: dict[Window, State] = {}
        parts = [_Part(span, probes_ends=True)]
        while parts:
            part = parts.pop()
            judgement = self._invoke(part.span, states)
            if judgement.failure is None:
                ahead = [_Part(rest, part.probes_ends) for rest in judgement.rest]
            else:
                ahead = self._split(part, judgement.failure, states)
            parts.extend(reversed(ahead))
        return states

    def _split(self, part: _Part, failure: Failure, states: dict[Window, State]) -> list[_Part]:
        """What to run after a failure that named no window."""
        calendar = self._pipeline.calendar
        windows = list(calendar.windows(part.span))
        if failure.is_systematic or len(windows) == 1:
            self._settle_all(part.span, failure, states)
            return []
        self._observer.splitting(part.span, failure.reason)
        mentioned = [window.span for window in windows if failure.mentions(window)]
        if mentioned:
            apart = [*mentioned, *(Spans([part.span]) - Spans(mentioned))]
            return [_Part(span, part.probes_ends) for span in sorted(apart)]
        if not part.probes_ends or len(windows) == 2:
            return [_Part(half, probes_ends=False) for half in calendar.halves(part.span)]
        ends = (windows[0].span, windows[-1].span)
        failures = [self._invoke(end, states).failure for end in ends]
        for end, found in zip(ends, failures, strict=True):
            if found is not None:
                self._settle_all(end, found, states)
        middle = Span(windows[0].end, windows[-1].start)
        first, last = failures
        if first is not None and last is not None and first.signature == last.signature:
            self._settle_all(middle, first, states)
            return []
        halves = calendar.halves(middle) if len(windows) > 3 else (middle,)
        return [_Part(half, probes_ends=False) for half in halves]

    def _invoke(self, span: Span, states: dict[Window, State]) -> Judgement:
        """Run one invocation and record what it settles."""
        name = self._pipeline.name
        fence = self._ledger.claim(name, span, self._clock())
        self._observer.invoking(span)
        result = self._engine.build(self._invocation(span, fence), self._observer.node)
        self._remember_built(result)
        judgement = judge(self._pipeline, span, result, self._code_hashes)
        self._record(fence, judgement.outcomes, states)
        for rest in judgement.rest:
            self._ledger.retry(name, fence, rest)
        return judgement

    def _settle_all(self, span: Span, failure: Failure, states: dict[Window, State]) -> None:
        """Give every window of a range the same failure."""
        windows = list(self._pipeline.calendar.windows(span))
        outcome = failure.outcome(len(windows))
        fence = self._ledger.claim(self._pipeline.name, span, self._clock())
        self._record(fence, {window.start: outcome for window in windows}, states)

    def _record(
        self, fence: int, outcomes: Mapping[datetime, Outcome], states: dict[Window, State]
    ) -> None:
        self._ledger.finish(self._pipeline.name, fence, outcomes, self._clock())
        for start, outcome in sorted(outcomes.items()):
            window = self._pipeline.calendar.window_at(start)
            states[window] = outcome.state
            self._observer.settled(window, outcome)

    def _invocation(self, span: Span, fence: int) -> Invocation:
        labels = [window.label for window in self._ends(span)]
        nodes = [node for node in self._pipeline.nodes if self._is_to_build(node)]
        return Invocation(
            nodes=tuple(node.name for node in nodes),
            exclude=tuple(node.name for node in self._pipeline.nodes if node.is_gate),
            with_unit_tests=not self._built,
            span=span,
            run_id=f"{self._kind}__{'__'.join(labels)}",
            fence=fence,
            code_hashes=self._code_hashes,
            timeout=self._pipeline.config.timeout,
        )

    def _ends(self, span: Span) -> Iterator[Window]:
        """The first and the last window of a range, one if they are the same."""
        first = self._pipeline.calendar.window_at(span.start)
        yield first
        if first.end != span.end:
            yield self._pipeline.calendar.preceding(self._pipeline.calendar.window_at(span.end))

    def _is_to_build(self, node: Node) -> bool:
        return node.kind in ("model", "seed", "snapshot") and node.unique_id not in self._built

    def _remember_built(self, result: InvocationResult) -> None:
        """Nodes that know no window are built once; what reads windows follows each chunk."""
        succeeded = {node.unique_id for node in result.nodes if node.status == "success"}
        for node in self._pipeline.nodes:
            knows_windows = node.is_windowed or node.reads_windows
            if node.unique_id in succeeded and not knows_windows:
                self._built.add(node.unique_id)

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Extend the lease while dbt works."""
        stopped = threading.Event()

        def beat() -> None:
            while not stopped.wait(HEARTBEAT_SECONDS):
                self._ledger.keep_alive(self._pipeline.name)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
