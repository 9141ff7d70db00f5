"""From what dbt reports of an invocation to a verdict on every window.

A window is settled when each of its models is published and judged, or when a check has named
it. What is left over runs again: cut at the named windows, or in halves if nothing was named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.dbt.protocol import Evidence, InvocationResult, NodeResult
from runner.dbt.reports import brief, is_about_size, is_filter, is_lock
from runner.ledger import Finding, ModelRun, Outcome, total_rows
from runner.pipelines import Pipeline
from runner.publications import Publications, by_window
from runner.spans import Span, Spans
from runner.states import State, worst
from runner.windows import Window

# What a marker says of a window; one without a verdict is published and not judged.
_STATES = {
    "correct": State.SUCCESS,
    "incorrect": State.INCORRECT,
    "unchecked": State.UNCHECKED,
    None: State.UNCHECKED,
}
_BAD = frozenset({"error", "fail", "runtime error", "partial success"})


@dataclass(frozen=True)
class Failure:
    """Something that went wrong and named no window."""

    reason: str  # one line: the node, what is wrong
    state: State  # failed, or incorrect if everything ran and a check failed
    is_systematic: bool  # it lies outside the windows: trying them one by one is in vain

    @property
    def signature(self) -> str:
        """Equal for two failures of one cause."""
        return re.sub(r"\d+", "#", self.reason) if is_filter(self.reason) else self.reason

    def mentions(self, window: Window) -> bool:
        """Whether the reason speaks of a window by its label, in the name of a file for example."""
        label = rf"(?<!\w){re.escape(window.label)}(?!\w)"
        return not is_filter(self.reason) and bool(re.search(label, self.reason))


@dataclass(frozen=True)
class Judgement:
    """What is known of the windows of an invocation."""

    outcomes: Mapping[datetime, Outcome]  # settled, by UTC start of the window
    rest: Spans  # not settled
    failure: Failure | None  # why the rest is not settled, if no check has named a window
    unsettled: Mapping[datetime, Outcome]  # how the rest ends if the failure is its last word


@dataclass(frozen=True)
class _Found:
    """An invocation's result, looked at by model and by window."""

    pipeline: Pipeline
    result: InvocationResult
    windows: tuple[Window, ...]
    models: tuple[str, ...]  # windowed models of the invocation
    code_hashes: Mapping[str, str]
    published: Publications
    named: Mapping[datetime, tuple[Finding, ...]]

    @property
    def seconds_each(self) -> float:
        return self.result.seconds / len(self.windows)


def judge(
    pipeline: Pipeline, span: Span, result: InvocationResult, code_hashes: Mapping[str, str]
) -> Judgement:
    """Settle what can be settled of the windows in ``span``."""
    found = _Found(
        pipeline=pipeline,
        result=result,
        windows=tuple(pipeline.calendar.windows(span)),
        models=tuple(node.name for node in pipeline.windowed),
        code_hashes=code_hashes,
        published=by_window(result.publications),
        named=_named_windows(result.evidence),
    )
    failure = _failure(found)
    is_systematic = failure is not None and failure.is_systematic
    outcomes = {}
    if not is_systematic:
        settled = ((window.start, _settled(found, window)) for window in found.windows)
        outcomes = {start: outcome for start, outcome in settled if outcome is not None}
    rest = [window for window in found.windows if window.start not in outcomes]
    has_condemned = any(outcome.state is State.INCORRECT for outcome in outcomes.values())
    if has_condemned or not rest:
        failure = None
    return Judgement(
        outcomes=outcomes,
        rest=Spans(window.span for window in rest),
        failure=failure,
        unsettled={w.start: _unsettled(found, w, failure) for w in rest} if failure else {},
    )


def _settled(found: _Found, window: Window) -> Outcome | None:
    """The outcome of a window, None if something is missing to judge it."""
    named = found.named.get(window.start, ())
    condemned = [finding for finding in named if finding.severity == "error"]
    if not condemned and not _is_judged(found, window):
        return None
    models = tuple(_model_runs(found, window, condemned))
    is_incorrect = condemned or any(model.state is State.INCORRECT for model in models)
    return Outcome(
        state=State.INCORRECT if is_incorrect else worst(model.state for model in models),
        row_count=total_rows(models),
        check_count=_check_count(found) + _gate_count(found),
        seconds=found.seconds_each,
        reason=_in_words(condemned[0]) if condemned else None,
        models=models,
        findings=(*named, *_findings_without_window(found, "warn")),
    )


def _unsettled(found: _Found, window: Window, failure: Failure) -> Outcome:
    """The outcome of a window that a failure leaves as it is: some models may be published."""
    models = tuple(_model_runs(found, window, []))
    return Outcome(
        state=failure.state,
        row_count=total_rows(models),
        check_count=_check_count(found) + _gate_count(found),
        seconds=found.seconds_each,
        reason=failure.reason,
        models=models,
        findings=tuple(_findings_without_window(found, "error", "warn")),
    )


