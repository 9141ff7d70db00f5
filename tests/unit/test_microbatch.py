"""dbt's microbatch as the runner reads it: grains, zones, batches that failed and why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.adopt.findings import Weight, find_obstacles
from runner.adopt.pipelines import proposed_pipelines
from runner.core.config import PipelineConfig
from runner.core.errors import ProjectError
from runner.core.spans import Span, Spans
from runner.core.windows import Grain
from runner.dbt.arguments import build_arguments
from runner.dbt.batches import BatchListener
from runner.dbt.protocol import Target
from runner.dbt.reports import EVIDENCE_PREFIX, invocation_result
from runner.execution.verdicts import judge
from runner.project.manifest import Node, Project, grain_of, why_not_windows
from runner.project.pipelines import Pipeline, make_pipeline
from runner.scheduling.selection import looked_back_at
from tests.unit.test_adopt import manifest, model
from tests.unit.test_arguments import INVOCATION
from tests.unit.test_verdicts import CHUNK, DAY, IDS, PIPELINE, published

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
BROKEN = "Exception on worker thread. Runtime Error\n  Conversion Error: no number: 'x'"


def batched(name: str, size: str = "day", **config: Any) -> dict[str, Any]:
    said = {"event_time": "at", "batch_size": size, "incremental_strategy": "microbatch", **config}
    return model(name, **said)


def node(name: str, **changes: Any) -> Node:
    made = Node(f"model.shop.{name}", name, "model", "incremental", (), is_microbatch=True)
    return replace(made, **{"grain": Grain.DAY, "begin": date(2026, 1, 1), **changes})


def pipeline(*nodes: Node, **config: Any) -> Pipeline:
    ids = {one.unique_id: one for one in nodes}
    project = Project(zone=UTC_ZONE, nodes=ids, selections={"*": tuple(ids)}, fingerprint="")
    return make_pipeline("shop", PipelineConfig(select="*", **config), project)


@pytest.mark.parametrize(
    ("size", "zone", "grain"),
    [
        *((size, "UTC", size) for size in ("hour", "day", "month", "year")),
        ("hour", "Europe/Berlin", "hour"),
        ("hour", "Asia/Kolkata", None),
        ("hour", "Australia/Lord_Howe", None),
        ("day", "Europe/London", None),
        ("month", "Europe/Berlin", None),
    ],
)
def test_batches_are_windows_where_both_are_cut_alike(size: str, zone: str, grain: str | None):
    found = grain_of(batched("a", size), ZoneInfo(zone))
    assert found == grain
    why = why_not_windows(batched("a", size), ZoneInfo(zone))
    assert (why is None) == (grain is not None)
    if why is not None:
        assert f"dbt cuts its {size}s in UTC" in why


def test_a_python_model_and_one_without_event_time_have_none():
    assert grain_of(batched("a", path="models/a.py"), UTC_ZONE) is None
    assert grain_of(batched("a", event_time=None), UTC_ZONE) is None


def test_what_has_no_windows_is_named_with_the_reason():
    (found,) = find_obstacles(manifest(batched("a")), Target(), BERLIN)
    assert found.weight is Weight.NOT_REPLAYABLE
    assert "set the var timezone to UTC" in found.text
    assert find_obstacles(manifest(batched("a")), Target(), UTC_ZONE) == []


def test_a_project_with_windows_of_several_lengths_gets_a_pipeline_for_each():
    models = [batched("a", "hour"), batched("b", "day"), batched("c", "month"), model("d")]
    text = proposed_pipelines("shop", manifest(*models), UTC_ZONE)
    assert text.count("select:") == 3
    assert '  shop:\n    select: "*"\n    exclude: "config.batch_size:hour' in text
    assert '  shop_month:\n    select: "+config.batch_size:month"' in text
    assert '"0 * * * *"' in text
    # Where only hours are windows, there is one.
    assert proposed_pipelines("shop", manifest(*models), BERLIN).count("select:") == 1


def test_a_first_window_may_begin_within_a_day():
    begin = datetime(2026, 1, 31, 20, 30, tzinfo=UTC)
    hours = pipeline(node("a", grain=Grain.HOUR, begin=begin))
    assert hours.first == datetime(2026, 1, 31, 20, tzinfo=UTC)
    first = date(2026, 1, 31)
    span = hours.span_of_dates(first, first, datetime(2026, 2, 2, tzinfo=UTC))
    assert span == Span(hours.first, datetime(2026, 2, 1, tzinfo=UTC))


def test_one_dbt_build_has_one_range_for_all_batches():
    alone = node("b", grain=None)
    with pytest.raises(ProjectError, match="builds a batch by batch, and b as dbt does by itself"):
        pipeline(node("a"), alone)
    assert pipeline(alone).is_whole


def test_the_further_lookback_counts():
    shop = pipeline(node("a", lookback=2), node("b"), lookback=1)
    days = list(
        shop.calendar.windows(shop.calendar.span_of_dates(date(2026, 1, 5), date(2026, 1, 9)))
    )
    found = looked_back_at(shop, Spans([days[-1].span]))
    spans = {name: [span for span, _ in timeline] for name, timeline in found.items()}
    assert spans == {"a": [Span(days[2].start, days[3].end)], "b": [days[3].span]}


def test_the_range_travels_where_there_are_batches():
    assert "--event-time-start" not in build_arguments(INVOCATION)
    given = build_arguments(replace(INVOCATION, has_batches=True))
    place = given.index("--event-time-start")
    assert given[place : place + 4] == [
        *("--event-time-start", "2026-03-08T05:00:00"),
        *("--event-time-end", "2026-03-09T04:00:00"),
    ]


def heard(*ends: tuple[int, str, str]) -> list[tuple[str, str, str]]:
    """What is heard of batches of `lines`: the index of a day, its status, and what went wrong."""
    listener = BatchListener()
    for index, status, said in ends:
        start = f"{DAY[index].start:%Y-%m-%dT%H}"  # a day in New York, as an hour of dbt's
        if said:
            listener.wrong("Thread-1", "model.shop.other", "not about this one")
            listener.wrong("Thread-1", IDS["lines"], said)
        listener.ended("Thread-1", IDS["lines"], f"batch {start} of main.lines", status)
    return listener.batches[IDS["lines"]]


def result_of(*ends: tuple[int, str, str], status: str = "partial success") -> Any:
    told = {
        "unique_id": IDS["lines"],
        "status": status,
        "message": "PARTIAL SUCCESS (3/4)",
        "execution_time": 1.0,
        "batches": heard(*ends),
    }
    return invocation_result([told], None, None, 1.0)


def test_a_batch_that_failed_says_why_and_no_other_s_words_are_taken_for_its_own():
    result = result_of((0, "OK", ""), (1, "error", BROKEN), (2, "OK", ""), (3, "error", ""))
    (lines,) = result.nodes
    assert [batch.status for batch in lines.batches] == ["success", "error", "success", "error"]
    assert lines.batches[1].start == DAY[1].start
    assert lines.message == lines.batches[1].message
    assert lines.message.startswith("Runtime Error\n  Conversion Error")
    assert lines.batches[3].message == ""


def test_a_failed_batch_is_a_failure_of_its_window_alone():
    ends = ((0, "OK", ""), (1, "error", BROKEN), (2, "OK", ""), (3, "OK", ""))
    markers = [one for one in published(("lines",), None) if one.window_start != DAY[1].start]
    judged = judge(PIPELINE, CHUNK, replace(result_of(*ends), publications=tuple(markers)))
    ((window, failure),) = judged.apart.items()
    assert window == DAY[1]
    assert failure.reason == "lines: Conversion Error: no number: 'x'"
    assert judged.failure == failure
    assert not judged.is_cut_short
    assert judged.windows[DAY[0]].to_check == ("lines",)  # dbt has skipped its tests

    cut = judge(
        PIPELINE, CHUNK, result_of((0, "error", BROKEN), (1, "skipped", ""), status="error")
    )
    assert (list(cut.apart), cut.is_cut_short) == ([DAY[0]], True)


def test_what_a_gate_finds_in_a_batch_is_about_its_window_even_if_it_names_none():
    found = {
        "model": IDS["lines"],
        "test": IDS["lines_reconcile"],
        "check": "lines_reconcile",
        "failures": 2,
        "names_windows": False,
        "rows": [{"id": 1}],
    }
    said = (
        f"Compilation Error\n  daybreak: withheld lines\n  {EVIDENCE_PREFIX}{json.dumps([found])}"
    )
    result = result_of((0, "OK", ""), (1, "error", said), (2, "OK", ""), (3, "OK", ""))
    markers = [one for one in published(("lines",), None) if one.window_start != DAY[1].start]
    judged = judge(
        PIPELINE,
        CHUNK,
        replace(result, publications=tuple(markers)).with_names(PIPELINE.project.names),
    )
    assert [run.model for run in judged.windows[DAY[1]].condemned] == ["lines"]
    assert not any(judged.windows[day].condemned for day in (DAY[0], DAY[2], DAY[3]))
    assert judged.apart == {}
