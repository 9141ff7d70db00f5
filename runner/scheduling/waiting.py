"""Find what windows wait for before they may run: other pipelines, files, fresh sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.core.errors import DaybreakError, ProjectError
from runner.core.spans import Span, Spans
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import Grain, Window
from runner.overview.outlook import Outlook
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.scheduling.blockers import FindBlocker

BROKEN = (WindowStatus.FAILED, WindowStatus.BLOCKED, WindowStatus.INCORRECT)
_SIZES = tuple(Grain)  # from the finest to the coarsest


@dataclass(frozen=True)
class Waiting:
    """The reason why some windows do not run yet."""

    text: str  # what they wait for, in one line
    until: datetime | None = None  # UTC; when it may be there; None: nobody knows
    timeout: timedelta | None = None  # after due; then a window that still waits is missed


@dataclass(frozen=True)
class Conditions:
    """The conditions under which windows run, as they are at one time."""

    outlook: Outlook
    find_blocker: FindBlocker

    def waiting(self, pipeline: Pipeline, windows: Spans) -> Timeline[Waiting]:
        """Return which of some windows wait, and for what: the first thing that is not there."""
        found: list[tuple[Span, Waiting]] = []
        left = windows
        for name in pipeline.config.after:
            try:
                other = self.outlook.planner(name)
            except DaybreakError:  # the pass has said why
                found += [(span, Waiting(f"waiting for {name}: unreadable")) for span in left]
                return Timeline(found)
            late = left & self._behind(pipeline, other)
            found += [(span, Waiting(f"waiting for {name}: not a success there")) for span in late]
            left -= late
        for span in left if pipeline.config.wait_for else ():
            for window in pipeline.calendar.windows(span):
                waiting = next(self._blockers(pipeline, window), None)
                found += [(window.span, waiting)] if waiting else []
        return Timeline(found)

    def _behind(self, pipeline: Pipeline, other: Planner) -> Spans:
        """Return the windows of a pipeline inside which another one is not a success."""
        calendar, finer = pipeline.calendar, other.pipeline.calendar
        if _SIZES.index(finer.grain) > _SIZES.index(calendar.grain):
            raise ProjectError(
                f"pipeline {pipeline.name} runs by {calendar.grain} and cannot come after "
                f"{other.pipeline.name}, which runs by {finer.grain}: take it out of `after`"
            )
        wrong = _lacking(self.outlook, other.pipeline)
        return Spans(
            window.span
            for span in wrong
            for window in calendar.windows(calendar.covering(span))
            if (start := finer.ceiling(window.start)) < (end := finer.floor(window.end))
            and wrong.meets(Span(start, end))
        )

    def _blockers(self, pipeline: Pipeline, window: Window) -> Iterator[Waiting]:
        """Yield the files and sources that a window waits for and that are not there."""
        for wait in pipeline.config.wait_for:
            blocker = self.find_blocker(pipeline, wait, window)
            if blocker is not None:
                yield Waiting(f"waiting: {blocker.text}", blocker.until, wait.timeout)


def _lacking(outlook: Outlook, pipeline: Pipeline) -> Spans:
    """Return the complete windows of a pipeline that are not a success of all its models."""
    complete = pipeline.complete(outlook.now)
    if complete is None:
        return Spans()
    # What knows no windows and only lags behind its code makes no window wrong.
    broken = (*BROKEN, WindowStatus.IN_FLIGHT)
    return Spans(
        span
        for model in outlook.plan(pipeline.name, complete).models
        for status, spans in model.statuses.items()
        if status is not WindowStatus.SUCCESS and (model.subject.is_windowed or status in broken)
        for span in spans
    )
