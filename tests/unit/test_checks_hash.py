"""What the hash of a model's checks covers, and what it leaves out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.project.checks_hash import NO_CHECKS, checks_hashes

LINES, REVENUE, TOTALS = "model.shop.lines", "model.shop.revenue", "model.shop.totals"
CLOSURES, GATE, SINGULAR = "seed.shop.closures", "test.shop.gate.1a", "test.shop.adds_up"
LATE, BRAND = "test.shop.late.2b", "macro.shop.is_brand"
IN_WINDOW = "macro.daybreak.in_window"
OF_LATE_ROWS = {"name": "late_rows", "namespace": "daybreak"}
VARS = {"most": 3, "zone": "UTC"}
Manifest = dict[str, Any]


def node(kind: str, *reads: str, **more: Any) -> dict[str, Any]:
    return {
        "resource_type": kind,
        "package_name": "shop",
        "raw_code": "select 1",
        "config": {},
        "depends_on": {"nodes": list(reads), "macros": []},
        **more,
    }


def macro(text: str, *calls: str, package: str = "shop") -> Any:
    return {"package_name": package, "macro_sql": text, "depends_on": {"macros": list(calls)}}


def manifest() -> Manifest:
    """lines → revenue; a gate of lines reads a seed and a view, a singular test both models."""
    gate = node("test", CLOSURES, TOTALS, LINES, attached_node=LINES)
    gate["config"] = {"severity": "ERROR", "error_if": "!= 0", "where": None, "meta": {}}
    gate["test_metadata"] = {"name": "few", "kwargs": {"most": "{{ var('most') }}"}}
    gate["depends_on"]["macros"] = ["macro.shop.test_few", "macro.dbt.get_where_subquery"]
    late = node("test", LINES, attached_node=LINES, test_metadata=OF_LATE_ROWS)
    return {
        "metadata": {"project_name": "shop"},
        "nodes": {
            LINES: node("model", "source.shop.raw.lines", config={"materialized": "incremental"}),
            REVENUE: node("model", LINES, config={"materialized": "incremental"}),
            TOTALS: node("model", "source.shop.raw.totals", config={"materialized": "view"}),
            CLOSURES: node("seed", original_file_path="seeds/closures.csv"),
            GATE: gate,
            SINGULAR: node("test", LINES, REVENUE),
            LATE: late,
        },
        "macros": {
            "macro.shop.test_few": macro("few", BRAND, IN_WINDOW, "macro.dbt_utils.x"),
            BRAND: macro("brand"),
            IN_WINDOW: macro("ours", package="daybreak"),
            "macro.dbt.get_where_subquery": macro("dbt's", package="dbt"),
            "macro.dbt_utils.x": macro("x", package="dbt_utils"),
        },
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/closures.csv").write_text("closed_on\n2017-12-25\n")
    return tmp_path


def changed(change: Callable[[Manifest], object]) -> Manifest:
    found = copy.deepcopy(manifest())
    change(found)
    return found


def different(folder: Path, other: Manifest, variables: dict[str, Any] = VARS) -> set[str]:
    """The models whose hash is another."""
    before, after = (
        checks_hashes(manifest(), VARS, folder, {}),
        checks_hashes(other, variables, folder, {}),
    )
    return {name for name in before if before[name] != after.get(name)}


def test_every_model_has_one_and_none_without_checks(folder: Path):
    found = checks_hashes(manifest(), VARS, folder, {})
    assert found.keys() == {LINES, REVENUE, TOTALS}
    assert found[TOTALS] == NO_CHECKS
    assert len({found[LINES], found[REVENUE], NO_CHECKS}) == 3


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("severity", "warn"),
        ("error_if", ">2"),
        ("warn_if", ">1"),
        ("limit", 7),
        ("where", "amount > 0"),
        ("fail_calc", "sum(n)"),
        ("meta", {"gate": True}),
    ],
)
def test_a_setting_that_says_what_fails_is_another_check(folder: Path, setting: str, value: object):
    other = changed(lambda m: m["nodes"][GATE]["config"].update({setting: value}))
    assert different(folder, other) == {LINES}


def test_what_a_test_asks_is_another_check(folder: Path):
    kwargs = changed(lambda m: m["nodes"][GATE]["test_metadata"].update(kwargs={"most": 4}))
    assert different(folder, kwargs) == {LINES}
    added = changed(lambda m: m["nodes"].update({"test.shop.b": m["nodes"][GATE]}))
    assert different(folder, added) == {LINES}
    gone = changed(lambda m: m["nodes"].pop(GATE))
    assert different(folder, gone) == {LINES}
    sql = changed(lambda m: m["nodes"][SINGULAR].update(raw_code="select 2"))
    assert different(folder, sql) == {LINES, REVENUE}


@pytest.mark.parametrize("name", ["macro.shop.test_few", BRAND, "macro.dbt_utils.x"])
def test_so_is_the_text_of_a_macro_that_it_reaches(folder: Path, name: str):
    assert different(folder, changed(lambda m: m["macros"][name].update(macro_sql="y"))) == {LINES}


@pytest.mark.parametrize("name", [IN_WINDOW, "macro.dbt.get_where_subquery"])
def test_but_not_of_those_that_come_with_daybreak_and_dbt(folder: Path, name: str):
    assert different(folder, changed(lambda m: m["macros"][name].update(macro_sql="y"))) == set()


def test_a_var_that_an_argument_names(folder: Path):
    assert different(folder, manifest(), {"most": 4, "zone": "UTC"}) == {LINES}
    assert different(folder, manifest(), {"most": 3, "zone": "CET"}) == set()


def test_what_only_checks_read(folder: Path):
    view = changed(lambda m: m["nodes"][TOTALS].update(raw_code="select 2"))
    assert different(folder, view) == {LINES}
    # What the model is made of makes it stale, and that is more.
    above = changed(lambda m: m["nodes"][LINES]["depends_on"]["nodes"].append(TOTALS))
    made_of = copy.deepcopy(above)
    made_of["nodes"][TOTALS]["raw_code"] = "select 2"
    assert checks_hashes(above, VARS, folder, {}) == checks_hashes(made_of, VARS, folder, {})
    before = checks_hashes(manifest(), VARS, folder, {})
    (folder / "seeds/closures.csv").write_text("closed_on\n2017-12-26\n")
    after = checks_hashes(manifest(), VARS, folder, {})
    assert {name for name in before if before[name] != after[name]} == {LINES}
    (folder / "seeds/closures.csv").unlink()
    assert checks_hashes(manifest(), VARS, folder, {})[REVENUE] == before[REVENUE]


def test_a_parent_that_only_a_comment_names_is_read_by_checks_alone(folder: Path):
    """`-- depends_on:` lets a gate read a view; the model is not made of it."""
    named = changed(lambda m: m["nodes"][LINES]["depends_on"]["nodes"].append(TOTALS))
    edited = copy.deepcopy(named)
    edited["nodes"][TOTALS]["raw_code"] = "select 2"
    reads: dict[str, tuple[str, ...]] = {LINES: ()}
    before, after = (checks_hashes(m, VARS, folder, reads) for m in (named, edited))
    assert {name for name in before if before[name] != after[name]} == {LINES}


def test_a_table_that_only_checks_read_and_the_seed_behind_it(folder: Path):
    def read_a_table(found: Manifest) -> None:
        found["nodes"][TOTALS]["config"]["materialized"] = "table"
        found["nodes"][TOTALS]["depends_on"]["nodes"] = [CLOSURES]
        found["nodes"][GATE]["depends_on"]["nodes"] = [TOTALS, LINES]

    table = changed(read_a_table)
    edited = copy.deepcopy(table)
    edited["nodes"][TOTALS]["raw_code"] = "select 2"
    before = checks_hashes(table, VARS, folder, {})
    assert checks_hashes(edited, VARS, folder, {})[LINES] != before[LINES]
    (folder / "seeds/closures.csv").write_text("closed_on\n2017-12-26\n")
    assert checks_hashes(table, VARS, folder, {})[LINES] != before[LINES]


def test_what_says_nothing_of_what_fails_is_left_out(folder: Path):
    def describe(found: Manifest) -> None:
        found["nodes"][GATE]["config"].update(tags=["nightly"], meta={"owner": "me"})
        found["nodes"][LATE]["config"].update(severity="error")
        found["nodes"][LINES].update(raw_code="select 2")

    assert different(folder, changed(describe)) == set()
