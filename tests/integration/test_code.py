"""Which changes of a project are changes of a model's code: a project before and after them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from runner.dbt.plain import PlainEngine
from runner.dbt.protocol import Engine
from runner.dbt.warm import WarmEngine
from runner.project.files import fingerprint
from runner.project.manifest import Project
from tests.conftest import Shop, install_package
from tests.integration.test_engines import TWO_DAYS
from tests.warm_dbt import forked_servers, run_cli

PROJECT = """
name: shop
version: "1.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: America/New_York, start_date: "2026-03-01", end_date: 2026-03-03, rate: 2, key: id}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models:
  shop:
    +materialized: incremental
    +incremental_strategy: overwrite_window
    +batch_size: day
    +event_time: day
"""
PROFILES = """
daybreak:
  target: dev
  outputs:
    dev: {type: duckdb, path: warehouse.duckdb, schema: "{{ env_var('SHOP_SCHEMA', 'main') }}"}
"""
SOURCES = """
sources:
  - name: raw
    schema: "{{ env_var('SHOP_SCHEMA', 'main') }}"
    tables:
      - {name: events}
      - {name: files, meta: {external_location: "data/*.parquet"}}
      - {name: landed, meta: {external_location: "data/landed/*.parquet"}}
"""
EVENTS = "{{ source('raw', 'events') }}"
IN_WINDOW = "where {{ daybreak.in_window('day') }}"
_VIEW = "{{ config(materialized='view') }} "
_TABLE = "{{ config(materialized='table') }} "
_EPHEMERAL = "{{ config(materialized='ephemeral') }} "

FILES = {
    "dbt_project.yml": PROJECT,
    "profiles.yml": PROFILES,
    "packages.yml": "packages: [{local: tools}]",
    "dbt_packages/tools/dbt_project.yml": "name: tools\nversion: '1.0'\nconfig-version: 2\n",
    "dbt_packages/tools/macros/tax.sql": "{% macro tax() %} * 1.19 {% endmacro %}",
    "macros/own.sql": "{% macro grant() %}grant select on {{ this }} to reader{% endmacro %}",
    "models/sources.yml": SOURCES,
    "seeds/planted.csv": "id,day\n1,2026-03-01\n",
    "seeds/closures.csv": "day\n2026-12-25\n",
    # What is read
    "models/base.sql": _VIEW + f"select * from {EVENTS} -- as it comes",
    "models/inner.sql": _VIEW + f"select id, day from {EVENTS}",
    "models/passed_on.sql": _EPHEMERAL + "select * from {{ ref('inner') }}",
    "models/dimension.sql": _TABLE + f"select id from {EVENTS}",
    "models/windowed.sql": f"select id, day from {EVENTS} {IN_WINDOW}",
    # What changes
    "models/by_var.sql": f"select {{{{ var('rate') }}}} as rate, day from {EVENTS} {IN_WINDOW}",
    "models/by_environment.sql": (
        "select {{ env_var('SHOP_RATE', '1') }} as rate, day from " + f"{EVENTS} {IN_WINDOW}"
    ),
    "models/by_package.sql": (
        f"select amount {{{{ tools.tax() }}}} as amount, day from {EVENTS} {IN_WINDOW}"
    ),
    "models/by_config.sql": (
        "{{ config(incremental_strategy='merge', unique_key=var('key'), version_column='day') }}"
        f" select * from {EVENTS} {IN_WINDOW}"
    ),
    "models/by_hook.sql": (
        "{{ config(post_hook='{{ grant() }}') }} " + f"select * from {EVENTS} {IN_WINDOW}"
    ),
    "models/by_seed.sql": "select * from {{ ref('planted') }} " + IN_WINDOW,
    "models/by_place.sql": "select * from {{ source('raw', 'files') }} " + IN_WINDOW,
    "models/by_landing.sql": (
        "select * from {{ daybreak.landed_in_window(source('raw', 'landed')) }} " + IN_WINDOW
    ),
    "models/by_ephemeral.sql": "select * from {{ ref('passed_on') }} " + IN_WINDOW,
    "models/by_table.sql": (
        f"select * from {EVENTS} join {{{{ ref('dimension') }}}} using (id) {IN_WINDOW}"
    ),
    # What does not
    "models/by_layout.sql": (
        f"with one as (select 1 as id), two as (select * from {EVENTS})\n"
        f"select * from one join two using (id) {IN_WINDOW}"
    ),
    "models/by_comment_above.sql": "select * from {{ ref('base') }} " + IN_WINDOW,
    "models/by_window_above.sql": "select * from {{ ref('by_var') }} " + IN_WINDOW,
    "models/by_closures.sql": (
        "-- depends_on: {{ ref('closures') }}\n" + f"select * from {EVENTS} {IN_WINDOW}"
    ),
    "models/by_begin.sql": (
        "{{ config(begin='2026-03-01', tags=['a']) }} " + f"select * from {EVENTS} {IN_WINDOW}"
    ),
    "models/by_run.sql": (
        "select '{{ run_started_at }} {{ invocation_id }} {{ modules.datetime.datetime.now() }}' as"
        f" at, day from {EVENTS} {IN_WINDOW}"
    ),
    # What cannot be compiled ahead
    "models/asking.sql": (
        "{% set found = run_query('select 1') %} select {{ found.rows[0][0] if execute }} as n, "
        f"{{{{ var('rate') }}}} as rate, day from {EVENTS} {IN_WINDOW}"
    ),
    "models/odd.sql": _VIEW + "select 'unfinished",
    "models/later.sql": (
        "{{ config(materialized='incremental', incremental_strategy='append', event_time=none) }} "
        f"select * from {EVENTS}" + "{% if is_incremental() %} where id > 1 {% endif %}"
    ),
}
CHANGES = {
    "dbt_project.yml": PROJECT.replace("rate: 2, key: id", "rate: 3, key: other"),
    "dbt_packages/tools/macros/tax.sql": "{% macro tax() %} * 1.07 {% endmacro %}",
    "macros/own.sql": "{% macro grant() %}grant select on {{ this }} to writer{% endmacro %}",
    "models/sources.yml": SOURCES.replace("data/", "new/"),
    "seeds/planted.csv": "id,day\n2,2026-03-01\n",
    "seeds/closures.csv": "day\n2026-12-25\n2026-12-26\n",
    "models/base.sql": _VIEW + f"SELECT *\n\nFROM {EVENTS} -- but for the comment",
    "models/inner.sql": _VIEW + f"select id + 1 as id, day from {EVENTS}",
    "models/dimension.sql": _TABLE + f"select id from {EVENTS} where id > 0",
    "models/by_layout.sql": (
        f"-- first the larger one\nWITH two AS (\n    SELECT * FROM {EVENTS}\n),\n"
        f"one as (select 1 as id)\nselect * from one join two using (id) {IN_WINDOW}"
    ),
    "models/by_begin.sql": (
        "{{ config(begin='2026-02-01', tags=['b']) }} " + f"select * from {EVENTS} {IN_WINDOW}"
    ),
    "models/later.sql": FILES["models/later.sql"].replace("id > 1", "id > 2"),
}
CHANGED = {
    "asking",
    "by_config",
    "by_environment",
    "by_ephemeral",
    "by_hook",
    "by_landing",
    "by_package",
    "by_place",
    "by_seed",
    "by_table",
    "by_var",
    "closures",
    "dimension",
    "inner",
    "later",
    "passed_on",
    "planted",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    install_package(tmp_path / "shop")
    write(tmp_path / "shop", FILES)
    return tmp_path / "shop"


def parsed(folder: Path, engine: Engine) -> Project:
    return Project.from_description(engine.describe([]), folder, fingerprint(folder))


def read(folder: Path, **environment: str) -> Project:
    """The project as a fresh engine finds it."""
    cache = folder / ".daybreak" / "kept_by_dbt"
    more = {"DBT_PROFILES_DIR": str(folder), **environment}
    with forked_servers(), WarmEngine(folder, more, cache) as engine:
        return parsed(folder, engine)


def hashes(project: Project) -> dict[str, str]:
    return {node.name: node.code_hash for node in project.nodes.values() if node.code_hash}


def changed(before: Project, after: Project) -> set[str]:
    old = hashes(before)
    return {name for name, code in hashes(after).items() if code != old[name]}


def test_what_makes_other_rows_is_other_code_and_nothing_else(folder: Path):
    before = read(folder)
    assert not changed(before, read(folder))
    write(folder, CHANGES)
    after = read(folder, SHOP_RATE="7")
    assert changed(before, after) == CHANGED
    by_name = {node.name: node for node in after.nodes.values()}
    why = {name: node.why_raw for name, node in by_name.items() if node.why_raw}
    assert why.keys() == {"asking", "odd"}
    assert why["asking"] == "it asks the database while it is compiled"
    assert "cannot be read" in why["odd"]


def test_one_code_has_one_hash_in_every_target(folder: Path):
    assert not changed(read(folder), read(folder, SHOP_SCHEMA="elsewhere"))


def test_another_zone_is_other_code_of_every_model_with_windows(folder: Path):
    before = read(folder)
    write(folder, {"dbt_project.yml": PROJECT.replace("America/New_York", "Europe/Berlin")})
    after = read(folder)
    windowed = {node.name for node in after.nodes.values() if node.is_windowed}
    assert changed(before, after) == windowed


def build(folder: Path, *arguments: str, **environment: str) -> None:
    """A plain `dbt build` of what can be built, by hand."""
    more = {**os.environ, "DBT_PROFILES_DIR": str(folder), **environment}
    without = ["--exclude", "by_place", "by_landing", "odd", "later", "by_package", "by_hook"]
    code, out, err = run_cli(folder, more, ["build", *without, *arguments])
    assert code == 0, out + err


def markers(folder: Path) -> dict[str, str | None]:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as database:
        found = database.sql("select distinct model, code_hash from daybreak_publications")
        return dict(found.fetchall())


@pytest.mark.slow
def test_a_plain_build_says_of_which_code_it_is(folder: Path):
    with duckdb.connect(str(folder / "warehouse.duckdb")) as database:
        database.sql("create table events as select 1 as id, date '2026-03-01' as day, 2 as rate")
    build(folder)
    now = {node.name: node.plain_code for node in read(folder).nodes.values()}
    told = markers(folder)
    nobody_knows = {"asking", "by_run"}
    assert {name for name, code in told.items() if code is None} == nobody_knows
    known = {name: code for name, code in told.items() if code is not None}
    assert known == {name: now[name] for name in told if name not in nobody_knows}
    # Other code is told apart, and what nobody can tell is not told.
    write(folder, {name: CHANGES[name] for name in ("models/inner.sql", "seeds/planted.csv")})
    build(folder, SHOP_RATE="7")
    later = markers(folder)
    changed = {name for name in told if later[name] != told[name]}
    assert changed == {"by_environment", "by_ephemeral", "by_seed"}
    build(folder, "--vars", "{rate: 5}")
    assert not any(markers(folder).values())


@pytest.mark.slow
def test_both_engines_tell_the_same_code(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DBT_PROFILES_DIR", str(folder))
    with PlainEngine(folder) as plain:
        assert parsed(folder, plain) == read(folder)


def test_what_has_not_changed_is_not_compiled_again(folder: Path):
    kept = folder / ".daybreak" / "compiled.json"
    read(folder)
    before = json.loads(kept.read_text())
    for entry in before.values():
        entry["text"] = "as it was kept"
    kept.write_text(json.dumps(before))
    write(folder, {"models/inner.sql": CHANGES["models/inner.sql"]})
    read(folder)
    after = json.loads(kept.read_text())
    compiled = {name for name, entry in after.items() if entry["text"] != "as it was kept"}
    assert compiled == {"model.shop.inner"}


ORDERS = "models/marts/sales/daily_revenue.sql"
_MARKERS = """
    select model, run_id is null, verdict, count(*) from daybreak_publications
    where model in ('daily_revenue', 'stg_transactions') group by all order by all
