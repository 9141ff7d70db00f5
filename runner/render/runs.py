"""Runs: the list of them, everything about one, and what a command has run."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runner.ledger import RunDetails
from runner.project.pipelines import Pipeline
from runner.render.columns import Column, Table, verdict_columns
from runner.render.plan import plan_record
from runner.render.words import in_words, minute, yes_no

if TYPE_CHECKING:
    from runner.execution.context import RunResult

RUNS = Table(
    Column("pipeline", heading="pipeline"),
    Column("run_id", heading="run_id"),
    Column("kind"),
    Column("state", heading="state"),
    *verdict_columns("state.verdict"),
    Column("window", "label", "window"),
    Column("window_start"),
    Column("window_end"),
    Column("rows", "row_count", "rows"),
    Column("checks", "check_count"),
    Column("seconds", heading="took", text=lambda took: "" if took is None else f"{took:.1f}s"),
    Column("reason"),
    Column("queued_at"),
    Column("started_at"),
    Column("finished_at"),
)
MODEL_RUNS = Table(
    Column("model", heading="model"),
    Column("state", "standing", "state"),
    *verdict_columns("standing.state.verdict"),
    Column("rows", "row_count", "rows"),
    Column("code_hash", heading="code"),
    Column("reason"),
)
CHECK_FINDINGS = Table(
    Column("model"),
    Column("check", heading="check"),
    Column(None, "model", "of"),
    Column("severity", heading="severity"),
    Column("expected", heading="expected"),
    Column("actual", heading="actual"),
    Column("sample"),
)
ALLOWANCES = Table(Column("model"), Column("reason"))


def run_page(details: RunDetails, zone: ZoneInfo) -> str:
    """Show everything about one run, for a person who wants to know why."""
    run, findings = details.run, details.findings
    verdict = run.state.verdict
    start, end = (minute(at.astimezone(zone)) for at in (run.window_start, run.window_end))
    facts = {
        "run": run.run_id,
        "state": f"{run.state} (ran: {yes_no(verdict.ran)}, correct: {yes_no(verdict.correct)})",
        "window": f"[{start}, {end}) {zone.key}",
        "started": f"{minute(run.started_at)} UTC" if run.started_at else "not yet",
        "rows": in_words(run.row_count),
        "checks": "" if run.check_count is None else str(run.check_count),
        "reason": run.reason,
        "unsafe": "; ".join(f"{one.model}: {one.reason}" for one in details.allowed),
    }
    parts = ["\n".join(f"{name:<8} {value}" for name, value in facts.items() if value)]
    if details.models:
        parts.append(MODEL_RUNS.text(details.models))
    if findings:
        parts.append(CHECK_FINDINGS.text(findings))
    for finding in findings:
        if finding.sample:
            rows = "\n".join(f"  {row}" for row in finding.sample)
            parts.append(f"rows behind {finding.check}\n{rows}")
    return "\n\n".join(parts)


def run_record(details: RunDetails) -> dict[str, Any]:
    """Return everything about one run, for JSON."""
    return {
        **RUNS.record(details.run),
        "allowed_unsafe": ALLOWANCES.records(details.allowed),
        "models": MODEL_RUNS.records(details.models),
        "findings": CHECK_FINDINGS.records(details.findings),
    }


def done_record(pipeline: Pipeline, done: RunResult) -> dict[str, Any]:
    """Return what a command has run, for JSON."""
    return {
        "pipeline": pipeline.name,
        "plan": plan_record(pipeline, done.plan),
        "runs": window_records(done),
        "counts": Counter(done.states.values()),
        "condemned": [
            {"model": model, "window": window.label}
            for model, spans in done.condemned.items()
            for span in spans
            for window in pipeline.calendar.windows(span)
        ],
        "seconds": done.seconds,
    }


def window_records(done: RunResult) -> list[dict[str, Any]]:
    """Return how each window that was run has ended, for JSON."""
    return [
        {"run_id": done.run_ids[w], "window": w.label, "state": state, **asdict(state.verdict)}
        for w, state in sorted(done.states.items())
    ]
