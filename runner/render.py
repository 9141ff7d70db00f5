"""What a person or a program sees: lines, tables, a progress bar, JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from runner.backfill import Done
from runner.ledger import Finding, ModelRun, Outcome, Run
from runner.pipelines import Pipeline
from runner.plan import Plan
from runner.project import Node, Project
from runner.spans import Span
from runner.states import State
from runner.windows import Calendar, Window

_STYLES = {
    State.SUCCESS: "green",
    State.INCORRECT: "yellow",
    State.UNCHECKED: "yellow",
    State.FAILED: "red",
    State.CANCELLED: "red",
}
_COUNTED = (State.SUCCESS, State.INCORRECT, State.UNCHECKED, State.FAILED, State.CANCELLED)


class Progressing:
    """Shows a backfill as it goes: plain lines, and below them a bar on a terminal."""

    def __init__(self, console: Console, word: str, pipeline: Pipeline, plan: Plan) -> None:
        self._console = console
        self._word = word
        self._pipeline = pipeline
        self._calendar = pipeline.calendar
        self._plan = plan
        self._models = {node.unique_id: node.name for node in pipeline.nodes}
        self._bar = Progress(
            TextColumn(f"\\[{word}]"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting dbt", total=plan.window_count)

    def __enter__(self) -> Progressing:
        self._announce()
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def invoking(self, span: Span) -> None:
        """Name the range that runs now."""
        self._bar.update(self._task, description=span_in_words(self._calendar, span))

    def node(self, unique_id: str, status: str) -> None:
        """Name the model that runs now."""
        if status == "started" and unique_id in self._models and unique_id.startswith("model."):
            self._bar.update(self._task, description=self._models[unique_id])

    def settled(self, window: Window, outcome: Outcome) -> None:
        """Print the verdict of a window, and why if it is not success."""
        self._print(
            f"{window.label} ... {outcome.state:<9} "
            f"{outcome.row_count:>8,} rows  {outcome.check_count} checks",
            _STYLES[outcome.state],
        )
        if outcome.reason:
            self._print(f"{' ' * len(window.label)}     {outcome.reason}")
        self._bar.advance(self._task)

    def splitting(self, span: Span, reason: str) -> None:
        """Say that a chunk failed and is narrowed down."""
        self._print(f"{span_in_words(self._calendar, span)} failed, splitting it: {reason}")

    def finished(self, done: Done) -> None:
        """Print the totals, and the next step if a window is not success."""
        self._bar.stop()
        counts = Counter(done.states.values())
        always = (State.SUCCESS, State.INCORRECT, State.FAILED)
        shown = [f"{counts[s]} {s}" for s in _COUNTED if counts[s] or s in always]
        self._print(f"{', '.join(shown)} in {done.seconds:.1f} s")
        wrong = [state for _, state in sorted(done.states.items()) if state is not State.SUCCESS]
        if wrong:
            name = self._pipeline.name
            self._print(
                f"look at: runner list-runs {name} --state {wrong[0]}, "
                f"then: runner show-run {name} RUN_ID"
            )

    def _announce(self) -> None:
        span = self._plan.span
        for skip in self._plan.skipped:
            count = self._calendar.count(skip.span)
            where = span_in_words(self._calendar, skip.span)
            self._print(f"{count} skipped {where}: {skip.reason}")
        if span is None:
            self._print("0 runs queued: nothing to do")
            return
        chunks = len(self._plan.chunks)
        self._print(
            f"{self._plan.window_count} runs queued (one per {self._calendar.grain}) "
            f"{span_in_words(self._calendar, span)}, {chunks} chunk{'s' if chunks != 1 else ''}"
        )

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(
            f"[{self._word}] {text}", style=style, markup=False, highlight=False, soft_wrap=True
        )


def span_in_words(calendar: Calendar, span: Span) -> str:
    """A range by the labels of its first and last window: ``2026-03-01 … 2026-05-31``."""
    first = calendar.window_at(span.start)
    last = calendar.preceding(calendar.window_at(span.end))
    return first.label if first == last else f"{first.label} … {last.label}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns separated by bars, as psql draws them.

    >>> print(table(["run", "rows"], [["a", "1"], ["bcd", "20"]]))
    run | rows
    ====+=====
    a   | 1
    bcd | 20
    """
    lines = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]

    def drawn(line: Sequence[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        return " | ".join(cells).rstrip()

    rule = "=+=".join("=" * width for width in widths)
    return "\n".join([drawn(lines[0]), rule, *map(drawn, lines[1:])])


def as_json(value: object) -> str:
    """Indented JSON; instants as ISO 8601 in UTC."""
    return json.dumps(value, indent=2, default=_plain)


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
                _minute(record["next_due"]) if record["next_due"] else "none",
                record["last_window"] or "none",
                record["last_state"] or "never ran",
            )
            for record in records
        ],
    )