"""


@pytest.mark.slow
def test_what_an_analyst_has_built_well_is_judged_and_not_built_again(shop: Shop):
    dates = ("2017-03-01", "2017-03-03")
    three_days = '{start_date: "2017-03-01", end_date: "2017-03-04"}'
    assert shop.dbt("build", "--vars", three_days).code == 0
    assert shop.backfill(*dates).code == 0
    judged = [(m, True, "correct", 3) for m in ("daily_revenue", "stg_transactions")]
    assert shop.query(_MARKERS) == judged
    # A comment makes no window of it stale; other code that he builds and takes back does.
    model = shop.folder / ORDERS
    as_it_was = model.read_text()
    model.write_text(f"-- what management looks at\n{as_it_was}")
    assert "stale" not in plan_of(shop, *dates)
    model.write_text(as_it_was.replace("count(*)", "2 * count(*)"))
    views = ("int_transaction_lines", "stg_products")  # or nobody knew of which file they are
    assert shop.dbt("run", "--select", "daily_revenue", *views, "--vars", three_days).code == 0
    model.write_text(as_it_was)
    shop.backfill(*dates)
    found = plan_of(shop, *dates)
    assert "published by a dbt build of other code" in found
    assert shop.backfill(*dates, "--reprocess", "stale").code == 0
    assert shop.query(_MARKERS) == [("daily_revenue", False, "correct", 3), judged[1]]


def plan_of(shop: Shop, first: str, last: str) -> str:
    return shop.runner("plan", "orders_pipeline", "--start-date", first, "--end-date", last).out


@pytest.mark.slow
def test_an_engine_that_parses_anew_says_which_code_it_has_found(shop: Shop):
    invocation = replace(
        TWO_DAYS, nodes=("+daily_revenue",), checks=(), exclude=(), code_hashes={}, run_id="r"
    )
    with PlainEngine(shop.folder) as engine:
        project = parsed(shop.folder, engine)
        node = next(n for n in project.nodes.values() if n.name == "daily_revenue")
        codes = {node.unique_id: str(node.plain_code)}
        planned = replace(invocation, code_hashes={node.unique_id: "as planned"}, plain_codes=codes)
        told = []
        for text in ("", "2 * "):
            model = shop.folder / ORDERS
            model.write_text(model.read_text().replace("count(*)", f"{text}count(*)"))
            engine.build(planned, lambda *_: None)
            told += shop.query(
                "select distinct code_hash[:10] from daybreak_publications"
                " where model = 'daily_revenue'"
            )
    assert told[0] == ("as planned",)
    assert told[1][0].startswith("plain:")
