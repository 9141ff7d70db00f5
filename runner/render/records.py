"""Results as plain records for JSON: the same facts as the tables, names spelled out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from runner.core.planning import Plan
from runner.core.proofs import Proof
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import WindowStatus
from runner.core.windows import Calendar
from runner.execution.context import RunResult
from runner.ledger import CheckFinding, ModelRun, Pause, Run
from runner.project.pipelines import Pipeline
from runner.render.picture import Picture
from runner.render.proofs import standings_record

T = TypeVar("T")


def as_json(value: object) -> str:
    """Indented JSON; instants as ISO 8601 in UTC."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def pipeline_record(
    pipeline: Pipeline,
    now: datetime,
    newest: Sequence[Run],
    pause: Pause | None,
    proofs: Mapping[str, Proof | None],
) -> dict[str, Any]:
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
        "last_ran": newest[0].state.verdict.ran if newest else None,
        "last_correct": newest[0].state.verdict.correct if newest else None,
        "paused": pause.reason if pause else None,
        "proofs": standings_record(proofs),
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
        **_verdict(run.state),
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
    run: Run,
    models: Sequence[ModelRun],
    findings: Sequence[CheckFinding],
    allowed: Sequence[Allowance],
) -> dict[str, Any]:
    """Everything about one run, for JSON."""
    return {
        **run_record(run),
        "allowed_unsafe": [{"model": a.model, "reason": a.reason} for a in allowed],
        "models": [
            {
                "model": m.model,
                "state": m.standing,
                **_verdict(m.standing.state),
                "rows": m.row_count,
                "code_hash": m.code_hash,
                "reason": m.reason,
            }
            for m in models
        ],
        "findings": [
            {
                "model": f.model,
                "check": f.check,
                "severity": f.severity,
                "expected": f.expected,
                "actual": f.actual,
                "sample": f.sample,
            }
            for f in findings
        ],
    }


def plan_record(pipeline: Pipeline, plan: Plan) -> dict[str, Any]:
    """A plan for JSON: every model's windows by status, what would run and what would not."""
    ranged = partial(_ranged, plan.calendar)
    return {
        "models": [
            {
                "model": model.subject.name,
                "windows": [
                    {
                        **ranged(span),
                        "status": status,
                        **_verdict(status),
                        "why": model.why(status, span),
                    }
                    for status, spans in model.statuses.items()
                    for span in spans
                ],
                "held": [
                    {**ranged(h.span), "parent": h.parent, "parent_status": h.status}
                    for h in model.held
                ],
            }
            for model in plan.models
        ],
        "chunks": [
            {
                **ranged(chunk.span),
                "models": list(chunk.models),
                "checks": list(chunk.checks),
                "reasons": list(chunk.reasons),
            }
            for chunk in plan.chunks
        ],
        "skipped": [
            {**ranged(s.span), "status": s.status, "reason": s.reason} for s in plan.skipped
        ],
        "late_gates": [asdict(late) for late in pipeline.late_gates],
    }


def status_record(picture: Picture) -> dict[str, Any]:
    """The interval map for JSON: every model's ranges by status, and how many windows they are."""
    plan = picture.plan
    return {
        "pipeline": picture.name,
        "windows": [_ranged(plan.calendar, span) for span in plan.request.windows],
        "ran": picture.ran,
        "correct": picture.correct,
        "paused": picture.pause.reason if picture.pause else None,
        "models": [
            {
                "model": model.subject.name,
                "is_windowed": model.subject.is_windowed,
                "counts": picture.counts(model) if model.subject.is_windowed else {},
                "ranges": [
                    {
                        **_ranged(plan.calendar, span, picture.grid.count(Spans([span]))),
                        "status": status,
                        **_verdict(status),
                        "why": model.why(status, span),
                    }
                    for status, spans in model.statuses.items()
                    for span in spans
                ],
            }
            for model in plan.models
        ],
        "next": picture.next_command,
    }


def per_pipeline(
    asked: str | None, found: Mapping[str, T], record: Callable[[T], dict[str, Any]]
) -> object:
    """One record for the pipeline that was asked for; by name if it was all of them."""
    if asked is not None:
        return record(found[asked])
    return {name: record(value) for name, value in found.items()}


def done_record(pipeline: Pipeline, plan: Plan, done: RunResult) -> dict[str, Any]:
    """What a backfill has done, for JSON."""
    return {
        "pipeline": pipeline.name,
        "plan": plan_record(pipeline, plan),
        "runs": [
            {
                "run_id": done.run_ids[window],
                "window": window.label,
                "state": state,
                **_verdict(state),
            }
            for window, state in sorted(done.states.items())
        ],
        "counts": Counter(done.states.values()),
        "seconds": done.seconds,
    }


def _verdict(known: RunState | WindowStatus) -> dict[str, bool | None]:
    return {"ran": known.verdict.ran, "correct": known.verdict.correct}


def _ranged(calendar: Calendar, span: Span, count: int | None = None) -> dict[str, Any]:
    return {
        "first_window": calendar.window_at(span.start).label,
        "last_window": calendar.before(span.end).label,
        "start": span.start,
        "end": span.end,
        "count": calendar.count(span) if count is None else count,
    }


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
