"""From what dbt reports of an invocation to what is known of every model's window.

A model's window is settled when it is published and judged, or when a check has named it. What
reads a window that is condemned is held back; whatever else is left over runs again: cut at the
named windows, or in halves if nothing was named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from runner.core.chunks import Chunk
from runner.core.graph import grouped
from runner.core.spans import Span
from runner.core.status import WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Window
from runner.dbt.protocol import InvocationResult, Publication
from runner.execution.results import NO_ROWS, Failure, InvocationReport, cause, is_test, reads_from
from runner.ledger import CheckFinding, ModelRun
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.warehouse.markers import result_of, span_of

_ANSWERS = frozenset({"pass", "warn", "fail"})


@dataclass(frozen=True)
class WindowJudgement:
    """The judgement of one window after an invocation."""

    models: tuple[ModelRun, ...]  # settled, or published and not judged
    findings: tuple[CheckFinding, ...]
    to_build: tuple[str, ...]  # models still to do
    to_check: tuple[str, ...]  # models published, and still to judge
    held: tuple[str, ...]  # models that read something condemned

    @property
    def condemned(self) -> tuple[ModelRun, ...]:
        """The models of which a check has condemned this window."""
        return tuple(m for m in self.models if m.standing is WorkResult.INCORRECT)


@dataclass(frozen=True)
class Judgement:
    """The judgement of an invocation."""

    windows: Mapping[Window, WindowJudgement]
    unwindowed: tuple[ModelRun, ...]  # what knows no windows, and was built or has failed
    unwindowed_findings: tuple[CheckFinding, ...]  # what checks found of those, or of other windows
    failure: Failure | None  # why something is left to do, if no check has named a window
    apart: Mapping[Window, Failure]  # of windows that dbt has built, and failed, apart from others
    is_cut_short: bool  # whether dbt has left batches out, as the first had failed
    elsewhere: tuple[tuple[Span, ModelRun], ...]  # condemned windows that this was not about
    checks: frozenset[str]  # unique ids of those that judged the windows, gates included
    late: Mapping[str, Timeline[str]]  # by model, windows that miss late rows, whichever they are
    touched: Mapping[str, Timeline[datetime]]  # by model, that lost rows to a merge; since when
    error: str | None  # why dbt itself did not get through
    seconds: float

    def without_torn(self, torn: Mapping[str, Mapping[Span, str]]) -> Judgement:
        """Let windows fail whose file was written to while it was read.

        ``torn`` are the files, by model and window. What was read of one is neither the old nor
        the new, whatever checks say of the rows.
        """
        if not torn:
            return self

        def failed(run: ModelRun, window: Window) -> ModelRun:
            path = torn.get(run.model, {}).get(window.span)
            if path is None or run.row_count is None:
                return run
            reason = f"{run.model}: {path} was written to while it was read; run it again"
            return replace(run, standing=WorkResult.FAILED, reason=reason)

        windows = {
            window: replace(one, models=tuple(failed(run, window) for run in one.models))
            for window, one in self.windows.items()
        }
        return replace(self, windows=windows)


def judge(pipeline: Pipeline, chunk: Chunk, result: InvocationResult) -> Judgement:
    """Say of every model's window in ``chunk`` what is known, and what is left to do."""
    report = InvocationReport(pipeline, chunk, result, tuple(pipeline.calendar.windows(chunk.span)))
    windows = {window: _judged(report, window) for window in report.windows}
    undone = {m for w in windows.values() for m in (*w.to_build, *w.to_check)}
    undone |= report.unbuilt if pipeline.is_whole else set()
    elsewhere = tuple(_condemned_elsewhere(report))
    has_condemned = bool(elsewhere) or any(window.condemned for window in windows.values())
    failure = cause(report, undone) if undone or result.error else None
    is_done = bool(report.models) and not undone
    if failure is not None and not failure.is_systematic and (has_condemned or is_done):
        # Without the condemned windows it may be gone; and what died had done all it should.
        failure = None
    return Judgement(
        windows=windows,
        unwindowed=tuple(_unwindowed_runs(report)),
        unwindowed_findings=tuple(_unwindowed_findings(report)),
        failure=failure,
        apart={
            window: report.failed_batches[window.start]
            for window, judged in windows.items()
            if window.start in report.failed_batches and judged.to_build
        },
        is_cut_short=any(b.status == "skipped" for node in result.nodes for b in node.batches),
        elsewhere=elsewhere,
        checks=_checks(report),
        late=_late(report),
        touched=_touched(result),
        error=result.error,
        seconds=result.seconds,
    )


def _judged(report: InvocationReport, window: Window) -> WindowJudgement:
    named = report.named.get(window.start, ())
    # Of several findings against a model the first is the reason.
    condemned = {f.model: f for f in reversed(named) if f.severity == "error"}
    found = {n.name: _model_run(report, n, window, condemned.get(n.name)) for n in report.models}
    runs = [run for run in found.values() if run is not None]
    wrong = {run.model for run in runs if run.standing is WorkResult.INCORRECT}
    published = [run.model for run in runs if run.standing is WorkResult.PUBLISHED]
    tainted = reads_from(report.pipeline, wrong)
    # A test that compares a model with a condemned one would condemn both.
    tested_with = report.pipeline.tested_with
    untestable = {n for n in published if not (wrong | tainted).isdisjoint(tested_with[n])}
    left = [name for name, run in found.items() if run is None]
    return WindowJudgement(
        models=tuple(runs),
        findings=(*named, *report.findings),
        to_build=tuple(name for name in left if name not in tainted),
        to_check=tuple(name for name in published if name not in untestable),
        held=tuple(n for n in found if n in untestable or (n in tainted and n in left)),
    )


