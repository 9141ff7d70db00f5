from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytz

from runner.core.config import PipelineConfig
from runner.core.errors import ConfigError, ProjectError, UsageError
from runner.core.spans import Span
from runner.core.windows import Grain
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline, find_config, make_pipeline

NEW_YORK = ZoneInfo("America/New_York")


def model(
    name: str, *parents: str, grain: Grain | None = Grain.DAY, begin: date | None = date(2026, 3, 1)
) -> Node:
    ids = tuple(f"model.shop.{parent}" for parent in parents)
    return Node(f"model.shop.{name}", name, "model", "incremental", ids, grain, begin)


def pipeline_of(*nodes: Node, zone: ZoneInfo = NEW_YORK, **config: Any) -> Pipeline:
    project = Project(
        zone=zone,
        nodes={node.unique_id: node for node in nodes},
        selections={"all": tuple(node.unique_id for node in nodes)},
        fingerprint="",
    )
    return make_pipeline("orders", PipelineConfig(select="all", **config), project)


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=NEW_YORK).astimezone(UTC)  # type: ignore[arg-type]


LATER = local(2026, 6, 19, 5)


# What the models say, and contradictions


def test_grain_zone_and_start_are_taken_from_the_models():
    pipeline = pipeline_of(model("b", begin=date(2026, 4, 1)), model("a"))
    assert (pipeline.calendar.grain, pipeline.calendar.zone) == (Grain.DAY, NEW_YORK)
    assert (pipeline.first, pipeline.last) == (local(2026, 3, 1), None)
    assert pipeline.schedule is None


def test_what_the_config_repeats_may_be_repeated():
    pipeline = pipeline_of(model("a"), grain="day", timezone="America/New_York")
    assert pipeline.calendar == pipeline_of(model("a")).calendar


@pytest.mark.parametrize(
    ("nodes", "config", "said"),
    [
        ([model("a")], {"grain": "hour"}, r"says grain hour, but selects a \(day\)"),
        ([model("a"), model("b", grain=Grain.HOUR)], {}, r"mixes grains: a \(day\), b \(hour\)"),
        (
            [model("a"), model("b", grain=Grain.HOUR)],
            {"grain": "day"},
            "says grain day, but selects",
        ),
        ([model("a")], {"timezone": "UTC"}, "says timezone UTC, but .* America/New_York"),
        ([model("a", begin=None)], {}, "does not know its first window"),
    ],
)
def test_a_contradiction_is_refused(nodes: list[Node], config: dict[str, Any], said: str):
    with pytest.raises(ProjectError, match=said) as error:
        pipeline_of(*nodes, **config)
    assert "pipeline orders" in str(error.value)
    assert "\n" not in str(error.value)


def test_models_stand_parents_first_whatever_dbt_lists_first():
    nodes = (model("a", "c"), model("b"), model("c", "b"), model("d", grain=None))
    pipeline = pipeline_of(*nodes)
    assert [node.name for node in pipeline.nodes] == ["b", "d", "c", "a"]
    assert [node.name for node in pipeline.windowed] == ["b", "c", "a"]


# Start and end


def test_start_and_end_are_dates_and_both_inclusive():
    pipeline = pipeline_of(model("a"), start=date(2026, 3, 7), end=date(2026, 3, 8))
    assert (pipeline.first, pipeline.last) == (local(2026, 3, 7), local(2026, 3, 9))
    assert pipeline.complete(LATER) == Span(local(2026, 3, 7), local(2026, 3, 9))
    assert (local(2026, 3, 9) - local(2026, 3, 8)) == timedelta(hours=23)


@pytest.mark.parametrize(
    ("start", "first"), [(date(2026, 3, 2), (2026, 3, 2)), (date(2026, 3, 4), (2026, 3, 2))]
)
def test_the_first_window_is_the_one_that_holds_the_start(start: date, first: tuple[int, ...]):
    pipeline = pipeline_of(model("a", grain=Grain.WEEK), start=start)
    assert pipeline.first == local(*first)


def test_an_end_before_the_models_begin_is_refused():
    with pytest.raises(ConfigError, match="pipeline orders ends before it starts"):
        pipeline_of(model("a"), end=date(2026, 2, 28))


def test_only_windows_that_have_ended_are_complete():
    pipeline = pipeline_of(model("a"))
    assert pipeline.complete(local(2026, 3, 1, 23, 59)) is None
    assert pipeline.complete(local(2026, 3, 2)) == Span(local(2026, 3, 1), local(2026, 3, 2))
    assert pipeline.complete(local(2026, 3, 2, 23)) == Span(local(2026, 3, 1), local(2026, 3, 2))


def test_a_window_is_due_when_its_schedule_has_come():
    pipeline = pipeline_of(model("a"), schedule="0 5 * * *", end=date(2026, 3, 2))
    assert pipeline.due(local(2026, 3, 2, 4, 59)) is None
    assert pipeline.due(local(2026, 3, 2, 5)) == Span(local(2026, 3, 1), local(2026, 3, 2))
    assert pipeline.due(LATER) == Span(local(2026, 3, 1), local(2026, 3, 3))
    assert pipeline_of(model("a")).due(LATER) is None


# Labels and dates


