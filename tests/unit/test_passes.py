"""What a pass of the scheduler runs, and what it leaves alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.core.config import Catchup, WaitFor
from runner.core.errors import ProjectError
from runner.core.spans import Span, Spans
from runner.core.states import RunKind, RunState
from runner.core.timelines import Timeline
from runner.core.windows import Grain, Window
from runner.landed.closures import Closures
from runner.landed.completeness import Blocker
from runner.ledger import Ledger
from runner.overview import outlook
from runner.project.pipelines import Pipeline
from tests.unit.fake_dbt import check, seed, shop, table, windowed
from tests.unit.running import open_ledger
from tests.unit.scheduling import Town, utc

DAILY = "0 5 * * *"  # in New York: 10:00 UTC in winter, 09:00 in summer
FILE = WaitFor(file="landing/{window:%Y-%m-%d}.csv")


def chain(**config: object) -> Pipeline:
    return shop(
        windowed("stg"),
        windowed("daily", "stg"),
        check("stg_ok", "stg"),
        check("daily_ok", "daily"),
        schedule=config.pop("schedule", DAILY),
        **config,
    )


def town(ledger: Ledger, *pipelines: Pipeline) -> Town:
    found = pipelines or (chain(),)
    return Town({pipeline.name: pipeline for pipeline in found}, ledger)


def test_nothing_is_due_before_the_tick_and_everything_once_after_it(ledger: Ledger):
    place = town(ledger)
    assert place.tick(utc("2017-03-02 09:59"))["shop"].done is None
    assert place.labels() == []
    assert place.tick(utc("2017-03-02 10:00"))["shop"].done is not None
    assert place.labels() == ["2017-03-01"]
    assert place.tick(utc("2017-03-02 10:00"))["shop"].done is None
    assert place.tick(utc("2017-03-03 09:59"))["shop"].done is None
    run = place.runs()[0]
    assert (run.state, run.kind, run.run_id) == (
        RunState.SUCCESS,
        RunKind.SCHEDULED,
        "scheduled__2017-03-01",
    )


@pytest.mark.parametrize(
    ("policy", "at", "caught"),
    [
        (Catchup.ALL, "2017-03-06 16:00", ["2017-03-02", "2017-03-03", "2017-03-04", "2017-03-05"]),
        (Catchup.LATEST, "2017-03-06 16:00", ["2017-03-05"]),
        (Catchup.NONE, "2017-03-06 16:00", []),
        (Catchup.NONE, "2017-03-06 10:30", ["2017-03-05"]),
    ],
)
def test_three_days_of_downtime(ledger: Ledger, policy: Catchup, at: str, caught: list[str]):
    """The scheduler ran on the 2nd and comes back on the 6th, late or in time for the newest."""
    place = town(ledger, chain(catchup=policy, deadline=timedelta(hours=2)))
    place.tick(utc("2017-03-02 10:00"))
    place.tick(utc(at))
    assert place.labels() == ["2017-03-01", *caught]
    place.tick(utc("2017-03-07 10:00"))
    assert place.labels()[-1] == "2017-03-06"
    assert len(place.labels()) == len(caught) + 2


def test_a_clock_that_jumped_runs_nothing_and_says_so(ledger: Ledger):
    place = town(ledger, chain(max_catchup=30))
    place.tick(utc("2017-03-02 10:00"))
    turn = place.tick(utc("2027-03-02 10:00"))["shop"]
    assert turn.done is None
    assert turn.note is not None
    assert "more than max_catchup (30)" in turn.note
    assert "runner backfill shop" in turn.note
    assert place.tick(utc("2017-03-03 10:00"))["shop"].note is None
    assert place.labels() == ["2017-03-01", "2017-03-02"]


def test_a_clock_that_was_set_back_runs_nothing_twice(ledger: Ledger):
    place = town(ledger, chain(lookback=1))
    place.tick(utc("2017-03-05 10:00"))
    ran = len(place.labels())
    assert place.tick(utc("2017-03-03 10:00"))["shop"].done is None
    assert place.tick(utc("2017-03-05 10:01"))["shop"].done is None
    assert len(place.labels()) == ran


def test_what_failed_is_tried_again_at_the_next_tick_and_not_before(ledger: Ledger):
    place = town(ledger)
    place.dbts["shop"].bad["stg_ok"] = {"2017-03-01"}
    place.tick(utc("2017-03-02 10:00"))
    assert [run.state for run in place.runs()] == [RunState.INCORRECT]
    for minutes in range(5, 60, 5):
        assert place.tick(utc("2017-03-02 10:00") + timedelta(minutes=minutes))["shop"].done is None
    place.dbts["shop"].bad.clear()
    place.tick(utc("2017-03-03 10:00"))
    assert sorted(place.labels()) == ["2017-03-01", "2017-03-01", "2017-03-02"]
    assert {run.state for run in place.runs()[1:]} == {RunState.SUCCESS}


def test_what_failed_is_tried_again_at_once_when_its_input_changes(ledger: Ledger):
    place = town(ledger)
    place.dbts["shop"].bad["stg_ok"] = {"2017-03-01"}
    place.tick(utc("2017-03-02 10:00"))
    place.dbts["shop"].bad.clear()
    window = place.pipelines["shop"].calendar.labelled("2017-03-01")
    ledger.windows.make_stale({"stg": Timeline([(window.span, "input changed: x.csv")])})
    place.tick(utc("2017-03-02 10:05"))
    assert place.runs()[-1].state is RunState.SUCCESS
    assert place.tick(utc("2017-03-02 10:10"))["shop"].done is None


def test_changed_code_is_left_to_a_person_and_changed_data_is_not(ledger: Ledger):
    place = town(ledger)
    place.tick(utc("2017-03-04 10:00"))
    before = len(place.labels())
    pipeline = place.pipelines["shop"]
    changed = tuple(
        replace(node, code_hash="new") if node.name == "daily" else node for node in pipeline.nodes
    )
    place.pipelines = {"shop": replace(pipeline, nodes=changed)}
    place.dbts["shop"].pipeline = place.pipelines["shop"]
    assert place.tick(utc("2017-03-04 10:05"))["shop"].done is None
    window = pipeline.calendar.labelled("2017-03-02")
    ledger.windows.make_stale({"stg": Timeline([(window.span, "late rows")])})
    place.tick(utc("2017-03-04 10:10"))
    assert place.labels()[before:] == ["2017-03-02"]
    assert place.runs()[-1].kind is RunKind.EVENT


def test_a_new_window_makes_those_before_it_stale_once(ledger: Ledger):
    place = town(ledger, chain(lookback=3))
    for day in range(2, 7):
        place.tick(utc(f"2017-03-0{day} 10:00"))
        place.tick(utc(f"2017-03-0{day} 10:05"))
    ran = place.labels()
    assert ran[:1] == ["2017-03-01"]
    assert ran[1:3] == ["2017-03-01", "2017-03-02"]
    assert ran[-4:] == ["2017-03-02", "2017-03-03", "2017-03-04", "2017-03-05"]
    assert len(ran) == 1 + 2 + 3 + 4 + 4


def test_looking_back_waits_for_the_file_of_the_new_window(ledger: Ledger):
    """Late rows come with the new file: to look back before it is there would lose them."""
    place = town(ledger, chain(lookback=2, wait_for=(FILE,)))
    place.tick(utc("2017-03-03 10:00"))
    place.blocked["2017-03-03"] = Blocker("landing/2017-03-03.csv is not there")
    turn = place.tick(utc("2017-03-04 10:00"))["shop"]
    assert turn.done is None
    assert [value.text for _, value in turn.waiting] == [
        "waiting: landing/2017-03-03.csv is not there"
    ]
    place.blocked.clear()
    place.tick(utc("2017-03-04 11:00"))
    assert place.labels() == ["2017-03-01", "2017-03-02", "2017-03-01", "2017-03-02", "2017-03-03"]


def test_a_file_that_never_comes_does_not_end_looking_back(ledger: Ledger):
    place = town(ledger, chain(lookback=1, wait_for=(FILE,)))
    place.tick(utc("2017-03-03 10:00"))
    place.blocked["2017-03-03"] = Blocker("landing/2017-03-03.csv is not there")
    place.tick(utc("2017-03-05 10:00"))
    assert place.labels() == ["2017-03-01", "2017-03-02", "2017-03-04"]
    place.tick(utc("2017-03-06 10:00"))
    assert place.labels()[3:] == ["2017-03-04", "2017-03-05"]


def test_a_model_that_is_added_makes_nothing_look_back(ledger: Ledger):
    place = town(ledger, chain(lookback=2))
    place.tick(utc("2017-03-05 10:00"))
    ran = len(place.labels())
    nodes = (windowed("stg"), windowed("daily", "stg"), check("daily_ok", "daily"))
    more = shop(*nodes, windowed("added", "stg"), schedule=DAILY, lookback=2)
    place.pipelines = {"shop": more}
    place.dbts["shop"].pipeline = more
    place.tick(utc("2017-03-05 10:05"))
    built = place.dbts["shop"].built
    assert [label for model, label in built if model == "added"] == place.labels()[ran:]
    assert {model for model, _ in built[-4:]} == {"added"}


def test_downtime_looks_back_from_the_first_new_window(ledger: Ledger):
    place = town(ledger, chain(lookback=1))
    place.tick(utc("2017-03-03 10:00"))
    place.tick(utc("2017-03-06 10:00"))
    assert place.labels()[2:] == ["2017-03-02", "2017-03-03", "2017-03-04", "2017-03-05"]


def test_a_pipeline_comes_after_the_windows_of_another(ledger: Ledger):
    hours = shop(
        windowed("events", grain=Grain.HOUR),
        check("ok", "events"),
        name="hourly",
        schedule="10 * * * *",
    )
    days = chain(name="daily", after=("hourly",), schedule="0 1 * * *")
    place = town(ledger, days, hours)
    place.dbts["hourly"].bad["ok"] = {"2017-03-01T07"}
    turns = place.tick(utc("2017-03-02 06:30"))
    assert list(turns) == ["hourly", "daily"]
    assert turns["daily"].done is None
    assert [value.text for _, value in turns["daily"].waiting] == [
        "waiting for hourly: not a success there"
    ]
    place.dbts["hourly"].bad.clear()
    turns = place.tick(utc("2017-03-02 07:15"))
    assert turns["daily"].done is not None
    assert place.labels("daily") == ["2017-03-01"]


def test_a_finer_pipeline_cannot_come_after_a_coarser_one(ledger: Ledger):
    days = chain(name="daily")
    hours = shop(
        windowed("events", grain=Grain.HOUR), name="hourly", schedule="10 * * * *", after=("daily",)
    )
    error = town(ledger, days, hours).tick(utc("2017-03-02 12:00"))["hourly"].error
    assert error is not None
    assert "cannot come after daily, which runs by day" in str(error)


def test_one_broken_pipeline_does_not_keep_the_others(ledger: Ledger):
    second = shop(windowed("other"), name="second", after=("first",), schedule=DAILY)
    place = town(ledger, chain(name="first"), second, chain())
    place.broken["first"] = ProjectError("first is broken: mend it")
    turns = place.tick(utc("2017-03-02 10:00"))
    assert str(turns["first"].error) == "first is broken: mend it"
    assert turns["second"].done is None
    assert [value.text for _, value in turns["second"].waiting] == ["waiting for first: unreadable"]
    assert place.labels("shop") == ["2017-03-01"]


def test_what_waits_for_one_waits_on_although_another_is_broken(ledger: Ledger):
    late = shop(windowed("late"), check("ok", "late"), name="a", schedule=DAILY)
    last = chain(name="last", after=("a", "b"))
    place = town(ledger, late, shop(windowed("b_model"), name="b", schedule=DAILY), last)
    place.dbts["a"].bad["ok"] = {"2017-03-01"}
    place.broken["b"] = ProjectError("b is broken: mend it")
    turn = place.tick(utc("2017-03-03 10:00"))["last"]
    assert turn.done is None
    assert [value.text for _, value in turn.waiting] == [
        "waiting for a: not a success there",
        "waiting for b: unreadable",
    ]


def test_a_paused_pipeline_has_no_turn(ledger: Ledger):
    place = town(ledger)
    ledger.controls.pause("shop", "the disk is full", utc("2017-03-02 09:00"))
    turn = place.tick(utc("2017-03-02 10:00"))["shop"]
    assert (turn.done, turn.note) == (None, "paused (the disk is full)")


def test_without_a_schedule_a_window_runs_when_it_has_ended_and_its_file_is_there(ledger: Ledger):
    place = town(ledger, chain(schedule=None, wait_for=(FILE,)))
    place.blocked["2017-03-02"] = Blocker("is not there")
    place.tick(utc("2017-03-03 05:00"))
    assert [(run.label, run.kind) for run in place.runs()] == [("2017-03-01", RunKind.EVENT)]
    place.blocked.clear()
    turn = place.tick(utc("2017-03-03 06:00"))["shop"]
    assert place.labels() == ["2017-03-01", "2017-03-02"]
    assert turn.next_at == utc("2017-03-04 05:00")


def test_the_next_pass_is_when_something_is_due_or_may_be_there(ledger: Ledger):
    place = town(ledger, chain(wait_for=(FILE,)))
    soon = utc("2017-03-02 10:00:30")
    place.blocked["2017-03-01"] = Blocker("is still being written", until=soon)
    assert place.tick(utc("2017-03-02 10:00"))["shop"].next_at == soon
    place.blocked.clear()
    assert place.tick(soon)["shop"].next_at == utc("2017-03-03 10:00")


def test_a_pipeline_that_has_ended_waits_for_nothing(ledger: Ledger):
    place = town(ledger, chain(end=date(2017, 3, 3)))
    assert place.tick(utc("2017-03-03 10:00"))["shop"].next_at == utc("2017-03-04 10:00")
    assert place.tick(utc("2017-03-04 10:00"))["shop"].next_at is None
    assert place.labels() == ["2017-03-01", "2017-03-02", "2017-03-03"]


def test_told_to_stop_a_pass_starts_no_further_chunk(ledger: Ledger):
    place = town(ledger, shop(windowed("stg"), table("all_days", "stg"), schedule=DAILY))
    place.is_stopping = lambda: bool(place.dbts["shop"].asked)
    place.dbts["shop"].most_windows = 2
    done = place.tick(utc("2017-03-06 10:00"))["shop"].done
    assert done is not None
    assert len(place.dbts["shop"].asked) == 1
    assert set(done.states.values()) == {RunState.CANCELLED}
    place.is_stopping = lambda: False
    place.tick(utc("2017-03-06 10:01"))
    assert {run.label for run in place.runs() if run.state is RunState.UNCHECKED} == {
        f"2017-03-0{day}" for day in range(1, 6)
    }


def test_a_pass_with_nothing_to_do_reads_the_ledger_once_and_plans_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    place = town(ledger, chain(name="first"), chain(name="second", after=("first",)))
    place.tick(utc("2017-03-03 10:00"))
    monkeypatch.setattr(
        "runner.scheduling.passes.is_to_ask", lambda *_: False
    )  # as its file would tell
    read, planned = [], []
    known, make_plan = ledger.windows.get_records, outlook.make_plan
    monkeypatch.setattr(ledger.windows, "get_records", lambda: read.append(1) or known())
    monkeypatch.setattr(outlook, "make_plan", lambda *a: planned.append(1) or make_plan(*a))
    place.world.at = utc("2017-03-03 12:00")
    one_pass = place.scheduler_pass
    assert [found.done for found in one_pass.run()] == [None, None]
    assert one_pass.watch(as_scheduler=True).missed == ()
    assert (len(read), len(planned)) == (1, 2)


def test_a_pass_looks_again_after_it_has_run_something(ledger: Ledger):
    place = town(ledger, chain())
    place.world.at = utc("2017-03-03 10:00")
    one_pass = place.scheduler_pass
    assert [found.done is not None for found in one_pass.run()] == [True]
    assert one_pass.watch(as_scheduler=True).missed == ()


ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Tehran",
    "America/St_Johns",
    "UTC",
]


def mornings(zone: ZoneInfo) -> Iterator[datetime]:
    """Five o'clock on every day of a year, after the first window of a shop has ended."""
    for day in range(365):
        yield datetime.combine(date(2017, 3, 2) + timedelta(days=day), time(5), zone).astimezone(
            UTC
        )


