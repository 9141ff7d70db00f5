"""Execute a plan: run its chunks, record every window, try again, and split what fails.

A chunk whose checks name windows is cut at them; one that fails otherwise is tried again if that
may help, and else narrowed down (see :mod:`runner.execution.splitting`). Only what is left to do
runs again: the failed and skipped models of the windows that need them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from runner.core import retries
from runner.core.chunks import Chunk, Sizing, first_part
from runner.core.crash_points import reached
from runner.core.errors import LedgerError, WarehouseLockedError
from runner.core.planning import Plan
from runner.core.retries import Remedy
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import WorkResult
from runner.core.windows import Window
from runner.execution import splitting
from runner.execution.context import RunContext
from runner.execution.heartbeat import BEAT_SECONDS, repeating
from runner.execution.invocations import Invoker
from runner.execution.pending import PendingWork
from runner.execution.recorder import RunRecorder
from runner.execution.results import Failure, nothing_came_of
from runner.execution.unwindowed import UnwindowedNodes, unit_tested
from runner.execution.verdicts import Judgement


@dataclass(frozen=True)
class _ChunkPart:
    """A chunk, or what is left of one."""

    chunk: Chunk
    probes: bool = True  # whether a failure is first looked for at a few windows
    attempts: int = 0  # that have failed for a reason that may pass
    cut_by: str | None = None  # the signature of what its first batch has failed by before


class Executor:
    """Runs the windows of a plan that this process has queued."""

    def __init__(self, context: RunContext, plan: Plan, *, with_snapshots: bool) -> None:
        pipeline, ledger, request = context.pipeline, context.ledger, plan.request
        self._context = context
        self._observer = context.observer
        self._environment = context.environment
        self._config = pipeline.config
        self._calendar = pipeline.calendar
        self._newest_first = request.newest_first
        self._sizing: Sizing = request.sizing
        tested = unit_tested(pipeline, ledger.windows.get_records())
        # What is built as a whole and stands is not built again with what has failed.
        todo = frozenset(model.node.name for model in plan.models if model.runs)
        selected = todo if pipeline.is_whole else request.select
        self._unwindowed = UnwindowedNodes(
            pipeline, selected, with_snapshots, tested, request.judges_only, plan.waiting
        )
        self._stages = self._unwindowed.stages
        self._pending = PendingWork(pipeline, plan.pieces, judges_only=request.judges_only)
        self._recorder = RunRecorder(context, self._pending, self._unwindowed, _bad_rows(plan))
        self._invoker = Invoker(context, request.kind, self._unwindowed)
        self._blocker: str | None = None  # why no chunk can succeed
        self._locked_since: float | None = None  # by the monotonic clock; None: not refused
        self._systematic: set[str] = set()  # failures that were the same wherever they were tried

    def execute(self) -> dict[Window, RunState]:
        """Run everything; returns the state of each window.

        After a failure that lies outside the windows the chunks that follow are not tried. On an
        interrupt the running child is killed and what is left is cancelled in the ledger.
        """
        try:
            with repeating(self._invoker.heartbeat.beat, BEAT_SECONDS):
                for stage, models in enumerate(self._stages):
                    for chunk, is_last in self._chunks(stage, models):
                        # A chunk of all stages reaches the last: dbt itself keeps their order.
                        reach = stage if models.issuperset(chunk.models) else self._last_stage
                        self._run_chunk(chunk, stage, reach, is_last=is_last)
                        reached("between-chunks")
                    self._build_tables(stage)
            return self._recorder.states | self._left_out()
        except BaseException:
            self._context.engine.kill()  # others may go on with it
            if self._invoker.running is not None:
                self._observer.abandoned(self._invoker.running)
            # The ledger itself may be what is broken: then the leases run out by themselves.
            with suppress(LedgerError):
                self._give_up("stopped before it was done; run the same command again")
            raise

    @property
    def condemned(self) -> Mapping[str, Spans]:
        """The published windows, by model, that did not run and that a check has condemned."""
        return self._recorder.condemned

    @property
    def _last_stage(self) -> int:
        return len(self._stages) - 1

    def _chunks(self, stage: int, models: frozenset[str]) -> Iterator[tuple[Chunk, bool]]:
        """Yield the chunks of a stage, cut by what those before took, and if each is its last."""
        whole = list(self._pending.chunks(frozenset().union(*self._stages)))
        size = self._sizing.size
        if stage == 0 and len(whole) == 1 and self._calendar.count(whole[0].span) <= size:
            yield whole[0], True  # dbt itself keeps the order of the stages
            return
        newest = self._newest_first
        ahead = list(self._pending.chunks(models))[:: 1 if newest else -1]  # the next one is last
        while ahead and self._blocker is None:
            piece = ahead.pop()
            chunk = first_part(piece, self._calendar, self._sizing.size, newest=newest)
            rest = Spans([piece.span]) - Spans([chunk.span])
            ahead += [replace(piece, span=span) for span in rest]
            yield chunk, not ahead

    def _run_chunk(self, chunk: Chunk, stage: int, reach: int, *, is_last: bool) -> None:
        parts = [_ChunkPart(chunk)]
        while parts and self._may_go_on():
            part = parts.pop()
            upto = reach if part.chunk == chunk else stage
            judgement = self._invoke(part.chunk, upto, is_last=is_last and not parts)
            parts += reversed(self._after(part, stage, judgement))

    def _after(self, part: _ChunkPart, stage: int, judgement: Judgement) -> list[_ChunkPart]:
        """Decide what to run after an invocation."""
        failure, span = judgement.failure, part.chunk.span
        settled = self._settle_batches(judgement)
        if failure in settled:
            return self._after_batches(part, stage, judgement, failure)
        if failure is None:
            self._locked_since = None
            ahead = self._parts(stage, [span], part)
            if all(replace(rest.chunk, reasons=part.chunk.reasons) != part.chunk for rest in ahead):
                return ahead
            failure = nothing_came_of(part.chunk)
        rule = retries.classify(failure.message)
        if rule.name == "lock" and self._has_patience():
            # Somebody has been faster; that is no fault of the windows and costs no attempt.
            self._environment.sleep(1 + self._environment.random())
            return self._parts(stage, [span], part)
        attempts = part.attempts + 1
        is_single = self._calendar.count(span) == 1
        if rule.remedy is Remedy.HALT:
            self._halt(failure.reason)
        elif rule.remedy is Remedy.ONCE and not is_single:
            # Half of the windows may fit into the memory, or the time.
            self._observer.splitting(span, failure.reason)
            return self._parts(stage, self._calendar.halves(span), replace(part, probes=False))
        elif retries.allows_another(rule, attempts, self._config.retries):
            self._wait(span, failure.reason, attempts)
            return self._parts(stage, [span], replace(part, attempts=attempts))
        elif rule.remedy is Remedy.TRANSIENT or failure.is_systematic:
            self._blocker = failure.reason
        elif not is_single:
            spans = self._narrowed(part, stage, failure)
            return self._parts(stage, spans, replace(part, probes=False))
        self._settle(span, failure)
        return []

    def _settle_batches(self, judgement: Judgement) -> list[Failure]:
        """Let what no attempt can mend be the last word on the windows that dbt has built apart."""
        settled = []
        for window, failure in judgement.apart.items():
            if retries.classify(failure.message).remedy is Remedy.PERMANENT:
                self._settle(window.span, failure)
                settled.append(failure)
        return settled

    def _after_batches(
        self, part: _ChunkPart, stage: int, judgement: Judgement, failure: Failure
    ) -> list[_ChunkPart]:
        """Decide what to run after some batches have failed: the others, unless all will."""
        span, signature = part.chunk.span, failure.signature
        if judgement.is_cut_short and part.cut_by == signature:
            spans = self._narrowed(part, stage, failure)
            return self._parts(stage, spans, replace(part, probes=False))
        return self._parts(stage, [span], replace(part, cut_by=signature))

    def _has_patience(self) -> bool:
        """Tell whether others have been faster at the warehouse for less than `lock_timeout`."""
        now = self._environment.monotonic()
        self._locked_since = now if self._locked_since is None else self._locked_since
        return now - self._locked_since < self._config.lock_timeout.total_seconds()

    def _parts(self, stage: int, spans: Iterable[Span], like: _ChunkPart) -> list[_ChunkPart]:
        """Return what is left to do in some ranges, in the order in which it runs."""
        held_back = self._recorder.held_back  # all is done of it, until the tables come
        return [
            replace(like, chunk=chunk)
            for span in spans
            for chunk in self._pending.chunks(self._stages[stage], span)
            if held_back is None or chunk.span != held_back.span
        ]

    def _narrowed(self, part: _ChunkPart, stage: int, failure: Failure) -> list[Span]:
        """Return the ranges to try after a failure that named no window."""
        span = part.chunk.span
        self._observer.splitting(span, failure.reason)
        if spans := splitting.mentioned(self._calendar, span, failure):
            return spans
        windows = list(self._calendar.windows(span))
        is_known = part.probes and failure.signature in self._systematic
        if not is_known and (not part.probes or len(windows) == 2):
            return list(self._calendar.halves(span))
        probed = splitting.probes(windows)
        if is_known or self._fail_alike(probed, stage):
            self._systematic.add(failure.signature)
            self._settle(span, failure)
            return []
        # Of what was tried alone something may be left: what a check has condemned is held only.
        rest = splitting.around(span, probed, self._calendar)
        return sorted([*rest, *(window.span for window in probed)])

    def _fail_alike(self, windows: list[Window], stage: int) -> bool:
        """Try windows alone, settle those that fail, and tell if all do so in the same words."""
        signatures: set[str | None] = set()
        for window in windows:
            for chunk in self._pending.chunks(self._stages[stage], window.span):
                failure = self._invoke(chunk, stage, is_last=False).failure
                signatures.add(failure.signature if failure else None)
                if failure is not None:
                    self._settle(window.span, failure)
        return len(signatures) == 1 and None not in signatures

    def _invoke(self, chunk: Chunk, stage: int, *, is_last: bool) -> Judgement:
        """Run one invocation and record what it settles."""
        self._recorder.read_inputs(chunk)
        # Tables of bad rows are not built along with the models.
        following, spoilt = self._unwindowed.following(), self._recorder.spoilt
        joining = self._unwindowed.joining(stage, is_last=is_last)
        unwindowed = [n for n in joining if n not in following or n.name not in spoilt]
        fence, judgement = self._invoker.run(chunk, unwindowed)
        judgement = judgement.without_torn(self._recorder.torn_inputs(chunk))
        rows = [run.row_count or 0 for w in judgement.windows.values() for run in w.models]
        if rows and chunk.models:
            count = len(judgement.windows)
            self._sizing = self._sizing.learned(count, sum(rows), judgement.seconds)
        self._recorder.write(fence, chunk, judgement)
        self._invoker.recorded()
        return judgement

    def _build_tables(self, stage: int) -> None:
        """Build the tables that are made from windows, if no chunk has; in one window's name."""
        tables, held_back = self._recorder.tables(stage), self._recorder.held_back
        if tables and (self._pending.windows or held_back) and self._may_go_on():
            window = held_back or self._pending.windows[-1]
            reached("before-tables")
            fence, judgement = self._invoker.run(Chunk(window.span, ()), tables)
            reached("after-tables")
            self._recorder.write_tables(fence, window, judgement.unwindowed, judgement.error)
            self._invoker.recorded()
        elif held_back and stage == self._last_stage:
            fence = self._context.claim(held_back.span)
            self._recorder.write_tables(fence, held_back, (), self._blocker)

    def _settle(self, span: Span, failure: Failure) -> None:
        """Let a failure be the last word on what is left of a range."""
        for part in self._pending.spans.inside(span):
            self._recorder.fail(self._context.claim(part), part, failure)

    def _wait(self, span: Span, reason: str, attempt: int) -> None:
        delay = retries.delay(attempt, self._config.retries, self._environment.random)
        self._observer.retrying(span, reason, delay.total_seconds())
        self._context.ledger.runs.count_retry(self._context.pipeline.name)
        self._environment.sleep(delay.total_seconds())

    def _may_go_on(self) -> bool:
        """Wait for the warehouse; tell whether the next invocation may run."""
        if self._blocker is None and self._environment.is_stopping():
            self._blocker = "the runner was told to stop"
        if self._blocker is None:
            pause = self._context.ledger.controls.get_pause(self._context.pipeline.name)
            if pause is not None:
                self._blocker = f"paused: {pause.reason}"
                return False
            try:
                self._context.access.wait()
            except WarehouseLockedError as error:
                self._blocker = str(error)
        return self._blocker is None

    def _halt(self, reason: str) -> None:
        """Stop, and let nothing of the pipeline start until a person has looked."""
        controls, name = self._context.ledger.controls, self._context.pipeline.name
        with suppress(LedgerError):  # its disk may be the one that is full
            controls.pause(name, reason, self._environment.now())
        self._blocker = f"paused: {reason}"

    def _left_out(self) -> dict[Window, RunState]:
        """Cancel the windows that were not tried, or not to their end."""
        reason = self._blocker or "nothing of them could run"
        for span in self._pending.spans:
            self._observer.not_tried(span, reason)
        if self._pending.windows:
            self._give_up(f"not tried: {reason}")
        return dict.fromkeys(self._pending.windows, RunState.CANCELLED)

    def _give_up(self, reason: str) -> None:
        """End what is still queued or running in this process's name."""
        leases, name = self._context.ledger.leases, self._context.pipeline.name
        cut_off = self._invoker.fence if self._invoker.running else None
        leases.give_up(name, reason, self._environment.now(), cut_off)


def _bad_rows(plan: Plan) -> dict[str, Spans]:
    """Return the windows of published rows that a check has condemned, by model."""
    return {
        model.node.name: model.node.records.where(
            lambda known: known.standing is WorkResult.INCORRECT and known.has_rows
        )
        for model in plan.models
        if model.node.is_windowed
    }
