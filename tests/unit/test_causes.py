"""Which nodes are to blame for a window, and what to type then."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.core.status import WindowStatus
from runner.explain.causes import Blame, Lineage, LineageNode, WindowRange
from runner.explain.repair import first_step, repair_commands
from runner.ledger import Pause
from tests.unit.planned_nodes import DAYS, WEEK, from_to

DAY = WEEK[0]


def stop(
    name: str,
    status: WindowStatus | None = WindowStatus.SUCCESS,
    *parents: str,
    is_windowed: bool = True,
    pipeline: str | None = "orders",
) -> LineageNode:
    parts = () if status is None else (WindowRange(DAY.span, DAY.label, status),)
    kind = "by day" if is_windowed else "view"
    return LineageNode(name, name, kind, parents, is_windowed, pipeline, parts)


def view(name: str, *parents: str) -> LineageNode:
    return stop(name, WindowStatus.SUCCESS, *parents, is_windowed=False)


def source(name: str, *, is_absent: bool) -> LineageNode:
    remark = "nothing landed" if is_absent else "landed"
    return LineageNode(
        name, name, "source", (), is_windowed=False, remark=remark, is_absent=is_absent
    )


def causes(*stops: LineageNode) -> list[str]:
    return [found.name for found in Lineage(stops).causes]


def commands(*stops: LineageNode, paused: tuple[str, ...] = ()) -> list[str]:
    """What repairs the last of them."""
    pauses = {name: Pause("", datetime(2026, 1, 1, tzinfo=UTC)) for name in paused}
    return repair_commands(Lineage(stops), stops[-1], DAY.span, DAYS.zone, pauses)


def test_where_everything_is_right_nothing_is_to_blame():
    stops = stop("a"), stop("b", WindowStatus.UNCHECKED, "a")
    assert causes(*stops) == []
    assert commands(*stops) == []


@pytest.mark.parametrize(
    "status",
    sorted(set(WindowStatus) - {WindowStatus.SUCCESS, WindowStatus.UNCHECKED, WindowStatus.STALE}),
)
def test_what_is_wrong_above_explains_what_is_wrong_below(status: WindowStatus):
    assert causes(stop("a", status), stop("b", WindowStatus.FAILED, "a")) == ["a"]


def test_the_cause_is_looked_for_through_what_knows_no_windows():
    stops = stop("a", WindowStatus.INCORRECT), view("v", "a"), view("w", "v")
    assert causes(*stops, stop("b", WindowStatus.MISSING, "w")) == ["a"]


def test_a_window_that_is_right_explains_nothing_below_it():
    stops = stop("a", WindowStatus.FAILED), stop("b", WindowStatus.SUCCESS, "a")
    assert causes(*stops, stop("c", WindowStatus.INCORRECT, "b")) == ["a", "c"]


def test_independent_causes_are_all_named():
    stops = stop("a", WindowStatus.FAILED), stop("b", WindowStatus.INCORRECT), stop("c")
    assert causes(*stops, stop("d", WindowStatus.MISSING, "a", "b", "c")) == ["a", "b"]


def test_what_is_only_out_of_date_explains_what_is_out_of_date_and_no_failure():
    stale = stop("a", WindowStatus.STALE)
    assert causes(stale, stop("b", WindowStatus.STALE, "a")) == ["a"]
    assert causes(stale, stop("b", WindowStatus.FAILED, "a")) == ["a", "b"]


def test_files_that_have_not_landed_are_a_cause_only_of_what_is_wrong():
    nothing = source("files", is_absent=True)
    assert causes(nothing, stop("a", WindowStatus.INCORRECT, "files")) == ["files"]
    assert causes(nothing, stop("a", WindowStatus.SUCCESS, "files")) == []
    # A closed day lands nothing either; that its code has changed since is another matter.
    assert causes(nothing, stop("a", WindowStatus.STALE, "files")) == ["a"]
    assert causes(source("files", is_absent=False), stop("a", WindowStatus.FAILED, "files")) == [
        "a"
    ]


def test_a_stop_is_as_bad_as_its_worst_part():
    parts = [
        WindowRange(WEEK[0].span, "1", WindowStatus.SUCCESS),
        WindowRange(WEEK[1].span, "2", WindowStatus.STALE),
        WindowRange(WEEK[2].span, "3", WindowStatus.FAILED),
    ]
    month = LineageNode("a", "a", "by day", (), is_windowed=True, parts=tuple(parts))
    assert (month.status, month.blame) == (WindowStatus.FAILED, Blame.WRONG)
    assert (month.verdict.ran, month.verdict.correct) == (False, None)
    assert [part.label for part in month.wrong_parts] == ["2", "3"]


# What to type


DATES = "--start-date 2026-03-05 --end-date 2026-03-05"


@pytest.mark.parametrize(
    ("status", "command"),
    [
        (WindowStatus.FAILED, f"runner retry orders {DATES}"),
        (WindowStatus.INCORRECT, f"runner retry orders {DATES}"),
        (WindowStatus.BLOCKED, f"runner retry orders {DATES}"),
        (WindowStatus.PUBLISHED, f"runner judge orders {DATES}"),
        (WindowStatus.MISSING, f"runner backfill orders {DATES}"),
        (WindowStatus.STALE, f"runner backfill orders {DATES} --reprocess stale"),
        (WindowStatus.IN_FLIGHT, "runner list-runs orders"),
    ],
)
def test_every_status_has_its_command(status: WindowStatus, command: str):
    assert commands(stop("a", status), stop("b", WindowStatus.MISSING, "a")) == [command]


def test_causes_of_several_kinds_are_mended_together():
    stops = stop("a", WindowStatus.BLOCKED), stop("b", WindowStatus.MISSING)
    assert commands(*stops, stop("c", WindowStatus.MISSING, "a", "b")) == [
        f"runner backfill orders {DATES} --force"
    ]


def test_what_has_no_windows_is_built_whatever_the_date():
    failed = stop("v", WindowStatus.FAILED, is_windowed=False)
    assert commands(failed, stop("a", WindowStatus.MISSING, "v")) == ["runner retry orders"]


def test_files_are_landed_and_then_what_reads_them_runs():
    files = source("files", is_absent=True)
    stops = files, view("v", "files"), stop("a", WindowStatus.INCORRECT, "v")
    assert causes(*stops) == ["files"]
    assert first_step(files) == "land the files of files"
    assert commands(*stops) == [f"runner retry orders {DATES}"]


def test_a_paused_pipeline_is_resumed_first():
    assert commands(stop("a", WindowStatus.MISSING), paused=("orders",)) == [
        "runner resume orders",
        f"runner backfill orders {DATES}",
    ]


def test_what_another_pipeline_makes_of_it_runs_afterwards():
    stops = stop("a", WindowStatus.MISSING), stop("b", WindowStatus.STALE, "a", pipeline="months")
    assert commands(*stops) == [
        f"runner backfill orders {DATES}",
        f"runner backfill months {DATES} --reprocess stale",
    ]


def test_the_dates_are_those_of_everything_that_is_wrong():
    bad = (
        WindowRange(from_to(2, 3), "", WindowStatus.INCORRECT),
        WindowRange(from_to(5, 5), "", WindowStatus.FAILED),
    )
    month = LineageNode("a", "a", "by day", (), is_windowed=True, pipeline="orders", parts=bad)
    assert commands(month) == ["runner retry orders --start-date 2026-03-06 --end-date 2026-03-09"]
