"""dbt-core's microbatch arithmetic (tests/cases/README.md), and where Daybreak differs."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.core.spans import Span
from runner.core.windows import Calendar, Grain

CASES = json.loads((Path(__file__).parents[1] / "cases" / "microbatch_dbt.json").read_text())
NOW = datetime(2024, 9, 5, 8, 56, tzinfo=UTC)  # the checkpoint of every start-time row

NO_PARTIAL = "a window runs only when it is complete; dbt's last batch ends in its middle"
NO_BEGIN = "no arithmetic: without a start, the pipeline's (or its models') `start` is the start"
NO_CURRENT = "dbt includes the window around its checkpoint; Daybreak's newest is the one before"

Row = dict[str, Any]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def calendar(size: str) -> Calendar:
    return Calendar(Grain(size), ZoneInfo("UTC"))


def batches_difference(row: Row) -> str | None:
    """Return why Daybreak answers a `build_batches` row differently, if it does."""
    return NO_PARTIAL if "T03:56" in row["end"] else None


def start_difference(row: Row) -> str | None:
    """Return why Daybreak answers a `build_start_time` row differently, if it does."""
    if row["event_time_start"]:
        return None
    return NO_CURRENT if row["incremental"] else NO_BEGIN


BATCHES = [(row, batches_difference(row)) for row in CASES["build_batches"]]
STARTS = [(row, start_difference(row)) for row in CASES["build_start_time"]]


def test_every_row_is_accounted_for():
    def tally(rows: list[tuple[Row, str | None]]) -> dict[str | None, int]:
        reasons = [reason for _, reason in rows]
        return {reason: reasons.count(reason) for reason in reasons}

    assert tally(BATCHES) == {None: 4, NO_PARTIAL: 4}
    assert tally(STARTS) == {None: 8, NO_BEGIN: 4, NO_CURRENT: 8}


@pytest.mark.parametrize("row", [row for row, reason in BATCHES if reason is None])
def test_complete_batches_are_our_windows(row: Row):
    span = Span(utc(row["start"]), utc(row["end"]))
    windows = list(calendar(row["size"]).windows(span))
    assert [*(window.start for window in windows), windows[-1].end] == list(
        map(utc, row["boundaries"])
    )


@pytest.mark.parametrize("row", [row for row, reason in BATCHES if reason == NO_PARTIAL])
def test_a_partial_batch_is_left_for_when_it_is_complete(row: Row):
    cal = calendar(row["size"])
    *complete, partial = map(utc, row["boundaries"])
    with pytest.raises(ValueError, match="not the bound"):
        cal.windows(Span(complete[0], partial))
    span = Span(complete[0], cal.floor(partial))
    windows = list(cal.windows(span))
    assert [*(window.start for window in windows), windows[-1].end] == complete


@pytest.mark.parametrize("row", [row for row, reason in STARTS if reason is None])
def test_a_given_start_is_floored_to_its_window_whatever_the_lookback(row: Row):
    cal = calendar(row["batch_size"])
    assert cal.floor(utc(row["event_time_start"])) == utc(row["expected"])


@pytest.mark.parametrize("row", [row for row, reason in STARTS if reason == NO_CURRENT])
def test_lookback_counts_back_from_the_window_around_now_which_we_do_not_run(row: Row):
    cal = calendar(row["batch_size"])
    window = cal.window_at(NOW)
    for _ in range(row["lookback"]):
        window = cal.preceding(window)
    assert window.start == utc(row["expected"])
    assert cal.window_at(NOW).end > NOW >= cal.preceding(cal.window_at(NOW)).end


@pytest.mark.parametrize("row", [row for row, reason in STARTS if reason == NO_BEGIN])
def test_without_a_start_the_configured_one_is_used(row: Row):
    begin = date.fromisoformat(row["expected"].removeprefix("model.config.begin="))
    cal = calendar(row["batch_size"])
    assert cal.span_of_dates(begin, begin).start == utc(begin.isoformat())
