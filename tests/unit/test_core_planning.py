"""Desired minus done, model by model; the days of a model are written as letters (subjects.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.chunks import Chunk, Sizing
from runner.core.planning import (
    JUDGED_AGAIN,
    RETRIED,
    TAKEN,
    Held,
    Reprocess,
    RunRequest,
    Skipped,
    make_plan,
)
from runner.core.spans import Spans
from runner.core.status import (
    PlannedNode,
    WindowRecord,
    WindowStatus,
    WorkResult,
    assess,
    unsound_parents,
)
from runner.core.timelines import Timeline
from tests.unit.planned_nodes import (
    DAYS,
    LETTERS,
    NONE,
    NOW,
    SAME,
    STATUS_OF,
    WEEK,
    checks,
    day,
    following,
    from_to,
    held,
    labels,
    marked,
    model,
    plan_of,
    planned,
    runs,
    skipped,
    without_windows,
)

WHOLE = from_to(1, 7)
BY_DEFAULT = Reprocess.FAILED


def request(**wishes: object) -> RunRequest:
    return replace(RunRequest(Spans([WHOLE])), **wishes)  # type: ignore[arg-type]


def only(*names: str) -> RunRequest:
    return request(select=frozenset(names))


def in_chunks_of(size: int, **wishes: object) -> RunRequest:
    return request(sizing=Sizing(fixed=size), **wishes)


# One model


def test_nothing_done_is_one_piece():
    plan = plan_of([planned("orders", ".......")])
    assert plan.pieces == (Chunk(WHOLE, ("orders",), (), ("missing",)),)
    assert (plan.chunks, plan.skipped) == (plan.pieces, ())
    assert (plan.window_count, plan.span, plan.windows) == (7, WHOLE, Spans([WHOLE]))


def test_nothing_asked_for_is_an_empty_plan():
    plan = plan_of([planned("orders", ".......")], Reprocess.ALL, request=request(windows=NONE))
    assert (plan.models, plan.pieces, plan.chunks, plan.skipped) == ((), (), (), ())
    assert (plan.window_count, plan.span, plan.windows) == (0, None, NONE)


def test_everything_done_is_skipped_as_one_range():
    plan = plan_of([planned("orders", "sssssss")])
    assert plan.pieces == ()
    assert plan.skipped == (Skipped(WHOLE, WindowStatus.SUCCESS, "already success"),)


def test_what_is_known_outside_the_windows_asked_for_is_not_mentioned():
    plan = plan_of([planned("orders", "fcsibp.")], request=request(windows=Spans([day(3)])))
    assert plan.skipped == (Skipped(day(3), WindowStatus.SUCCESS, "already success"),)
    assert model(plan, "orders").statuses == {WindowStatus.SUCCESS: Spans([day(3)])}
    assert plan.pieces == ()


@pytest.mark.parametrize(
    ("policy", "taken"),
    [
        (Reprocess.MISSING, ".p"),
        (Reprocess.FAILED, ".pfi"),
        (Reprocess.STALE, ".pfico"),
        (Reprocess.ALL, ".pficosub"),
        (RETRIED, "pfib"),
    ],
)
@pytest.mark.parametrize("letter", sorted(STATUS_OF))
def test_each_policy_takes_what_it_says(
    policy: Reprocess | frozenset[WindowStatus], taken: str, letter: str
):
    plan = plan_of([planned("orders", letter)], policy)
    is_judged = letter == "p" and policy is not Reprocess.ALL  # who asks for all has all built
    if letter in taken:
        assert runs(plan) == ({} if is_judged else {"orders": "x......"})
        assert checks(plan) == ({"orders": "x......"} if is_judged else {})
        assert plan.skipped == ()
        assert plan.pieces[0].reasons == (str(STATUS_OF[letter]),)
    else:
        assert plan.pieces == ()
        assert [(skip.span, skip.status) for skip in plan.skipped] == [(day(1), STATUS_OF[letter])]


def test_each_policy_includes_the_one_before_it():
    policies = [Reprocess.MISSING, Reprocess.FAILED, Reprocess.STALE, Reprocess.ALL]
    assert policies == list(Reprocess)
    for narrower, wider in pairwise(policies):
        assert TAKEN[narrower] < TAKEN[wider]
    assert TAKEN[Reprocess.ALL] == frozenset(WindowStatus) - {WindowStatus.IN_FLIGHT}


def test_without_a_policy_what_is_missing_or_not_right_runs():
    assert RunRequest(NONE).takes == TAKEN[Reprocess.FAILED]


@pytest.mark.parametrize("policy", [*Reprocess, RETRIED])
def test_nothing_in_flight_ever_runs(policy: Reprocess | frozenset[WindowStatus]):
    plan = plan_of([planned("orders", ".sfibpc")], policy, in_flight="xxxxxxx")
    assert plan.pieces == ()
    assert plan.skipped == (Skipped(WHOLE, WindowStatus.IN_FLIGHT, "in flight"),)


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        ("s", "already success"),
        ("u", "already unchecked"),
        ("f", "already failed"),
        ("i", "already incorrect"),
        ("c", "orders is stale: its code has changed (--reprocess stale runs it again)"),
        (
            "o",
            "orders is stale: something that it reads was published again "
            "(--reprocess stale runs it again)",
        ),
        ("b", "blocked: no such column (--force tries again)"),
    ],
)
def test_what_is_left_alone_says_why(letter: str, reason: str):
    plan = plan_of([planned("orders", letter * 7)], Reprocess.MISSING)
    assert skipped(plan) == [("xxxxxxx", reason)]


def test_a_retry_leaves_what_never_ran_alone():
    plan = plan_of([planned("orders", ".f....s")], RETRIED)
    assert runs(plan) == {"orders": ".x....."}
    assert skipped(plan) == [
        ("x......", "orders is missing"),
        ("..xxxx.", "orders is missing"),
        ("......x", "already success"),
    ]


def test_force_runs_what_would_fail_again_and_nothing_else():
    found = [planned("orders", "bs.cfui")]
    assert runs(plan_of(found)) == {"orders": "..x.x.x"}
    assert runs(plan_of(found, request=request(force=True))) == {"orders": "x.x.x.x"}
    missing = plan_of(found, Reprocess.MISSING, request=request(force=True))
    assert runs(missing) == {"orders": "x.x...."}


def test_ranges_are_told_apart_by_why_they_are_left_alone():
    """Not only by what they are: a range speaks for each of its days."""
    known = [
        (from_to(1, 2), replace(LETTERS["b"], reason="no such column")),
        (from_to(3, 4), replace(LETTERS["b"], reason="no such file")),
        (day(5), LETTERS["c"]),
        (from_to(6, 7), LETTERS["o"]),
    ]
    found = replace(planned("orders", "......."), records=Timeline(known))
    assert skipped(plan_of([found])) == [
        ("xx.....", "blocked: no such column (--force tries again)"),
        ("..xx...", "blocked: no such file (--force tries again)"),
        ("....x..", "orders is stale: its code has changed (--reprocess stale runs it again)"),
        (
            ".....xx",
            "orders is stale: something that it reads was published again "
            "(--reprocess stale runs it again)",
        ),
    ]


def test_what_is_left_alone_for_one_reason_is_one_range_whatever_is_known_of_it():
    known = [
        (from_to(1, 3), WindowRecord(WorkResult.SUCCESS, NOW)),
        (from_to(4, 7), WindowRecord(WorkResult.SUCCESS, None)),
    ]
    found = replace(planned("orders", "......."), records=Timeline(known))
    assert skipped(plan_of([found])) == [("xxxxxxx", "already success")]


def test_a_skipped_window_names_the_worst_of_its_models():
    found = [planned("orders", "sssssss"), planned("items", "ssusscs"), planned("tax", "sssbsss")]
    assert skipped(plan_of(found)) == [
        ("xx.....", "already success"),
        ("..x....", "already unchecked"),
        ("...x...", "blocked: no such column (--force tries again)"),
        ("....x..", "already success"),
        (".....x.", "items is stale: its code has changed (--reprocess stale runs it again)"),
        ("......x", "already success"),
    ]


# Several models


def test_a_model_added_today_is_missing_since_the_start_and_others_are_untouched():
    plan = plan_of([planned("orders", "sssssss"), planned("added", ".......", "orders")])
    assert runs(plan) == {"added": "xxxxxxx"}
    assert plan.pieces == (Chunk(WHOLE, ("added",), (), ("missing",)),)
    assert plan.skipped == ()


def test_a_model_with_its_own_begin_is_missing_since_then():
    plan = plan_of([planned("orders", "sssssss"), planned("added", "   ....", "orders")])
    assert runs(plan) == {"added": "...xxxx"}
    assert skipped(plan) == [("xxx....", "already success")]
    assert WindowStatus.MISSING not in model(plan, "orders").statuses


def test_the_readers_of_an_added_model_that_are_missing_run_with_it():
    found = [
        planned("orders", "sssssss"),
        planned("added", ".......", "orders"),
        planned("reader", ".......", "added"),
    ]
    plan = plan_of(found)
    assert [chunk.models for chunk in plan.pieces] == [("added", "reader")]


def test_code_that_has_changed_makes_only_its_own_model_stale():
    plan = plan_of([planned("orders", "ccccccc"), planned("totals", "sssssss", "orders")])
    assert runs(plan) == {}
    assert {m.node.name: set(m.statuses) for m in plan.models} == {
        "orders": {WindowStatus.STALE},
        "totals": {WindowStatus.SUCCESS},
    }
    reason = "orders is stale: its code has changed (--reprocess stale runs it again)"
    assert skipped(plan) == [("xxxxxxx", reason)]


def test_what_reads_a_window_that_runs_runs_too():
    found = [
        planned("orders", "..fscs."),
        planned("totals", "ssssss.", "orders"),
        planned("shares", "suscss.", "totals"),
        planned("weather", "sssssss"),
    ]
    assert runs(plan_of(found)) == {"orders": "xxx...x", "totals": "xxx...x", "shares": "xxx...x"}
    assert runs(plan_of(found, Reprocess.STALE)) == {
        "orders": "xxx.x.x",
        "totals": "xxx.x.x",
        "shares": "xxxxx.x",
    }


@pytest.mark.parametrize("letter", "suicobf")
def test_whatever_a_reader_is_it_follows(letter: str):
    plan = plan_of([planned("orders", "i"), planned("totals", letter, "orders")])
    assert runs(plan) == {"orders": "x......", "totals": "x......"}


def test_what_runs_upstream_flows_through_views_and_tables():
    found = [
        planned("orders", "f......"),
        without_windows("view", reads="orders"),
        without_windows("table", "s......", reads="view"),
        planned("totals", "sssssss", "table"),
    ]
    assert runs(plan_of(found)) == {"orders": "xxxxxxx", "totals": "xxxxxxx"}


def test_a_view_that_failed_runs_and_so_does_what_reads_it():
    found = [
        planned("orders", "sssssss"),
        without_windows("view", "......f", reads="orders"),
        planned("totals", "sssssss", "view"),
    ]
    assert runs(plan_of(found)) == {"view": "......x", "totals": "......x"}


def test_what_does_not_run_passes_nothing_on():
    """A model that begins later has no window there to be made anew."""
    found = [
        planned("orders", "fffffff"),
        planned("late", "   ssss", "orders"),
        planned("totals", "sssssss", "late"),
    ]
    assert runs(plan_of(found)) == {"orders": "xxxxxxx", "late": "...xxxx", "totals": "...xxxx"}


def test_what_is_selected_runs_alone():
    found = [
        planned("orders", "ffsssss"),
        planned("totals", "ss.ffss", "orders"),
        planned("shares", "sss....", "totals"),
    ]
    assert runs(plan_of(found, request=only("orders"))) == {"orders": "xx....."}
    assert runs(plan_of(found, request=only("totals"))) == {"totals": "..xxx.."}
    both = plan_of(found, request=only("orders", "totals"))
    assert runs(both) == {"orders": "xx.....", "totals": "xxxxx.."}  # and follows what it reads


def test_what_is_left_alone_is_told_of_the_selected_models_only():
    found = [planned("orders", "bbbbbbb"), planned("totals", "sssssss", "orders")]
    plan = plan_of(found, request=only("totals"))
    assert skipped(plan) == [("xxxxxxx", "already success")]


# Held back


@pytest.mark.parametrize(
    ("letter", "policy"),
    [("b", BY_DEFAULT), ("f", Reprocess.MISSING), ("i", Reprocess.MISSING), (".", RETRIED)],
)
def test_what_reads_a_window_that_is_wrong_and_does_not_run_is_held_back(
    letter: str, policy: Reprocess | frozenset[WindowStatus]
):
    reader = "f" if policy is RETRIED else "."
    found = [planned("orders", f"s{letter}"), planned("totals", 2 * reader, "orders")]
    plan = plan_of(found, policy)
    status = STATUS_OF[letter]
    assert runs(plan) == {"totals": "x......"}
    assert model(plan, "totals").held == (Held(day(2), "orders", status),)


@pytest.mark.parametrize("letter", ".fibp")
def test_a_selection_does_not_run_over_what_is_wrong_upstream(letter: str):
    found = [planned("orders", f"s{letter}"), planned("totals", "..", "orders")]
    plan = plan_of(found, request=only("totals"))
    status = STATUS_OF[letter]
    assert runs(plan) == {"totals": "x......"}
    assert held(plan) == {"totals": [(".x.....", "orders", str(status))]}
    assert skipped(plan) == [(".x.....", f"totals waits: orders is {status}")]


@pytest.mark.parametrize("letter", "suco")
def test_what_is_done_or_stale_upstream_holds_nothing_back(letter: str):
    found = [planned("orders", letter), planned("totals", ".", "orders")]
    for asked in (None, only("totals")):
        plan = plan_of(found, request=asked)
        assert runs(plan) == {"totals": "x......"}
        assert held(plan) == {}


def test_what_is_not_judged_yet_holds_nothing_back_when_it_is_judged_in_the_same_plan():
    plan = plan_of([planned("orders", "p"), planned("totals", ".", "orders")])
    assert (checks(plan), runs(plan)) == ({"orders": "x......"}, {"totals": "x......"})


def test_it_is_held_back_two_levels_down():
    found = [
        planned("orders", "b"),
        planned("totals", ".", "orders"),
        planned("shares", ".", "totals"),
    ]
    plan = plan_of(found)
    assert runs(plan) == {}
    assert held(plan) == {
        "totals": [("x......", "orders", "blocked")],
        "shares": [("x......", "totals", "missing")],
    }


def test_what_is_good_between_holds_nothing_back():
    """The shares read only the totals, and those are there."""
    found = [
        planned("orders", "b"),
        planned("totals", "s", "orders"),
        planned("shares", ".", "totals"),
    ]
    assert runs(plan_of(found)) == {"shares": "x......"}


def test_it_is_held_back_through_views_and_tables():
    found = [
        planned("orders", "sb."),
        without_windows("view", reads="orders"),
        without_windows("table", "s", reads="view"),
        planned("totals", "...", "table"),
    ]
    plan = plan_of(found)
    assert runs(plan) == {"orders": "..x....", "totals": "x.x...."}
    assert held(plan) == {"totals": [(".x.....", "orders", "blocked")]}


def test_a_view_that_would_fail_again_holds_back_what_reads_it():
    found = [without_windows("view", "..b"), planned("totals", "...", "view")]
    plan = plan_of(found)
    assert runs(plan) == {"totals": "xx....."}
    assert held(plan) == {"totals": [("..x....", "view", "blocked")]}


def test_several_ways_to_one_parent_are_one_reason():
    found = [
        planned("orders", "b"),
        without_windows("left", reads="orders"),
        without_windows("right", reads="orders"),
        planned("totals", ".", "left right orders"),
    ]
    assert held(plan_of(found)) == {"totals": [("x......", "orders", "blocked")]}


def test_each_parent_that_is_wrong_is_named():
    found = [
        planned("orders", "bs"),
        planned("items", "ib"),
        planned("totals", "..", "orders items"),
    ]
    plan = plan_of(found, Reprocess.MISSING)
    assert sorted(held(plan)["totals"]) == [
        (".x.....", "items", "blocked"),
        ("x......", "items", "incorrect"),
        ("x......", "orders", "blocked"),
    ]


@pytest.mark.parametrize("letter", "fip")
def test_what_waits_says_so_whatever_it_is_itself(letter: str):
    """It was asked for: that it is there already is not why it does not run."""
    found = [planned("orders", "bb."), planned("totals", letter * 3, "orders")]
    plan = plan_of(found, request=only("totals"))
    assert skipped(plan) == [
        ("xx.....", "totals waits: orders is blocked"),
        ("..x....", "totals waits: orders is missing"),
    ]


def test_what_is_done_is_held_back_too_if_something_else_upstream_runs():
    """Half of its inputs would be new, and the other half wrong."""
    found = [
        planned("orders", "ff"),
        planned("items", "bs"),
        planned("totals", "ss", "orders items"),
    ]
    plan = plan_of(found)
    assert runs(plan) == {"orders": "xx.....", "totals": ".x....."}
    assert held(plan) == {"totals": [("x......", "items", "blocked")]}


def test_a_parent_that_begins_later_holds_nothing_back():
    found = [planned("late", "  ..."), planned("totals", ".....", "late")]
    assert runs(plan_of(found)) == {"late": "..xxx..", "totals": "xxxxx.."}


def test_what_is_in_flight_upstream_of_a_view_holds_its_day_back():
    found = [without_windows("view", "ff"), planned("totals", "....", "view")]
    plan = plan_of(found, in_flight="x")
    assert runs(plan) == {"view": ".x.....", "totals": ".xxx..."}


@pytest.mark.parametrize("days", ["", "...f", "f"], ids=["never built", "lags", "failed"])
def test_a_table_is_left_to_whoever_works_on_its_windows(days: str):
    """Who has windows in flight builds it after the last; alone it would be done twice."""
    found = [planned("orders", "sssssss"), following("report", days, "orders")]
    assert runs(plan_of(found))["report"].count("x") == 1
    assert runs(plan_of(found, in_flight=".x")) == {}


def test_what_reads_a_table_that_another_runner_builds_waits_for_it():
    found = [
        planned("orders", "sssssss"),
        following("report", "......f", "orders"),
        planned("totals", "sssssss", "report"),
    ]
    assert runs(plan_of(found)) == {"report": "......x", "totals": "......x"}
    assert runs(plan_of(found, in_flight="x")) == {}
    assert held(plan_of(found, Reprocess.ALL, in_flight="x", request=only("totals"))) == {
        "totals": [("......x", "report", "in flight")]
    }


# Published and not yet judged


def test_what_is_published_is_only_judged():
    plan = plan_of([planned("orders", "pp.s")])
    assert (checks(plan), runs(plan)) == ({"orders": "xx....."}, {"orders": "..x...."})
    assert [(marked(Spans([p.span])), p.models, p.checks, p.reasons) for p in plan.pieces] == [
        ("xx.....", (), ("orders",), ("published",)),
        ("..x....", ("orders",), (), ("missing",)),
    ]


def test_what_is_published_is_built_again_when_upstream_runs():
    found = [planned("orders", "fss"), planned("totals", "ppp", "orders")]
    for asked in (None, only("orders", "totals")):
        plan = plan_of(found, request=asked)
        assert runs(plan) == {"orders": "x......", "totals": "x......"}
        assert checks(plan) == {"totals": ".xx...."}


def test_what_is_published_is_only_judged_when_upstream_is_only_judged():
    plan = plan_of([planned("orders", "p"), planned("totals", "p", "orders")])
    assert (checks(plan), runs(plan)) == ({"orders": "x......", "totals": "x......"}, {})
    assert plan.window_count == 1


@pytest.mark.parametrize(
    "known",
    [
        WindowRecord(WorkResult.PUBLISHED, "before"),
        WindowRecord(WorkResult.PUBLISHED, NOW, is_outdated=True),
    ],
    ids=["other code", "outdated"],
)
def test_what_would_be_replaced_is_built_and_not_judged(known: WindowRecord):
    found = replace(planned("orders", "."), records=Timeline([(day(1), known)]))
    plan = plan_of([found])
    assert (runs(plan), checks(plan)) == ({"orders": "x......"}, {})
    kept = plan_of([found], Reprocess.MISSING)
    assert (runs(kept), checks(kept)) == ({}, {})


# Pieces and chunks


def test_a_range_in_which_the_same_models_run_is_one_piece():
    found = [planned("orders", "ff....."), planned("totals", "fs...i.", "orders")]
    (piece,) = plan_of(found).pieces
    assert (piece.span, piece.models) == (WHOLE, ("orders", "totals"))


def test_pieces_are_cut_where_other_models_run():
    found = [
        planned("orders", "..sss.."),
        planned("totals", "....sf.", "orders"),
        planned("weather", "..sssss"),
    ]
    plan = plan_of(found)
    assert [(marked(Spans([p.span])), p.models) for p in plan.pieces] == [
        ("xx.....", ("orders", "totals", "weather")),
        ("..xx...", ("totals",)),
        (".....xx", ("orders", "totals")),
    ]
    assert skipped(plan) == [("....x..", "already success")]
    assert plan.window_count == 6


def test_models_stand_in_the_order_of_the_graph():
    found = [planned(name, ".......") for name in ("zoo", "middle", "ant")]
    assert plan_of(found).pieces[0].models == ("zoo", "middle", "ant")


def test_chunks_are_cut_where_windows_are_skipped_and_run_oldest_first():
    plan = plan_of([planned("orders", "...sf..")], request=in_chunks_of(2))
    assert [(labels(DAYS.windows(c.span)), c.reasons) for c in plan.chunks] == [
        (["2026-03-05", "2026-03-06"], ("missing",)),
        (["2026-03-07"], ("missing",)),
        (["2026-03-09", "2026-03-10"], ("failed", "missing")),
        (["2026-03-11"], ("missing",)),
    ]
    assert plan.span == WHOLE
    assert len(plan.pieces) == 2


def test_newest_first_turns_the_order_of_chunks_around():
    found = [planned("orders", "...sf..")]
    plan = plan_of(found, request=in_chunks_of(2, newest_first=True))
    assert [labels(DAYS.windows(chunk.span)) for chunk in plan.chunks] == [
        ["2026-03-10", "2026-03-11"],
        ["2026-03-09"],
        ["2026-03-06", "2026-03-07"],
        ["2026-03-05"],
    ]
    assert plan.pieces == plan_of(found).pieces  # they say what, not when


def test_a_chunk_says_what_its_own_windows_are():
    found = [planned("orders", "sucibf.")]
    (chunk,) = plan_of(found, Reprocess.ALL).chunks
    everything = ("blocked", "failed", "incorrect", "stale", "unchecked", "success", "missing")
    assert chunk.reasons == everything
    one_by_one = plan_of(found, Reprocess.ALL, request=in_chunks_of(1)).chunks
    assert [chunk.reasons for chunk in one_by_one] == [
        (str(STATUS_OF[letter]),) for letter in "sucibf."
    ]


def test_a_chunk_says_what_the_windows_of_its_models_are_and_no_others():
    found = [planned("orders", "."), planned("weather", "s"), planned("tax", "i")]
    (chunk,) = plan_of(found).chunks
    assert (chunk.models, chunk.reasons) == (("orders", "tax"), ("incorrect", "missing"))


def test_a_window_of_several_models_counts_once():
    found = [planned("orders", "...s..."), planned("totals", "s......"), planned("tax", "sspssss")]
    plan = plan_of(found)
    assert plan.window_count == 7
    assert plan.windows == Spans([WHOLE])


@given(st.integers(-3, 0))
def test_a_chunk_of_no_windows_is_our_bug(size: int):
    plan = plan_of([planned("orders", ".")], request=in_chunks_of(size))
    with pytest.raises(ValueError, match="pass 1 or more"):
        _ = plan.chunks


def test_ten_years_of_days_are_few_ranges():
    span = DAYS.span_of_dates(date(2016, 1, 1), date(2025, 12, 31))
    found = [
        replace(planned(name, reads=reads), desired=Spans([span]))
        for name, reads in (("orders", ""), ("totals", "orders"))
    ]
    plan = make_plan(DAYS, found, NONE, RunRequest(Spans([span]), TAKEN[Reprocess.MISSING]))
    assert (len(plan.pieces), plan.window_count) == (1, 3653)


def test_the_letters_are_what_they_are_taken_for():
    assert LETTERS.keys() | {"."} == STATUS_OF.keys()
    assert {STATUS_OF[x] for x in STATUS_OF} == frozenset(WindowStatus) - {WindowStatus.IN_FLIGHT}
    assert LETTERS["b"].inputs == SAME != LETTERS["f"].inputs


# Only judging


def judging(days: str, name: str = "orders", reads: str = "") -> PlannedNode:
    """A model of which all that is recorded was judged by other checks, but for the first day."""
    node = planned(name, days, reads)
    parts = [
        (w.span, replace(known, has_rows=True, checks_hash="today" if w is WEEK[0] else "before"))
        for w in WEEK
        if (known := node.records.at(w.start)) and known.standing is not WorkResult.FAILED
    ]
    failed = node.records.within(node.records.where(lambda r: r.standing is WorkResult.FAILED))
    parts += failed
    return replace(node, records=Timeline(parts), checks_hash="today")


def test_what_other_checks_have_judged_is_judged_and_not_built():
    nodes = [judging("susi.f."), judging("ssss...", "revenue", "orders")]
    plan = plan_of(nodes, frozenset({WindowStatus.PUBLISHED, WindowStatus.MISSING}))
    assert checks(plan) == {"orders": ".xxx...", "revenue": ".xxx..."}
    assert runs(plan) == {"orders": "....x.x", "revenue": "....x.x"}


def test_judging_alone_builds_nothing_and_holds_nothing_back():
    nodes = [judging("suscof."), judging("ssss...", "revenue", "orders")]
    asked = request(judges_only=True)
    plan = plan_of(nodes, frozenset({WindowStatus.PUBLISHED}), request=asked)
    assert (runs(plan), held(plan)) == ({}, {})
    assert checks(plan) == {"orders": ".xx....", "revenue": ".xxx..."}
    again = plan_of(nodes, JUDGED_AGAIN, request=asked)
    assert (runs(again), held(again)) == ({}, {})
    assert checks(again) == {"orders": "xxx....", "revenue": "xxxx..."}
    selected = plan_of(nodes, JUDGED_AGAIN, request=replace(asked, select=frozenset({"revenue"})))
    assert checks(selected) == {"revenue": "xxxx..."}


def test_without_checks_there_is_nothing_to_judge():
    asked = request(judges_only=True)
    for checks_hash in ("", None):
        node = replace(judging("sssssss"), checks_hash=checks_hash)
        assert checks(plan_of([node], JUDGED_AGAIN, request=asked)) == {}


# Made from what is not right


def behind(name: str, letters: str, *days_of: int) -> PlannedNode:
    """A model whose days of some numbers are made from rows that are not right."""
    words = Timeline((day(number), "lines, which is stale") for number in days_of)
    return replace(planned(name, letters), behind=words)


@pytest.mark.parametrize("policy", [Reprocess.FAILED, Reprocess.STALE])
def test_what_is_made_from_stale_windows_is_stale_and_waits_for_them(policy: Reprocess):
    plan = plan_of([behind("orders", "sus.sss", 1, 2)], policy, request=request(outdated=True))
    assert model(plan, "orders").statuses == {
        WindowStatus.STALE: Spans([from_to(1, 2)]),
        WindowStatus.SUCCESS: Spans([day(3), from_to(5, 7)]),
        WindowStatus.MISSING: Spans([day(4)]),
    }
    assert plan.windows == Spans([day(4)])
    assert plan.skipped[0].reason == "orders is stale: made from lines, which is stale"


def test_who_asks_for_everything_gets_what_waits_for_others_too():
    plan = plan_of([behind("orders", "sssssss", 1)], Reprocess.ALL)
    assert plan.windows == Spans([WHOLE])


def test_what_is_stale_itself_does_not_wait():
    plan = plan_of([behind("orders", "ossssss", 1, 2)], Reprocess.STALE)
    assert plan.windows == Spans([day(1)])


def test_what_is_not_right_goes_on_through_every_reader():
    lines, orders = planned("lines", "sfoisss"), planned("orders", "sssssss")
    orders = replace(orders, behind=unsound_parents([lines]))
    totals = replace(planned("totals", "sssssss"), behind=unsound_parents([orders]))
    assert list(totals.behind) == [
        (day(2), "lines, which is failed"),
        (day(3), "lines, which is stale"),
        (day(4), "lines, which is incorrect"),
    ]


def test_a_table_made_from_what_is_stale_is_stale():
    table = following("totals", "s", "orders")
    known = replace(table, behind=Timeline([(day(2), "lines, which is stale")]))
    assert assess(known, DAYS, NONE) == {WindowStatus.STALE: Spans([day(7)])}
    assert assess(table, DAYS, NONE) == {}


def test_what_a_plain_build_has_published_of_unknown_code_says_so():
    unknown = WindowRecord(WorkResult.UNCHECKED, None, has_rows=True)
    checked = replace(
        planned("orders", "......."), checks_hash="some", records=Timeline([(WHOLE, unknown)])
    )
    (left,) = plan_of([checked]).skipped
    assert left.reason == (
        "orders is unchecked: a plain dbt build has published it, of code that nobody knows "
        "(--reprocess all runs it again)"
    )
    without = replace(checked, checks_hash="")
    assert plan_of([without]).skipped[0].reason == "already unchecked"


@pytest.mark.parametrize(
    ("select", "is_own", "runs"),
    [
        (None, True, True),
        ({"mart"}, True, False),
        ({"view", "mart"}, True, True),
        (None, False, False),
        ({"mart"}, False, False),
    ],
)
def test_a_model_waits_for_what_has_no_windows_unless_it_is_built_before_it(
    select: set[str] | None, is_own: bool, runs: bool
):
    mart = replace(planned("mart", "ccccccc"), unready={"view": WindowStatus.STALE})
    nodes = [without_windows("view"), mart] if is_own else [mart]
    chosen = None if select is None else frozenset(select)
    request = RunRequest(Spans([from_to(1, 7)]), select=chosen)
    plan = plan_of(nodes, Reprocess.ALL, request=request)
    assert bool(plan.windows) is runs
    if not runs:
        assert {skip.reason for skip in plan.skipped} == {"mart waits: view is stale"}
