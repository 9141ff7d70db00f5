"""Airflow's and SQLMesh's backfills (tests/cases/README.md), and where Daybreak differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.core.chunks import Sizing
from runner.core.planning import TAKEN, Plan, Reprocess, RunRequest, make_plan
from runner.core.schedules import Schedule
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import PlannedNode, WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain
from runner.project.pipelines_yml import parse_pipelines

CASES = Path(__file__).parents[1] / "cases"
AIRFLOW = json.loads((CASES / "backfill_airflow.json").read_text())
SQLMESH = json.loads((CASES / "missing_intervals_sqlmesh.json").read_text())
UTC_ZONE = ZoneInfo("UTC")
DAYS = Calendar(Grain.DAY, UTC_ZONE)
IN_FLIGHT = {RunState.QUEUED, RunState.RUNNING, RunState.RETRYING}
ONE_BY_ONE = Sizing(fixed=1)

Row = dict[str, Any]


def model(desired: Spans, known: Timeline[WindowRecord]) -> PlannedNode:
    """The one model of a pipeline: there its windows are the pipeline's."""
    return PlannedNode("orders", (), desired, frozenset({"now"}), known, lambda _: None)


def plan_of(
    first: str,
    last: str,
    existing: Mapping[str, RunState],
    reprocess: Reprocess,
    *,
    newest_first: bool = False,
) -> Plan:
    days = [(DAYS.labelled(day).span, state) for day, state in existing.items()]
    busy = Spans(span for span, state in days if state in IN_FLIGHT)
    known = Timeline(
        (span, WindowRecord(WorkResult(state.value), "now"))
        for span, state in days
        if span not in busy
    )
    asked = Spans([DAYS.span_of_dates(date.fromisoformat(first), date.fromisoformat(last))])
    request = RunRequest(asked, TAKEN[reprocess], newest_first=newest_first, sizing=ONE_BY_ONE)
    return make_plan(DAYS, [model(asked, known)], busy, request)


def planned(plan: Plan) -> list[str]:
    return [w.label for chunk in plan.chunks for w in plan.calendar.windows(chunk.span)]


# Airflow

POLICIES = {"none": Reprocess.MISSING, "failed": Reprocess.FAILED, "completed": Reprocess.ALL}
# Airflow says that a run exists; Daybreak says in which state its window is.
REASONS = {
    "already exists": {"already success", "already failed", "already incorrect"},
    "in flight": {"in flight"},
}


def test_every_airflow_case_is_accounted_for():
    assert set(AIRFLOW) == {
        "src",
        "reprocess",
        "simple",
        "second_backfill_while_running",
        "reverse_with_depends_on_past",
    }
    assert AIRFLOW["reprocess"]["expected"].keys() == POLICIES.keys()


@pytest.mark.parametrize("policy", POLICIES)
def test_each_reprocess_policy_takes_the_same_windows(policy: str):
    case = AIRFLOW["reprocess"]
    existing = {day: RunState(state) for day, state in case["existing"].items()}
    last = case["to_date"].removesuffix(" (inclusive)")
    plan = plan_of(case["from_date"], last, existing, POLICIES[policy])
    expected = case["expected"][policy]
    assert plan.window_count == expected["runs"]
    skipped = {DAYS.window_at(skip.span.start).label: skip.reason for skip in plan.skipped}
    assert skipped.keys() == expected["skipped"].keys()
    for day, reason in expected["skipped"].items():
        assert skipped[day] in REASONS[reason]


def test_what_is_in_flight_is_left_out():
    case = AIRFLOW["simple"]
    existing = dict.fromkeys(case["existing_in_flight"], RunState.RUNNING)
    plan = plan_of(case["from_date"], case["to_date"], existing, Reprocess.ALL)
    assert planned(plan) == case["expected"]


def test_reverse_is_newest_first_an_order_of_chunks():
    """A chunk is one set-based build and has no order within; in chunks of one it is Airflow's."""
    case = AIRFLOW["simple"]
    existing = dict.fromkeys(case["existing_in_flight"], RunState.QUEUED)
    dates = (case["from_date"], case["to_date"])
    plan = plan_of(*dates, existing, Reprocess.ALL, newest_first=True)
    assert planned(plan) == case["reverse"]
    assert planned(plan_of(*dates, existing, Reprocess.ALL)) == sorted(case["reverse"])


def test_a_second_backfill_runs_what_the_first_does_not_hold():
    """Airflow refuses a second backfill even for a disjoint range. Here the unit is the window:
    what is in flight is skipped and said, the rest is nobody's and may run."""
    assert AIRFLOW["second_backfill_while_running"].startswith("error AlreadyRunningBackfill")
    first = dict.fromkeys(("2021-01-01", "2021-01-02"), RunState.RUNNING)
    disjoint = plan_of("2021-01-04", "2021-01-05", first, Reprocess.ALL)
    assert planned(disjoint) == ["2021-01-04", "2021-01-05"]
    overlapping = plan_of("2021-01-02", "2021-01-03", first, Reprocess.ALL)
    assert planned(overlapping) == ["2021-01-03"]
    assert [skip.reason for skip in overlapping.skipped] == ["in flight"]


def test_a_window_never_depends_on_the_one_before():
    """So a direction cannot be invalid: there is no `depends_on_past` to contradict it."""
    assert AIRFLOW["reverse_with_depends_on_past"] == "error InvalidBackfillDirection"
    file = parse_pipelines("pipelines:\n  a:\n    select: b\n    depends_on_past: true\n")
    assert "unknown key 'depends_on_past'" in file.unreadable["a"]


# SQLMesh

