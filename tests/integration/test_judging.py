"""A check is added, made stricter, looser: what is published is judged by it, and not built."""

from __future__ import annotations

import json
import shutil

import duckdb
import pytest

from tests.conftest import REPOSITORY, Finished, Shop, install_package

CHECKS = """
version: 2
sources: [{name: raw, tables: [{name: events}]}]
models:
  - name: lines
    data_tests:
      - daybreak.rows_in_every_window:
          name: lines_in_every_window
          arguments: {closures: ref('closures')}
          config: {meta: {gate: true}}
  - name: totals
    columns:
      - name: id
        data_tests: [not_null]
"""
ADDED = """
    data_tests:
      - few_large:
          name: few_large
          config: {error_if: ">2"}
"""
PROJECT = {
    "dbt_project.yml": """
name: shop
version: "1.0.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: America/New_York, start_date: "2026-03-01", end_date: "2026-03-09"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models:
  shop: {+materialized: incremental, +incremental_strategy: overwrite_window, +batch_size: day}
seeds: {shop: {+column_types: {closed_on: date}}}
""",
    "pipelines.yml": """
pipelines:
  shop: {select: "+totals", start: 2026-03-01, end: 2026-03-08}
""",
    "models/schema.yml": CHECKS,
    "models/lines.sql": "{{ config(event_time='day') }} -- depends_on: {{ ref('closures') }}\n"
    "select id, day from {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}",
    "models/totals.sql": "{{ config(event_time='day') }} select id, day from"
    " {{ ref('lines') }} where {{ daybreak.in_window('day') }}",
    "seeds/closures.csv": "closed_on\n2026-03-04\n",
    "macros/few_large.sql": """
{% test few_large(model) %}
    select windows.window_start, windows.window_end, 'ids up to 100' as expected, id as actual
    from ({{ daybreak.window_spine('day') }}) as windows
    inner join {{ model }} on windows.window_key = day
    where id > 100
{% endtest %}
""",
}
DATES = ("--start-date", "2026-03-01", "--end-date", "2026-03-08")


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Eight days of two rows, the fourth closed, the sixth with three large ids more."""
    folder = tmp_path_factory.mktemp("judging")
    install_package(folder)
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    shop = Shop(folder)
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute(
            "create schema raw; create table raw.events as select n as id,"
            " date '2026-03-01' + d::integer as day from range(8) days(d), range(2) numbers(n)"
            " where d <> 3;"
            "insert into raw.events select 100 + n, '2026-03-06' from range(1, 4) numbers(n);"
            "insert into raw.events values (101, '2026-03-07')"
        )
    finished = shop.runner("backfill", "shop", *DATES)
    assert finished.code == 0, finished.out + finished.err
    return shop


def judged(shop: Shop, *arguments: str) -> Finished:
    """Judge, which publishes nothing."""
    columns = "model, window_start, run_id, fence, row_count, contents, published_at"
    markers = f"select {columns} from daybreak_publications order by all"
    before = shop.query(markers), shop.content_hash("lines"), shop.content_hash("totals")
    finished = shop.runner("judge", "shop", *DATES, *arguments)
    assert "Traceback" not in finished.out + finished.err
    assert before == (shop.query(markers), shop.content_hash("lines"), shop.content_hash("totals"))
    return finished


def statuses(shop: Shop, model: str) -> dict[str, list[str]]:
    """First and last window of every range of a status."""
    told = json.loads(shop.runner("plan", "shop", "--format", "json").out)
    (windows,) = (found["windows"] for found in told["models"] if found["model"] == model)
    found: dict[str, list[str]] = {}
    for one in windows:
        found.setdefault(one["status"], []).append(f"{one['first_window']} {one['last_window']}")
    return found


def a_check_that_is_added_judges_what_is_published(shop: Shop) -> None:
    # It may find two in a window: of the sixth day it condemns, not of the seventh.
    (shop.folder / "models/schema.yml").write_text(CHECKS + ADDED)
    assert statuses(shop, "totals") == {"published": ["2026-03-01 2026-03-08"]}
    assert statuses(shop, "lines") == {"success": ["2026-03-01 2026-03-08"]}
    finished = judged(shop)
    assert finished.code == 3, finished.out
    assert "2026-03-06 ... incorrect" in finished.out
    assert "few_large: expected ids up to 100; actual 10" in finished.out
    assert "7 success, 1 incorrect, 0 failed" in finished.out
    assert statuses(shop, "totals") == {
        "incorrect": ["2026-03-06 2026-03-06"],
        "success": ["2026-03-01 2026-03-05", "2026-03-07 2026-03-08"],
    }
    shown = shop.runner("list-runs", "shop", "--state", "incorrect", "--format", "json")
    (run,) = json.loads(shown.out)
    findings = json.loads(shop.runner("show-run", "shop", run["run_id"], "--format", "json").out)
    assert {found["check"] for found in findings["findings"]} == {"few_large"}
    # And as often as is asked, dbt says the same.
    assert shop.dbt("test", "--select", "few_large").code != 0
    assert judged(shop).code == 3


def a_check_that_is_looser_is_judged_by_a_backfill(shop: Shop) -> None:
    (shop.folder / "models/schema.yml").write_text(CHECKS + ADDED.replace(">2", ">3"))
    before = shop.query("select model, window_start, published_at from daybreak_publications")
    finished = shop.runner("backfill", "shop", *DATES)
    assert finished.code == 0, finished.out
    after = shop.query("select model, window_start, published_at from daybreak_publications")
    assert sorted(before) == sorted(after)
    assert statuses(shop, "totals") == {"success": ["2026-03-01 2026-03-08"]}
    assert shop.dbt("test", "--select", "few_large").code == 0


def a_seed_that_only_a_gate_reads_is_a_part_of_it(shop: Shop) -> None:
    (shop.folder / "seeds/closures.csv").write_text("closed_on\n2026-03-05\n")
    found = statuses(shop, "lines")
    if "stale" in found:  # a seed that a model names is a part of its code too
        return
    assert found == {"published": ["2026-03-01 2026-03-08"]}
    assert judged(shop).code == 3
    assert statuses(shop, "lines")["incorrect"] == ["2026-03-04 2026-03-04"]


def what_a_plain_build_has_published_gets_its_verdict(shop: Shop) -> None:
    (shop.folder / "seeds/closures.csv").write_text("closed_on\n2026-03-04\n")
    assert shop.dbt("build").code == 0
    finished = judged(shop, "--all", "--format", "json")
    assert finished.code == 0, finished.out + finished.err
    assert statuses(shop, "lines") == {"success": ["2026-03-01 2026-03-08"]}
    assert statuses(shop, "totals") == {"success": ["2026-03-01 2026-03-08"]}
    assert "nothing to do (--all judges them again)" in judged(shop).out


@pytest.mark.slow
def test_verdicts_follow_their_checks(shop: Shop):
    a_check_that_is_added_judges_what_is_published(shop)
    a_check_that_is_looser_is_judged_by_a_backfill(shop)
    a_seed_that_only_a_gate_reads_is_a_part_of_it(shop)
    what_a_plain_build_has_published_gets_its_verdict(shop)