def test_a_label_names_a_window_of_the_pipeline():
    pipeline = pipeline_of(model("a"), end=date(2026, 3, 31))
    window = pipeline.window("2026-03-08", LATER)
    assert (window.label, window.start) == ("2026-03-08", local(2026, 3, 8))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("2026-02-28", "before the first window of orders, 2026-03-01: start there"),
        ("2026-04-01", "after the last window of orders, 2026-03-31: end earlier"),
        ("2026-3-1", "does not name a day"),
        ("2026-02-30", "is not on the calendar"),
    ],
)
def test_a_label_outside_the_pipeline_is_refused(label: str, said: str):
    pipeline = pipeline_of(model("a"), end=date(2026, 3, 31))
    with pytest.raises(UsageError, match=said):
        pipeline.window(label, LATER)


def test_a_window_that_is_not_complete_is_refused_with_the_newest_that_is():
    pipeline = pipeline_of(model("a"))
    with pytest.raises(UsageError, match="the newest complete one is 2026-06-18, end there"):
        pipeline.window("2026-06-19", LATER)
    with pytest.raises(UsageError, match=r"no complete window at .*: wait for its first"):
        pipeline.window("2026-03-01", local(2026, 3, 1, 12))


def test_dates_are_inclusive_and_both_are_checked():
    pipeline = pipeline_of(model("a"))
    span = pipeline.span_of_dates(date(2026, 3, 1), date(2026, 6, 18), LATER)
    assert span == Span(local(2026, 3, 1), local(2026, 6, 19))
    with pytest.raises(UsageError, match="2026-02-28 lies before the first window"):
        pipeline.span_of_dates(date(2026, 2, 28), date(2026, 3, 2), LATER)
    with pytest.raises(UsageError, match="up to 2026-06-19 are not complete"):
        pipeline.span_of_dates(date(2026, 6, 1), date(2026, 6, 19), LATER)
    with pytest.raises(UsageError, match="2026-06-01 is before 2026-06-02"):
        pipeline.span_of_dates(date(2026, 6, 2), date(2026, 6, 1), LATER)


def test_an_unknown_pipeline_is_answered_with_the_nearest():
    configs = {name: PipelineConfig(select="all") for name in ("orders", "returns")}
    assert find_config("orders", configs) is configs["orders"]
    with pytest.raises(UsageError, match=r"no pipeline 'ordres'\. Did you mean 'orders'\?"):
        find_config("ordres", configs)


def test_no_patience_is_a_deadline_too():
    """`deadline: 0s`: missed as soon as it is due."""
    at_five = pipeline_of(model("a"), schedule="0 5 * * *", deadline=timedelta(0))
    assert at_five.overdue(LATER) == at_five.due(LATER)
    without = pipeline_of(model("a"), schedule="0 5 * * *")
    assert without.overdue(LATER) != without.due(LATER)


def test_what_shares_a_name_with_a_model_and_holds_no_rows_is_not_taken_for_it():
    """An exposure, a source, a unit test."""
    prices = Node("seed.shop.prices", "prices", "seed", "seed", ())
    lines = replace(model("lines"), parents=("seed.shop.prices",))
    totals = Node("model.shop.totals", "totals", "model", "table", ("model.shop.lines",))
    same = Node("exposure.shop.lines", "lines", "exposure", None, ("model.shop.totals",))
    project = pipeline_of(prices, lines, totals, same).project
    assert project.built_before == {
        "prices": frozenset(),
        "lines": {"prices"},
        "totals": frozenset(),
    }
    assert project.windows_read["lines"] == frozenset()
    assert project.windows_read["totals"] == {"lines"}
    assert (project.readers, project.tables) == ({}, {"lines": {"totals"}})


# Dates of which nobody can say when they begin


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (date(1900, 1, 1), r"`begin` of a is 1900-01-01, .* let it begin at 1902-01-01 or later"),
        (date(1, 1, 1), r"`begin` of a is 0001-01-01, beyond the calendar"),
        (date(9999, 12, 31), r"`begin` of a is 9999-12-31, beyond the calendar"),
    ],
)
def test_a_first_window_that_nobody_can_cut_is_refused_at_once(begin: date, said: str):
    with pytest.raises(ProjectError, match=f"pipeline orders: {said}"):
        pipeline_of(model("a", begin=begin), model("b"))
    if begin.year == 1900:  # what the pipeline leaves out says nothing
        assert pipeline_of(model("a", begin=begin), start=date(2026, 3, 1)).first


def test_a_start_before_the_tables_of_its_zone_is_refused():
    with pytest.raises(ProjectError, match=r"`start` in pipelines\.yml is 1901-12-31, .* 1902-01"):
        pipeline_of(model("a"), start=date(1901, 12, 31))
    assert pipeline_of(model("a"), start=date(1902, 1, 1)).first == local(1902, 1, 1)


ZONES = ("America/New_York", "Europe/Dublin", "Africa/Monrovia", "Asia/Kolkata", "UTC", "Etc/GMT+5")


@pytest.mark.parametrize("zone", ZONES)
def test_a_first_window_that_is_accepted_is_cut_by_dbt_as_by_the_calendar(zone: str):
    """dbt's own tables of zones are pytz's."""
    accepted = 0
    for year in range(1890, 1980):
        try:
            pipeline = pipeline_of(model("a", begin=date(year, 1, 1)), zone=ZoneInfo(zone))
        except ProjectError:
            continue
        accepted += 1
        by_dbt = pytz.timezone(zone).localize(datetime(year, 1, 1))  # noqa: DTZ001 - local by nature
        assert pipeline.first == by_dbt, year
    assert accepted == 90 if zone in ("UTC", "Etc/GMT+5") else 0 < accepted < 79
