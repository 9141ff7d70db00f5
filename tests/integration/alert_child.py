"""A process that tells a pipeline's trouble and delivers it, until it is killed on the way."""

from __future__ import annotations

import os
import random
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from runner.alerting.delivery import OutboxSender, queue_incidents
from runner.core.config import PipelineConfig
from runner.core.environment import Environment
from runner.core.incidents import Incident, IncidentKind
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain
from runner.ledger import Ledger
from runner.project.manifest import Project
from runner.project.pipelines import Pipeline

DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
QUARTER = DAYS.span_of_dates(date(2026, 3, 1), date(2026, 5, 31))
FAILED = Incident(IncidentKind.FAILED, "no file matches data/*.csv", "runner retry orders")


def pipeline_telling(*urls: str) -> Pipeline:
    """A pipeline by day whose people are told over some channels."""
    return Pipeline(
        name="orders",
        config=PipelineConfig(select="a", alerts=urls),
        calendar=DAYS,
        schedule=None,
        nodes=(),
        first=QUARTER.start,
        last=None,
        project=Project(DAYS.zone, {}, {}, ""),
    )


def one_pass(location: Path, failed: Timeline[Incident], *urls: str) -> list[str]:
    """Tell what is new, deliver what is unsent; returns the lines for the log."""
    pipeline = pipeline_telling(*urls)
    ledger = Ledger.open(location)
    try:
        world = Environment(lambda: datetime.now(UTC), time.monotonic, time.sleep, random.random)
        queue_incidents(ledger, pipeline, failed, Spans(), world.now())
        return OutboxSender(ledger, {"orders": pipeline.config}, os.environ, world).deliver()
    finally:
        ledger.close()


if __name__ == "__main__":
    where, state, *channels = sys.argv[1:]
    parts = [(QUARTER, FAILED)] if state == "failed" else []
    lines = one_pass(Path(where), Timeline(parts), *channels)
    sys.stdout.writelines(f"{line}\n" for line in lines)
