"""Keep the ledger's account of a plan: what every invocation has brought to each window's run.

A run ends when nothing is left to do of its window. Where tables are built from the windows at
the end, one run is held back for them: it ends when they are built.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.core import retries
from runner.core.chunks import Chunk
from runner.core.crash_points import reached
from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.states import RunState, worst
from runner.core.status import InputsOf, WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import EVER, Window
from runner.execution.context import RunContext
from runner.execution.pending import PendingWork
from runner.execution.results import Failure, reads_from
from runner.execution.unwindowed import UnwindowedNodes
from runner.execution.verdicts import Judgement
from runner.ledger import FilesRead, IndexChange, InputFile, ModelRun, RunEnd, RunEntry, total_rows
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.warehouse.markers import Index

_BAD = frozenset({WorkResult.FAILED, WorkResult.INCORRECT})
_AGAIN = "they are judged again next time, and what reads them is stale now"
_NOT_YET = "windows that it is made from were published since it was built"

Entries = Mapping[Window, RunEntry]


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
    condemned: dict[str, Spans] = field(default_factory=dict)  # windows that did not run, by model
    held_back: Window | None = None  # whose run waits for the tables at the end
    _last_words: RunEnd | None = None  # of the run that was held back
    _accounts: dict[Window, _Account] = field(default_factory=lambda: defaultdict(_Account))
    # By model and window: the files as they were before the last invocation that made it.
    _seen: dict[str, dict[Span, tuple[InputFile, ...]]] = field(default_factory=dict)

    def tables(self, stage: int | None = None) -> list[Node]:
        """Return the tables to build from the windows so far, without those of bad rows."""
        spoilt = self.spoilt
        return [node for node in self.unwindowed.following(stage) if node.name not in spoilt]

    @property
    def spoilt(self) -> set[str]:
        """The names of what reads rows that are bad and published: no gate has held them back."""
        wrong = [run for _, run in self._runs if run.standing is WorkResult.INCORRECT]
        bad = {run.model for run in wrong if run.row_count is not None}
        done = grouped((run.model, window.span) for window, run in self._runs)
        left = {m for m, spans in self.bad_before.items() if spans - Spans(done.get(m, ()))}
        return reads_from(self.context.pipeline, bad | left)

    def read_inputs(self, chunk: Chunk) -> None:
        """Read what the windows of an invocation will be made from, before it starts."""
        if self.context.reader is not None:
            for model, seen in self.context.reader(chunk.span, chunk.models).items():
                self._seen.setdefault(model, {}).update(seen)

    def torn_inputs(self, chunk: Chunk) -> Mapping[str, Mapping[Span, str]]:
        """Return what has changed of that while the invocation ran: a file, by model and window."""
        if self.context.reader is None:
            return {}
        windows = list(self.context.pipeline.calendar.chunks(chunk.span, 1))
        seen = {
            model: {w: files for w in windows if (files := self._seen.get(model, {}).get(w))}
            for model in chunk.models
        }
        return self.context.reader.torn(seen)

    def write(self, fence: int, chunk: Chunk, judgement: Judgement) -> None:
        """Record an invocation."""
        newest = max(judgement.windows)
        failure = judgement.failure.reason if judgement.failure else None
        entries: dict[Window, RunEntry] = {}
        for window, judged in judgement.windows.items():
            self.pending.told(window, judged)
            runs, findings = judged.models, judged.findings
            if window == newest:
                runs += judgement.unwindowed
                findings += judgement.unwindowed_findings
            account = self._add(window, runs)
            account.checks |= judgement.checks
            account.seconds += judgement.seconds / len(judgement.windows)
            goes_on = self.pending.left(window) or (failure and chunk.is_for_tables)
            outcome = None if goes_on else self._outcome(window, failure)
            entries[window] = RunEntry(runs, findings, outcome)
        judged_windows = judgement.windows.items()
        worked_on = [(window.span, run) for window, j in judged_windows for run in j.models]
        published = grouped(
            (run.model, span)
            for span, run in worked_on
            if run.row_count is not None and run.model in chunk.models
        )
        changed = grouped(
            (run.model, span)
            for span, run in worked_on
            if run.row_count is not None and run.model in chunk.models and not run.is_same
        )
        for model, touched in judgement.touched.items():
            changed[model] = [*changed.get(model, ()), *touched.covered]
        self._keep_condemned(judgement, published)
        behind = reads_from(self.context.pipeline, published.keys())
        tables = [node for node in self.context.pipeline.following_tables if node.name in behind]
        change = IndexChange(
            windows=_timelines(
                (run.model, (span, _record_of(run)))
                for span, run in (*worked_on, *judgement.elsewhere)
            ),
            # Should nobody build the tables, they lag behind what was published.
            whole=unbuilt(tables, newest, _NOT_YET) | _whole(judgement.unwindowed, newest),
            outdated=outdated_by(self.context.pipeline, changed, published),
            late=judgement.late,
            touched=judgement.touched,
            inputs=self._made_from(entries, chunk.models),
            relations=self._relations({run.model for _, run in worked_on}),
        )
        self._record(fence, self._without_last(entries), change)
        for model, touched in judgement.touched.items():
            self.context.observer.noticed(self._loss(model, touched.covered))

    def fail(self, fence: int, span: Span, failure: Failure) -> None:
        """Let a failure be the last word on what is left of some windows."""
        entries: dict[Window, RunEntry] = {}
        painted: list[tuple[str, tuple[Span, WindowRecord]]] = []
        is_verdict = failure.standing is WorkResult.INCORRECT
        read = self._inputs_of(failure)
        for window in self.context.pipeline.calendar.windows(span):
            left = self.pending.left(window)
            blamed = failure.blamed if failure.blamed in left else next(iter(left), None)
            runs = (self._failed(window, blamed, failure),) if blamed else ()
            inputs = read(window.span) if read and blamed == failure.blamed else None
            painted += ((run.model, (window.span, _record_of(run, inputs))) for run in runs)
            self._add(window, runs)
            outcome = self._outcome(window)
            state = worst([outcome.state, RunState.INCORRECT if is_verdict else RunState.FAILED])
            outcome = replace(outcome, state=state, reason=failure.reason)
            entries[window] = RunEntry(runs, failure.findings, outcome)
        made_from = self._made_from(entries, self._seen)
        change = IndexChange(windows=_timelines(painted), inputs=made_from)
        self._record(fence, self._without_last(entries), change)

    def write_tables(
        self, fence: int, window: Window, tables: Sequence[ModelRun], failure: str | None
    ) -> None:
        """Record what has become of tables made from windows; ends the run held back for them."""
        self._add(window, tables)
        outcome = self._outcome(window, failure) if window == self.held_back else None
        if outcome is not None and self._last_words is not None:
            state = worst([outcome.state, self._last_words.state])
            reason = outcome.reason or self._last_words.reason
            outcome = replace(outcome, state=state, reason=reason)
        self.held_back = self._last_words = None
        change = IndexChange(whole=_whole(tables, window))
        self._record(fence, {window: RunEntry(tuple(tables), (), outcome)}, change)

    def _relations(self, models: Container[str]) -> dict[str, str]:
        """Return the relations of the models that an invocation has worked on."""
        windowed = self.context.pipeline.windowed
        return {n.name: n.relation for n in windowed if n.name in models and n.relation}

    @property
    def _runs(self) -> list[tuple[Window, ModelRun]]:
        """What the invocations have brought so far."""
        accounts = self._accounts.items()
        return [(window, run) for window, one in accounts for run in one.models.values()]

    def _loss(self, model: str, spans: Spans) -> str:
        """Say from which windows a merge has taken rows over."""
        calendar = self.context.pipeline.calendar
        count = sum(map(calendar.count, spans))
        dates = calendar.label(Span(min(spans).start, max(spans).end))
        windows = "1 window" if count == 1 else f"{count:,} windows"
        return f"{model} has taken rows over from {windows}, {dates}: {_AGAIN}"

    def _keep_condemned(self, judgement: Judgement, published: Mapping[str, list[Span]]) -> None:
        """Keep which windows are condemned and did not run; what has run since is not of them."""
        condemned = {m: spans - Spans(published.get(m, ())) for m, spans in self.condemned.items()}
        for span, run in judgement.elsewhere:
            condemned[run.model] = condemned.get(run.model, Spans()) | Spans([span])
            self.context.observer.condemned(run.model, span, run.reason)
        self.condemned = {model: spans for model, spans in condemned.items() if spans}

    def _add(self, window: Window, runs: Iterable[ModelRun]) -> _Account:
        account = self._accounts[window]
        account.models.update({run.model: run for run in runs})
        return account

    def _without_last(self, entries: Entries) -> Entries:
        """Hold back the newest run that ends here if no other will be open after it."""
        ending = [window for window, entry in entries.items() if entry.outcome is not None]
        if len(ending) < len(self.pending.windows) or not self.tables():
            return entries
        if all(run.row_count is None for _, run in self._runs):  # nothing was published
            return entries
        self.held_back = last = max(ending)
        self._last_words = entries[last].outcome
        return {**entries, last: replace(entries[last], outcome=None)}

    def _record(self, fence: int, entries: Entries, change: IndexChange) -> None:
        by_start = {window.start: entry for window, entry in entries.items()}
        reached("before-record")
        now = self.context.environment.now()
        self.context.ledger.results.record(self.context.pipeline.name, fence, by_start, change, now)
        reached("after-record")
        for window, entry in sorted(entries.items(), key=lambda item: item[0]):
            if entry.outcome is not None:
                self.pending.strike(window)
                self.states[window] = entry.outcome.state
                self.context.observer.settled(window, entry.outcome)

    def _outcome(self, window: Window, failure: str | None = None) -> RunEnd:
        """Sum up a run's account; ``failure`` is one that is about none of its models."""
        account = self._accounts[window]
        found = [m for n in self.context.pipeline.data_nodes if (m := account.models.get(n.name))]
        states = [run.standing.state for run in found]
        states.append(RunState.SUCCESS if failure is None else RunState.FAILED)
        return RunEnd(
            state=worst(states),
            row_count=total_rows(found),
            check_count=len(account.checks),
            seconds=account.seconds,
            reason=next((run.reason for run in found if run.standing in _BAD), failure),
        )

    def _failed(self, window: Window, model: str, failure: Failure) -> ModelRun:
        before = self._accounts[window].models.get(model)
        node = next(n for n in self.context.pipeline.windowed if n.name == model)
        rows, at = (before.row_count, before.published_at) if before else (None, None)
        standing = failure.standing
        if before and before.standing is WorkResult.PUBLISHED and failure.blamed is None:
            standing = before.standing  # its rows are there; what failed is not about them
        # What is only judged, other code may have published.
        code_hash = (before.code_hash if before else None) or node.code_hash
        checks_hash = node.checks_hash if standing is WorkResult.INCORRECT else None
        return ModelRun(
            model, standing, rows, code_hash, failure.reason, at, checks_hash=checks_hash
        )

    def _made_from(self, entries: Entries, models: Container[str]) -> FilesRead:
        """Return the files that were there for what some runs have brought of models."""
        found = grouped(
            (run.model, (window.span, files))
            for window, entry in entries.items()
            for run in entry.models
            if run.model in models
            and (files := self._seen.get(run.model, {}).get(window.span)) is not None
        )
        return {model: dict(read) for model, read in found.items()}

    def _inputs_of(self, failure: Failure) -> InputsOf | None:
        """Return what tells on what a model has failed, if it would fail on that again."""
        # What failed for another's sake is tried again as soon as that is mended.
        if not failure.is_its_own or failure.standing is not WorkResult.FAILED:
            return None
        is_permanent = retries.classify(failure.message).remedy is retries.Remedy.PERMANENT
        return self.context.inputs.get(failure.blamed or "") if is_permanent else None