PARTIAL = "a window runs only when it is complete: there is no allow_partials"
TIMES = "a range is whole windows, said in dates: a time of day is refused, never rounded"
LOOKBACK = "a lookback makes windows stale; it is no part of what is missing"
LATER = datetime(2024, 6, 1, tzinfo=UTC)  # the now of a row without execution_time_ms
# The row does not say it, its test does: the model ends with 2023-01-05.
ENDS = {"test_missing_intervals_past_end_date_with_lookback": datetime(2023, 1, 6, tzinfo=UTC)}


def instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def spans(intervals: list[list[int]]) -> Spans:
    return Spans(Span(instant(start), instant(end)) for start, end in intervals)


def calendar_of(row: Row) -> Calendar:
    assert row["cron_tz"] == "None"
    return Calendar(Grain(row["interval_unit"].removeprefix("IntervalUnit.").lower()), UTC_ZONE)


def bounds(row: Row) -> tuple[datetime, datetime]:
    """Start and end of a row's range; an end that is a date is inclusive."""
    end = instant(row["end_ms"])
    if len(row["end"]) == len("2020-01-01"):
        end = DAYS.window_at(end).end
    return instant(row["start_ms"]), end


def is_aligned(row: Row) -> bool:
    cal = calendar_of(row)
    return all(cal.floor(bound) == bound for bound in bounds(row))


def sqlmesh_difference(row: Row) -> str | None:
    """Return why Daybreak answers a row differently, if it may."""
    if row["allow_partials"]:
        return PARTIAL
    if not is_aligned(row):
        return TIMES
    return LOOKBACK if spans(row["missing"]) & spans(row["have"]) else None


def desired_of(row: Row) -> Spans:
    """The due (or only complete) windows of the range."""
    cal = calendar_of(row)
    now = instant(row["execution_time_ms"]) if row["execution_time_ms"] else LATER
    newest = cal.floor(now) if row["ignore_cron"] else schedule_of(row).due_end(cal, now)
    start, end = bounds(row)
    end = min(cal.floor(end), newest, ENDS.get(row["test"], end))
    return Spans([Span(start, end)] if start < end else [])


def missing_windows(
    row: Row, policy: Reprocess = Reprocess.MISSING, outdated: Spans | None = None
) -> list[list[int]]:
    """Daybreak's answer: what runs of the range, in chunks of one window."""
    desired = desired_of(row)
    known = Timeline((span, WindowRecord(WorkResult.SUCCESS, "now")) for span in spans(row["have"]))
    known = known.changed(outdated or Spans(), lambda done: replace(done, is_outdated=True))
    request = RunRequest(desired, TAKEN[policy], sizing=ONE_BY_ONE)
    plan = make_plan(calendar_of(row), [model(desired, known)], Spans(), request)
    return [[to_ms(chunk.span.start), to_ms(chunk.span.end)] for chunk in plan.chunks]


def schedule_of(row: Row) -> Schedule:
    names: dict[str, str] = {"@daily": "0 0 * * *", "@hourly": "0 * * * *"}
    return Schedule(names.get(row["cron"]) or row["cron"], UTC_ZONE)


def to_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


ROWS = [(row, sqlmesh_difference(row)) for row in SQLMESH]


def rows(reason: str | None) -> list[Row]:
    return [row for row, found in ROWS if found == reason]


def test_every_sqlmesh_row_is_accounted_for():
    reasons = [reason for _, reason in ROWS]
    assert {reason: reasons.count(reason) for reason in reasons} == {
        None: 30,
        PARTIAL: 10,
        TIMES: 4,
        LOOKBACK: 4,
    }


@pytest.mark.parametrize("row", rows(None))
def test_the_same_intervals_are_missing(row: Row):
    assert missing_windows(row) == row["missing"]


def starts_aligned(row: Row) -> bool:
    return DAYS.floor(instant(row["start_ms"])) == instant(row["start_ms"])


@pytest.mark.parametrize("row", [row for row in rows(PARTIAL) if starts_aligned(row)])
def test_of_partial_intervals_only_the_whole_ones_run(row: Row):
    assert calendar_of(row) == DAYS
    whole = [interval for interval in row["missing"] if interval[1] - interval[0] == 86_400_000]
    assert missing_windows(row) == whole


@pytest.mark.parametrize("row", [row for row, _ in ROWS if not is_aligned(row)])
def test_a_range_with_a_time_of_day_is_refused(row: Row):
    with pytest.raises(ValueError, match="is not the bound of a"):
        calendar_of(row).windows(Span(*bounds(row)))


@pytest.mark.parametrize("row", rows(LOOKBACK))
def test_a_lookback_adds_only_what_is_done_already(row: Row):
    missing = spans(missing_windows(row))
    assert missing == spans(row["missing"]) - spans(row["have"])


@pytest.mark.parametrize("row", rows(LOOKBACK))
def test_what_a_lookback_makes_stale_runs_when_stale_windows_are_asked_for(row: Row):
    again = spans(row["missing"]) & spans(row["have"])
    assert missing_windows(row, Reprocess.STALE, outdated=again) == row["missing"]
    assert spans(missing_windows(row, Reprocess.FAILED, outdated=again)) == (
        spans(row["missing"]) - again
    )


@pytest.mark.parametrize("row", rows(None))
def test_what_is_missing_are_whole_windows_within_what_was_asked_for(row: Row):
    """And no policy short of all runs a window again that SQLMesh has found done."""
    assert missing_windows(row, Reprocess.STALE) == row["missing"]
    everything = missing_windows(row, Reprocess.ALL)
    cal = calendar_of(row)
    assert everything == [
        [to_ms(w.start), to_ms(w.end)] for span in desired_of(row) for w in cal.windows(span)
    ]