def _due_until(pipeline: Pipeline, now: datetime) -> datetime:
    awaited = pipeline.awaited(now)
    return awaited.end if awaited else pipeline.first


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_mornings_makes_every_window_due_exactly_once(zone: str, grain: Grain):
    """Whatever the clocks do: nothing is due a minute before five, and nothing twice."""
    clock = ZoneInfo(zone)
    pipeline = shop(windowed("daily", grain=grain), zone=clock, schedule=DAILY)
    due: list[Window] = []
    first = until = _due_until(pipeline, next(mornings(clock)) - timedelta(minutes=1))
    for five in mornings(clock):
        assert _due_until(pipeline, five - timedelta(minutes=1)) == until
        awaited = pipeline.awaited(five)
        if awaited is not None and awaited.end > until:
            due += pipeline.calendar.windows(Span(until, awaited.end))
            until = awaited.end
    assert due == list(pipeline.calendar.windows(Span(first, until)))
    assert five - until < timedelta(days=367 if grain is Grain.YEAR else 32)


@pytest.mark.parametrize("schedule", ["30 2 * * *", "30 1 * * *", "*/30 * * * *", "0 5 * * MON"])
@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("zone", ZONES)
def test_where_clocks_are_set_a_window_is_due_from_its_tick_on(
    zone: str, grain: Grain, schedule: str
):
    """Of the windows around every change of the clocks in a year, in the gap and the overlap."""
    clock = ZoneInfo(zone)
    pipeline = shop(windowed("daily", grain=grain), zone=clock, schedule=schedule)
    assert pipeline.schedule is not None
    for change in clock_changes(clock):
        for shift in range(-30, 31, 3):
            window = pipeline.calendar.window_at(change + timedelta(hours=shift))
            due_at = pipeline.schedule.due_at(window)
            assert due_at >= window.end
            assert _due_until(pipeline, due_at) >= window.end
            assert _due_until(pipeline, due_at - timedelta.resolution) < window.end