def _record_of(run: ModelRun, inputs: str | None = None) -> WindowRecord:
    """Return what the index keeps of a model's run; ``inputs`` is what it would fail on again."""
    has_rows = run.row_count is not None
    return WindowRecord(
        run.standing,
        run.code_hash,
        reason=run.reason,
        inputs=inputs,
        has_rows=has_rows,
        published_at=run.published_at,
        checks_hash=run.checks_hash,
    )


def _timelines(parts: Iterable[tuple[str, tuple[Span, WindowRecord]]]) -> Index:
    return {model: Timeline(found) for model, found in grouped(parts).items()}


def _whole(runs: Iterable[ModelRun], window: Window) -> dict[str, tuple[Span, WindowRecord]]:
    """Return what is known of nodes without windows, in a window's name."""
    return {run.model: (window.span, _record_of(run)) for run in runs}


def unbuilt(
    tables: Iterable[Node], window: Window, reason: str
) -> dict[str, tuple[Span, WindowRecord]]:
    """Return the records of tables that are to be built in a window's name, and why."""
    return {
        node.name: (window.span, WindowRecord(WorkResult.FAILED, node.code_hash, reason=reason))
        for node in tables
    }


def outdated_by(
    pipeline: Pipeline,
    changed: Mapping[str, Iterable[Span]],
    published: Mapping[str, Iterable[Span]],
) -> dict[str, Spans]:
    """Return the windows that become stale when others are published together, by model.

    Those of ``changed`` have other rows than before; what reads the same rows again is not stale.
    """
    outdated: dict[str, Spans] = {}
    project = pipeline.project
    for model, spans in changed.items():
        for reader in project.readers.get(model, ()):
            fresh = Spans(published.get(reader, ()))
            outdated[reader] = outdated.get(reader, Spans()) | (Spans(spans) - fresh)
        # Tables of this pipeline are built after its windows, and recorded by themselves.
        beyond = project.tables.get(model, frozenset()).difference(pipeline.parents)
        outdated |= dict.fromkeys(beyond if spans else (), Spans([EVER]))
    return outdated
