"""The interval map: what every model's windows are, a character each.

Everything is counted on ranges; only the windows that are shown are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from runner.core.planning import ModelPlan
from runner.core.spans import Span, Spans
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import Calendar
from runner.render.ink import Terminal
from runner.render.picture import BEST_FIRST, MARKS, WRONG, Picture, next_step
from runner.render.words import counted, span_in_words

_WRONG_LINES = 6  # ranges that are spelled out below the map
_FEWEST_CELLS = 20  # rather than fewer, the counts go below the map's lines
_MOST_NAMES = 2
_GAP = "  "


def status_page(picture: Picture, terminal: Terminal, newest: int | None = None) -> str:
    """The map of a pipeline and what to do next; at most the ``newest`` windows, all that fit."""
    if not len(picture.grid):
        return f"{picture.name}: no window is complete yet, so there is nothing to show"
    layout = Layout.fitting(picture, terminal, newest)
    blocks = [
        [_headline(picture, terminal)],
        [*_map(picture, layout, terminal), *_older(picture, layout)],
        [_legend(picture, layout, terminal)],
        [_cut(line, terminal.width) for line in _wrong(picture)],
        [next_step(picture)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


@dataclass(frozen=True)
class Layout:
    """What goes where."""

    name_width: int
    span: Span  # the windows that are shown
    starts: Sequence[datetime]  # of each of them, UTC
    has_counts_beside: bool  # else they are below the map's lines

    @classmethod
    def fitting(cls, picture: Picture, terminal: Terminal, newest: int | None) -> Layout:
        """As many windows as fit beside the names, and the counts if enough are left."""
        models = [*picture.windowed, *picture.others]
        longest = max((len(model.subject.name) for model in models), default=0)
        name_width = min(longest, max(20, terminal.width // 3))
        counts = [_counts_in_words(picture.counts(model)) for model in picture.windowed]
        room = terminal.width - name_width - len(_GAP)
        beside = room - len(_GAP) - max(map(len, counts), default=0)
        is_beside = beside >= min(_FEWEST_CELLS, len(picture.grid))
        cells = max(1, beside if is_beside else room)
        span = picture.grid.newest(min(cells, newest or cells))
        calendar = picture.plan.calendar
        starts = [one.start for one in calendar.chunks(span, 1)]
        return cls(name_width, span, starts, is_beside)

    def name(self, model: ModelPlan) -> str:
        """A model's name and the gap after it."""
        return _cut(model.subject.name, self.name_width).ljust(self.name_width) + _GAP


def _headline(picture: Picture, terminal: Terminal) -> str:
    calendar, windows = picture.plan.calendar, list(picture.plan.request.windows)
    whole = Span(windows[0].start, windows[-1].end)
    words = f"{counted(len(picture.grid), calendar.grain)}, {span_in_words(calendar, whole)}"
    verdicts = f"ran {picture.ran:,}, correct {picture.correct:,}"
    headline = f"{terminal.ink(picture.name, '1')}: {words}; {verdicts}"
    if picture.pause is not None:
        headline += f" {terminal.ink(f'PAUSED ({picture.pause.reason})', '1;33')}"
    return headline


def _map(picture: Picture, layout: Layout, terminal: Terminal) -> Iterator[str]:
    yield " " * layout.name_width + _GAP + _ruler(picture.plan.calendar, layout)
    for model in picture.windowed:
        cells = _cells(model, layout)
        drawn = "".join(
            " " * len(list(same)) if status is None else _run_of(status, len(list(same)), terminal)
            for status, same in groupby(cells)
        )
        counts = _counts(picture.counts(model), terminal)
        if layout.has_counts_beside:
            yield layout.name(model) + drawn + _GAP + counts
        else:
            yield layout.name(model) + drawn
            yield _GAP + counts
    for model in picture.others:
        (status,) = list(model.statuses)[:1]
        span = next(iter(model.statuses[status]))
        words = f"{status}: {model.why(status, span)}" if model.why(status, span) else str(status)
        room = terminal.width - layout.name_width - len(_GAP) - 2
        yield f"{layout.name(model)}{_run_of(status, 1, terminal)} {_cut(words, room)}"


