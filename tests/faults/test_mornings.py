"""Mornings at five: a scheduler and a watch as real processes, by a clock that a test sets."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import libfaketime
import pytest

from tests.faults.bakery import WINDOWS, Bakery, kill, until
from tests.receivers import Web, web_server

pytestmark = pytest.mark.slow  # processes are started and killed

ZONE = ZoneInfo("America/New_York")
SUCCESSES = "select label from runs where state = 'success' order by window_start"


@dataclass
class Morning:
    """A bakery under a clock of its own, with somebody who is told."""

    bakery: Bakery
    clock: Path
    web: Web
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def set_clock(self, local: str) -> None:
        """Let it be a local time from now on; it goes on as fast as any other."""
        there = datetime.fromisoformat(local).replace(tzinfo=ZONE).timestamp()
        self.clock.write_text(f"{there - datetime.now(ZONE).timestamp():+.3f}\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = self.bakery.start(*arguments)
        self.processes.append(process)
        return process

    def serve(self) -> subprocess.Popen[str]:
        return self.start("serve", "--poll", "1s")

    def baked(self) -> list[str]:
        """The windows that are a success."""
        return [label for (label,) in self.bakery.glimpse(SUCCESSES)]

    def told(self, *words: str) -> bool:
        """Whether the newest messages are these, as far as they say."""
        titles = self.web.titles
        return len(titles) == len(words) and all(
            word in title for word, title in zip(words, titles, strict=True)
        )


@pytest.fixture
def morning(bakery: Bakery, tmp_path: Path) -> Iterator[Morning]:
    _, faked = libfaketime.get_reload_information()
    clock = tmp_path / "clock"
    environment = {
        **bakery.extra_environment,
        **faked,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "BAKERY_ALERTS": "",
    }
    with web_server() as web:
        environment["BAKERY_ALERTS"] = f"json://127.0.0.1:{web.port}/"
        place = Morning(replace(bakery, extra_environment=environment), clock, web)
        pipelines = bakery.folder / "pipelines.yml"
        written = pipelines.read_text().replace(
            "retries:", 'alerts: ["${BAKERY_ALERTS}"]\n    retries:'
        )
        pipelines.write_text(written.replace("timeout: 2m", "timeout: 2m\n    deadline: 1h"))
        place.set_clock("2026-03-11T04:59:40")
        try:
            yield place
        finally:
            print(*web.titles, sep="\n")  # noqa: T201 - shown if the test fails
            for process in place.processes:
                process.kill()
                print(*process.communicate(), sep="\n")  # noqa: T201


def test_a_scheduler_that_dies_is_missed_and_what_it_missed_is_made_up_for(
    morning: Morning, undisturbed: Mapping[str, str]
):
    scheduler = morning.serve()
    until(lambda: len(morning.baked()) == 9, "the days up to the 9th", scheduler)
    until(lambda: "2026-03-10" in morning.baked(), "five o'clock", scheduler)
    morning.set_clock("2026-03-12T04:59:58")
    until(lambda: "2026-03-11" in morning.baked(), "the next morning", scheduler)
    watch = morning.start("watch", "--every", "1s")
    kill(scheduler.pid)
    until(lambda: morning.told("not seen since"), "the first alert", watch)
    morning.set_clock("2026-03-13T05:59:50")
    assert morning.told("not seen since")
    until(lambda: morning.told("not seen since", "1 window missed"), "the second alert", watch)
    body = morning.web.requests[-1][2]["message"]
    assert "2026-03-12" in body
    assert "scheduler not seen since 2026-03-12" in body
    assert "runner run bakery" in body
    again = morning.serve()
    until(lambda: "2026-03-12" in morning.baked(), "what was missed", again)
    until(lambda: len(morning.web.titles) == 4, "that all is well", again)
    assert any("is back" in title for title in morning.web.titles[2:])
    assert any("1 window recovered" in title for title in morning.web.titles[2:])
    again.send_signal(signal.SIGTERM)
    assert again.wait(60) == 0
    watch.send_signal(signal.SIGINT)
    assert watch.wait(60) == 0
    assert len(morning.baked()) == len(set(morning.baked())) == 12
    morning.set_clock("2026-04-01T06:00:00")
    assert morning.bakery.runner("tick").code == 0
    assert morning.bakery.hashes() == undisturbed


@contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    before = path.read_text()
    path.write_text(text)
    yield
    path.write_text(before)


def test_edits_are_taken_up_and_broken_ones_are_not(morning: Morning):
    scheduler = morning.serve()
    model = morning.bakery.folder / "models" / "daily_sales.sql"
    until(lambda: len(morning.baked()) == 10, "the days up to the 10th", scheduler)
    with edited(model, "select {{ broken"):
        morning.set_clock("2026-03-12T04:59:59")
        until(lambda: "2026-03-11" in morning.baked(), "a morning as before", scheduler)
    with edited(morning.bakery.folder / "pipelines.yml", "pipelines: {"):
        morning.set_clock("2026-03-13T04:59:59")
        until(lambda: "2026-03-12" in morning.baked(), "a morning on what was good", scheduler)
    later = (morning.bakery.folder / "pipelines.yml").read_text().replace('"0 5 ', '"0 6 ')
    (morning.bakery.folder / "pipelines.yml").write_text(later)
    until(lambda: True, "", scheduler)
    morning.set_clock("2026-03-14T05:59:50")
    assert "2026-03-13" not in morning.baked()
    until(lambda: "2026-03-13" in morning.baked(), "a morning at six", scheduler)
    scheduler.send_signal(signal.SIGTERM)
    out, err = scheduler.communicate(timeout=60)
    assert scheduler.returncode == 0, err
    refusals = [line for line in out.splitlines() if "going on as before" in line]
    assert any("daily_sales.sql): unexpected end of template" in line for line in refusals), out
    assert any("pipelines.yml:1: this is not YAML" in line for line in refusals), out
    assert len(refusals) <= 4, out  # a file may be seen half written, but nothing is said again
    assert "the project has changed: taken up" in out
    assert "stopping after what runs now" in out


def test_a_stop_while_a_window_runs_lets_it_end(morning: Morning):
    scheduler = morning.serve()
    running = "select 1 from runs where state = 'running' limit 1"
    until(lambda: morning.bakery.glimpse(running), "a claim", scheduler)
    scheduler.send_signal(signal.SIGTERM)
    out, err = scheduler.communicate(timeout=120)
    assert scheduler.returncode == 0, err
    assert "stopping after what runs now; once more to stop at once" in out
    states = dict(morning.bakery.told("select state, count(*) from runs group by state"))
    assert states.keys() <= {"success", "cancelled"}, states
    assert states["success"] > 0 or WINDOWS == 0
    assert not morning.bakery.processes()


def test_two_ticks_at_once_run_every_window_once(morning: Morning):
    ticks = [morning.start("tick") for _ in range(2)]
    outs = [tick.communicate(timeout=300) for tick in ticks]
    assert {tick.returncode for tick in ticks} <= {0, 1}, outs
    assert any(tick.returncode == 0 for tick in ticks), outs
    assert len(morning.baked()) == len(set(morning.baked())) == 9
