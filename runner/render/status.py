"""The interval map: every model's windows by status, a character each; and the same as JSON.

Everything is counted on ranges; only the windows that are shown are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from runner.core.planning import ModelPlan
from runner.core.spans import Span, Spans
from runner.core.status import WORST_FIRST, WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, range_label
from runner.overview.pipeline import BEST_FIRST, WRONG, PipelineStatus
from runner.render.columns import Table
from runner.render.excerpt import Page, Part, Rows
from runner.render.plan import range_table, ranges_of, span_columns
from runner.render.terminal import Terminal
from runner.render.words import counted, not_replayable_in_words, some_names

# How a status looks in the map: a character of its own, so that nothing is lost without colours,
# and ANSI codes.
MARKS: Mapping[WindowStatus, tuple[str, str]] = {
    WindowStatus.FAILED: ("x", "1;31"),
    WindowStatus.BLOCKED: ("#", "1;31"),
    WindowStatus.INCORRECT: ("!", "1;33"),
    WindowStatus.MISSING: ("_", "1"),
    WindowStatus.PUBLISHED: ("p", "33"),
    WindowStatus.STALE: ("~", "33"),
    WindowStatus.UNCHECKED: ("u", "33"),
    WindowStatus.IN_FLIGHT: (">", "36"),
    WindowStatus.SUCCESS: (".", "32"),
}
_WRONG_LINES = 6  # ranges that are spelled out below the map
_FEWEST_CELLS = 20  # rather than fewer, the counts go below the map's lines
_MOST_NAMES = 2
_GAP = "  "


def status_page(
    pipeline: PipelineStatus, terminal: Terminal, newest: int | None = None, *, is_all: bool = False
) -> Page:
    """Draw the map of a pipeline, at most its ``newest`` windows, and say what to do next.

    Long lists of names are spelled out if ``is_all``.
    """
    if not len(pipeline.grid):
        text = f"{pipeline.name}: no window is complete yet, so there is nothing to show"
        return Page([[text]], is_fine=True)
    layout = Layout.fitting(pipeline, terminal, newest)
    names = pipeline.not_replayable
    blocks: list[list[Part]] = [
        [_headline(pipeline, terminal)],
        [*_map(pipeline, layout, terminal), *_older(pipeline, layout, is_all=is_all)],
        [_legend(pipeline, layout, terminal)],
        [_cut(line, terminal.width) for line in _wrong(pipeline)],
        [not_replayable_in_words(names, is_all=is_all)] if names else [],
        [f"next: {_next_step(pipeline, is_all=is_all)}"],
    ]
    return Page(blocks, is_fine=pipeline.statuses.isdisjoint(WRONG))


def status_record(pipeline: PipelineStatus) -> dict[str, Any]:
    """Return every model's ranges by status for JSON, and how many windows they are."""
    calendar = pipeline.plan.calendar
    ranges = range_table(calendar, pipeline.grid.count_in)
    spans = Table(*span_columns(calendar, span_of=lambda span: span))
    return {
        "pipeline": pipeline.name,
        "windows": spans.records(pipeline.plan.request.windows),
        "ran": pipeline.ran,
        "correct": pipeline.correct,
        "paused": pipeline.pause.reason if pipeline.pause else None,
        "models": [
            {
                "model": model.node.name,
                "is_windowed": model.node.is_windowed,
                "counts": pipeline.counts(model) if model.node.is_windowed else {},
                "ranges": ranges.records(ranges_of(model)),
            }
            for model in pipeline.plan.models
        ],
        "not_replayable": pipeline.not_replayable,
        "next": pipeline.next_command,
    }