def clock_changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The hours of a year in which a zone's offset changes."""
    hour = timedelta(hours=1)
    at = datetime(2017, 4, 2, tzinfo=UTC)
    for _ in range(365 * 24):
        if at.astimezone(zone).utcoffset() != (at + hour).astimezone(zone).utcoffset():
            yield at
        at += hour


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_passes_runs_every_window_exactly_once(tmp_path: Path, zone: str):
    """At five, and again a minute later, every day of the year."""
    clock = ZoneInfo(zone)
    pipeline = shop(windowed("daily"), check("ok", "daily"), zone=clock, schedule=DAILY)
    place = town(open_ledger(tmp_path / "ledger.db"), pipeline)
    for five in mornings(clock):
        place.tick(five)
        place.tick(five + timedelta(minutes=1))
    runs = place.runs()
    assert [run.state for run in runs] == [RunState.SUCCESS] * 365
    year = pipeline.calendar.span_of_dates(date(2017, 3, 1), date(2018, 2, 28))
    assert Spans(run.span for run in runs) == Spans([year])


# Days on which nothing lands

CLOSED = "closed_on,reason\n2017-03-04,a Saturday\n2017-03-11,a Saturday\n"


def with_closures(**config: object) -> Pipeline:
    """Its check takes days of a seed for rightly empty."""
    closures = replace(seed("closures"), location="seeds/closures.csv")
    found = replace(check("stg_ok", "stg"), closures=(closures.unique_id, "closed_on"))
    return shop(closures, windowed("stg"), found, schedule=DAILY, wait_for=(FILE,), **config)


