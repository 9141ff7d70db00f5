"""Results as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from runner.core.chunks import Chunk
from runner.core.planning import ModelPlan, Plan
from runner.core.proofs import Proof
from runner.core.refusals import Allowance
from runner.core.status import WindowStatus
from runner.core.windows import Calendar
from runner.ledger import CheckFinding, ModelRun, Run
from runner.project.pipelines import Pipeline
from runner.render.proofs import counts_in_words, standings_in_words
from runner.render.words import (
    held_in_words,
    late_gate_in_words,
    minute,
    span_in_words,
    table,
    verdict_in_words,
    yes_no,
)


def pipelines_table(records: Sequence[Mapping[str, Any]]) -> str:
    """The pipelines, a line each."""
    words = "pipeline, schedule, timezone, next due, last window, last state, ran, correct, proofs"
    headings = words.split(", ")
    return table(
        headings,
        [
            (
                record["pipeline"],
                record["schedule"] or "by hand",
                record["timezone"],
                minute(record["next_due"]) if record["next_due"] else "none",
                record["last_window"] or "none",
                "paused" if record["paused"] else record["last_state"] or "never ran",
                yes_no(record["last_ran"]),
                yes_no(record["last_correct"]),
                counts_in_words(found["verdict"] for found in record["proofs"].values()),
            )
            for record in records
        ],
    )


def runs_table(runs: Sequence[Run]) -> str:
    """The runs of a pipeline, a line each."""
    headings = ("pipeline", "run_id", "state", "ran", "correct", "window", "rows", "took")
    rows = (
        (
            run.pipeline,
            run.run_id,
            run.state,
            *verdict_in_words(run.state.verdict),
            run.label,
            "" if run.row_count is None else f"{run.row_count:,}",
            "" if run.seconds is None else f"{run.seconds:.1f}s",
        )
        for run in runs
    )
    return table(headings, rows)


def run_page(
    run: Run,
    models: Sequence[ModelRun],
    findings: Sequence[CheckFinding],
    allowed: Sequence[Allowance],
    zone: ZoneInfo,
) -> str:
    """Everything about one run, for a person who wants to know why."""
    facts = [
        ("run", run.run_id),
        (
            "state",
            f"{run.state} (ran: {yes_no(run.state.verdict.ran)}, "
            f"correct: {yes_no(run.state.verdict.correct)})",
        ),
        (
            "window",
            f"[{minute(run.window_start.astimezone(zone))}, "
            f"{minute(run.window_end.astimezone(zone))}) {zone.key}",
        ),
        ("started", minute(run.started_at) + " UTC" if run.started_at else "not yet"),
        ("rows", "" if run.row_count is None else f"{run.row_count:,}"),
        ("checks", "" if run.check_count is None else str(run.check_count)),
        ("reason", run.reason or ""),
        ("unsafe", "; ".join(f"{a.model}: {a.reason}" for a in allowed)),
    ]
    parts = ["\n".join(f"{name:<8} {value}" for name, value in facts if value)]
    if models:
        parts.append(_models_table(models))
    if findings:
        parts.append(_findings_table(findings))
    parts += [_sample_in_words(finding) for finding in findings if finding.sample]
    return "\n\n".join(parts)


def _models_table(models: Sequence[ModelRun]) -> str:
    return table(
        ("model", "state", "ran", "correct", "rows", "code"),
        [
            (
                m.model,
                m.standing,
                *verdict_in_words(m.standing.state.verdict),
                "" if m.row_count is None else f"{m.row_count:,}",
                m.code_hash or "",
            )
            for m in models
        ],
    )


def _findings_table(findings: Sequence[CheckFinding]) -> str:
    return table(
        ("check", "of", "severity", "expected", "actual"),
        [(f.check, f.model or "", f.severity, f.expected or "", f.actual or "") for f in findings],
    )


def _sample_in_words(finding: CheckFinding) -> str:
    rows = "\n".join(f"  {row}" for row in finding.sample)
    return f"rows behind {finding.check}\n{rows}"


def plan_page(pipeline: Pipeline, plan: Plan, proofs: Mapping[str, Proof | None]) -> str:
    """What every model's windows are, what would run, and which models may be replayed."""
    proved = standings_in_words(proofs)
    return f"{pipeline.name}\n\n{plan_table(pipeline, plan)}\n\nproofs: {proved}"


def plan_table(pipeline: Pipeline, plan: Plan) -> str:
    """The windows that are not as they should be, and what would run and what would not."""
    wrong = [row for model in plan.models for row in _model_rows(plan.calendar, model)]
    headings = ("model", "is", "ran", "correct", "windows", "count", "why")
    parts = [table(headings, wrong)] if wrong else []
    parts.append(_work_table(plan))
    if pipeline.late_gates:
        parts.append("\n".join(map(late_gate_in_words, pipeline.late_gates)))
    return "\n\n".join(parts)


_AS_IT_SHOULD_BE = (WindowStatus.SUCCESS, WindowStatus.UNCHECKED)


def _model_rows(calendar: Calendar, model: ModelPlan) -> Iterator[tuple[str, ...]]:
    for status, spans in model.statuses.items():
        if status in _AS_IT_SHOULD_BE:
            continue
        for span in spans:
            where, count = span_in_words(calendar, span), str(calendar.count(span))
            why = model.why(status, span) or ""
            verdict = verdict_in_words(status.verdict)
            yield model.subject.name, str(status), *verdict, where, count, why
    for held in model.held:
        where, count = span_in_words(calendar, held.span), str(calendar.count(held.span))
        yield model.subject.name, "held back", "-", "-", where, count, held_in_words(held)


def _work_table(plan: Plan) -> str:
    rows = [
        (
            "run",
            span_in_words(plan.calendar, chunk.span),
            str(plan.calendar.count(chunk.span)),
            ", ".join(chunk.reasons),
            chunk_in_words(chunk, plan),
        )
        for chunk in plan.chunks
    ]
    rows += [
        (
            "skip",
            span_in_words(plan.calendar, skip.span),
            str(plan.calendar.count(skip.span)),
            skip.reason,
            "",
        )
        for skip in plan.skipped
    ]
    if not rows:
        return "nothing to run: no window is complete"
    return table(("what", "windows", "count", "why", "models"), rows)


def chunk_in_words(chunk: Chunk, plan: Plan) -> str:
    """The models of a chunk; those that are only judged are said to be."""
    windowed = [model.subject.name for model in plan.models if model.subject.is_windowed]
    built = "all" if list(chunk.models) == windowed else ", ".join(chunk.models)
    judged = f"checks of {', '.join(chunk.checks)}" if chunk.checks else ""
    return "; ".join(words for words in (built, judged) if words)
