"""One invocation: claim the windows, run dbt, ask the markers if it died, and judge it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from runner.core.chunks import Chunk
from runner.core.crash_points import reached
from runner.core.errors import EngineError, LedgerError
from runner.core.spans import Span
from runner.core.states import RunKind
from runner.core.windows import Window
from runner.dbt.protocol import Invocation, InvocationResult, Stamps
from runner.execution.context import RunContext
from runner.execution.heartbeat import Heartbeat
from runner.execution.unwindowed import UnwindowedNodes
from runner.execution.verdicts import Judgement, judge
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline


def _gates_alone(pipeline: Pipeline) -> Iterable[str]:
    """Return what selects gates and nothing else: dbt leaves out whatever is selected so.

    A gate that nothing tells from a later test is asked once more as a test.
    """
    others = {node.selector for node in pipeline.nodes if not node.is_gate}
    return (n.selector for n in pipeline.nodes if n.is_gate and n.selector not in others)


class Invoker:
    """Runs one ``dbt build`` at a time under a lease."""

    def __init__(self, context: RunContext, kind: RunKind, unwindowed: UnwindowedNodes) -> None:
        self._context = context
        self._kind = kind
        self._unwindowed = unwindowed
        leases, engine = context.ledger.leases, context.engine
        self.heartbeat = Heartbeat(leases, context.pipeline.name, engine.kill)
        self.running: Span | None = None  # of the invocation in progress
        self.fence: int | None = None  # of the last one
        self._stamps: Stamps | None = None  # of the warehouse's file, by the last one

    def run(self, chunk: Chunk, unwindowed: Sequence[Node]) -> tuple[int, Judgement]:
        """Run a chunk with some nodes that know no windows; returns its fence too.

        Raises :class:`LedgerError` if the windows are, or come into, other hands: then dbt is
        stopped and nothing is recorded.
        """
        context, pipeline, span = self._context, self._context.pipeline, chunk.span
        self.running = span
        self.fence = fence = context.claim(span)
        reached("after-claim")
        context.observer.invoking(chunk)
        models = (*(node.name for node in unwindowed), *chunk.models)
        nodes = {node.name: node for node in pipeline.data_nodes}
        ends = pipeline.calendar.window_at(span.start), pipeline.calendar.before(span.end)
        newest = pipeline.newest(context.environment.now())
        checks = tuple(self._unwindowed.checks(chunk, unwindowed))
        invocation = Invocation(
            nodes=tuple(nodes[name].selector for name in models),
            checks=checks,
            exclude=tuple(gate for gate in _gates_alone(pipeline) if gate not in checks),
            with_unit_tests=self._unwindowed.needs_unit_tests(models),
            span=span,
            run_id="__".join(dict.fromkeys((self._kind, *(window.label for window in ends)))),
            fence=fence,
            code_hashes={node.unique_id: node.code_hash for node in pipeline.windowed},
            checks_hashes=_checks_hashes(pipeline),
            judged=tuple(nodes[name].unique_id for name in chunk.checks),
            timeout=pipeline.config.timeout,
            newest=newest.start if newest else None,  # only that is news to a monitor
            has_batches=any(nodes[name].is_microbatch for name in chunk.models),
            plain_codes={n.unique_id: n.plain_code for n in pipeline.windowed if n.plain_code},
            window_vars=_window_vars([nodes[name] for name in chunk.models], ends[0]),
        )
        result = self._build(invocation).with_names(pipeline.project.names)
        reached("after-build")
        if result.warehouse is not None:
            context.ledger.warehouses.learn_id(result.warehouse)
        if result.tables:
            names = pipeline.project.names
            built = {names[unique_id]: table for unique_id, table in result.tables.items()}
            context.ledger.warehouses.learn_built(built)
        if result.error is not None:
            result = self._with_markers(result, chunk, fence)
        self._unwindowed.remember(result, models)
        self._stamps = result.stamps if result.error is None else None
        return fence, judge(pipeline, chunk, result)

    def recorded(self) -> None:
        """Hear that the ledger knows all of the last one: of the file as it was left too."""
        self.running = None
        if self._stamps is not None:
            now = self._context.environment.now()
            self._context.ledger.warehouses.go_on(self._stamps.found, self._stamps.left, now)
            self._stamps = None

    def _build(self, invocation: Invocation) -> InvocationResult:
        if not invocation.nodes and not invocation.checks:
            return InvocationResult(nodes=())  # a table that failed before, and is still to come
        self.heartbeat.watch(invocation.fence)
        try:
            result = self._context.engine.build(invocation, self._context.observer.node)
        finally:
            self.heartbeat.watch(None)
        if self.heartbeat.lost is not None:
            raise LedgerError(
                f"this runner no longer holds its windows ({self.heartbeat.lost}): dbt was "
                f"stopped, nothing more was recorded; see runner list-runs "
                f"{self._context.pipeline.name}"
            )
        return result

    def _with_markers(self, result: InvocationResult, chunk: Chunk, fence: int) -> InvocationResult:
        """Add what the markers say was published and judged: what died could not report."""
        with suppress(EngineError):
            context = self._context
            told = context.published(chunk.span)
            mine = [m for m in told if m.fence == fence]
            # What it was to judge only, others have published; and others may have judged it.
            today = {node.name: node.checks_hash for node in context.pipeline.windowed}
            mine += (
                m if m.checks_hash == today.get(m.model) else replace(m, verdict=None)
                for m in told
                if m.fence != fence and m.model in chunk.checks
            )
            return replace(result, publications=tuple(mine))
        return result


def _checks_hashes(pipeline: Pipeline) -> dict[str, str]:
    """Return the hash of the checks of each windowed model by unique id, as far as it is known."""
    found = ((node.unique_id, node.checks_hash) for node in pipeline.windowed)
    return {model: checks_hash for model, checks_hash in found if checks_hash is not None}


def _window_vars(models: Iterable[Node], window: Window) -> dict[str, str]:
    """Return the vars by which models are told their window: its label, as `--window` takes it."""
    return {node.window_var: window.label for node in models if node.window_var is not None}
