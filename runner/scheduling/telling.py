"""After a look at all pipelines: queue what is new about them, and send what is in the outbox."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import timedelta

from runner.alerting.delivering import Post
from runner.alerting.pinging import Pinger
from runner.alerting.telling import tell
from runner.core.config import PipelineConfig
from runner.core.messages import Message, Tone
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.troubles import News, Trouble, TroubleKind
from runner.core.windows import EPOCH
from runner.core.world import World
from runner.pipelines import Pipeline
from runner.scheduling.watching import Look
from runner.workspace import Workspace

THE_SCHEDULER = "the scheduler"  # no pipeline can be called so
_START_IT = "start it: runner serve, or what runs runner tick"
_ALWAYS = Span(EPOCH, EPOCH + timedelta(hours=1))  # it has no windows


def pinger_of(pipeline: Pipeline) -> Pinger:
    """Who tells the dead-man's switch of a pipeline."""
    return Pinger.of(pipeline.name, pipeline.config, os.environ)


def pings_nobody(pipeline: Pipeline) -> Pinger:
    """For passes that look from another time: they must not vouch for the scheduler."""
    return Pinger.of(pipeline.name, pipeline.config.model_copy(update={"ping": None}), {})


def tell_everyone(
    workspace: Workspace, look: Look, world: World, patience: timedelta = timedelta(0)
) -> list[str]:
    """Tell what a look has found; returns lines for the log.

    ``patience`` is how long to wait for a channel that is down: nobody may come back soon.
    """
    ledger = workspace.ledger
    for found in look.absences:
        tell(ledger, found.pipeline, found.troubles, found.undecided, look.at)
    configs = dict(workspace.configs)
    to_tell = next((config for config in configs.values() if config.alerts), None)
    if to_tell is not None:
        _tell_of_scheduler(workspace, look)
        configs[THE_SCHEDULER] = PipelineConfig(select=THE_SCHEDULER, alerts=to_tell.alerts)
    return list(Post(ledger, configs, os.environ, world).deliver(patience).lines)


def _tell_of_scheduler(workspace: Workspace, look: Look) -> None:
    """Tell whoever comes first in the file that the scheduler is dead, or that it is back."""
    current: Timeline[Trouble] = Timeline()
    if look.scheduler is not None:
        current = Timeline([(_ALWAYS, Trouble(TroubleKind.MISSED, look.scheduler, _START_IT))])
    workspace.ledger.tell(THE_SCHEDULER, current, Spans(), _composed, look.at)


def _composed(news: Sequence[News], _open_now: object) -> Iterable[Message]:
    for item in news:
        if item.trouble is None:
            yield Message(Tone.SUCCESS, f"{THE_SCHEDULER} is back", "It has been seen again.")
        else:
            body = f"Nothing runs by itself until it is back.\n\ndo: {item.trouble.remedy}"
            yield Message(Tone.FAILURE, item.trouble.reason, body)
