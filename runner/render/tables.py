"""Results as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from runner.ledger import Finding, ModelRun, Run
from runner.plan import Plan
from runner.render.words import minute, span_in_words, table, yes_no


def pipelines_table(records: Sequence[Mapping[str, Any]]) -> str:
    """The pipelines, a line each."""
    headings = ("pipeline", "schedule", "timezone", "next due", "last window", "last state")
    return table(
        headings,
        [
            (
                record["pipeline"],
                record["schedule"] or "by hand",
                record["timezone"],
                minute(record["next_due"]) if record["next_due"] else "none",
                record["last_window"] or "none",
                record["last_state"] or "never ran",
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
            yes_no(run.state.verdict.ran),
            yes_no(run.state.verdict.correct),
            run.label,
            "" if run.row_count is None else f"{run.row_count:,}",
            "" if run.seconds is None else f"{run.seconds:.1f}s",
        )
        for run in runs
    )
    return table(headings, rows)


def run_page(
    run: Run, models: Sequence[ModelRun], findings: Sequence[Finding], zone: ZoneInfo
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
    ]
    parts = ["\n".join(f"{name:<8} {value}" for name, value in facts if value)]
    if models:
        parts.append(
            table(
                ("model", "state", "rows", "code"),
                [
                    (
                        m.model,
                        m.state,
                        "" if m.row_count is None else f"{m.row_count:,}",
                        m.code_hash or "",
                    )
                    for m in models
                ],
            )
        )
    if findings:
        parts.append(
            table(
                ("check", "severity", "expected", "actual"),
                [(f.check, f.severity, f.expected or "", f.actual or "") for f in findings],
            )
        )
    return "\n\n".join(parts)


def plan_table(plan: Plan) -> str:
    """What would run and what would not, as ranges."""
    rows = [
        (
            "run",
            span_in_words(plan.calendar, chunk.span),
            str(plan.calendar.count(chunk.span)),
            ", ".join(chunk.reasons),
        )
        for chunk in plan.chunks
    ]
    rows += [
        (
            "skip",
            span_in_words(plan.calendar, skip.span),
            str(plan.calendar.count(skip.span)),
            skip.reason,
        )
        for skip in plan.skipped
    ]
    if not rows:
        return "nothing to run: no window is complete"
    return table(("what", "windows", "count", "why"), rows)
