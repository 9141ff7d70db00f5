"""What a person asked for, before it is known what that means for a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from runner.cli import inputs
from runner.core.planning import TAKEN, Plan, Reprocess, RunRequest
from runner.core.spans import Span, Spans
from runner.core.status import WindowStatus
from runner.planner import Planner
from runner.project.pipelines import Pipeline

SpanOf = Callable[[Pipeline, datetime], Span | None]


@dataclass(frozen=True)
class Wish:
    """One command's wish."""

    span_of: SpanOf
    takes: frozenset[WindowStatus] = TAKEN[Reprocess.FAILED]
    select: tuple[str, ...] = ()
    force: bool = False
    newest_first: bool = False
    chunk: int | None = None
    allow_unsafe: tuple[str, ...] = ()  # models that may run although they break a rule
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        """Several models may share a word, as in ``--select``."""
        names = [name for words in self.allow_unsafe for name in words.replace(",", " ").split()]
        object.__setattr__(self, "allow_unsafe", tuple(names))

    def planned(self, planner: Planner, mine: Spans | None = None) -> Plan:
        """The plan that this wish comes down to."""
        pipeline = planner.pipeline
        now = inputs.instant_of(self.as_of, pipeline.calendar.zone)
        span = self.span_of(pipeline, now)
        request = RunRequest(
            windows=Spans([span] if span else []),
            takes=self.takes,
            select=inputs.selected_models(pipeline, self.select),
            force=self.force,
            newest_first=self.newest_first,
            sizing=planner.sizing(self.chunk),
        )
        return planner.plan(request, now, mine)


def wish_for_dates(
    start_date: str | None, end_date: str | None, takes: frozenset[WindowStatus], as_of: str | None
) -> Wish:
    """A wish for a range of dates as a person typed them; :class:`UsageError` if they are none."""
    first = inputs.parsed_date(start_date, "--start-date")
    last = inputs.parsed_date(end_date, "--end-date")
    return Wish(
        span_of=lambda found, now: inputs.range_of_dates(found, first, last, now),
        takes=takes,
        as_of=inputs.parsed_timestamp(as_of),
    )