def _model_run(
    report: InvocationReport, node: Node, window: Window, condemned: CheckFinding | None
) -> ModelRun | None:
    """Return a model's result; None if nothing of it is published or known to be wrong."""
    marker = report.published.get((node.name, window.start))
    if condemned is not None:
        reason, code, checks = _in_words(condemned), node.code_hash, node.checks_hash
        if marker is not None:
            code = marker.code_hash or code
            return replace(_run_of(marker, WorkResult.INCORRECT, code, reason), checks_hash=checks)
        return ModelRun(node.name, WorkResult.INCORRECT, None, code, reason, checks_hash=checks)
    if marker is None:
        return None
    standing = result_of(marker)
    why = report.failed_checks.get(node.name) if standing is WorkResult.INCORRECT else None
    is_present = marker.code_hash is not None and marker.code_hash == node.plain_code
    code_hash = node.code_hash if is_present else marker.code_hash
    return _run_of(marker, standing, code_hash, why)


def _condemned_elsewhere(report: InvocationReport) -> Iterator[tuple[Span, ModelRun]]:
    """Yield the published windows that a check has condemned and the invocation was not about."""
    inside = {window.start for window in report.windows}
    for (model, start), marker in report.published.items():
        if start in inside or result_of(marker) is not WorkResult.INCORRECT:
            continue
        found = (f for f in report.named.get(start, ()) if f.severity == "error")
        about = sorted(found, key=lambda finding: finding.model != model)
        reason = _in_words(about[0]) if about else None
        yield span_of(marker), _run_of(marker, WorkResult.INCORRECT, marker.code_hash, reason)


def _run_of(
    marker: Publication, standing: WorkResult, code_hash: str | None, reason: str | None = None
) -> ModelRun:
    """Return the result of a window that is published."""
    at, is_same, checks_hash = marker.stands_since, marker.is_same, marker.checks_hash
    rows = marker.row_count
    return ModelRun(marker.model, standing, rows, code_hash, reason, at, is_same, checks_hash)


def _unwindowed_runs(report: InvocationReport) -> Iterator[ModelRun]:
    """Yield the results of the nodes without windows that this invocation tried to build."""
    failures = {failure.blamed: failure for failure in report.failures}
    statuses = {node.unique_id: node.status for node in report.result.nodes}
    for node in report.pipeline.data_nodes:
        if node.is_windowed or node.unique_id not in statuses:
            continue
        failure = failures.get(node.name)
        if failure is not None:
            yield ModelRun(node.name, failure.standing, None, node.code_hash, failure.reason)
        elif statuses[node.unique_id] == "success":
            yield ModelRun(node.name, _unfailed(report.pipeline, node), None, node.code_hash)


def _unfailed(pipeline: Pipeline, node: Node) -> WorkResult:
    """Return what something without windows is of which no check has failed.

    As of a model's window, without any check nothing says that its rows are right. A view has no
    rows of its own, and a seed's are read by people.
    """
    if node.kind == "seed" or not node.is_stored or pipeline.later_tests[node.name]:
        return WorkResult.SUCCESS
    return WorkResult.UNCHECKED


def _unwindowed_findings(report: InvocationReport) -> Iterator[CheckFinding]:
    """Yield the evidence against what knows no windows, or against windows that did not run.

    That against what knows no windows is with a single window already.
    """
    windowed = {None, *(node.name for node in report.pipeline.windowed)}
    yield from (finding for finding in report.unplaced if finding.model not in windowed)
    inside = {window.start for window in report.windows}
    for start, findings in report.named.items():
        label = report.pipeline.calendar.window_at(start).label
        for finding in findings if start not in inside else ():
            yield replace(finding, expected=f"{label}: {finding.expected}")


def _checks(report: InvocationReport) -> frozenset[str]:
    """Return the tests of the windows that gave an answer; of other tables they are about all.

    Gates were asked for the models that they let through, or held back.
    """
    held_back = {evidence.model for evidence in report.result.evidence}
    asked = {
        node.unique_id
        for node in report.models
        if node.name in report.chunk.models
        and (node.name in held_back or report.is_published(node.name))
    }
    gates = {n.unique_id for n in report.pipeline.nodes if n.is_gate and n.attached_to in asked}
    answers = [r for r in report.result.nodes if is_test(r) and r.status in _ANSWERS]
    if not report.pipeline.is_whole:  # else whatever it tests is part of its one window
        answers = [r for r in answers if report.is_about_windows(r)]
    return frozenset(gates.union(r.unique_id for r in answers))


def _late(report: InvocationReport) -> dict[str, Timeline[str]]:
    """Return the windows that checks have found to miss rows, and what is missing."""
    windowed = {node.name for node in report.pipeline.windowed}
    found: dict[str, dict[Span, str]] = {}
    for evidence in report.result.evidence:
        if evidence.makes_stale and evidence.model in windowed:
            for window in evidence.windows:
                span = report.pipeline.calendar.window_at(window.window_start).span
                found.setdefault(evidence.model, {})[span] = window.actual
    return {model: Timeline(spans.items()) for model, spans in found.items()}


def _touched(result: InvocationResult) -> dict[str, Timeline[datetime]]:
    """Return the windows, not of the chunk, that no longer hold what was published in them."""
    found = grouped((m.model, (span_of(m), m.stands_since)) for m in result.touched)
    return {model: Timeline(parts) for model, parts in found.items()}


def _in_words(finding: CheckFinding) -> str:
    such_as = f", such as {finding.sample[0]}" if finding.expected == NO_ROWS else ""
    return f"{finding.check}: expected {finding.expected}; actual {finding.actual}{such_as}"
