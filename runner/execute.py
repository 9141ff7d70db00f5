"""Execute chunks: run them, record every window, and split those that fail.

A chunk whose checks name windows is cut at them, and so is one whose error mentions some (a
landed file carries its day in its name): a hint where to cut, never a verdict. One that fails
without either is first tried at both ends: the same failure there is systematic, reported once
for all; else it is halved until what is poisoned stands alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from runner.dbt.protocol import Engine, Invocation, InvocationResult
from runner.errors import LedgerError
from runner.judge import Failure, Judgement, judge
from runner.ledger import Kind, Ledger, Outcome
from runner.pipelines import Pipeline
from runner.project import Node
from runner.spans import Span, Spans
from runner.states import State
from runner.windows import Window

Clock = Callable[[], datetime]
HEARTBEAT_SECONDS = 10
_PASSED = frozenset({"pass", "warn"})


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

    def not_tried(self, span: Span, reason: str) -> None:
        """A chunk is left out: what failed before would fail it too."""


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
        self._needs_unit_tests = True
        self._obstacle: str | None = None  # a failure outside the windows: no chunk can succeed
        self._code_hashes = {node.name: node.code_hash for node in pipeline.windowed}

    def execute(self, chunks: Iterable[Span]) -> dict[Window, State]:
        """Run every chunk; returns the state of each window.

        After a failure that lies outside the windows the chunks that follow are not tried. On an
        interrupt the running child is killed and what is left is cancelled in the ledger.
        """
        states: dict[Window, State] = {}
        try:
            with self._heartbeat():
                for span in chunks:
                    if self._obstacle is None:
                        states |= self._run_chunk(span)
                    else:
                        states |= self._leave_out(span, self._obstacle)
        except BaseException:
            self._engine.close()
            self._cancel("stopped before it was done; run the same command again")
            raise
        if self._obstacle is not None:
            self._cancel(f"not tried: {self._obstacle}")
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
                ahead = self._split(part, judgement, judgement.failure, states)
            parts.extend(reversed(ahead))
        return states

    def _leave_out(self, span: Span, reason: str) -> dict[Window, State]:
        self._observer.not_tried(span, reason)
        return dict.fromkeys(self._pipeline.calendar.windows(span), State.CANCELLED)

    def _cancel(self, reason: str) -> None:
        """End what is still queued or running in this process's name."""
        self._ledger.cancel(self._pipeline.name, reason, self._clock())

    def _split(
        self, part: _Part, judgement: Judgement, failure: Failure, states: dict[Window, State]
    ) -> list[_Part]:
        """What to run after a failure that named no window."""
        calendar = self._pipeline.calendar
        windows = list(calendar.windows(part.span))
        if failure.is_systematic or len(windows) == 1:
            if failure.is_systematic:
                self._obstacle = failure.reason
            self._settle(part.span, judgement, states)
            return []
        self._observer.splitting(part.span, failure.reason)
        mentioned = [window.span for window in windows if failure.mentions(window)]
        if mentioned:
            apart = [*mentioned, *(Spans([part.span]) - Spans(mentioned))]
            return [_Part(span, part.probes_ends) for span in sorted(apart)]
        if not part.probes_ends or len(windows) == 2:
            return [_Part(half, probes_ends=False) for half in calendar.halves(part.span)]
        middle = Span(windows[0].end, windows[-1].start)
        if self._same_failure_at_both_ends(windows, states):
            self._settle(middle, judgement, states)
            return []
        halves = calendar.halves(middle) if len(windows) > 3 else (middle,)
        return [_Part(half, probes_ends=False) for half in halves]

    def _same_failure_at_both_ends(
        self, windows: list[Window], states: dict[Window, State]
    ) -> bool:
        """Run the first and the last window alone, and settle them."""
        signatures = []
        for end in (windows[0].span, windows[-1].span):
            judgement = self._invoke(end, states)
            if judgement.failure is not None:
                self._settle(end, judgement, states)
                signatures.append(judgement.failure.signature)
        return len(signatures) == 2 and signatures[0] == signatures[1]

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

    def _settle(self, span: Span, judgement: Judgement, states: dict[Window, State]) -> None:
        """Let a failure be the last word on a range of windows."""
        fence = self._ledger.claim(self._pipeline.name, span, self._clock())
        inside = (w.start for w in self._pipeline.calendar.windows(span))
        self._record(fence, {start: judgement.unsettled[start] for start in inside}, states)

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
            with_unit_tests=self._needs_unit_tests,
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
        """What knows no window is built and tested once; what reads windows follows each chunk."""
        statuses = {node.unique_id: node.status for node in result.nodes}
        if statuses and all(statuses[n] == "pass" for n in statuses if n.startswith("unit_test.")):
            self._needs_unit_tests = False
        for node in self._pipeline.nodes:
            knows_windows = node.is_windowed or node.reads_windows
            if statuses.get(node.unique_id) == "success" and not knows_windows:
                tests = [test for test in self._pipeline.nodes if _is_test_of(test, node)]
                if all(statuses.get(test.unique_id, "pass") in _PASSED for test in tests):
                    self._built.add(node.unique_id)

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Extend the lease while dbt works."""
        stopped = threading.Event()

        def beat() -> None:
            while not stopped.wait(HEARTBEAT_SECONDS):
                # A ledger that is busy for a moment must not end the heartbeat for good.
                with suppress(LedgerError):
                    self._ledger.keep_alive(self._pipeline.name)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


def _is_test_of(test: Node, node: Node) -> bool:
    """Whether a test speaks of a node and of no window."""
    return test.kind == "test" and node.unique_id in test.parents and not test.reads_windows
