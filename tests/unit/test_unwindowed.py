"""What knows no windows: what is built when, and how often."""

from __future__ import annotations

from runner.core.chunks import Chunk
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.dbt.protocol import InvocationResult, NodeResult
from runner.execution.unwindowed import UnwindowedNodes, unit_tested
from tests.unit.fake_dbt import (
    check,
    days,
    seed,
    shop,
    singular,
    snapshot,
    table,
    unit_test,
    view,
    windowed,
)

SHOP = shop(
    seed("prices"),
    check("prices_check", "prices"),
    windowed("lines", "prices"),
    check("lines_check", "lines"),
    view("recent", "lines"),
    check("recent_check", "recent"),
    table("totals", "recent"),
    view("ranking", "totals"),
    windowed("shares", "lines", "totals"),
    singular("totals_fit_lines", "lines", "totals"),
    snapshot("prices_then", "prices"),
    unit_test("unit_lines", "lines"),
    unit_test("unit_shares", "shares"),
)
IDS = {node.name: node.unique_id for node in SHOP.nodes}
BOTH = Chunk(days(SHOP, 2), ("lines", "shares"))


def statics(
    select: frozenset[str] | None = None, *, with_snapshots: bool = False
) -> UnwindowedNodes:
    return UnwindowedNodes(SHOP, select, with_snapshots)


def ended(**statuses: str) -> InvocationResult:
    """A result by the names of nodes."""
    return InvocationResult(
        tuple(NodeResult(IDS[name], status, "", 0.1) for name, status in statuses.items())
    )


def joining(found: UnwindowedNodes, stage: int, *, is_last: bool) -> list[str]:
    return [node.name for node in found.joining(stage, is_last=is_last)]


def test_a_table_between_windows_parts_them_into_stages():
    assert statics().stages == [frozenset({"lines"}), frozenset({"shares"})]


def test_windows_without_a_table_between_are_one_stage():
    pipeline = shop(windowed("a"), view("b", "a"), windowed("c", "b"), table("d", "c"))
    assert UnwindowedNodes(pipeline, None, with_snapshots=False).stages == [frozenset({"a", "c"})]


def test_what_no_window_feeds_and_views_come_first_and_tables_with_the_last_of_their_stage():
    found = statics()
    assert joining(found, 0, is_last=False) == ["prices", "recent"]
    assert joining(found, 0, is_last=True) == ["prices", "recent", "totals", "ranking"]
    assert joining(found, 1, is_last=False) == ["prices", "recent", "totals", "ranking"]
    assert [node.name for node in found.following(0)] == ["totals", "ranking"]


def test_what_is_built_does_not_join_again():
    found = statics()
    found.remember(ended(prices="success", prices_check="pass", recent="success"), ["prices"])
    assert joining(found, 0, is_last=False) == []


def test_what_its_checks_have_failed_joins_again():
    found = statics()
    found.remember(ended(prices="success", prices_check="fail", recent="error"), ["prices"])
    assert joining(found, 0, is_last=False) == ["prices", "recent"]


def test_a_view_is_built_though_a_check_of_its_windows_fails():
    found = statics()
    found.remember(ended(recent="success", recent_check="fail"), [])
    assert joining(found, 0, is_last=False) == ["prices"]


def test_snapshots_come_only_when_told():
    assert "prices_then" not in joining(statics(), 0, is_last=False)
    assert "prices_then" in joining(statics(with_snapshots=True), 0, is_last=False)


def test_only_what_is_selected_is_wanted():
    found = statics(frozenset({"lines", "totals"}))
    assert joining(found, 0, is_last=True) == ["totals"]


def test_the_checks_of_a_chunk_are_those_of_its_models_and_of_views_that_are_built():
    found = statics()
    assert found.checks(BOTH, []) == ["lines_check"]
    found.remember(ended(recent="success"), [])
    assert found.checks(BOTH, []) == ["lines_check", "recent_check"]


def test_a_test_that_reads_a_table_to_come_runs_with_that_table():
    found = statics()
    tables = found.joining(0, is_last=True)
    assert "totals_fit_lines" not in found.checks(BOTH, [])
    assert "totals_fit_lines" in found.checks(BOTH, tables)


def test_unit_tests_are_needed_until_they_pass():
    found = statics()
    assert found.needs_unit_tests(["lines"])
    found.remember(ended(unit_lines="fail"), ["lines"])
    assert found.needs_unit_tests(["lines"])
    found.remember(ended(unit_lines="pass", lines="success"), ["lines"])
    assert not found.needs_unit_tests(["lines"])
    assert found.needs_unit_tests(["lines", "shares"])


def test_who_has_no_unit_tests_needs_none():
    assert not statics().needs_unit_tests(["prices", "recent"])


def test_an_invocation_that_told_nothing_has_tested_nothing():
    found = statics()
    found.remember(InvocationResult((), error="dbt ended without a result (signal 9)"), ["lines"])
    assert found.needs_unit_tests(["lines"])


def test_code_that_has_been_a_success_is_not_unit_tested_again():
    hashes = {node.name: node.code_hash for node in SHOP.data_nodes}
    span = days(SHOP, 1)
    known = {
        "lines": Timeline([(span, WindowRecord(WorkResult.SUCCESS, hashes["lines"]))]),
        "shares": Timeline([(span, WindowRecord(WorkResult.INCORRECT, hashes["shares"]))]),
        "totals": Timeline([(span, WindowRecord(WorkResult.SUCCESS, "of other code"))]),
    }
    assert unit_tested(SHOP, known) == {"lines"}
    found = UnwindowedNodes(SHOP, None, with_snapshots=False, unit_tested={"lines"})
    assert not found.needs_unit_tests(["lines"])
    assert found.needs_unit_tests(["lines", "shares"])