@dataclass(frozen=True)
class Layout:
    """The places of the parts of a map."""

    name_width: int
    span: Span  # the windows that are shown
    starts: Sequence[datetime]  # of each of them, UTC
    has_counts_beside: bool  # else they are below the map's lines

    @classmethod
    def fitting(cls, pipeline: PipelineStatus, terminal: Terminal, newest: int | None) -> Layout:
        """Show as many windows as fit beside the names, and the counts if enough are left."""
        models = [*pipeline.windowed, *pipeline.others]
        longest = max((len(model.node.name) for model in models), default=0)
        name_width = min(longest, max(20, terminal.width // 3))
        counts = [_counts_in_words(pipeline.counts(model)) for model in pipeline.windowed]
        room = terminal.width - name_width - len(_GAP)
        beside = room - len(_GAP) - max(map(len, counts), default=0)
        is_beside = beside >= min(_FEWEST_CELLS, len(pipeline.grid))
        cells = max(1, beside if is_beside else room)
        span = pipeline.grid.newest(min(cells, newest or cells))
        calendar = pipeline.plan.calendar
        starts = [one.start for one in calendar.chunks(span, 1)]
        return cls(name_width, span, starts, is_beside)

    def name(self, model: ModelPlan) -> str:
        """Return a model's name and the gap after it."""
        return _cut(model.node.name, self.name_width).ljust(self.name_width) + _GAP


def _headline(pipeline: PipelineStatus, terminal: Terminal) -> str:
    calendar, windows = pipeline.plan.calendar, list(pipeline.plan.request.windows)
    whole = calendar.label(Span(windows[0].start, windows[-1].end))
    words = f"{counted(len(pipeline.grid), calendar.grain)}, {whole}"
    verdicts = f"ran {pipeline.ran:,}, correct {pipeline.correct:,}"
    headline = f"{terminal.ink(pipeline.name, '1')}: {words}; {verdicts}"
    if pipeline.pause is not None:
        headline += f" {terminal.ink(f'PAUSED ({pipeline.pause.reason})', '1;33')}"
    return headline


def _map(pipeline: PipelineStatus, layout: Layout, terminal: Terminal) -> Iterator[Part]:
    yield " " * layout.name_width + _GAP + _ruler(pipeline.plan.calendar, layout)

    def draw(models: Sequence[ModelPlan]) -> list[str]:
        return [line for model in models for line in _row(model, pipeline, layout, terminal)]

    models = [*pipeline.windowed, *pipeline.others]
    yield Rows(models, draw, state=_worst, urgency=lambda model: WORST_FIRST.index(_worst(model)))


def _worst(model: ModelPlan) -> WindowStatus:
    return min(model.statuses, key=WORST_FIRST.index)


def _row(
    model: ModelPlan, pipeline: PipelineStatus, layout: Layout, terminal: Terminal
) -> Iterator[str]:
    """Draw the windows of a model; of what knows none, how it is and why."""
    if not (model.node.is_windowed or model.node.is_due):
        (status,) = list(model.statuses)[:1]
        why = model.why(status, next(iter(model.statuses[status])))
        words = f"{status}: {why}" if why else str(status)
        room = terminal.width - layout.name_width - len(_GAP) - 2
        yield f"{layout.name(model)}{_run_of(status, 1, terminal)} {_cut(words, room)}"
        return
    drawn = "".join(
        " " * len(list(same)) if status is None else _run_of(status, len(list(same)), terminal)
        for status, same in groupby(_cells(model, layout))
    )
    counts = _counts(pipeline.counts(model), terminal)
    if layout.has_counts_beside:
        yield layout.name(model) + drawn + _GAP + counts
    else:
        yield layout.name(model) + drawn
        yield _GAP + counts


def _ruler(calendar: Calendar, layout: Layout) -> str:
    """Name the first and the last window that are shown, above their columns if there is room."""
    first = calendar.window_at(layout.span.start).label
    last = calendar.before(layout.span.end).label
    if len(first) + len(last) < len(layout.starts):
        return first + last.rjust(len(layout.starts) - len(first))
    return range_label(first, last)


def _cells(model: ModelPlan, layout: Layout) -> list[WindowStatus | None]:
    """Return a status for every window that is shown; None before the model's first."""
    inside = Spans([layout.span])
    parts = [(s, status) for status, spans in model.statuses.items() for s in spans & inside]
    timeline = Timeline(parts)
    return [timeline.at(start) for start in layout.starts]


def _run_of(status: WindowStatus, count: int, terminal: Terminal) -> str:
    character, codes = MARKS[status]
    return terminal.ink(character * count, codes)


def _older(pipeline: PipelineStatus, layout: Layout, *, is_all: bool) -> list[Part]:
    """Sum up the windows that did not fit; what is not all success is said by model."""
    left = pipeline.plan.request.windows - Spans([layout.span])
    if not left:
        return []
    by_words: dict[str, list[str]] = {}
    for model in pipeline.windowed:
        counts = {
            status: count
            for status in BEST_FIRST
            if (count := pipeline.grid.count(model.statuses.get(status, Spans()) & left))
        }
        if counts:
            words = f"all {next(iter(counts))}" if len(counts) == 1 else _counts_in_words(counts)
            by_words.setdefault(words, []).append(model.node.name)
    older = f"… {pipeline.grid.count(left):,} older: "
    if len(by_words) == 1:
        return [older + next(iter(by_words))]
    usual = max(
        by_words, key=lambda words: (words == f"all {WindowStatus.SUCCESS}", len(by_words[words]))
    )
    others = [
        f"{_GAP}{some_names(names, is_all=is_all)}: {words}"
        for words, names in by_words.items()
        if words != usual
    ]
    return [f"{older}{usual}, but", Rows(others, list)]


def _legend(pipeline: PipelineStatus, layout: Layout, terminal: Terminal) -> str:
    found = {status for model in pipeline.windowed for status in _cells(model, layout)}
    found |= {next(iter(model.statuses)) for model in pipeline.others}
    shown = (status for status in BEST_FIRST if status in found)
    return _GAP.join(f"{_run_of(status, 1, terminal)} {status}" for status in shown)


def _wrong(pipeline: PipelineStatus) -> list[str]:
    """Say what is not as it should be as dates, the worst first and of these the newest."""
    by_range: dict[tuple[WindowStatus, Span, str | None], list[str]] = {}
    for model in (*pipeline.windowed, *pipeline.others):
        for status in WRONG:
            for span in model.statuses.get(status, ()):
                key = (status, span, model.why(status, span))
                by_range.setdefault(key, []).append(model.node.name)
    worst = sorted(by_range, key=lambda key: key[1].start, reverse=True)
    worst.sort(key=lambda key: WRONG.index(key[0]))  # stable: of the same the newest first
    calendar = pipeline.plan.calendar
    dates = {span: calendar.label(span) for _, span, _ in worst[:_WRONG_LINES]}
    width = max(map(len, dates.values()), default=0)
    lines = [
        f"{status:<9}  {dates[span]:<{width}}  {_named(by_range[status, span, why])}"
        + (f": {why}" if why else "")
        for status, span, why in worst[:_WRONG_LINES]
    ]
    if len(worst) > _WRONG_LINES:
        more = counted(len(worst) - _WRONG_LINES, "more range")
        lines.append(f"and {more}: runner plan {pipeline.name}")
    return lines


def _next_step(pipeline: PipelineStatus, *, is_all: bool) -> str:
    """Say what to do next; no command helps what has no check."""
    if pipeline.next_command is None and pipeline.unjudged:
        holds = "it holds" if len(pipeline.unjudged) == 1 else "they hold"
        names = some_names(pipeline.unjudged, is_all=is_all)
        return f"add a test to {names}: nothing judges what {holds}"
    return pipeline.next_step


def _named(models: Sequence[str]) -> str:
    return ", ".join(models) if len(models) <= _MOST_NAMES else f"{len(models)} models"


def _counts(counts: Mapping[WindowStatus, int], terminal: Terminal) -> str:
    words = ((f"{count:,} {status}", MARKS[status][1]) for status, count in counts.items())
    return ", ".join(terminal.ink(*one) for one in words)


def _counts_in_words(counts: Mapping[WindowStatus, int]) -> str:
    return _counts(counts, Terminal())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
