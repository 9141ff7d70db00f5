"""Put what is new about a pipeline into the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from runner.core.crash_points import reached
from runner.core.incidents import Incident, IncidentChange, IncidentKind
from runner.core.messages import Message, messages_of
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.ledger import Ledger
from runner.project.pipelines import Pipeline


def queue_incidents(
    ledger: Ledger,
    pipeline: Pipeline,
    current: Timeline[Incident],
    undecided: Spans,
    now: datetime,
) -> tuple[Message, ...]:
    """Queue what is new about a pipeline, once, whoever else looks at it; returns the messages.

    ``current`` is all of its trouble. ``undecided`` are windows in flight: what was told of them
    stands. A pipeline without `alerts` tells nobody: once it has some, they hear what is then.
    """
    if not pipeline.config.alerts:
        return ()

    def composed(
        news: Sequence[IncidentChange], open_now: Timeline[IncidentKind]
    ) -> Iterable[Message]:
        return messages_of(pipeline.name, pipeline.calendar, news, open_now)

    messages = ledger.outbox.announce(pipeline.name, current, undecided, composed, now)
    reached("alert-told")
    return messages