def closed_town(ledger: Ledger, folder: Path) -> Town:
    (folder / "seeds").mkdir()
    (folder / "seeds/closures.csv").write_text(CLOSED)
    place = Town({"shop": with_closures()}, ledger, project_dir=folder)
    place.tick(utc("2017-03-04 10:00"))
    assert place.labels() == ["2017-03-01", "2017-03-02", "2017-03-03"]
    return place


def test_nobody_waits_for_the_file_of_a_closed_day(ledger: Ledger, tmp_path: Path):
    place = closed_town(ledger, tmp_path)
    absent = Blocker("landing/x.csv is not there", is_absent=True)
    place.blocked |= {"2017-03-04": absent, "2017-03-05": absent}
    turn = place.tick(utc("2017-03-06 12:00"))["shop"]
    assert place.labels()[3:] == ["2017-03-04"]
    assert [pipeline_label(place, span) for span, _ in turn.waiting] == ["2017-03-05"]
    missed = place.look("shop", utc("2017-03-07 12:00")).overdue_incidents
    assert [pipeline_label(place, span) for span, _ in missed] == ["2017-03-05"]


def pipeline_label(place: Town, span: Span) -> str:
    return place.pipelines["shop"].calendar.label(span)


def test_a_file_that_comes_on_a_closed_day_has_to_be_whole(ledger: Ledger, tmp_path: Path):
    place = closed_town(ledger, tmp_path)
    place.blocked["2017-03-04"] = Blocker("landing/2017-03-04.csv is cut off")
    place.tick(utc("2017-03-05 12:00"))
    assert len(place.labels()) == 3


def test_a_week_is_closed_if_all_of_its_days_are(tmp_path: Path):
    (tmp_path / "seeds").mkdir()
    days = [date(2017, 3, 6) + timedelta(days=n) for n in range(6)]
    file = tmp_path / "seeds/closures.csv"
    file.write_text("Closed_On\n" + "".join(f"{day}\n" for day in days))
    pipeline = with_closures()
    weekly = replace(pipeline, calendar=replace(pipeline.calendar, grain=Grain.WEEK))
    week = weekly.calendar.labelled("2017-03-06")
    assert not Closures(weekly, tmp_path).cover(week)
    assert Closures(pipeline, tmp_path).cover(pipeline.calendar.labelled("2017-03-11"))
    file.write_text(file.read_text() + "2017-03-12\n")
    os.utime(file, (1, 1))
    assert Closures(weekly, tmp_path).cover(week)
    file.unlink()
    assert not Closures(weekly, tmp_path).cover(week)


def test_a_lookback_of_more_windows_than_there_are_ends_with_the_first(ledger: Ledger):
    place = town(ledger, chain(lookback=10**9))
    place.tick(utc("2017-03-03 10:00"))
    assert place.labels() == ["2017-03-01", "2017-03-02"]
