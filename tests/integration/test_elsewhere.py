"""The runner in an environment without dbt, and dbt in another: nothing of it can be imported.

What is imported is refused where the runner is, so that one environment does for both.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Shop, install_package

_NO_DBT = """
import sys


class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("dbt", "dbt_common", "dbt_extractor", "dbt_semantic_interfaces"):
            raise ModuleNotFoundError(f"no {name} in the environment of the runner")


sys.meta_path.insert(0, Refuses())
"""
_DAYS = """{{ config(
    materialized='incremental', incremental_strategy='overwrite_window', event_time='day',
    batch_size='day'
) }}
select cast(moment as date) as day, {{ var('amount', 1) }} as amount from generate_series(
    timestamp '2026-03-01', timestamp '2026-03-03', interval 1 day
) as days (moment) where {{ daybreak.in_window('cast(moment as date)') }}
"""
FILES = {
    "dbt_project.yml": """
name: shop
version: 1.0.0
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: UTC, start_date: "2026-03-01", end_date: "2026-03-04"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
""",
    "pipelines.yml": "pipelines: {all: {select: +totals, start: 2026-03-01, end: 2026-03-03}}\n",
    "models/sales.sql": _DAYS,
    "models/totals.sql": "{{ config(materialized='table') }}"
    " select sum(amount) as amount from {{ ref('sales') }}",
    "models/_models.yml": "models: [{name: sales, columns: [{name: day,"
    " data_tests: [not_null]}]}, {name: totals, columns: [{name: amount,"
    " data_tests: [not_null]}]}]\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    install_package(tmp_path)
    shutil.copy(REPOSITORY / "profiles.yml", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "data").mkdir()
    (tmp_path / "no_dbt").mkdir()
    (tmp_path / "no_dbt" / "sitecustomize.py").write_text(_NO_DBT)
    dbt = tmp_path / "dbt"
    dbt.write_text(
        f'#!/bin/sh\nunset PYTHONPATH\nexec {Path(sys.executable).with_name("dbt")} "$@"\n'
    )
    dbt.chmod(0o755)
    folders = os.pathsep.join([str(tmp_path / "no_dbt"), str(REPOSITORY)])
    return Shop(tmp_path, {"PYTHONPATH": folders, "DAYBREAK_DBT": "./dbt"})


@pytest.mark.slow
def test_a_runner_without_dbt_runs_the_dbt_that_it_is_told_of(shop: Shop):
    done = shop.script("backfill", "all")
    assert done.code == 0, done.out + done.err
    assert shop.query("select verdict, count(*) from daybreak_publications group by 1") == [
        ("correct", 3)
    ]
    assert shop.query("select amount from totals") == [(3,)]
    assert "nothing to do" in shop.script("backfill", "all").out
    found = shop.script("doctor")
    assert found.code == 0, found.out
    assert f"{shop.folder / 'dbt'}, version 1." in found.out
    (shop.folder / "models" / "sales.sql").write_text(_DAYS.replace("as amount", "+ 1 as amount"))
    done = shop.script("backfill", "all", "--reprocess", "stale")
    assert done.code == 0, done.out + done.err
    assert shop.query("select amount from totals") == [(6,)]
    shown = shop.script("diff", "sales")
    assert "compared by its raw text: dbt lives in another environment" in shown.out


def test_what_is_no_dbt_is_one_line_and_the_code_of_configuration(shop: Shop):
    shop.extra_environment["DAYBREAK_DBT"] = "/bin/true"
    refused = shop.script("backfill", "all")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("runner: /bin/true is no dbt (--version says no version): let ")
    assert refused.err.count("\n") == 1
    (shop.folder / "pipelines.yml").write_text("dbt: no/dbt\n" + FILES["pipelines.yml"])
    del shop.extra_environment["DAYBREAK_DBT"]
    refused = shop.script("plan", "all")
    assert refused.code == 2
    assert refused.err.startswith(f"runner: there is no file {shop.folder}/no/dbt: let ")
