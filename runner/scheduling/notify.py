"""After a look at all pipelines: queue what is new about them, and send what is in the outbox."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

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
_MEND_IT = "mend that; nothing of it runs"
_LAND_IT = "land it again; what stands was made from the file before"
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
    ledger, configs = workspace.ledger, dict(workspace.configs)
    for found in report.pipelines:
        queue_incidents(ledger, found.pipeline, found.incidents, found.undecided, report.at)
    for name, alerts, incident in _without_windows(workspace, report):
        if alerts:
            current = Timeline([(_ALWAYS, incident)] if incident else ())
            ledger.outbox.announce(name, current, Spans(), partial(_messages, name), report.at)
            configs[name] = PipelineConfig(select=name, alerts=alerts)
    return OutboxSender(ledger, configs, os.environ, environment).deliver(patience)


def _without_windows(
    workspace: Workspace, report: WatchReport
) -> Iterator[tuple[str, tuple[str, ...], Incident | None]]:
    """Yield what may be wrong and has no windows: its name, who is told, and what is wrong.

    No pipeline can be called by such a name. Of the scheduler, and of settings that cannot be read,
    whoever comes first in the file is told.
    """
    configs = workspace.configs
    first = next((config.alerts for config in configs.values() if config.alerts), ())
    if report.watches_scheduler:
        yield "the scheduler", first, _incident(report.scheduler, _START_IT)
    for name in workspace.names:
        error = report.errors.get(name)
        reason = f"{name} cannot be looked at: {error}" if error else None
        alerts = configs[name].alerts if name in configs else first
        yield f"reading {name}", alerts, _incident(reason, _MEND_IT)
        cut_off = report.cut_off.get(name)
        yield f"files of {name}", alerts, _incident(cut_off and f"{name} {cut_off}", _LAND_IT)


def _incident(reason: str | None, remedy: str) -> Incident | None:
    return Incident(IncidentKind.MISSED, reason, remedy) if reason else None


def _messages(name: str, changes: Sequence[IncidentChange], _open_now: object) -> Iterator[Message]:
    """Say what is wrong with something, or that it is well again."""
    for change in changes:
        if change.trouble is None:
            yield Message(Tone.SUCCESS, f"{name} is back", "It is well again.")
        else:
            yield Message(Tone.FAILURE, change.trouble.reason, f"do: {change.trouble.remedy}")
