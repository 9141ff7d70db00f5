"""Results as plain records for JSON: the same facts as the tables, names spelled out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runner.backfill import Done
from runner.ledger import Finding, ModelRun, Run
from runner.pipelines import Pipeline
from runner.plan import Plan
from runner.spans import Span


def as_json(value: object) -> str:
    """Indented JSON; instants as ISO 8601 in UTC."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def pipeline_record(pipeline: Pipeline, now: datetime, newest: Sequence[Run]) -> dict[str, Any]:
    """A pipeline with what is due next, and how its newest window ended."""
    record: dict[str, Any] = {
        "pipeline": pipeline.name,
        "grain": pipeline.calendar.grain,
        "timezone": pipeline.calendar.zone.key,
        "schedule": pipeline.config.schedule,
        "next_window": None,
        "next_due": None,
        "last_window": newest[0].label if newest else None,
        "last_state": newest[0].state if newest else None,
    }
    if pipeline.schedule is not None:
        window, due_at = pipeline.schedule.next_due(pipeline.calendar, now)
        if pipeline.last is None or window.end <= pipeline.last:
            record["next_window"] = window.label
            record["next_due"] = due_at.astimezone(pipeline.calendar.zone)
    return record


def run_record(run: Run) -> dict[str, Any]:
    """A run for JSON."""
    return {
        "pipeline": run.pipeline,
        "run_id": run.run_id,
        "kind": run.kind,
        "state": run.state,
        "ran": run.state.verdict.ran,
        "correct": run.state.verdict.correct,
        "window": run.label,
        "window_start": run.window_start,
        "window_end": run.window_end,
        "rows": run.row_count,
        "checks": run.check_count,
        "seconds": run.seconds,
        "reason": run.reason,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def run_page_record(
    run: Run, models: Sequence[ModelRun], findings: Sequence[Finding]
) -> dict[str, Any]:
    """Everything about one run, for JSON."""
    return {
        **run_record(run),
        "models": [
            {"model": m.model, "state": m.state, "rows": m.row_count, "code_hash": m.code_hash}
            for m in models
        ],
        "findings": [
            {
                "model": f.model,
                "check": f.check,
                "severity": f.severity,
                "expected": f.expected,
                "actual": f.actual,
            }
            for f in findings
        ],
    }


def plan_record(plan: Plan) -> dict[str, Any]:
    """A plan for JSON."""

    def ranged(span: Span) -> dict[str, Any]:
        return {
            "first_window": plan.calendar.window_at(span.start).label,
            "last_window": plan.calendar.preceding(plan.calendar.window_at(span.end)).label,
            "start": span.start,
            "end": span.end,
            "count": plan.calendar.count(span),
        }

    return {
        "chunks": [{**ranged(c.span), "reasons": list(c.reasons)} for c in plan.chunks],
        "skipped": [{**ranged(s.span), "reason": s.reason} for s in plan.skipped],
    }


def done_record(pipeline: Pipeline, plan: Plan, done: Done) -> dict[str, Any]:
    """What a backfill has done, for JSON."""
    return {
        "pipeline": pipeline.name,
        "plan": plan_record(plan),
        "runs": [
            {"run_id": done.run_ids[window], "window": window.label, "state": state}
            for window, state in sorted(done.states.items())
        ],
        "counts": Counter(done.states.values()),
        "seconds": done.seconds,
    }


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
