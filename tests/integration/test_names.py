"""Names that several nodes share, through packages, versions, folders: each is built exactly."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from runner.dbt.package import package_folder
from tests.conftest import REPOSITORY, Shop

pytestmark = pytest.mark.slow
_WINDOWED = (
    "{{ config(materialized='incremental', incremental_strategy='overwrite_window',"
    " event_time='day', batch_size='day') }}\n"
)
_DAYS = (
    "select cast(moment as date) as day, {value} as amount from generate_series("
    "timestamp '2026-03-01', timestamp '2026-03-03', interval 1 day) as days (moment)"
    " where {{{{ daybreak.in_window('cast(moment as date)') }}}}\n"
)


def days_of(value: int) -> str:
    return _WINDOWED + _DAYS.format(value=value)


def dbt_project(name: str, more: str = "") -> str:
    return f"name: {name}\nversion: 1.0.0\nconfig-version: 2\nprofile: daybreak\n{more}"


_SETTINGS = """
flags: {send_anonymous_usage_stats: false}
vars: {timezone: UTC, start_date: "2026-03-01", end_date: "2026-03-04"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models: {shop: {crm: {+schema: crm_like}}, crm: {+schema: crm}, erp: {+schema: erp}}
"""
FILES = {
    "dbt_project.yml": dbt_project("shop", _SETTINGS),
    "packages.yml": f"packages: [{{local: crm}}, {{local: erp}}, {{local: {package_folder()}}}]\n",
    "pipelines.yml": "pipelines: {all: {select: 'package:*', start: 2026-03-01,"
    " end: 2026-03-03}}\n",
    # Called like a folder beside it, like another package's, and like a package.
    "models/orders.sql": days_of(1),
    "models/orders/lines.sql": "{{ config(materialized='table') }} select 1 as id",
    "models/erp.sql": days_of(2),
    # At the same place within the package as another is in its own.
    "models/crm/people.sql": "{{ config(materialized='table') }} select 'shop' as says",
    "models/sales_v1.sql": days_of(10),
    "models/sales_v2.sql": days_of(20),
    "models/reader.sql": _WINDOWED
    + "select day, amount from {{ ref('sales', v=1) }} where {{ daybreak.in_window('day') }}",
    "models/_models.yml": """
models:
  - name: sales
    latest_version: 2
    columns: [{name: day, data_tests: [not_null]}]
    versions: [{v: 1}, {v: 2}]
  - name: orders
    columns: [{name: day, data_tests: [not_null]}]
""",
    "crm/dbt_project.yml": dbt_project("crm"),
    "crm/models/orders.sql": days_of(3),
    "crm/models/people.sql": "{{ config(materialized='table') }} select 'crm' as says",
    "crm/models/contacts.sql": "{{ config(materialized='table') }} select 'crm' as says",
    "crm/models/_models.yml": "models: [{name: orders, columns: [{name: day,"
    " data_tests: [not_null]}]}]\n",
    "erp/dbt_project.yml": dbt_project("erp"),
    "erp/models/contacts.sql": "{{ config(materialized='table') }} select 'erp' as says",
}
NAMES = {
    "orders", "lines", "erp", "people", "sales.v1", "sales.v2", "reader",
    "crm.orders", "crm.people", "crm.contacts", "erp.contacts",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("names")
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    made = Shop(folder)
    installed = made.dbt("deps")
    assert installed.code == 0, installed.out
    done = made.runner("backfill", "all")
    assert done.code in (0, 3), done.out + done.err
    return made


def models_of(shop: Shop) -> list[dict[str, Any]]:
    """The models of the kept parse."""
    kept = json.loads((shop.folder / ".daybreak" / "project.json").read_text())
    return [node for node in kept["nodes"] if node["kind"] == "model"]


def test_every_node_has_a_name_of_its_own_and_is_built_once(shop: Shop):
    assert sorted(node["name"] for node in models_of(shop)) == sorted(NAMES)
    markers = shop.query(
        "select unique_id, count(*) from daybreak_publications group by all order by all"
    )
    assert markers == [
        ("model.crm.orders", 3),
        ("model.shop.erp", 3),
        ("model.shop.orders", 3),
        ("model.shop.reader", 3),
        ("model.shop.sales.v1", 3),
        ("model.shop.sales.v2", 3),
    ]
    assert shop.query("select says from main_crm.people") == [("crm",)]
    assert shop.query("select distinct amount from reader") == [(10,)]
    again = shop.runner("backfill", "all")
    assert "nothing to do" in again.out + again.err


def test_a_name_selects_one_model(shop: Shop):
    arguments = ("-q", "--output", "json", "--output-keys", "unique_id", "--resource-type", "model")
    for node in models_of(shop):
        listed = shop.dbt("ls", "--select", node["exact"] or node["name"], *arguments).out
        found = [json.loads(line)["unique_id"] for line in listed.splitlines() if line[:1] == "{"]
        assert found == [node["unique_id"]], node["exact"]


def test_a_version_is_stale_and_runs_again_by_itself(shop: Shop):
    before = shop.query("select unique_id, max(published_at) from daybreak_publications group by 1")
    (shop.folder / "models" / "sales_v2.sql").write_text(days_of(21))
    done = shop.runner("backfill", "all", "--reprocess", "stale", "--select", "sales.v2")
    assert done.code == 0, done.out + done.err
    after = shop.query("select unique_id, max(published_at) from daybreak_publications group by 1")
    assert {model for model, _ in set(before) ^ set(after)} == {"model.shop.sales.v2"}
    assert shop.query("select distinct amount from sales_v2") == [(21,)]
