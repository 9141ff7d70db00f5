"""The interval map, character by character."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.planning import RunRequest, make_plan
from runner.core.spans import Span, Spans
from runner.core.status import PlannedNode, WindowRecord, WindowStatus, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain
from runner.ledger import Pause
from runner.overview.pipeline import PipelineStatus
from runner.render.columns import as_json
from runner.render.status import MARKS, status_page, status_record
from runner.render.terminal import Terminal

DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
FIRST = DAYS.labelled("2026-03-01").start
BLOCKED = WindowRecord(WorkResult.FAILED, "now", reason="a.csv was cut off", inputs="same")
KNOWN = {
    ".": WindowRecord(WorkResult.SUCCESS, "now"),
    "~": WindowRecord(WorkResult.SUCCESS, "old"),
    "u": WindowRecord(WorkResult.UNCHECKED, "now"),
    "!": WindowRecord(WorkResult.INCORRECT, "now", reason="3 rows too few"),
    "x": WindowRecord(WorkResult.FAILED, "now", reason="no such column"),
    "#": BLOCKED,
    "p": WindowRecord(WorkResult.PUBLISHED, "now"),
}


def spans_of(count: int, calendar: Calendar = DAYS, first: datetime = FIRST) -> list[Span]:
    bounds = [first]
    while len(bounds) <= count:
        bounds.append(calendar.window_at(bounds[-1]).end)
    return [Span(start, end) for start, end in pairwise(bounds)]


def planned(name: str, cells: str, *parents: str, known: WindowRecord | None = None) -> PlannedNode:
    """A model whose windows are as drawn; a space lies before its first."""
    spans = spans_of(len(cells))
    parts = [(span, KNOWN[cell]) for span, cell in zip(spans, cells, strict=True) if cell in KNOWN]
    desired = Spans(span for span, cell in zip(spans, cells, strict=True) if cell != " ")
    return PlannedNode(
        name=name,
        parents=parents,
        desired=None if known else desired,
        code_hashes=frozenset({"now"}),
        records=Timeline([(spans[-1], known)] if known else parts),
        inputs=lambda _: "same",
    )


def picture_of(*subjects: PlannedNode, count: int, pause: Pause | None = None) -> PipelineStatus:
    in_flight = Spans()
    windows = Spans(spans_of(count))
    return PipelineStatus(
        "orders", make_plan(DAYS, subjects, in_flight, RunRequest(windows)), pause
    )


def text_of(picture: PipelineStatus, terminal: Terminal, newest: int | None = None) -> str:
    return status_page(picture, terminal, newest).text()


def page(**cells: str) -> str:
    return text_of(drawn(**cells), Terminal())


def drawn(**cells: str) -> PipelineStatus:
    subjects = [planned(name, line) for name, line in cells.items()]
    return picture_of(*subjects, count=len(next(iter(cells.values()))))


# Whole pages


def test_a_quarter_with_everything_in_it():
    good = "." * 92
    cells = good[:40] + "~~~" + good[43:60] + "!" + good[61:80] + "x#pu" + good[84:90] + "__"
    picture = picture_of(
        planned("stg_orders", good),
        planned("daily_revenue", cells, "stg_orders"),
        planned("dim_products", good, known=KNOWN["x"]),
        count=92,
    )
    assert text_of(picture, Terminal(80)).splitlines() == [
        "orders: 92 days, 2026-03-01 … 2026-05-31; ran 88, correct 82",
        "",
        "               2026-03-28" + " " * 45 + "2026-05-31",
        "stg_orders     " + "." * 65,
        "  92 success",
        "daily_revenue  .............~~~.................!...................x#pu......__",
        "  82 success, 1 unchecked, 3 stale, 1 published, 2 missing, 1 incorrect, 1 blocked, "
        "1 failed",
        "dim_products   x failed: no such column",
        "… 27 older: all success",
        "",
        ". success  u unchecked  ~ stale  p published  _ missing  ! incorrect  # blocked  x failed",
        "",
        "failed     2026-05-31               dim_products: no such column",
        "failed     2026-05-20               daily_revenue: no such column",
        "blocked    2026-05-21               daily_revenue: a.csv was cut off",
        "incorrect  2026-04-30               daily_revenue: 3 rows too few",
        "missing    2026-05-30 … 2026-05-31  daily_revenue",
        "published  2026-05-22               daily_revenue",
        "and 1 more range: runner plan orders",
        "",
        "next: runner backfill orders   details: runner plan orders",
    ]


def test_all_is_well():
    assert page(stg_orders="." * 30, daily_revenue="." * 30).splitlines() == [
        "orders: 30 days, 2026-03-01 … 2026-03-30; ran 30, correct 30",
        "",
        "               2026-03-01          2026-03-30",
        "stg_orders     ..............................  30 success",
        "daily_revenue  ..............................  30 success",
        "",
        ". success",
        "",
        "next: nothing, every window is as it should be",
    ]


def test_what_nothing_judges_is_named_when_all_else_is_well():
    good = "." * 30
    unchecked = planned("dim_products", good, known=KNOWN["u"])
    unchecked = replace(unchecked, newest=spans_of(30)[-1])
    sales, revenue = planned("sales", good), planned("revenue", good[1:] + "u")
    missing = planned("sales", good[1:] + "_")
    for subject, last in (
        (sales, "add a test to dim_products: nothing judges what it holds"),
        (revenue, "add a test to revenue, dim_products: nothing judges what they hold"),
        (missing, "runner backfill orders   details: runner plan orders"),
    ):
        picture = picture_of(subject, unchecked, count=30)
        assert text_of(picture, Terminal()).splitlines()[-1] == f"next: {last}"


def test_windows_that_do_not_fit_are_summed_up_in_words():
    ten_years = "." * 3_650
    lines = page(stg_orders=ten_years, daily_revenue=ten_years).splitlines()
    assert lines[2:6] == [
        "               2036-01-08" + " " * 30 + "2036-02-26",
        "stg_orders     " + "." * 50 + "  3,650 success",
        "daily_revenue  " + "." * 50 + "  3,650 success",
        "… 3,600 older: all success",
    ]


def test_older_windows_that_are_not_right_are_counted_by_model():
    good = "." * 100
    text = page(stg_orders=good, daily_revenue="xx~" + good[3:])
    assert "older: all success, but\n  daily_revenue: " in text
    assert "1 stale, 2 failed" in text


def test_a_model_that_began_later_has_nothing_before():
    lines = page(old="." * 30, new=" " * 20 + "." * 10).splitlines()
    assert lines[4] == "new  " + " " * 20 + "." * 10 + "  10 success"


def test_no_window_is_complete():
    picture = PipelineStatus("orders", make_plan(DAYS, [], Spans(), RunRequest(Spans())))
    text = "orders: no window is complete yet, so there is nothing to show"
    assert text_of(picture, Terminal()) == text
    assert status_record(picture)["models"] == []


# Width


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_of_the_map_is_wider_than_the_terminal(width: int):
    cells = "." * 90 + "x!~#pu__" * 2
    for line in text_of(drawn(a_model=cells, another_model=cells), Terminal(width)).split("\n"):
        if line.startswith(("a_model", "another_model")):
            assert len(line) <= width


def test_counts_go_below_where_a_line_would_have_few_windows():
    text = text_of(drawn(model="." * 20 + "x!~#pu__" * 2), Terminal(60))
    assert "\n  20 success" in text


def test_at_most_so_many_windows_as_are_asked_for():
    lines = text_of(drawn(model="." * 28 + "x_"), Terminal(), newest=5).splitlines()
    assert lines[2:5] == [
        "       2026-03-26 … 2026-03-30",
        "model  ...x_  28 success, 1 missing, 1 failed",
        "… 25 older: all success",
    ]


# Colours and the legend


def test_every_status_has_a_character_of_its_own():
    assert set(MARKS) == set(WindowStatus)
    assert len({character for character, _ in MARKS.values()}) == len(MARKS)


def test_colours_change_nothing_else():
    picture = drawn(a="..x~", b="!_u#")
    plain, colored = (text_of(picture, Terminal(80, is_colored=c)) for c in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[32m..\x1b[0m\x1b[1;31mx\x1b[0m\x1b[33m~\x1b[0m" in colored
    for code in {codes for _, codes in MARKS.values()} | {"0"}:
        colored = colored.replace(f"\x1b[{code}m", "")
    assert colored == plain


def test_the_legend_has_what_occurs():
    assert ". success  _ missing  x failed\n" in page(a="..x_")


# What is wrong, and what to type


def test_ranges_that_are_wrong_are_dates_the_worst_first():
    text = page(a="..xx~~.__", b="..xx~~.__", c=".........")
    assert text.split("\n\n")[3].splitlines() == [
        "failed     2026-03-03 … 2026-03-04  a, b: no such column",
        "missing    2026-03-08 … 2026-03-09  a, b",
        "stale      2026-03-05 … 2026-03-06  a, b: its code has changed",
    ]


def test_many_wrong_ranges_are_not_all_spelled_out():
    assert "and 4 more ranges: runner plan orders" in page(a="x." * 10)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (".._", "next: runner backfill orders "),
        (".x.", "next: runner backfill orders "),
        (".#.", "next: mend what it failed on, then runner retry orders "),
        (".~.", "next: runner backfill orders --reprocess stale "),
        (".u.", "next: add a test to a: nothing judges what it holds"),
    ],
)
def test_the_last_line_says_what_to_type(cells: str, told: str):
    assert page(a=cells).splitlines()[-1].startswith(told)


def test_a_paused_pipeline_is_resumed_first():
    pause = Pause("late files", datetime(2026, 3, 1, tzinfo=UTC))
    text = text_of(picture_of(planned("a", "._"), count=2, pause=pause), Terminal())
    assert "PAUSED (late files)" in text
    assert text.splitlines()[-1].startswith("next: runner resume orders ")


def test_what_runs_needs_nothing():
    windows = Spans(spans_of(3))
    picture = PipelineStatus(
        "orders", make_plan(DAYS, [planned("a", "...")], windows, RunRequest(windows))
    )
    text = text_of(picture, Terminal())
    assert "a  >>>  3 in flight" in text
    assert text.splitlines()[-1] == "next: nothing, it is running: runner list-runs orders"


# JSON


def test_json_has_ranges_by_status_with_their_reasons():
    record = json.loads(as_json(status_record(drawn(a="..xx."))))
    (model,) = record["models"]
    assert model["counts"] == {"success": 3, "failed": 2}
    (failed,) = [found for found in model["ranges"] if found["status"] == "failed"]
    assert failed == {
        "first_window": "2026-03-03",
        "last_window": "2026-03-04",
        "start": "2026-03-03T05:00:00+00:00",
        "end": "2026-03-05T05:00:00+00:00",
        "count": 2,
        "status": "failed",
        "ran": False,
        "correct": None,
        "why": "no such column",
    }
    assert (record["ran"], record["correct"]) == (3, 3)
    assert record["next"] == "runner backfill orders"


# Every map


@given(st.data(), st.integers(1, 40), st.integers(20, 150), st.sampled_from([None, 1, 7]))
def test_the_map_is_what_the_windows_are(
    data: st.DataObject, count: int, width: int, newest: int | None
):
    cells = st.text("".join(KNOWN) + "_", min_size=count, max_size=count)
    lines = {name: data.draw(cells, label=name) for name in ("a", "b", "c")}
    picture = drawn(**lines)
    text = text_of(picture, Terminal(width), newest).splitlines()
    for model in picture.plan.models:
        expected = lines[model.node.name]
        counts = picture.counts(model)
        assert sum(counts.values()) == count
        assert {MARKS[s][0]: n for s, n in counts.items()} == {
            character: expected.count(character) for character in set(expected)
        }
        line = next(line for line in text if line.startswith(f"{model.node.name}  "))
        shown = line[3:].split("  ")[0]
        assert shown == expected[-len(shown) :]
        assert len(shown) <= (newest or count)
        told = json.loads(as_json(status_record(picture)))
    for found in told["models"]:
        assert sum(part["count"] for part in found["ranges"]) == count
    columns = [set(column) for column in zip(*lines.values(), strict=True)]
    assert told["correct"] == sum(column == {"."} for column in columns)
    assert told["ran"] == sum(column <= set(".~u!p") for column in columns)


@given(st.sampled_from(Grain), st.dates(date(2011, 11, 1), date(2012, 4, 30)), st.integers(1, 99))
def test_counts_add_up_in_every_calendar(grain: Grain, first: date, count: int):
    calendar = Calendar(grain, ZoneInfo("Pacific/Apia"))
    start = calendar.floor(datetime.combine(first, datetime.min.time(), UTC))
    spans = spans_of(count, calendar, start)
    half = Timeline([(span, KNOWN["."]) for span in spans[: count // 2]])
    known = PlannedNode("a", (), Spans(spans), frozenset({"now"}), half, lambda _: None)
    picture = PipelineStatus("p", make_plan(calendar, [known], Spans(), RunRequest(Spans(spans))))
    (model,) = picture.plan.models
    assert sum(picture.counts(model).values()) == count == len(picture.grid)


def test_what_waits_for_another_pipeline_is_looked_at_first():
    behind = replace(
        planned("orders", "..."), behind=Timeline([(spans_of(3)[1], "lines, which is stale")])
    )
    told = picture_of(behind, count=3).next_command
    assert told == f"runner why orders --window {DAYS.window_at(spans_of(3)[1].start).label}"


def test_windows_of_unknown_code_are_not_as_they_should_be():
    unknown = WindowRecord(WorkResult.UNCHECKED, None, has_rows=True)
    parts = Timeline((span, unknown) for span in spans_of(2))
    plain = replace(planned("orders", ".."), checks_hash="some", records=parts)
    told = picture_of(plain, count=2).next_command
    assert told == "runner backfill orders --select orders --reprocess all"
