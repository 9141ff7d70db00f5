"""After a look at all pipelines: queue what is new about them, and send what is in the outbox."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.alerting.delivery import OutboxSender, queue_incidents
from runner.core.config import PipelineConfig
from runner.core.environment import Environment
from runner.core.incidents import Incident, IncidentChange, IncidentKind
from runner.core.messages import Message, Tone
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.windows import EPOCH
from runner.scheduling.deadlines import WatchReport
from runner.workspace import Workspace

_START_IT = "start it: runner serve, or what runs runner tick"
_ALWAYS = Span(EPOCH, EPOCH + timedelta(hours=1))  # it has no windows


def notify_all(
    workspace: Workspace,
    report: WatchReport,
    environment: Environment,
    patience: timedelta = timedelta(0),
) -> list[str]:
    """Tell people what a report says; returns lines for the log.

    ``patience`` is how long to wait for a channel that is down: nobody may come back soon.
    """
    ledger = workspace.ledger
    for found in report.pipelines:
        queue_incidents(ledger, found.pipeline, found.incidents, found.undecided, report.at)
    configs = dict(workspace.configs)
    for matter in _matters(workspace.configs, report):
        if matter.alerts:
            _tell_of(workspace, matter, report.at)
            configs[matter.name] = PipelineConfig(select=matter.name, alerts=matter.alerts)
    return list(OutboxSender(ledger, configs, os.environ, environment).deliver(patience).lines)


@dataclass(frozen=True)
class _Matter:
    """Something that has no windows, and may be in trouble all the same."""

    name: str  # no pipeline can be called so
    alerts: tuple[str, ...]  # of whoever is told
    trouble: str | None  # in one line; None: it is well
    remedy: str


def _matters(configs: Mapping[str, PipelineConfig], report: WatchReport) -> Iterator[_Matter]:
    """The scheduler, of which whoever comes first in the file is told, and what cannot be read."""
    first = next((config.alerts for config in configs.values() if config.alerts), ())
    if report.watches_scheduler:
        yield _Matter("the scheduler", first, report.scheduler, _START_IT)
    for name, config in configs.items():
        error = report.errors.get(name)
        trouble = f"{name} cannot be looked at: {error}" if error else None
        yield _Matter(f"reading {name}", config.alerts, trouble, "mend that; nothing of it runs")


def _tell_of(workspace: Workspace, matter: _Matter, at: datetime) -> None:
    """Tell that something is in trouble, or that it is well again."""

    def composed(news: Sequence[IncidentChange], _open_now: object) -> Iterable[Message]:
        for item in news:
            if item.trouble is None:
                yield Message(Tone.SUCCESS, f"{matter.name} is back", "It is well again.")
            else:
                yield Message(Tone.FAILURE, item.trouble.reason, f"do: {item.trouble.remedy}")

    current: Timeline[Incident] = Timeline()
    if matter.trouble is not None:
        trouble = Incident(IncidentKind.MISSED, matter.trouble, matter.remedy)
        current = Timeline([(_ALWAYS, trouble)])
    workspace.ledger.outbox.announce(matter.name, current, Spans(), composed, at)
