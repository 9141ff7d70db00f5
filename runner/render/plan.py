"""Plans: what every model's windows are, what would run, and what would not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

from runner.core.chunks import Chunk
from runner.core.planning import ModelPlan, Plan
from runner.core.proofs import Proof
from runner.core.spans import Span
from runner.core.states import Verdict
from runner.core.status import WindowStatus
from runner.core.windows import Calendar
from runner.project.pipelines import Pipeline
from runner.render.columns import Column, Table, table, verdict_columns
from runner.render.proofs import proofs_in_words, proofs_record
from runner.render.words import counted, held_in_words, late_gate_in_words, not_replayable_in_words

_AS_IT_SHOULD_BE = (WindowStatus.SUCCESS, WindowStatus.UNCHECKED)
_WORK = "what, windows, count, why, models"  # headings of what runs and of what does not
_UNKNOWN = Verdict(ran=None, correct=None)


@dataclass(frozen=True)
class ModelRange:
    """Contiguous windows of a model of which the same is to be said."""

    model: str
    span: Span
    status: str
    verdict: Verdict
    why: str | None


def span_columns(
    calendar: Calendar,
    count: Callable[[Span], int] | None = None,
    span_of: Callable[[Any], Span] = attrgetter("span"),
) -> list[Column]:
    """Describe the windows of whatever has a span; ``count`` is a faster one, if there is."""
    counted = count or calendar.count
    return [
        Column(None, lambda thing: calendar.label(span_of(thing)), "windows"),
        Column("first_window", lambda thing: calendar.window_at(span_of(thing).start).label),
        Column("last_window", lambda thing: calendar.before(span_of(thing).end).label),
        Column("start", lambda thing: span_of(thing).start),
        Column("end", lambda thing: span_of(thing).end),
        Column("count", lambda thing: counted(span_of(thing)), "count", str),
    ]


def range_table(calendar: Calendar, count: Callable[[Span], int] | None = None) -> Table:
    """Describe ranges of models' windows."""
    return Table(
        *span_columns(calendar, count),
        Column(None, "model", "model"),
        Column("status", heading="is"),
        *verdict_columns("verdict"),
        Column("why", heading="why"),
        headings="model, is, ran, correct, windows, count, why",
    )


def ranges_of(model: ModelPlan) -> Iterator[ModelRange]:
    """Return a model's windows range by range, status by status."""
    for status, spans in model.statuses.items():
        for span in spans:
            why = model.why(status, span)
            yield ModelRange(model.node.name, span, status, status.verdict, why)


def plan_page(pipeline: Pipeline, plan: Plan, proofs: Mapping[str, Proof | None]) -> str:
    """Show a plan, and which of its models may be replayed."""
    proved = f"\n\nproofs: {proofs_in_words(proofs)}" if proofs else ""
    return f"{pipeline.name}\n\n{plan_text(pipeline, plan)}{proved}"


def plan_text(pipeline: Pipeline, plan: Plan) -> str:
    """Show the windows that are not as they should be, what would run and what would not."""
    wrong = [found for model in plan.models for found in _wrong_ranges(model)]
    parts = [range_table(plan.calendar).text(wrong)] if wrong else []
    parts.append(_work(plan))
    if plan.spared:
        count = counted(sum(map(plan.calendar.count, plan.spared)), "window")
        parts.append(f"{count} spared: what they read was published again with the same rows")
    if pipeline.late_gates:
        parts.append("\n".join(map(late_gate_in_words, pipeline.late_gates)))
    if pipeline.not_replayable:
        lines = [not_replayable_in_words([node.name for node in pipeline.not_replayable])]
        said = ((node.name, node.why_no_windows) for node in pipeline.not_replayable)
        lines += [f"{name} is a microbatch, but {why}" for name, why in said if why]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def plan_record(
    pipeline: Pipeline, plan: Plan, proofs: Mapping[str, Proof | None] | None = None
) -> dict[str, Any]:
    """Return every model's windows by status, what would run and what would not, for JSON."""
    spans = span_columns(plan.calendar)
    ranges, chunks, skips = range_table(plan.calendar), _chunk_table(plan), _skip_table(plan)
    spans_of_spans = span_columns(plan.calendar, span_of=lambda span: span)
    held = Table(*spans, Column("parent"), Column("parent_status", "status"))
    record: dict[str, Any] = {
        "models": [
            {
                "model": model.node.name,
                "windows": ranges.records(ranges_of(model)),
                "held": held.records(model.held),
            }
            for model in plan.models
        ],
        "chunks": chunks.records(plan.chunks),
        "skipped": skips.records(plan.skipped),
        "spared": Table(*spans_of_spans).records(plan.spared),
        "late_gates": [asdict(late) for late in pipeline.late_gates],
        "not_replayable": [node.name for node in pipeline.not_replayable],
    }
    return record if proofs is None else {**record, "proofs": proofs_record(proofs)}


def _wrong_ranges(model: ModelPlan) -> Iterator[ModelRange]:
    """Return what is not as it should be of a model, and what is held back because of others."""
    yield from (found for found in ranges_of(model) if found.status not in _AS_IT_SHOULD_BE)
    for held in model.held:
        why = held_in_words(held)
        yield ModelRange(model.node.name, held.span, "held back", _UNKNOWN, why)


def _work(plan: Plan) -> str:
    chunks, skips = _chunk_table(plan), _skip_table(plan)
    rows = [*map(chunks.cells, plan.chunks), *map(skips.cells, plan.skipped)]
    return table(_WORK.split(", "), rows) if rows else "nothing to run: no window is complete"


def _chunk_table(plan: Plan) -> Table:
    return Table(
        *span_columns(plan.calendar),
        Column(None, lambda _: "run", "what"),
        Column("models"),
        Column("checks"),
        Column("reasons", heading="why", text=", ".join),
        Column(None, lambda chunk: _models_in_words(chunk, plan), "models"),
        headings=_WORK,
    )


def _skip_table(plan: Plan) -> Table:
    return Table(
        *span_columns(plan.calendar),
        Column(None, lambda _: "skip", "what"),
        Column("status"),
        Column("reason", heading="why"),
        Column(None, lambda _: "", "models"),
        headings=_WORK,
    )


def _models_in_words(chunk: Chunk, plan: Plan) -> str:
    """Name the models of a chunk; those that are only judged are said to be."""
    windowed = [model.node.name for model in plan.models if model.node.is_windowed]
    built = "all" if list(chunk.models) == windowed else ", ".join(chunk.models)
    judged = f"checks of {', '.join(chunk.checks)}" if chunk.checks else ""
    return "; ".join(words for words in (built, judged) if words)
