"""Figures of a small ledger, read as Prometheus would read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runner.core.errors import ConfigError
from runner.core.states import RunKind, RunState
from runner.core.status import WORST_FIRST, WindowStatus
from runner.ledger import Ledger, RunStatistics
from runner.overview.metrics import MeteredPipeline, Metrics, PipelineFigures, stand_of
from runner.render.metrics import metrics_text
from tests.unit.ledger_fixtures import (
    FAILED,
    NOTHING,
    NOW,
    PIPELINE,
    WEEK,
    ended,
    finished,
    opened,
    started,
)
from tests.unit.test_status import drawn

NO_RUNS = RunStatistics(dict.fromkeys(RunState, 0), 0, 0.0, None, None, 0)
STAND = PipelineFigures(
    {**dict.fromkeys(WindowStatus, 0), WindowStatus.SUCCESS: 3, WindowStatus.IN_FLIGHT: 1},
    timedelta(1),
)

Labels = tuple[tuple[str, str], ...]


def read(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    """Every sample, by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics_text(metrics) + "\n")
        for sample in family.samples
    }


def metrics_of(ledger: Ledger, pipelines: Mapping[str, MeteredPipeline]) -> Metrics:
    return Metrics(NOW, pipelines, ledger.scheduler.get_heartbeat())


def labelled(name: str = PIPELINE, **labels: str) -> Labels:
    return tuple(sorted({"pipeline": name, **labels}.items()))


# Windows


def test_a_window_is_as_good_as_the_worst_of_its_models():
    stand = stand_of(drawn(orders="...!.~x.u#p .", revenue="..  .......!m").plan, NOW)
    counts = {status: count for status, count in stand.windows.items() if count}
    assert counts == {
        WindowStatus.SUCCESS: 5,
        WindowStatus.MISSING: 1,
        WindowStatus.INCORRECT: 2,
        WindowStatus.STALE: 1,
        WindowStatus.FAILED: 1,
        WindowStatus.UNCHECKED: 1,
        WindowStatus.BLOCKED: 1,
        WindowStatus.PUBLISHED: 1,
    }


def test_lag_is_counted_from_the_end_of_the_newest_success():
    plan = drawn(orders="..x.x").plan
    fourth = list(plan.calendar.windows(next(iter(plan.request.windows))))[3]
    assert stand_of(plan, fourth.end + timedelta(hours=5)).lag == timedelta(hours=5)


def test_without_any_success_lag_is_counted_from_the_first_window():
    plan = drawn(orders="xx").plan
    (span,) = plan.request.windows
    assert stand_of(plan, span.end).lag == span.end - span.start


def test_every_status_has_its_place():
    assert sorted(WORST_FIRST) == sorted(WindowStatus)


# Runs


def test_runs_are_counted_by_state_and_time(ledger: Ledger):
    assert ledger.runs.get_statistics(PIPELINE) == NO_RUNS
    finished(ledger, WEEK[:3])
    finished(ledger, WEEK[3:4], FAILED)
    started(ledger, WEEK[4:6])
    ledger.leases.queue("other", RunKind.MANUAL, WEEK, NOW)
    figures = ledger.runs.get_statistics(PIPELINE)
    counts = {RunState.SUCCESS: 3, RunState.FAILED: 1, RunState.RUNNING: 2}
    assert figures.runs == {**dict.fromkeys(RunState, 0), **counts}
    assert figures.timed == 4
    assert figures.seconds == pytest.approx(3 * 0.5 + 0.1)
    assert figures.last_success == NOW


def test_the_newest_run_is_the_one_that_finished_last(ledger: Ledger):
    fence = started(ledger, WEEK[:1])
    finished(ledger, WEEK[1:2])
    ledger.results.record(
        PIPELINE, fence, ended(WEEK[:1], FAILED), NOTHING, NOW + timedelta(hours=1)
    )
    assert ledger.runs.get_statistics(PIPELINE).newest_seconds == FAILED.seconds


# The text


def test_what_is_measured_is_read_by_prometheus(tmp_path: Path):
    with opened(tmp_path / "ledger.db") as ledger:
        finished(ledger, WEEK[:3])
        ledger.scheduler.record_heartbeat("tick", timedelta(minutes=5), NOW)
        metered = MeteredPipeline(ledger.runs.get_statistics(PIPELINE), is_paused=True, stand=STAND)
        found = read(metrics_of(ledger, {PIPELINE: metered}))
    assert found["daybreak_up", labelled()] == 1
    assert found["daybreak_paused", labelled()] == 1
    assert found["daybreak_windows", labelled(status="success")] == 3
    assert found["daybreak_windows", labelled(status="in_flight")] == 1
    assert found["daybreak_windows", labelled(status="missing")] == 0
    assert found["daybreak_lag_seconds", labelled()] == 86400
    assert found["daybreak_last_success_timestamp_seconds", labelled()] == NOW.timestamp()
    assert found["daybreak_runs", labelled(state="success")] == 3
    assert found["daybreak_run_duration_seconds_sum", labelled()] == 1.5
    assert found["daybreak_run_duration_seconds_count", labelled()] == 3
    assert found["daybreak_newest_run_duration_seconds", labelled()] == 0.5
    assert found["daybreak_scheduler_last_seen_timestamp_seconds", ()] == NOW.timestamp()
    assert found["daybreak_scheduler_alive", ()] == 1


def test_a_pipeline_that_cannot_be_read_leaves_the_others():
    error = ConfigError("no such thing", "pipelines.yml")
    bad = MeteredPipeline(NO_RUNS, is_paused=False, stand=None, error=error)
    good = MeteredPipeline(NO_RUNS, is_paused=False, stand=STAND)
    found = read(Metrics(NOW, {"bad": bad, "good": good}, None))
    assert found["daybreak_up", labelled("bad")] == 0
    assert found["daybreak_up", labelled("good")] == 1
    assert ("daybreak_windows", labelled("bad", status="success")) not in found
    assert found["daybreak_windows", labelled("good", status="success")] == 3
    assert found["daybreak_runs", labelled("bad", state="failed")] == 0


def test_a_scheduler_that_is_silent_is_not_alive(ledger: Ledger):
    assert read(metrics_of(ledger, {}))["daybreak_scheduler_alive", ()] == 0
    ledger.scheduler.record_heartbeat("serve", timedelta(minutes=5), NOW)
    metrics = metrics_of(ledger, {})
    assert read(metrics)["daybreak_scheduler_alive", ()] == 1
    late = replace(metrics, at=NOW + timedelta(minutes=10, seconds=1))
    assert read(late)["daybreak_scheduler_alive", ()] == 0


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a\\nb", 'a\\"', "größe, {x}"])
def test_a_name_is_read_as_it_was_written(name: str):
    found = read(Metrics(NOW, {name: MeteredPipeline(NO_RUNS, is_paused=False, stand=STAND)}, None))
    assert found["daybreak_up", labelled(name)] == 1


def test_every_family_says_what_it_is():
    metrics = Metrics(
        datetime(2026, 6, 1, tzinfo=UTC),
        {"p": MeteredPipeline(NO_RUNS, is_paused=False, stand=STAND)},
        None,
    )
    for family in text_string_to_metric_families(metrics_text(metrics) + "\n"):
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "summary", "counter")
