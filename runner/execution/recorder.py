"""Keep the ledger's account of a plan: what every invocation has brought to each window's run.

A run ends when nothing is left to do of its window. Where tables are built from the windows at
the end, one run is held back for them: it ends when they are built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from runner.core import retries
from runner.core.chunks import Chunk
from runner.core.crash_points import reached
from runner.core.spans import Span, Spans
from runner.core.states import RunState, worst
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Window
from runner.execution.context import RunContext
from runner.execution.failures import Failure
from runner.execution.pending import PendingWork
from runner.execution.results import reads_from
from runner.execution.unwindowed import UnwindowedNodes
from runner.execution.verdicts import Judgement
from runner.ledger import (
    FilesRead,
    IndexChange,
    InputFile,
    ModelRun,
    RunEnd,
    RunEntry,
    total_rows,
)
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline

_BAD = frozenset({WorkResult.FAILED, WorkResult.INCORRECT})
_NOT_YET = "windows that it is made from were published since it was built"


@dataclass
class _Account:
    """The results of the invocations of one run so far."""

    models: dict[str, ModelRun] = field(default_factory=dict)
    checks: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass
class RunRecorder:
    """Writes the ledger, and tells a person of every window that is done."""

    context: RunContext
    pending: PendingWork
    unwindowed: UnwindowedNodes
    bad_before: Mapping[str, Spans]  # windows whose bad rows were there already, by model
    states: dict[Window, RunState] = field(default_factory=dict)
    held_back: Window | None = None  # whose run waits for the tables at the end
    _last_words: RunEnd | None = None  # of the run that was held back
    _accounts: dict[datetime, _Account] = field(default_factory=dict)
    # By model and window: the files as they were before the last invocation that made it.
    _seen: dict[str, dict[Span, tuple[InputFile, ...]]] = field(default_factory=dict)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that runs."""
        return self.context.pipeline

    def tables(self, stage: int) -> list[Node]:
        """Return the tables to build from the windows so far, without those of bad rows."""
        spoilt = self.spoilt
        return [node for node in self.unwindowed.following(stage) if node.name not in spoilt]

    @property
    def spoilt(self) -> set[str]:
        """The names of what reads rows that were published and are bad."""
        return reads_from(self.pipeline, self._published_as_incorrect)

    def read_inputs(self, chunk: Chunk) -> None:
        """Read what the windows of an invocation will be made from, before it starts."""
        if self.context.reader is not None:
            for model, seen in self.context.reader(chunk.span, chunk.models).items():
                self._seen.setdefault(model, {}).update(seen)

    def write(self, fence: int, chunk: Chunk, judgement: Judgement) -> None:
        """Record an invocation."""
        newest = max(judgement.windows)
        failure = judgement.failure.reason if judgement.failure else None
        entries: dict[datetime, RunEntry] = {}
        for start, window in judgement.windows.items():
            self.pending.told(start, window)
            runs = (*window.models, *(judgement.unwindowed if start == newest else ()))
            self._add(start, runs, judgement)
            goes_on = self.pending.left(start) or (failure and chunk.is_for_tables)
            outcome = None if goes_on else self._outcome(start, failure)
            extra = judgement.unwindowed_findings if start == newest else ()
            entries[start] = RunEntry(runs, (*window.findings, *extra), outcome)
        span = self.pipeline.calendar.window_at(newest).span
        whole = {run.model: (span, self._known(run, span)) for run in judgement.unwindowed}
        published = self._published(chunk, judgement)
        change = IndexChange(
            whole=self._to_be_built(published, span) | whole,
            windows=self._painted({start: w.models for start, w in judgement.windows.items()}),
            outdated=outdated_by(self.pipeline, published),
            late=judgement.late,
            inputs=self._made_from(entries, chunk.models),
        )
        self._record(fence, self._without_last(entries), change)

    def fail(self, fence: int, span: Span, failure: Failure) -> None:
        """Let a failure be the last word on what is left of some windows."""
        entries: dict[datetime, RunEntry] = {}
        for window in self.pipeline.calendar.windows(span):
            left = self.pending.left(window.start)
            blamed = failure.blamed if failure.blamed in left or not left else left[0]
            runs = (self._failed(window.start, blamed, failure),) if blamed in left else ()
            self._add(window.start, runs, None)
            outcome = self._outcome(window.start)
            is_verdict = failure.standing is WorkResult.INCORRECT
            state = worst([outcome.state, RunState.INCORRECT if is_verdict else RunState.FAILED])
            outcome = replace(outcome, state=state, reason=failure.reason)
            entries[window.start] = RunEntry(runs, failure.findings, outcome)
        painted = self._painted({s: e.models for s, e in entries.items()}, failure)
        change = IndexChange(windows=painted, inputs=self._made_from(entries))
        self._record(fence, self._without_last(entries), change)

    def write_tables(
        self, fence: int, window: Window, tables: Sequence[ModelRun], failure: str | None
    ) -> None:
        """Record what has become of tables made from windows; ends the run held back for them."""
        self._add(window.start, tables, None)
        outcome = self._outcome(window.start, failure) if window == self.held_back else None
        if outcome is not None and self._last_words is not None:
            outcome = replace(outcome, state=worst([outcome.state, self._last_words.state]))
            outcome = replace(outcome, reason=outcome.reason or self._last_words.reason)
        whole = {run.model: (window.span, self._known(run, window.span)) for run in tables}
        self.held_back = self._last_words = None
        self._record(
            fence, {window.start: RunEntry(tuple(tables), (), outcome)}, IndexChange(whole=whole)
        )

    @property
    def _published_as_incorrect(self) -> set[str]:
        """The models whose bad rows are there for everybody to read: no gate has held them back."""
        done: dict[str, list[Span]] = {}
        bad: set[str] = set()
        for start, account in self._accounts.items():
            span = self.pipeline.calendar.window_at(start).span
            for run in account.models.values():
                done.setdefault(run.model, []).append(span)
                if run.standing is WorkResult.INCORRECT and run.row_count is not None:
                    bad.add(run.model)
        left = {m for m, spans in self.bad_before.items() if spans - Spans(done.get(m, ()))}
        return bad | left

    def _without_last(self, entries: Mapping[datetime, RunEntry]) -> dict[datetime, RunEntry]:
        """Hold back the newest run that ends here if no other will be open after it."""
        ending = [start for start, entry in entries.items() if entry.outcome is not None]
        has_published = any(
            run.row_count is not None for a in self._accounts.values() for run in a.models.values()
        )
        is_end = len(ending) == len(self.pending.windows)
        if not is_end or not has_published or not self.tables(len(self.unwindowed.stages)):
            return dict(entries)
        last = max(ending)
        self.held_back = self.pipeline.calendar.window_at(last)
        self._last_words = entries[last].outcome
        return {**entries, last: replace(entries[last], outcome=None)}

    def _record(
        self, fence: int, entries: Mapping[datetime, RunEntry], change: IndexChange
    ) -> None:
        reached("before-record")
        now = self.context.environment.now()
        self.context.ledger.results.record(self.pipeline.name, fence, entries, change, now)
        reached("after-record")
        for start, entry in sorted(entries.items()):
            if entry.outcome is not None:
                window = self.pipeline.calendar.window_at(start)
                self.pending.strike(start)
                self.states[window] = entry.outcome.state
                self.context.observer.settled(window, entry.outcome)

    def _add(self, start: datetime, runs: Iterable[ModelRun], judgement: Judgement | None) -> None:
        account = self._accounts.setdefault(start, _Account())
        account.models.update({run.model: run for run in runs})
        if judgement is not None:
            account.checks |= judgement.checks
            account.seconds += judgement.seconds / len(judgement.windows)

    def _outcome(self, start: datetime, failure: str | None = None) -> RunEnd:
        """The sum of a run's account; ``failure`` is one that is about none of its models."""
        account = self._accounts[start]
        found = [m for n in self.pipeline.data_nodes if (m := account.models.get(n.name))]
        states = [run.standing.state for run in found]
        states.append(RunState.SUCCESS if failure is None else RunState.FAILED)
        return RunEnd(
            state=worst(states),
            row_count=total_rows(found),
            check_count=len(account.checks),
            seconds=account.seconds,
            reason=next((run.reason for run in found if run.standing in _BAD), failure),
        )

    def _failed(self, start: datetime, model: str, failure: Failure) -> ModelRun:
        before = self._accounts[start].models.get(model) if start in self._accounts else None
        hashes = {node.name: node.code_hash for node in self.pipeline.windowed}
        row_count = before.row_count if before else None
        return ModelRun(model, failure.standing, row_count, hashes[model], failure.reason)

    def _painted(
        self, runs: Mapping[datetime, Iterable[ModelRun]], failure: Failure | None = None
    ) -> dict[str, Timeline[WindowRecord]]:
        """Return what is known of windowed models after some runs, by model."""
        parts: dict[str, list[tuple[Span, WindowRecord]]] = {}
        windowed = {node.name for node in self.pipeline.windowed}
        for start, models in runs.items():
            span = self.pipeline.calendar.window_at(start).span
            for run in models:
                if run.model in windowed:
                    known = self._known(run, span, failure)
                    parts.setdefault(run.model, []).append((span, known))
        return {model: Timeline(found) for model, found in parts.items()}

    def _made_from(
        self, entries: Mapping[datetime, RunEntry], models: Iterable[str] | None = None
    ) -> FilesRead:
        """The files that were there for what some runs have brought of models; None: of all."""
        wanted = self._seen.keys() if models is None else self._seen.keys() & set(models)
        found: dict[str, dict[Span, tuple[InputFile, ...]]] = {}
        for start, entry in entries.items():
            span = self.pipeline.calendar.window_at(start).span
            for run in entry.models:
                if run.model in wanted and span in self._seen[run.model]:
                    found.setdefault(run.model, {})[span] = self._seen[run.model][span]
        return found

    def _known(self, run: ModelRun, span: Span, failure: Failure | None = None) -> WindowRecord:
        """Return what the index keeps; of a failure that will not pass also what it read."""
        inputs = None
        # What failed for another's sake is tried again as soon as that is mended.
        is_own = failure is not None and failure.is_its_own and failure.blamed == run.model
        if failure is not None and is_own and run.standing is WorkResult.FAILED:
            remedy = retries.classify(failure.message).remedy
            if remedy is retries.Remedy.PERMANENT and run.model in self.context.inputs:
                inputs = self.context.inputs[run.model](span)
        has_rows = run.row_count is not None
        return WindowRecord(
            run.standing, run.code_hash, reason=run.reason, inputs=inputs, has_rows=has_rows
        )

    def _published(self, chunk: Chunk, judgement: Judgement) -> dict[str, list[Span]]:
        """Return the windows that an invocation has published, by model."""
        published: dict[str, list[Span]] = {}
        for start, window in judgement.windows.items():
            span = self.pipeline.calendar.window_at(start).span
            for run in window.models:
                if run.row_count is not None and run.model in chunk.models:
                    published.setdefault(run.model, []).append(span)
        return published

    def _to_be_built(
        self, published: Iterable[str], span: Span
    ) -> dict[str, tuple[Span, WindowRecord]]:
        """Return the tables that lag behind what was published, should nobody build them."""
        behind = reads_from(self.pipeline, set(published))
        return {
            node.name: (span, WindowRecord(WorkResult.FAILED, node.code_hash, reason=_NOT_YET))
            for node in self.pipeline.following_tables
            if node.name in behind
        }


def outdated_by(pipeline: Pipeline, published: Mapping[str, Iterable[Span]]) -> dict[str, Spans]:
    """Return the windows that become stale when others are published together, by model."""
    outdated: dict[str, Spans] = {}
    for model, spans in published.items():
        for reader in pipeline.readers.get(model, ()):
            fresh = Spans(published.get(reader, ()))
            outdated[reader] = outdated.get(reader, Spans()) | (Spans(spans) - fresh)
    return outdated
