"""What has no windows is told of as well: the scheduler, and pipelines that cannot be read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from runner.core.errors import ProjectError
from runner.ledger import Ledger
from runner.scheduling.deadlines import watch_pipelines
from runner.scheduling.notify import notify_all
from tests.unit.fake_dbt import check, shop, windowed
from tests.unit.scheduling import Town, utc

DAILY = "0 5 * * *"  # in New York: 10:00 UTC in winter


@pytest.fixture
def town(ledger: Ledger) -> Town:
    # A URL that nothing can be sent to: what is told stays in the outbox.
    alerts = ("${NOT_SET_ANYWHERE}",)
    orders = shop(windowed("stg"), check("ok", "stg"), name="orders", schedule=DAILY, alerts=alerts)
    return Town({"orders": orders}, ledger)


def told(town: Town, at: str, *, as_scheduler: bool = False) -> list[str]:
    """The titles that a look adds to the outbox."""
    before = len(town.ledger.outbox.get_unsent())
    look = watch_pipelines(town.conditions(utc(at)), as_scheduler=as_scheduler)
    notify_all(cast(Any, town), look, town.world.environment)
    return [letter.message.title for letter in town.ledger.outbox.get_unsent()[before:]]


def test_a_dead_scheduler_is_told_of_once_and_when_it_is_back(town: Town):
    town.ledger.scheduler.record_heartbeat("serve", timedelta(seconds=30), utc("2017-03-01 09:00"))
    assert told(town, "2017-03-01 09:01") == []
    dead = "scheduler not seen since 2017-03-01 09:00:00 UTC"
    assert told(town, "2017-03-01 09:02") == [dead]
    assert told(town, "2017-03-01 09:03") == []
    assert told(town, "2017-03-01 09:04", as_scheduler=True) == ["the scheduler is back"]
    assert told(town, "2017-03-01 09:05", as_scheduler=True) == []


def test_where_nobody_schedules_nobody_is_missed(town: Town):
    assert told(town, "2017-03-01 09:00") == []


def test_a_pipeline_that_cannot_be_read_is_told_of_once(town: Town):
    town.broken["orders"] = ProjectError("orders is broken: mend it")
    assert told(town, "2017-03-01 09:00") == [
        "orders cannot be looked at: orders is broken: mend it"
    ]
    assert told(town, "2017-03-01 09:01") == []
    town.broken.clear()
    assert told(town, "2017-03-01 09:02") == ["reading orders is back"]