def _ruler(calendar: Calendar, layout: Layout) -> str:
    """The first and the last window that are shown, each above its column if there is room."""
    first = calendar.window_at(layout.span.start).label
    last = calendar.before(layout.span.end).label
    if len(first) + len(last) < len(layout.starts):
        return first + last.rjust(len(layout.starts) - len(first))
    return first if first == last else f"{first} … {last}"


def _cells(model: ModelPlan, layout: Layout) -> list[WindowStatus | None]:
    """A status for every window that is shown; None before the model's first."""
    shown = Spans([layout.span])
    parts = [(s, status) for status, spans in model.statuses.items() for s in spans & shown]
    timeline = Timeline(parts)
    return [timeline.at(start) for start in layout.starts]


def _run_of(status: WindowStatus, count: int, terminal: Terminal) -> str:
    mark = MARKS[status]
    return terminal.ink(mark.character * count, mark.codes)


def _older(picture: Picture, layout: Layout) -> list[str]:
    """The windows that did not fit, in words; what is not all success is said by model."""
    left = picture.plan.request.windows - Spans([layout.span])
    if not left:
        return []
    by_words: dict[str, list[str]] = {}
    for model in picture.windowed:
        counts = {
            status: count
            for status in BEST_FIRST
            if (count := picture.grid.count(model.statuses.get(status, Spans()) & left))
        }
        if counts:
            words = f"all {next(iter(counts))}" if len(counts) == 1 else _counts_in_words(counts)
            by_words.setdefault(words, []).append(model.subject.name)
    older = f"… {picture.grid.count(left):,} older: "
    if len(by_words) == 1:
        return [older + next(iter(by_words))]
    usual = max(
        by_words, key=lambda words: (words == f"all {WindowStatus.SUCCESS}", len(by_words[words]))
    )
    others = [(words, names) for words, names in by_words.items() if words != usual]
    return [
        f"{older}{usual}, but",
        *(f"{_GAP}{', '.join(names)}: {words}" for words, names in others),
    ]


def _legend(picture: Picture, layout: Layout, terminal: Terminal) -> str:
    found = {status for model in picture.windowed for status in _cells(model, layout)}
    found |= {next(iter(model.statuses)) for model in picture.others}
    return _GAP.join(
        f"{_run_of(status, 1, terminal)} {status}" for status in BEST_FIRST if status in found
    )


def _wrong(picture: Picture) -> list[str]:
    """What is not as it should be as dates, the worst first and of these the newest."""
    by_range: dict[tuple[WindowStatus, Span, str | None], list[str]] = {}
    for model in (*picture.windowed, *picture.others):
        for status in WRONG:
            for span in model.statuses.get(status, ()):
                key = (status, span, model.why(status, span))
                by_range.setdefault(key, []).append(model.subject.name)
    worst = sorted(by_range, key=lambda key: key[1].start, reverse=True)
    worst.sort(key=lambda key: WRONG.index(key[0]))  # stable: of the same the newest first
    calendar = picture.plan.calendar
    dates = {span: span_in_words(calendar, span) for _, span, _ in worst[:_WRONG_LINES]}
    width = max(map(len, dates.values()), default=0)
    lines = [
        f"{status:<9}  {dates[span]:<{width}}  {_named(by_range[status, span, why])}"
        + (f": {why}" if why else "")
        for status, span, why in worst[:_WRONG_LINES]
    ]
    if len(worst) > _WRONG_LINES:
        more = counted(len(worst) - _WRONG_LINES, "more range")
        lines.append(f"and {more}: runner plan {picture.name}")
    return lines


def _named(models: Sequence[str]) -> str:
    return ", ".join(models) if len(models) <= _MOST_NAMES else f"{len(models)} models"


def _counts(counts: Mapping[WindowStatus, int], terminal: Terminal) -> str:
    return ", ".join(
        terminal.ink(f"{count:,} {status}", MARKS[status].codes) for status, count in counts.items()
    )


def _counts_in_words(counts: Mapping[WindowStatus, int]) -> str:
    return _counts(counts, Terminal())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
