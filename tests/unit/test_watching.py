"""A look at all pipelines, and what a person reads of it at six in the morning."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.core.errors import ProjectError
from runner.ledger import Ledger
from runner.render.watch import watch_page, watch_record, what_is_wrong
from runner.scheduling.deadlines import WatchReport, watch_pipelines
from tests.unit.fake_dbt import ZONE, check, shop, windowed
from tests.unit.scheduling import Town, utc

DAILY = "0 5 * * *"  # in New York: 10:00 UTC in winter


@pytest.fixture
def town(ledger: Ledger) -> Town:
    orders = shop(
        windowed("stg"),
        check("ok", "stg"),
        name="orders",
        schedule=DAILY,
        deadline=timedelta(hours=1),
    )
    stores = shop(windowed("visits"), name="stores", schedule=DAILY)
    return Town({"orders": orders, "stores": stores}, ledger)


def look(town: Town, at: str, *, as_scheduler: bool = False) -> WatchReport:
    return watch_pipelines(town.conditions(utc(at)), as_scheduler=as_scheduler)


def test_all_is_well(town: Town):
    town.tick(utc("2017-03-02 10:00"))
    found = look(town, "2017-03-02 12:00")
    assert found.is_fine
    assert watch_page(found, (), ZONE) == (
        "everything that should be a success at 2017-03-02 07:00 is one"
    )


def test_what_went_wrong_and_is_not_late_yet_is_said(town: Town):
    town.dbts["orders"].bad["ok"] = {"2017-03-01"}
    town.tick(utc("2017-03-02 10:00"))
    found = look(town, "2017-03-02 10:30")
    assert not found.missed
    lines = watch_page(found, (), ZONE).split("\n\n")
    assert lines[0] == "nothing is past its deadline at 2017-03-02 05:30, but:"
    assert lines[1] == (
        "orders 2017-03-01 is incorrect: stg: ok: expected 100 rows; actual 7 rows: "
        "runner retry orders"
    )
    assert watch_record(found, ())["not_late_yet"] == lines[1:]


def test_a_missed_window_is_a_row_with_how_late_it_is_and_what_to_do(town: Town):
    town.ledger.scheduler.record_heartbeat("serve", timedelta(seconds=30), utc("2017-03-02 09:00"))
    found = look(town, "2017-03-02 12:30")
    assert not found.is_fine
    lines = [" ".join(line.split()) for line in watch_page(found, ("told: x",), ZONE).splitlines()]
    assert lines[2] == (
        "orders | 2017-03-01 | missed | 1 h 30 min | not started: scheduler not seen since "
        "2017-03-02 09:00:00 UTC | runner run orders"
    )
    assert lines[4].startswith("scheduler not seen since 2017-03-02 09:00:00 UTC: start it with")
    assert lines[6] == "told: x"


def test_the_scheduler_itself_lives(town: Town):
    town.ledger.scheduler.record_heartbeat("serve", timedelta(seconds=30), utc("2017-03-02 09:00"))
    assert look(town, "2017-03-02 10:00", as_scheduler=True).scheduler is None


def test_what_fails_says_since_when(town: Town):
    town.dbts["orders"].bad["ok"] = {"2017-03-01"}
    for day in (2, 3, 4):
        town.tick(utc(f"2017-03-0{day} 10:00"))
    record = watch_record(look(town, "2017-03-04 12:00"), ())
    (missed,) = record["missed"]
    assert (missed["first"], missed["last"], missed["windows"]) == ("2017-03-01", "2017-03-01", 1)
    assert missed["is"] == "incorrect"
    assert missed["failing_since"] == utc("2017-03-02 10:00")
    assert missed["do"] == "runner retry orders"
    town.dbts["orders"].bad.clear()
    town.tick(utc("2017-03-05 10:00"))
    assert look(town, "2017-03-05 12:00").is_fine
    window = town.pipelines["orders"].calendar.labelled("2017-03-01")
    assert town.ledger.runs.get_first_failure("orders", window.span) is None


def test_one_pipeline_that_cannot_be_read_does_not_hide_the_others(town: Town):
    town.broken["orders"] = ProjectError("orders is broken: mend it")
    found = look(town, "2017-03-03 12:00")
    assert [missed.pipeline.name for missed in found.missed] == ["stores"]
    assert "orders: orders is broken: mend it" in watch_page(found, (), ZONE)


def test_two_looks_at_the_same_trouble_are_the_same(town: Town):
    first, second = look(town, "2017-03-03 12:00"), look(town, "2017-03-03 13:05")
    assert what_is_wrong(first) == what_is_wrong(second)
    assert watch_page(first, (), ZONE) != watch_page(second, (), ZONE)
    assert what_is_wrong(look(town, "2017-03-04 12:00")) != what_is_wrong(first)
