"""What a person gives as to dbt: target, vars, folders; and all of dbt's ways to select."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.conftest import Shop, clone, install_package
from tests.integration.test_elsewhere import FILES

_PROFILES = """
daybreak:
  target: dev
  outputs:
    dev: {type: duckdb, path: data/warehouse.duckdb, schema: main, keep_open: true}
    prod: {type: duckdb, path: data/prod.duckdb, schema: main, keep_open: true}
"""
_PIPELINES = """
pipelines:
  all: {select: package:shop, exclude: "tag:slow,config.materialized:view", start: 2026-03-01}
  nightly: {selector: nightly, start: 2026-03-01, end: 2026-03-03}
"""
_SELECTORS = """
selectors:
  - name: base
    definition: {method: fqn, value: sales}
  - name: nightly
    definition:
      union:
        - {method: selector, value: base}
        - {method: tag, value: slow}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    project, profiles = tmp_path / "project", tmp_path / "profiles"
    install_package(project)
    for name, text in FILES.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    slow = "{{ config(materialized='view', tags=['slow']) }} select 1 as id"
    (project / "models" / "slow.sql").write_text(slow)
    (project / "pipelines.yml").write_text(_PIPELINES)
    (project / "selectors.yml").write_text(_SELECTORS)
    (project / "data").mkdir()
    profiles.mkdir()
    (profiles / "profiles.yml").write_text(_PROFILES)
    return Shop(project)


def amounts(file: Path) -> list[tuple[int]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute("select distinct amount from sales").fetchall()


@pytest.mark.slow
def test_a_command_takes_them_as_dbt_does(shop: Shop):
    here = ("--profiles-dir", str(shop.folder.parent / "profiles"))
    done = shop.runner(*here, "--target", "prod", "backfill", "nightly", "--vars", "{amount: 7}")
    assert done.code in (0, 3), done.out + done.err
    assert amounts(shop.folder / "data" / "prod.duckdb") == [(7,)]
    assert not shop.warehouse.exists()
    kept = json.loads((shop.folder / ".daybreak" / "project.json").read_text())
    assert sorted(n for n in kept["selections"]["--selector nightly"] if n[:5] == "model") == [
        "model.shop.sales",
        "model.shop.slow",
    ]
    excluded = kept["selections"]["package:shop --exclude tag:slow,config.materialized:view"]
    assert sorted(n for n in excluded if n[:5] == "model") == [
        "model.shop.sales",
        "model.shop.totals",
    ]
    given = ("--vars", "amount: 7", "-t", "prod")
    assert "nothing to do" in shop.runner(*here, "backfill", "nightly", *given).out
    # Other vars are other code.
    planned = shop.runner("plan", "nightly", "--target=prod", *here).out
    assert "its code has changed" in planned
    # Another target is another warehouse, with a ledger of its own.
    assert "| missing | all" in shop.runner("plan", "nightly", *here).out


def test_a_selection_that_dbt_does_not_take_is_one_line(shop: Shop):
    text = _PIPELINES.replace("selector: nightly", "selector: nihgtly")
    (shop.folder / "pipelines.yml").write_text(text)
    refused = shop.runner("plan", "--profiles-dir", str(shop.folder.parent / "profiles"))
    assert refused.code == 2
    assert refused.err.startswith(
        "runner: dbt does not take the selection `--selector nihgtly`: Could not find selector"
    )
    assert refused.err.count("\n") == 1


@pytest.mark.slow
def test_a_command_selects_as_dbt_does(shop: Shop):
    here = ("--profiles-dir", str(shop.folder.parent / "profiles"))
    sales = (shop.folder / "models" / "sales.sql").read_text()
    (shop.folder / "models" / "returns.sql").write_text(sales)

    def planned(*selecting: str) -> list[str]:
        told = shop.runner(*here, "plan", "all", "--format", "json", *selecting)
        assert told.code == 0, told.err
        return list(json.loads(told.out)["chunks"][0]["models"])

    assert planned() == ["returns", "sales"]
    assert planned("--select", "returns", "--select", "sales") == ["returns", "sales"]
    assert planned("--select", "+totals") == ["sales"]
    assert planned("--select", "sales+,config.materialized:incremental") == ["sales"]
    assert planned("--exclude", "+totals") == ["returns"]
    # What dbt has resolved once is known, as long as nothing is edited.
    kept = json.loads((shop.folder / ".daybreak" / "project.json").read_text())
    assert "* --exclude +totals" in kept["selections"]
    for selecting, said in {
        ("--select", "tag:none"): "--select tag:none selects no model, seed or snapshot in all",
        ("--select", "totls"): "Did you mean 'totals'?",
        ("--select", "state:modified"): "'state:' selects by what another run has left",
        ("--select", "nosuch:x"): "dbt does not take the selection `--select nosuch:x`",
        ("--select", "totals"): "totals has no windows, so there is nothing of it to replay",
    }.items():
        refused = shop.runner(*here, "plan", "all", *selecting)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
        assert said in refused.err


OF_ANOTHER_COMMAND = {
    "DBT_EMPTY": "1",
    "DBT_FULL_REFRESH": "1",
    "DBT_SAMPLE": "1 day",
    "DBT_DEFER": "1",
    "DBT_RESOURCE_TYPES": "seed",
    "DBT_EXCLUDE_RESOURCE_TYPES": "test",
    "DBT_ENGINE_INDIRECT_SELECTION": "empty",
    "DBT_SINGLE_THREADED": "1",
    "DBT_FAIL_FAST": "1",
    "DBT_INTROSPECT": "0",
    "DBT_LOG_FORMAT": "json",
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["warm", "plain"])
def test_what_is_exported_for_another_dbt_changes_nothing(
    template: Path, tmp_path: Path, quarter: Shop, engine: str
):
    odd = replace(clone(template, tmp_path / "odd"), extra_environment=OF_ANOTHER_COMMAND)
    dates = ("--start-date", "2017-03-01", "--end-date", "2017-03-02")
    done = odd.script("backfill", "orders_pipeline", *dates, "--engine", engine)
    assert done.code == 0, done.out + done.err
    assert "2017-03-02 ... success" in done.out
    checks = [line.split()[-2] for line in done.out.splitlines() if line.endswith(" checks")]
    assert set(checks) == {"33"}
    days = "business_date <= '2017-03-02'"
    assert odd.content_hash("fct_orders", days) == quarter.content_hash("fct_orders", days)