def _is_judged(found: _Found, window: Window) -> bool:
    """Whether every model's window is published and has a verdict."""
    markers = [found.published.get((model, window.start)) for model in found.models]
    return all(marker is not None and marker.verdict is not None for marker in markers)


def _model_runs(found: _Found, window: Window, condemned: list[Finding]) -> Iterator[ModelRun]:
    """The models of a window that are published, or condemned; unjudged is unchecked."""
    bad_models = {finding.model for finding in condemned}
    for model in found.models:
        publication = found.published.get((model, window.start))
        row_count = publication.row_count if publication else None
        code_hash = found.code_hashes.get(model)
        if model in bad_models:
            yield ModelRun(model, State.INCORRECT, row_count, code_hash)
        elif publication is not None:
            yield ModelRun(model, _STATES[publication.verdict], row_count, code_hash)


def _failure(found: _Found) -> Failure | None:
    """What went wrong without a window being named, the first in the order of the graph."""
    cause = _cause(found)
    return Failure(*cause) if cause is not None else None


def _cause(found: _Found) -> tuple[str, State, bool] | None:
    """Reason, state, and whether it lies outside the windows."""
    if found.result.error is not None:
        # Killed or out of time: half of the windows may fit. All else is not about windows.
        reason = found.result.error
        return reason, State.FAILED, not is_about_size(reason)
    failed = [node for node in found.result.nodes if node.status in _BAD]
    for node in failed:
        if not _is_about_windows(found, node):
            is_check = _is_test(node) and node.status == "fail"
            return _reason(node), State.INCORRECT if is_check else State.FAILED, True
    for node in failed:
        ran = _is_test(node) and node.status == "fail" and _everything_is_published(found)
        return _reason(node), State.INCORRECT if ran else State.FAILED, False
    missing = [model for model in found.models if not _is_published(found, model)]
    if missing:
        hint = "is it disabled, or not selected by its pipeline?"
        return f"{missing[0]} published nothing: {hint}", State.FAILED, True
    return None


def _is_about_windows(found: _Found, node: NodeResult) -> bool:
    """Whether a node is a windowed model, or a test of what is built from one, and got to run."""
    if is_lock(node.message):
        return False
    known = next((n for n in found.pipeline.nodes if n.unique_id == node.unique_id), None)
    if known is None:
        return False
    return known.is_windowed or (known.kind == "test" and known.reads_windows)


def _everything_is_published(found: _Found) -> bool:
    return all(_is_published(found, model) for model in found.models)


def _is_published(found: _Found, model: str) -> bool:
    return all((model, window.start) in found.published for window in found.windows)


def _named_windows(evidence: tuple[Evidence, ...]) -> dict[datetime, tuple[Finding, ...]]:
    named: dict[datetime, tuple[Finding, ...]] = {}
    for found in evidence:
        for window in found.windows:
            finding = Finding(
                found.model, found.check, found.severity, window.expected, window.actual
            )
            named[window.window_start] = (*named.get(window.window_start, ()), finding)
    return named


def _findings_without_window(found: _Found, *severities: str) -> Iterator[Finding]:
    """What the checks found that name no window."""
    for evidence in found.result.evidence:
        if not evidence.windows and evidence.severity in severities:
            sample = f"{evidence.failures} rows: {'; '.join(evidence.sample)}"
            yield Finding(evidence.model, evidence.check, evidence.severity, None, sample)


def _check_count(found: _Found) -> int:
    """Tests of the windows that were judged; those of other tables are about all windows."""
    judged = {"pass", "warn", "fail"}
    return sum(
        _is_test(node) and node.status in judged and _is_about_windows(found, node)
        for node in found.result.nodes
    )


def _is_test(node: NodeResult) -> bool:
    return node.unique_id.startswith("test.")


def _gate_count(found: _Found) -> int:
    """Gates that were asked: those of the models that they let through, or held back."""
    held_back = {evidence.model for evidence in found.result.evidence}
    ids = {
        node.unique_id
        for node in found.pipeline.windowed
        if node.name in held_back or _is_published(found, node.name)
    }
    return sum(node.is_gate and node.attached_to in ids for node in found.pipeline.nodes)


def _reason(node: NodeResult) -> str:
    kind, _, name, *rest = node.unique_id.split(".")
    if kind == "unit_test" and node.status == "fail":
        # dbt's own words are a table of rows that fits no line.
        return (
            f"{name} fails its unit test {rest[0]}: see `dbt test --select {rest[0]}`, "
            "and mend the model or the test"
        )
    text = brief(node.message) or node.status
    return text if text.startswith(f"{name} ") else f"{name}: {text}"


def _in_words(finding: Finding) -> str:
    return f"{finding.check}: expected {finding.expected}; actual {finding.actual}"
