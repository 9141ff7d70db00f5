"""Files that change after their windows ran: those run again, once, and no others."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.cli import exits
from runner.core.chunks import EVERYTHING, UNKNOWN_SIZE
from runner.core.config import WaitFor
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState
from runner.core.timelines import Timeline
from runner.core.windows import Grain
from runner.explain.lineage import Tracer
from runner.explain.repair import explain
from runner.landed.changes import InputChanges
from runner.landed.completeness import Blocker
from runner.landed.files import InputFiles
from runner.ledger import Ledger
from runner.project.pipelines import Pipeline
from runner.render.serve import PlainLog, _pass_lines
from runner.render.watch import watch_page
from runner.render.why import why_page
from runner.scheduling.deadlines import WatchReport, watch_pipelines
from tests.unit.fake_dbt import ZONE, FakeDbt, Fault, check, gate, shop, view, windowed
from tests.unit.scheduling import Town, utc

DAILY = "0 5 * * *"  # in New York, in March: 10:00 UTC, then 09:00
WAITED = WaitFor(file="landing/{window:%Y-%m-%d}.csv")
LANDED = "landing/*.csv"
SETTLED = datetime.now(UTC) + timedelta(days=1)


def chain(**config: object) -> Pipeline:
    return shop(
        windowed("stg"),
        windowed("daily", "stg"),
        gate("stg_ok", "stg"),
        check("daily_ok", "daily"),
        schedule=config.pop("schedule", DAILY),
        **config,
    )


@dataclass
class Landing:
    """Passes over files that are really there; every pass five minutes after the one before."""

    town: Town
    ticks: int = 0

    @property
    def folder(self) -> Path:
        return self.town.project_dir

    def land(self, *paths: str, content: str = "rows", modified: int = 1) -> None:
        for path in paths:
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f"{content}\n")  # a line end: nothing is cut off
            os.utime(target, (modified, modified))

    def passed(self) -> list[str]:
        """What a pass runs, by label."""
        before = len(self.town.labels())
        at = utc(f"2017-03-05 10:{self.ticks:02}")
        self.ticks += 5
        assert [turn.error for turn in self.town.tick(at).values()] == [None]
        return self.town.labels()[before:]

    def changes(self) -> dict[str, list[tuple[str, str]]]:
        """What has changed: label of the first window and reason, by model."""
        planner = self.town.planner("shop")
        found = planner.changed_inputs(utc("2017-03-05 11:00"), SETTLED)
        label = self.town.pipelines["shop"].calendar.window_at
        return {
            model: [(label(span.start).label, reason) for span, reason in timeline]
            for model, timeline in found.changed.items()
        }

    @property
    def dbt(self) -> FakeDbt:
        return self.town.dbts["shop"]


def landing(ledger: Ledger, folder: Path, pipeline: Pipeline | None = None) -> Landing:
    pipeline = pipeline or chain()
    place = Landing(Town({"shop": pipeline}, ledger, project_dir=folder))
    place.town.locations["stg"] = LANDED
    place.land(*(f"landing/2017-03-0{day}.csv" for day in range(1, 5)))
    return place


@pytest.fixture
def place(ledger: Ledger, tmp_path: Path) -> Landing:
    """Four days whose files have landed and that ran."""
    place = landing(ledger, tmp_path)
    assert len(place.passed()) == 4
    return place


def test_the_first_chunk_holds_everything_if_little_has_landed(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path)
    files = place.town.files(chain())
    assert files.landed_bytes() == 4 * len("rows\n")
    assert place.town.planner("shop").sizing(None).size == EVERYTHING
    assert place.town.planner("shop").sizing(7).size == 7
    place.land("landing/2017-03-05.csv")
    os.truncate(tmp_path / "landing/2017-03-05.csv", 2**40)  # a file with a hole, on no disk
    assert place.town.planner("shop").sizing(None).size == UNKNOWN_SIZE


def test_what_is_made_from_more_than_files_is_of_unknown_size(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path)
    place.town.locations["daily"] = None  # a table
    assert place.town.files(chain()).landed_bytes() is None
    place.town.locations.clear()
    assert place.town.files(chain()).landed_bytes() is None
    assert place.town.planner("shop").sizing(None).size == UNKNOWN_SIZE


def test_what_has_not_changed_does_not_run_again(place: Landing):
    assert place.passed() == []
    assert place.changes() == {}


def test_other_bytes_make_exactly_their_window_run_again_once(place: Landing):
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    assert place.changes() == {"stg": [("2017-03-02", "input changed: landing/2017-03-02.csv")]}
    assert place.passed() == ["2017-03-02"]
    run = place.town.runs()[-1]
    assert (run.kind, run.state) == (RunKind.EVENT, RunState.SUCCESS)
    assert place.passed() == []


def test_the_reason_is_said_of_the_stale_window(place: Landing):
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    place.town.ledger.windows.make_stale(
        place.town.planner("shop").changed_inputs(utc("2017-03-05 11:00"), SETTLED).changed
    )
    window = place.town.pipelines["shop"].calendar.labelled("2017-03-02")
    known = place.town.ledger.windows.get_records()["stg"].at(window.start)
    assert known is not None
    assert known.is_outdated
    assert known.reason == "input changed: landing/2017-03-02.csv"


def test_the_same_size_with_other_bytes_is_a_change(place: Landing):
    place.land("landing/2017-03-02.csv", content="cows", modified=2)
    assert place.passed() == ["2017-03-02"]


def test_a_touched_file_is_no_change_and_is_read_only_once(
    place: Landing, monkeypatch: pytest.MonkeyPatch
):
    place.land("landing/2017-03-02.csv", modified=2)
    assert place.passed() == []
    read: list[str] = []
    monkeypatch.setattr(InputFiles, "digest", lambda _, path: read.append(path))
    assert place.passed() == []
    assert read == []


def test_a_file_that_is_gone_is_no_change(place: Landing):
    (place.folder / "landing/2017-03-02.csv").unlink()
    assert place.passed() == []


def test_a_file_that_lands_later_makes_its_window_run_again_once(place: Landing):
    place.land("landing/2017-03-02.second.csv")
    assert place.changes() == {
        "stg": [("2017-03-02", "input landed later: landing/2017-03-02.second.csv")]
    }
    assert place.passed() == ["2017-03-02"]
    assert place.passed() == []


def test_a_file_without_a_date_makes_nothing_run_again(place: Landing):
    place.land("landing/everything.csv")
    assert place.passed() == []


def test_a_file_that_cannot_be_read_makes_nothing_run_again(place: Landing):
    """Else it would, at every pass."""
    (place.folder / "landing/2017-03-02.x.csv").mkdir()
    (place.folder / "landing/2017-03-02.y.csv").symlink_to("nowhere")
    assert place.passed() == []


def test_an_incorrect_window_runs_again_when_its_file_lands_and_not_before(
    ledger: Ledger, tmp_path: Path
):
    place = landing(ledger, tmp_path)
    (tmp_path / "landing/2017-03-03.csv").unlink()
    place.dbt.bad["stg_ok"] = {"2017-03-03"}
    assert "2017-03-03" in place.passed()
    newest = {run.label: run.state for run in place.town.runs()}
    assert newest["2017-03-03"] is RunState.INCORRECT
    assert place.passed() == []
    place.dbt.bad.clear()
    assert place.passed() == []
    place.land("landing/2017-03-03.csv")
    assert place.passed() == ["2017-03-03"]
    assert place.town.runs()[-1].state is RunState.SUCCESS
    assert place.passed() == []


def test_a_failed_window_runs_again_when_its_file_is_mended(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path)
    place.dbt.bad["stg"] = {"2017-03-03"}
    place.passed()
    assert RunState.FAILED in {run.state for run in place.town.runs()}
    assert place.passed() == []
    place.land("landing/2017-03-03.csv", content="mended", modified=2)
    place.dbt.bad.clear()
    assert place.passed() == ["2017-03-03"]
    assert place.town.runs()[-1].state is RunState.SUCCESS


def test_what_goes_wrong_again_is_not_run_at_every_pass(place: Landing):
    place.land("landing/2017-03-02.csv", content="bad rows", modified=2)
    place.dbt.bad["stg_ok"] = {"2017-03-02"}
    assert place.passed() == ["2017-03-02"]
    assert place.passed() == []


def test_the_facts_are_those_from_before_the_reading(ledger: Ledger, tmp_path: Path):
    """A file that is written while dbt reads it is another than the one that was read, perhaps."""
    place = landing(ledger, tmp_path)
    place.dbt.before = lambda _: place.land("landing/2017-03-02.csv", content="later", modified=2)
    place.passed()
    place.dbt.before = lambda _: None
    assert place.passed() == ["2017-03-02"]
    assert place.passed() == []


def test_windows_that_did_not_run_are_not_stale(place: Landing):
    place.land("landing/2017-03-05.csv", "landing/2017-02-28.csv")
    assert place.changes() == {}


def test_of_windows_whose_files_nobody_has_seen_nothing_is_said(ledger: Ledger, tmp_path: Path):
    """What a crash has left, or another version: known from the markers, and its files are not."""
    place = landing(ledger, tmp_path)
    locations = dict(place.town.locations)
    place.town.locations.clear()
    place.passed()
    place.town.locations.update(locations)
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    assert place.passed() == []


def test_a_run_that_died_before_it_recorded_leaves_the_change_to_be_found(place: Landing):
    """The warehouse vouches for what was published, and nobody for the bytes that were read."""
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    before = place.changes()
    place.dbt.faults = [Fault(KeyboardInterrupt(), after=None)]
    with pytest.raises(KeyboardInterrupt):
        place.passed()
    assert place.changes() == before
    again = [label for _ in range(4) for label in place.passed()]
    assert set(again) == {"2017-03-02"}
    assert place.changes() == {}
    assert place.passed() == []


def test_the_same_change_is_told_until_its_window_has_run(place: Landing):
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    before = place.changes()
    found = place.town.planner("shop").changed_inputs(utc("2017-03-05 11:00"), SETTLED)
    place.town.ledger.windows.make_stale(found.changed)
    assert place.changes() == before


def test_a_second_look_reads_only_what_has_changed(place: Landing, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    digest = InputFiles.digest

    def noted(files: InputFiles, path: str) -> str | None:
        read.append(path)
        return digest(files, path)

    monkeypatch.setattr(InputFiles, "digest", noted)
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    place.passed()
    assert set(read) == {"landing/2017-03-02.csv"}


# Files that are waited for


def waiting(ledger: Ledger, folder: Path, file: str, grain: Grain = Grain.DAY) -> Landing:
    pipeline = shop(
        windowed("stg", grain=grain), check("ok", "stg"), wait_for=(WaitFor(file=file),)
    )
    place = Landing(Town({"shop": pipeline}, ledger, project_dir=folder))
    place.town.locations["stg"] = "elsewhere/*.csv"
    return place


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("in/{window:%Y-%m-%d}.csv", "in/2017-03-02.csv"),
        ("./in/{window:%Y-%m-%d}.csv", "in/2017-03-02.csv"),
        ("in/{window:%Y}/{window:%m/%d}/*.csv", "in/2017/03/02/a.csv"),
        ("in/*{window:%Y%m%d}_[ab].csv", "in/shop20170302_a.csv"),
        ("in/**/{window:%d%B}?.csv", "in/02March1.csv"),
        ("in/shop.{window:%-d}.csv", "in/shop.2.csv"),
    ],
)
def test_a_file_that_is_waited_for_is_watched_for_its_window(
    ledger: Ledger, tmp_path: Path, template: str, path: str
):
    place = waiting(ledger, tmp_path, template)
    place.land(path)
    assert len(place.passed()) == 4
    place.land(path, content="other rows", modified=2)
    assert place.changes() == {"stg": [("2017-03-02", f"input changed: {path}")]}
    assert place.passed() == ["2017-03-02"]
    assert place.passed() == []


def test_a_file_that_every_window_waits_for_makes_nothing_run_again(ledger: Ledger, tmp_path: Path):
    place = waiting(ledger, tmp_path, "in/all.csv")
    place.land("in/all.csv")
    assert len(place.passed()) == 4
    place.land("in/all.csv", content="other rows", modified=2)
    assert place.passed() == []


def test_a_changed_file_is_waited_for_until_it_is_complete(ledger: Ledger, tmp_path: Path):
    place = waiting(ledger, tmp_path, WAITED.file or "")
    place.land("landing/2017-03-02.csv")
    place.passed()
    place.land("landing/2017-03-02.csv", content="half a", modified=2)
    place.town.blocked["2017-03-02"] = Blocker("landing/2017-03-02.csv is being written")
    assert place.passed() == []
    place.town.blocked.clear()
    assert place.passed() == ["2017-03-02"]


def test_a_file_that_is_a_source_and_waited_for_is_told_of_once(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path, chain(wait_for=(WAITED,)))
    place.passed()
    place.land("landing/2017-03-02.csv", content="other rows", modified=2)
    assert place.changes() == {"stg": [("2017-03-02", "input changed: landing/2017-03-02.csv")]}


def test_who_reads_no_source_has_no_files(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path, chain(wait_for=(WAITED,)))
    place.passed()
    place.land("landing/2017-03-02.csv", content="other rows", modified=2)
    assert "daily" not in place.changes()


# Other grains


def test_the_hours_of_a_day_are_made_from_its_file(ledger: Ledger, tmp_path: Path):
    pipeline = shop(windowed("stg", grain=Grain.HOUR), check("ok", "stg"), schedule="0 * * * *")
    place = landing(ledger, tmp_path, pipeline)
    place.passed()
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    again = place.passed()
    assert (again[0], again[-1], len(again)) == ("2017-03-02T00", "2017-03-02T23", 24)
    assert place.passed() == []


def test_a_file_that_lands_within_its_day_is_late_for_the_hours_before(
    ledger: Ledger, tmp_path: Path
):
    pipeline = shop(windowed("stg", grain=Grain.HOUR), check("ok", "stg"), schedule="0 * * * *")
    place = landing(ledger, tmp_path, pipeline)
    place.passed()
    place.land("landing/2017-03-05.csv")
    assert place.passed() == [f"2017-03-05T0{hour}" for hour in range(5)]
    assert place.passed() == []


def test_a_week_is_made_from_the_files_of_its_days(ledger: Ledger, tmp_path: Path):
    pipeline = shop(windowed("stg", grain=Grain.WEEK), check("ok", "stg"), schedule="0 5 * * *")
    place = landing(ledger, tmp_path, pipeline)
    place.town.tick(utc("2017-03-13 12:00"))
    assert place.town.labels() == ["2017-02-27", "2017-03-06"]
    place.land("landing/2017-03-04.csv", content="more rows", modified=2)
    place.land("landing/2017-03-05.csv")
    place.town.tick(utc("2017-03-13 12:05"))
    assert place.town.labels()[2:] == ["2017-02-27"]
    place.town.tick(utc("2017-03-13 12:10"))
    assert len(place.town.labels()) == 3


# What the ledger keeps


def test_equal_neighbours_are_kept_as_one(ledger: Ledger, tmp_path: Path):
    pipeline = shop(windowed("stg", grain=Grain.HOUR), check("ok", "stg"), schedule="0 * * * *")
    place = landing(ledger, tmp_path, pipeline)
    place.passed()
    read = ledger.inputs.get_files(["stg"])["stg"]
    assert {path: len(list(parts)) for path, parts in read.files.items()} == {
        f"landing/2017-03-0{day}.csv": 1 for day in range(1, 5)
    }
    assert len(list(read.windows)) == 1


def test_a_window_that_runs_again_forgets_the_files_that_are_gone(place: Landing):
    calendar = place.town.pipelines["shop"].calendar
    (place.folder / "landing/2017-03-02.csv").unlink()
    place.land("landing/2017-03-02.new.csv")
    place.passed()
    read = place.town.ledger.inputs.get_files(["stg"])["stg"]
    second = Spans([calendar.labelled("2017-03-02").span])
    there = {path for path, parts in read.files.items() if list(parts.within(second))}
    assert there == {"landing/2017-03-02.new.csv"}
    assert "landing/2017-03-02.csv" not in read.files


def test_a_model_that_reads_through_a_view_has_its_files(ledger: Ledger, tmp_path: Path):
    pipeline = shop(view("base"), windowed("stg", "base"), check("ok", "stg"), schedule=DAILY)
    place = landing(ledger, tmp_path, pipeline)
    place.town.locations = {"base": LANDED}
    place.passed()
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    assert place.changes() == {"stg": [("2017-03-02", "input changed: landing/2017-03-02.csv")]}


def test_a_change_that_is_still_being_written_is_no_change_yet(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path)
    place.passed()
    place.land("landing/2017-03-02.csv", content="more rows", modified=2)
    planner, now = place.town.planner("shop"), utc("2017-03-05 11:00")
    at_once = datetime.now(UTC)
    found = planner.changed_inputs(now, at_once)
    assert found == InputChanges(settling=found.settling)
    ((path, blocker),) = found.settling.items()
    assert (path, blocker.is_final) == ("landing/2017-03-02.csv", False)
    place.town.world.at = now
    (turn,) = replace(place.town.scheduler_pass, files_now=lambda: at_once).run()
    assert turn.done is None
    assert turn.settling == (blocker.text,)
    assert turn.calendar is not None
    assert _pass_lines(turn, turn.calendar.zone) == [blocker.text]
    assert planner.changed_inputs(now, at_once + timedelta(minutes=2)).changed.keys() == {"stg"}
    (tmp_path / "landing/2017-03-02.csv").write_text("cut o")
    assert not planner.changed_inputs(now, at_once).changed
    assert planner.changed_inputs(now, SETTLED).changed == {}


CUT_OFF = "changed, but cut off: landing/2017-03-02.csv does not end with a line end"


def cut_off(place: Landing, content: str = "half a ro") -> None:
    """A newer file of the 2nd that has settled, and that is not whole."""
    (place.folder / "landing/2017-03-02.csv").write_text(content)


def test_a_truncated_file_over_a_good_one_runs_nothing_and_is_said_at_every_pass(place: Landing):
    cut_off(place)
    assert place.passed() == []
    for _ in range(2):
        turn = place.town.tick(utc("2017-03-05 10:50"))["shop"]
        ((span, text),) = turn.cut_off
        assert turn.calendar is not None
        assert turn.calendar.label(span) == "2017-03-02"
        assert text.startswith(CUT_OFF)
        lines: list[str] = []
        log = PlainLog(lines.append, lambda: SETTLED, ZONE, stamped=False, to_stderr=False)
        log.turned(turn)
        assert [line[: len(CUT_OFF) + 18] for line in lines] == [f"[shop] 2017-03-02 {CUT_OFF}"]
    assert turn.done is None
    place.land("landing/2017-03-02.csv", content="whole rows", modified=2)
    assert place.passed() == ["2017-03-02"]
    assert place.town.tick(utc("2017-03-05 10:55"))["shop"].cut_off == Timeline()


def test_a_truncated_file_over_a_good_one_is_no_good_news_for_who_watches(place: Landing):
    assert watched(place).is_fine
    cut_off(place)
    report = watched(place)
    assert not report.is_fine
    assert report.missed == ()  # what stands is right as far as it goes
    assert report.cut_off["shop"].startswith(f"2017-03-02 {CUT_OFF}")
    assert exits.of_watch(report) == exits.MISSED
    page = watch_page(report, [], ZONE)
    assert "everything that should be a success" not in page
    assert f"shop: 2017-03-02 {CUT_OFF}" in page


def test_why_says_that_a_newer_file_is_cut_off(place: Landing):
    def page() -> str:
        project, planner = place.town.pipelines["shop"].project, place.town.planner("shop")
        at, ledger = utc("2017-03-05 11:00"), place.town.ledger
        tracer = Tracer(project, {"shop": planner}, ledger, lambda *_: 1, at, SETTLED)
        return why_page(explain(tracer, "daily", "2017-03-02", ZONE, {}))

    assert "next: nothing, it is right" in page()
    cut_off(place)
    assert f"newer file: stg: {CUT_OFF}" in page()
    assert "next: land the file again; stg was made from the one before it" in page()


def watched(place: Landing) -> WatchReport:
    return watch_pipelines(place.town.conditions(utc("2017-03-05 11:00")), as_scheduler=True)


def test_a_file_that_lands_late_and_cut_off_is_said_too(place: Landing):
    (place.folder / "landing/2017-03-03_part2.csv").write_text("half a ro")
    ((_, text),) = place.town.tick(utc("2017-03-05 10:50"))["shop"].cut_off
    assert "changed, but cut off: landing/2017-03-03_part2.csv" in text


def test_a_file_that_never_ended_properly_and_is_only_touched_is_no_news(
    ledger: Ledger, tmp_path: Path
):
    place = landing(ledger, tmp_path)
    cut_off(place, "no line end")
    place.passed()
    os.utime(tmp_path / "landing/2017-03-02.csv", (9, 9))
    assert place.town.tick(utc("2017-03-05 10:50"))["shop"].cut_off == Timeline()


def test_a_file_with_a_marker_may_end_as_it_likes(ledger: Ledger, tmp_path: Path):
    marked = WaitFor(file=WAITED.file, marker="landing/{window:%Y-%m-%d}.done")
    place = landing(ledger, tmp_path, chain(wait_for=(marked,)))
    place.passed()
    cut_off(place, "no line end")
    assert place.changes() == {"stg": [("2017-03-02", "input changed: landing/2017-03-02.csv")]}


def test_a_file_that_is_written_while_it_is_read_fails_its_window(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path)
    place.dbt.before = lambda _: place.land("landing/2017-03-02.csv", content="later", modified=1)
    place.passed()
    place.dbt.before = lambda _: None
    states = {run.label: (run.state, run.reason) for run in place.town.runs()}
    assert {label for label, (state, _) in states.items() if state is RunState.FAILED} == {
        "2017-03-02"
    }
    reason = states["2017-03-02"][1]
    assert reason is not None
    assert "landing/2017-03-02.csv was written to while it was read" in reason
    assert place.passed() == ["2017-03-02"]
    assert place.town.runs()[-1].state is RunState.SUCCESS


def test_a_file_that_is_only_linked_while_it_is_read_is_the_same(ledger: Ledger, tmp_path: Path):
    """A backup that links files changes their ctime, and not what is in them."""
    place = landing(ledger, tmp_path)
    file = tmp_path / "landing/2017-03-02.csv"
    place.dbt.before = lambda _: (tmp_path / "backup.csv").hardlink_to(file)
    place.passed()
    assert {run.state for run in place.town.runs()} == {RunState.SUCCESS}


def test_files_without_a_date_are_said_to_be_watched_by_nobody(ledger: Ledger, tmp_path: Path):
    place = landing(ledger, tmp_path)
    place.land("landing/latest.csv", "landing/orders_2017-03-02.csv")
    (line,) = place.town.files(chain()).undated()
    assert "nobody watches" in line
    assert "landing/latest.csv; landing/orders_2017-03-02.csv" in line
    assert len(place.passed()) == 4
    assert place.town.witness.strays == [line]
    assert place.passed() == []
    assert place.town.witness.strays == [line]  # once, for what has run
    place.town.locations["stg"] = "landing/latest.csv"  # one file, which is meant to be without
    assert list(place.town.files(chain()).undated()) == []


def test_a_file_that_is_waited_for_needs_no_date_in_front(ledger: Ledger, tmp_path: Path):
    pipeline = chain(wait_for=(WaitFor(file="landing/orders_{window:%Y-%m-%d}.csv"),))
    place = landing(ledger, tmp_path, pipeline)
    place.land("landing/orders_2017-03-02.csv")
    assert list(place.town.files(pipeline).undated()) == []
