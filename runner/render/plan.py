"""Plans: what every model's windows are, what would run, and what would not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter, itemgetter
from typing import Any

from runner.core.chunks import Chunk
from runner.core.planning import ModelPlan, Plan
from runner.core.proofs import Proof
from runner.core.refusals import disproved
from runner.core.spans import Span
from runner.core.states import Verdict
from runner.core.status import WORST_FIRST, WindowStatus
from runner.core.windows import Calendar
from runner.project.pipelines import Pipeline
from runner.render.columns import Column, Table, table, verdict_columns
from runner.render.excerpt import Page, Part, Rows
from runner.render.proofs import proofs_in_words, proofs_record
from runner.render.words import (
    counted,
    held_in_words,
    late_gate_in_words,
    not_replayable_in_words,
    some_names,
)

_AS_IT_SHOULD_BE = {WindowStatus.SUCCESS, WindowStatus.UNCHECKED}
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


def plan_page(
    pipeline: Pipeline, plan: Plan, proofs: Mapping[str, Proof | None], *, is_all: bool = False
) -> Page:
    """Show a plan, and which of its models may be replayed; long lists of names if ``is_all``."""
    blocks: list[list[Part]] = [[pipeline.name], *_blocks(pipeline, plan, is_all=is_all)]
    if proofs:
        blocks.append([f"proofs: {proofs_in_words(proofs, is_all=is_all)}"])
    running = {model.node.name for model in plan.models if model.runs}
    blocks += [
        [
            f"{one.model} is refused, and nothing runs with it: {one.reason}; {one.explanation}; "
            f"or write `allow_unsafe: [{one.model}: why]` into pipelines.yml"
        ]
        for one in disproved(pipeline.name, proofs)
        if one.model in running and one.model not in dict(pipeline.config.allow_unsafe)
    ]
    return Page(blocks, is_fine=not plan.pieces and not any(map(_is_wrong, plan.models)))


def plan_text(pipeline: Pipeline, plan: Plan) -> str:
    """Show the windows that are not as they should be, what would run and what would not."""
    return Page(_blocks(pipeline, plan, is_all=True)).text()


def _blocks(pipeline: Pipeline, plan: Plan, *, is_all: bool) -> list[list[Part]]:
    ranges = range_table(plan.calendar)
    wrong = [found for model in plan.models for found in _wrong_ranges(model)]
    urgency = {status.value: place for place, status in enumerate(WORST_FIRST)}
    blocks: list[list[Part]] = [
        [
            Rows(
                wrong,
                lambda some: ranges.text(some).split("\n"),
                state=lambda found: found.status,
                # What is held back is so by others.
                urgency=lambda found: urgency.get(found.status, len(urgency)),
            )
        ],
        [_work(plan, is_all=is_all)],
    ]
    if plan.spared:
        count = counted(sum(map(plan.calendar.count, plan.spared)), "window")
        why = "what they read was published again with the same rows"
        blocks.append([f"{count} spared: {why}"])
    blocks.append([Rows(list(map(late_gate_in_words, pipeline.late_gates)), list)])
    if pipeline.not_replayable:
        names = [node.name for node in pipeline.not_replayable]
        said = ((node.name, node.why_no_windows) for node in pipeline.not_replayable)
        why_not = [f"{name} is a microbatch, but {why}" for name, why in said if why]
        blocks.append(["\n".join([not_replayable_in_words(names, is_all=is_all), *why_not])])
    return blocks


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


def _is_wrong(model: ModelPlan) -> bool:
    return not model.statuses.keys() <= _AS_IT_SHOULD_BE or bool(model.held)


def _wrong_ranges(model: ModelPlan) -> Iterator[ModelRange]:
    """Return what is not as it should be of a model, and what is held back because of others."""
    yield from (found for found in ranges_of(model) if found.status not in _AS_IT_SHOULD_BE)
    for held in model.held:
        why = held_in_words(held)
        yield ModelRange(model.node.name, held.span, "held back", _UNKNOWN, why)


def _work(plan: Plan, *, is_all: bool) -> Part:
    """Return what runs and what does not, a row each."""
    chunks, skips = _chunk_table(plan, is_all=is_all), _skip_table(plan)
    rows = [*map(chunks.cells, plan.chunks), *map(skips.cells, plan.skipped)]
    if not rows:
        return "nothing to run: no window is complete"
    headings = _WORK.split(", ")
    return Rows(rows, lambda some: table(headings, some).split("\n"), state=itemgetter(0))


def _chunk_table(plan: Plan, *, is_all: bool = True) -> Table:
    return Table(
        *span_columns(plan.calendar),
        Column(None, lambda _: "run", "what"),
        Column("models"),
        Column("checks"),
        Column("reasons", heading="why", text=", ".join),
        Column(None, lambda chunk: _models_in_words(chunk, plan, is_all=is_all), "models"),
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


def _models_in_words(chunk: Chunk, plan: Plan, *, is_all: bool) -> str:
    """Name the models of a chunk; those that are only judged are said to be."""
    windowed = [model.node.name for model in plan.models if model.node.is_windowed]
    is_whole = list(chunk.models) == windowed
    built = "all" if is_whole else some_names(chunk.models, is_all=is_all)
    judged = f"checks of {some_names(chunk.checks, is_all=is_all)}" if chunk.checks else ""
    return "; ".join(words for words in (built, judged) if words)
