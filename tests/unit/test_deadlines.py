"""What did not happen is found from configuration and ledger alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runner.core.config import Catchup, WaitFor
from runner.core.incidents import Incident, IncidentKind
from runner.core.spans import Spans
from runner.core.states import RunKind
from runner.landed.completeness import Blocker
from runner.ledger import Ledger
from runner.project.pipelines import Pipeline
from runner.scheduling.deadlines import PipelineIncidents, scheduler_in_words
from tests.unit.fake_dbt import check, shop, windowed
from tests.unit.scheduling import Town, utc

DAILY = "0 5 * * *"  # in New York: 10:00 UTC in winter


def chain(**config: object) -> Pipeline:
    nodes = (windowed("stg"), windowed("daily", "stg"), check("stg_ok", "stg"))
    defaults = {"schedule": DAILY, "deadline": timedelta(hours=2)}
    return shop(*nodes, check("daily_ok", "daily"), **{**defaults, **config})


def town(ledger: Ledger, pipeline: Pipeline) -> Town:
    return Town({pipeline.name: pipeline}, ledger)


def seen(found: PipelineIncidents) -> list[tuple[str, str, str]]:
    """Windows, kind and reason of what is past its deadline."""
    calendar = found.pipeline.calendar
    return [
        (
            " … ".join(
                dict.fromkeys(
                    [calendar.window_at(span.start).label, calendar.before(span.end).label]
                )
            ),
            str(trouble.kind),
            trouble.reason,
        )
        for span, trouble in found.overdue_incidents
    ]


def test_a_window_is_missed_from_its_deadline_on(ledger: Ledger):
    place = town(ledger, chain())
    assert seen(place.look("shop", utc("2017-03-02 11:59"))) == []
    late = seen(place.look("shop", utc("2017-03-02 12:00")))
    assert late == [("2017-03-01", "missed", "not started: no scheduler has ever been seen")]
    place.tick(utc("2017-03-02 12:01"))
    assert seen(place.look("shop", utc("2017-03-02 12:02"))) == []


def test_without_a_deadline_a_window_is_missed_when_the_next_is_due(ledger: Ledger):
    place = town(ledger, chain(deadline=None))
    assert seen(place.look("shop", utc("2017-03-03 09:59"))) == []
    assert [row[0] for row in seen(place.look("shop", utc("2017-03-03 10:00")))] == ["2017-03-01"]


def test_a_long_absence_is_one_range(ledger: Ledger):
    found = town(ledger, chain()).look("shop", utc("2017-06-01 12:00"))
    assert [row[:2] for row in seen(found)] == [("2017-03-01 … 2017-05-31", "missed")]
    assert found.incidents.at(utc("2017-04-01 12:00")) == Incident(
        IncidentKind.MISSED, "not started: no scheduler has ever been seen", "runner run shop"
    )


def test_a_pipeline_that_nobody_schedules_misses_nothing(ledger: Ledger):
    found = town(ledger, chain(schedule=None)).look("shop", utc("2017-06-01 12:00"))
    assert seen(found) == []


def test_who_is_paused_is_told_to_resume(ledger: Ledger):
    place = town(ledger, chain())
    ledger.controls.pause("shop", "the disk is full", utc("2017-03-02 09:00"))
    found = place.look("shop", utc("2017-03-02 12:00"))
    assert seen(found) == [("2017-03-01", "missed", "paused (the disk is full)")]
    assert {trouble.remedy for _, trouble in found.incidents} == {"runner resume shop"}


def test_a_scheduler_that_was_not_seen_is_the_reason(ledger: Ledger):
    place = town(ledger, chain())
    ledger.scheduler.record_heartbeat("serve", timedelta(seconds=30), utc("2017-03-02 09:00"))
    found = place.look("shop", utc("2017-03-02 12:00"))
    assert seen(found)[0][2] == "not started: scheduler not seen since 2017-03-02 09:00:00 UTC"
    ledger.scheduler.record_heartbeat("serve", timedelta(seconds=30), utc("2017-03-02 11:59:30"))
    assert seen(place.look("shop", utc("2017-03-02 12:00")))[0][2] == "not started"


def test_a_scheduler_is_dead_after_two_of_its_intervals(ledger: Ledger):
    ledger.scheduler.record_heartbeat("serve", timedelta(seconds=30), utc("2017-03-02 09:00"))
    beat = ledger.scheduler.get_heartbeat()
    assert scheduler_in_words(beat, utc("2017-03-02 09:01")) is None
    words = scheduler_in_words(beat, utc("2017-03-02 09:01:01"))
    assert words == "scheduler not seen since 2017-03-02 09:00:00 UTC"
    ledger.scheduler.record_heartbeat("tick", None, utc("2017-03-02 09:00"))
    assert scheduler_in_words(ledger.scheduler.get_heartbeat(), utc("2018-03-02 09:00")) is None
    ledger.scheduler.record_heartbeat(
        "serve", timedelta(seconds=30), utc("2017-03-02 09:00"), is_stopped=True
    )
    words = scheduler_in_words(ledger.scheduler.get_heartbeat(), utc("2017-03-02 09:00:10"))
    assert words == "scheduler stopped at 2017-03-02 09:00:00 UTC"


def test_a_file_that_does_not_come_is_named_after_its_timeout(ledger: Ledger):
    wait = WaitFor(file="landing/{window:%Y-%m-%d}.csv", timeout=timedelta(minutes=30))
    place = town(ledger, chain(wait_for=(wait,)))
    place.blocked["2017-03-01"] = Blocker("landing/2017-03-01.csv is not there")
    place.tick(utc("2017-03-02 10:00"))
    assert seen(place.look("shop", utc("2017-03-02 10:29"))) == []
    found = place.look("shop", utc("2017-03-02 10:30"))
    assert seen(found) == [("2017-03-01", "missed", "waiting: landing/2017-03-01.csv is not there")]
    place.blocked.clear()
    place.tick(utc("2017-03-02 10:40"))
    assert seen(place.look("shop", utc("2017-03-02 12:40"))) == []


def test_what_failed_says_why_and_is_told_at_once(ledger: Ledger):
    place = town(ledger, chain())
    place.dbts["shop"].bad["stg"] = {"2017-03-01"}
    place.dbts["shop"].says = lambda model, _: f"Conversion Error: {model} holds no date"
    place.tick(utc("2017-03-02 10:00"))
    found = place.look("shop", utc("2017-03-02 10:01"))
    assert seen(found) == []  # its deadline has not passed
    (trouble,) = (value for _, value in found.incidents)
    assert trouble.kind is IncidentKind.FAILED
    assert trouble.reason.startswith("stg: ")
    assert "holds no date" in trouble.reason
    assert trouble.remedy == "runner retry shop"
    assert [row[:2] for row in seen(place.look("shop", utc("2017-03-02 12:00")))] == [
        ("2017-03-01", "failed")
    ]


def test_what_is_incorrect_is_not_missed(ledger: Ledger):
    place = town(ledger, chain())
    place.dbts["shop"].bad["daily_ok"] = {"2017-03-01"}
    place.tick(utc("2017-03-02 10:00"))
    found = place.look("shop", utc("2017-03-02 12:00"))
    assert [(row[0], row[1]) for row in seen(found)] == [("2017-03-01", "incorrect")]


def test_what_runs_is_undecided_until_its_deadline(ledger: Ledger):
    place = town(ledger, chain())
    window = place.pipelines["shop"].calendar.labelled("2017-03-01")
    ledger.leases.queue("shop", RunKind.SCHEDULED, [window], utc("2017-03-02 10:00"))
    ledger.leases.claim("shop", window.span, utc("2017-03-02 10:00"))
    found = place.look("shop", utc("2017-03-02 11:00"))
    assert window.span in found.undecided
    assert seen(found) == []
    late = place.look("shop", utc("2017-03-02 12:03"))
    assert seen(late) == [("2017-03-01", "missed", "running for 123 min: scheduled__2017-03-01")]


def test_what_was_a_success_and_runs_again_is_not_missed(ledger: Ledger):
    """A backfill of last year wakes nobody."""
    place = town(ledger, chain())
    place.tick(utc("2017-03-06 10:00"))
    calendar = place.pipelines["shop"].calendar
    again = [calendar.labelled(f"2017-03-0{day}") for day in (1, 2, 3)]
    ledger.leases.queue("shop", RunKind.BACKFILL, again, utc("2017-03-06 10:30"))
    found = place.look("shop", utc("2017-03-06 11:00"))
    assert list(found.incidents) == []
    assert all(window.span in found.undecided for window in again)


def test_a_clock_that_is_set_back_lets_nothing_recover(ledger: Ledger):
    place = town(ledger, chain())
    late = place.look("shop", utc("2017-03-06 12:00"))
    (told,) = (span for span, _ in late.incidents)
    before = place.look("shop", utc("2017-03-02 12:00"))
    rest = Spans([told]) - before.incidents.where(lambda _: True)
    assert rest
    assert rest - before.undecided == Spans()
    assert told in place.look("shop", utc("2017-03-01 12:00")).undecided


@pytest.mark.parametrize("policy", [Catchup.LATEST, Catchup.NONE])
def test_windows_that_a_newer_one_has_superseded_are_expected_no_more(
    ledger: Ledger, policy: Catchup
):
    place = town(ledger, chain(catchup=policy))
    found = place.look("shop", utc("2017-03-06 12:30"))
    assert [row[0] for row in seen(found)] == ["2017-03-05"]
    # Nobody is told either that the older ones have recovered: that would not be true.
    older = place.pipelines["shop"].calendar.labelled("2017-03-03")
    assert older.span in found.undecided


def test_what_other_checks_have_judged_is_not_missed_and_the_next_pass_judges_it(ledger: Ledger):
    def checked_by(checks_hash: str) -> Pipeline:
        stg = replace(windowed("stg"), checks_hash=checks_hash)
        return shop(stg, check("stg_ok", "stg"), schedule=DAILY, deadline=timedelta(hours=2))

    before = town(ledger, checked_by("before"))
    before.tick(utc("2017-03-05 11:00"))
    dbt, later = before.dbts["shop"], utc("2017-03-05 12:30")
    dbt.pipeline = checked_by("today")
    edited = Town({"shop": dbt.pipeline}, ledger, dbts={"shop": dbt})
    found = edited.look("shop", later)
    assert seen(found) == []
    # Nor has anything recovered, as long as nobody has looked.
    assert found.undecided.meets(dbt.pipeline.calendar.labelled("2017-03-02").span)
    dbt.asked.clear()
    dbt.built.clear()
    edited.tick(later)
    (asked,) = dbt.asked
    assert (asked.nodes, asked.checks, asked.judged) == ((), ("stg_ok",), ("stg",))
    assert dbt.built == []
    assert edited.tick(later + timedelta(minutes=1))["shop"].done is None
    assert len(dbt.asked) == 1
