"""Find what windows wait for before they may run: other pipelines, files, fresh sources.

A source is fresh for a window if it is loaded up to its end, but for the lag it is allowed. What
dbt calls fresh says nothing of a window: a source loaded yesterday may pass `error_after`. Only an
engine can ask a source. Its last answer is kept, for those who look without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runner.core.config import WaitFor
from runner.core.environment import Clock
from runner.core.errors import ConfigError, DaybreakError, EngineError, ProjectError, nearest
from runner.core.spans import Span, Spans
from runner.core.status import WindowStatus
from runner.core.timelines import Timeline
from runner.core.windows import Grain, Window
from runner.dbt.protocol import Engine
from runner.landed.closures import Closures
from runner.landed.completeness import Blocker, file_blocker
from runner.overview.outlook import Outlook
from runner.planner import Planner
from runner.project.pipelines import Pipeline
from runner.workspace import Workspace

BROKEN = (WindowStatus.FAILED, WindowStatus.BLOCKED, WindowStatus.INCORRECT)
_SIZES = tuple(Grain)  # from the finest to the coarsest

# Returns why what a window waits for is not there; None if it is.
FindBlocker = Callable[[Pipeline, WaitFor, Window], Blocker | None]


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
    files_now: Clock  # of the machine that files land on

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
        closures = Closures(pipeline, self.outlook.workspace.project_dir)
        for span in left if pipeline.config.wait_for else ():
            for window in pipeline.calendar.windows(span):
                waiting = next(self._blockers(pipeline, window, closures), None)
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

    def _blockers(
        self, pipeline: Pipeline, window: Window, closures: Closures
    ) -> Iterator[Waiting]:
        """Yield the files and sources that a window waits for and that are not there.

        Nobody waits for what does not come on a closed day; what comes all the same must be whole.
        """
        for wait in pipeline.config.wait_for:
            blocker = self.find_blocker(pipeline, wait, window)
            if blocker is not None and not (blocker.is_absent and closures.cover(window)):
                yield Waiting(f"waiting: {blocker.text}", blocker.until, wait.timeout)


def _lacking(outlook: Outlook, pipeline: Pipeline) -> Spans:
    """Return the complete windows of a pipeline that are not a success of all its models."""
    complete = pipeline.complete(outlook.now)
    if complete is None:
        return Spans()
    # What knows no windows and only lags behind its code makes no window wrong.
    wrong = {*BROKEN, WindowStatus.IN_FLIGHT}
    if pipeline.is_whole:
        wrong.add(WindowStatus.MISSING)
    return Spans(
        span
        for model in outlook.plan(pipeline.name, complete).models
        for status, spans in model.statuses.items()
        if status is not WindowStatus.SUCCESS and (model.node.is_windowed or status in wrong)
        for span in spans
    )


@dataclass
class WorkspaceBlockers:
    """Looks at the files of a workspace and asks its sources, each at most once."""

    workspace: Workspace
    engine: Callable[[], Engine] | None  # None: no source is asked anew
    now: Clock  # of the machine that the files are on, whichever time a pass looks from
    _answers: dict[str, datetime | Blocker | None] = field(default_factory=dict)

    def find(self, pipeline: Pipeline, wait: WaitFor, window: Window) -> Blocker | None:
        """Return why what a window waits for is not there; None if it is."""
        if wait.source is not None:
            return self.source_blocker(wait.source, wait.lag, window, pipeline.config.timeout)
        folder, zone = self.workspace.project_dir, pipeline.calendar.zone
        return file_blocker(wait, window, zone, folder, self.now())

    def source_blocker(
        self, source: str, lag: timedelta, window: Window, patience: timedelta
    ) -> Blocker | None:
        """Return what is wrong with a source for a window; None if it is fresh, or nobody knows.

        Raises :class:`ConfigError` for a source that the project has not, or that cannot be asked.
        """
        self._require_known(source)
        if source not in self._answers:
            self._answers[source] = self._ask(source, patience)
        loaded_at = self._answers[source]
        if isinstance(loaded_at, Blocker):
            return loaded_at
        if loaded_at is None:
            return Blocker(f"{source} has no rows", is_absent=True) if self.engine else None
        if loaded_at >= window.end - lag:
            return None
        # The same words for all windows: then they are one range wherever they are told.
        text = f"{source} is loaded only up to {loaded_at:%Y-%m-%d %H:%M} UTC"
        return Blocker(text, is_absent=True)

    def _require_known(self, source: str) -> None:
        known = self.workspace.project().sources
        if source not in known:
            hint = nearest(source, known) or f" Known: {', '.join(sorted(known))}"
            raise ConfigError(f"wait_for: the project has no source {source!r}.{hint}")
        if not known[source].says_when_loaded:
            raise ConfigError(
                f"wait_for: {source} does not say up to when it is loaded: give it a "
                "`loaded_at_field` or a `loaded_at_query`, as for dbt source freshness"
            )

    def _ask(self, source: str, patience: timedelta) -> datetime | Blocker | None:
        scheduler = self.workspace.ledger.scheduler
        if self.engine is None:
            return scheduler.get_loaded_at(source)
        try:
            loaded_at = self.engine().loaded_at(source, patience)
        except EngineError as error:
            return Blocker(str(error))
        scheduler.record_source(source, loaded_at, self.now())
        return loaded_at