def done_record(pipeline: Pipeline, plan: Plan, done: Done) -> dict[str, Any]:
    """What a backfill has done, for JSON."""
    return {
        "pipeline": pipeline.name,
        "plan": plan_record(plan),
        "windows": {window.label: state for window, state in sorted(done.states.items())},
        "counts": Counter(done.states.values()),
        "seconds": done.seconds,
    }


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


def run_page(
    run: Run, models: Sequence[ModelRun], findings: Sequence[Finding], calendar: Calendar
) -> str:
    """Everything about one run, for a person who wants to know why."""
    local = calendar.zone
    facts = [
        ("run", run.run_id),
        (
            "state",
            f"{run.state} (ran: {yes_no(run.state.verdict.ran)}, "
            f"correct: {yes_no(run.state.verdict.correct)})",
        ),
        (
            "window",
            f"[{_minute(run.window_start.astimezone(local))}, "
            f"{_minute(run.window_end.astimezone(local))}) {local.key}",
        ),
        ("started", _minute(run.started_at) + " UTC" if run.started_at else "not yet"),
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
        return "nothing is due"
    return table(("what", "windows", "count", "why"), rows)


def plan_record(plan: Plan) -> dict[str, Any]:
    """A plan for JSON."""

    def ranged(span: Span) -> dict[str, Any]:
        return {
            "windows": span_in_words(plan.calendar, span),
            "start": span.start,
            "end": span.end,
            "count": plan.calendar.count(span),
        }

    return {
        "chunks": [{**ranged(c.span), "reasons": list(c.reasons)} for c in plan.chunks],
        "skipped": [{**ranged(s.span), "reason": s.reason} for s in plan.skipped],
    }


def dag_text(pipeline: Pipeline, project: Project) -> str:
    """The graph in the order in which it runs: each node with what it reads."""
    nodes = _drawn(pipeline, project)
    names = {node.unique_id: node.name for node in nodes}
    lines = []
    for node in nodes:
        reads = sorted(names[parent] for parent in node.parents if parent in names)
        arrow = f"  ← {', '.join(reads)}" if reads else ""
        lines.append(f"{node.name} ({_kind(node)}){arrow}")
    return "\n".join(lines)


def dag_mermaid(pipeline: Pipeline, project: Project) -> str:
    """The graph as a Mermaid flowchart."""
    nodes = _drawn(pipeline, project)
    names = {node.unique_id: node.name for node in nodes}
    lines = ["flowchart LR"]
    lines += [f'    {node.name}["{node.name}<br/>{_kind(node)}"]' for node in nodes]
    lines += [
        f"    {names[parent]} --> {node.name}"
        for node in nodes
        for parent in sorted(node.parents)
        if parent in names
    ]
    return "\n".join(lines)


def yes_no(verdict: bool | None) -> str:
    """A verdict as a word; a dash while nobody knows."""
    return {True: "yes", False: "no", None: "-"}[verdict]


def _drawn(pipeline: Pipeline, project: Project) -> list[Node]:
    """The nodes that hold data, and the sources that they read."""
    chosen = [node for node in pipeline.nodes if node.kind in ("model", "seed", "snapshot")]
    parents = {parent for node in chosen for parent in node.parents}
    sources = [n for n in project.nodes.values() if n.kind == "source" and n.unique_id in parents]
    return sorted(sources, key=lambda node: node.name) + chosen


def _kind(node: Node) -> str:
    if node.is_windowed:
        return f"by {node.grain}"
    if node.kind == "model":
        return str(node.materialized)
    return node.kind


def _minute(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
