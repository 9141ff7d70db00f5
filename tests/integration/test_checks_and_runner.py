"""What the checks tell the runner: windows that miss late rows run again, sources are accepted."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import duckdb
import pytest

from tests.conftest import REPOSITORY, Shop, install_package

PROJECT = {
    "dbt_project.yml": """
name: shop
version: "1.0.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: America/New_York, start_date: "2026-03-01", end_date: "2026-03-11"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models:
  shop: {+materialized: incremental, +incremental_strategy: overwrite_window, +batch_size: day}
""",
    "pipelines.yml": """
pipelines:
  shop:
    select: "+totals"
    start: 2026-03-01
    end: 2026-03-10
""",
    "models/schema.yml": """
version: 2
sources: [{name: raw, tables: [{name: events}]}]
models:
  - name: lines
    data_tests:
      - daybreak.columns_match:
          name: lines_match
          arguments: {of: "source('raw', 'events')"}
          config: {meta: {gate: true}}
      - daybreak.late_rows:
          name: lines_late
          arguments: {of: "source('raw', 'events')", event_time: day, loaded_at: loaded_at}
  - name: totals
    data_tests:
      - daybreak.volume_within:
          name: totals_volume
          arguments: {min_history: 1, recent: 1}
""",
    "models/lines.sql": "{{ config(event_time='day') }} select id, day from"
    " {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}",
    "models/totals.sql": "{{ config(event_time='day') }} select id, day from"
    " {{ ref('lines') }} where {{ daybreak.in_window('day') }}",
}


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Ten days of a source, of which eight are published; what happens to it is one story."""
    folder = tmp_path_factory.mktemp("shop")
    install_package(folder)
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    shop = Shop(folder)
    write(
        shop,
        "create schema raw; create table raw.events (id integer, day date, loaded_at timestamp);"
        "insert into raw.events select n, date '2026-03-01' + d::integer, '2026-03-11' "
        "from range(10) days(d), range(20) numbers(n)",
    )
    finished = backfill(shop, "2026-03-01", "2026-03-08")
    assert finished == 0
    return shop


def write(shop: Shop, sql: str) -> None:
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute(sql)


def backfill(shop: Shop, first: str, last: str, *arguments: str) -> int:
    dates = ("--start-date", first, "--end-date", last)
    finished = shop.runner("backfill", "shop", *dates, *arguments)
    assert "Traceback" not in finished.out + finished.err
    return finished.code


def stale(shop: Shop) -> list[tuple[str, str, str]]:
    """Model, first window and reason of every stale range."""
    (models,) = [json.loads(shop.runner("plan", "shop", "--format", "json").out)["models"]]
    return [
        (model["model"], window["start"], window["why"])
        for model in models
        for window in model["windows"]
        if window["status"] == "stale"
    ]


def late_rows_make_their_windows_stale_until_they_have_run_again(shop: Shop) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    write(
        shop,
        f"insert into raw.events select 100 + n, '2026-03-02', '{now}' from range(17) s(n);"
        f"insert into raw.events select 100 + n, '2026-03-03', '{now}' from range(3) s(n)",
    )
    assert backfill(shop, "2026-03-09", "2026-03-09") == 0
    assert [(model, why) for model, _, why in stale(shop)] == [
        ("lines", "late rows: 17; late rows: 3"),
        ("totals", "made from lines, which is stale"),
    ]
    status = shop.runner("status", "shop")
    assert "2026-03-02 … 2026-03-03" in status.out, status.out
    assert "late rows: 17" in status.out
    shown = shop.runner("show-run", "shop", "backfill__2026-03-09")
    assert "late rows: 17" in shown.out, shown.out

    published = "select count(*) from totals where day = '2026-03-02'"
    assert shop.query(published) == [(20,)]
    assert backfill(shop, "2026-03-01", "2026-03-09", "--reprocess", "stale") == 0
    assert shop.query(published) == [(37,)]
    assert stale(shop) == []
    again = shop.dbt("test", "--select", "lines_late")
    assert again.code == 0
    assert "WARN=0" in again.out, again.out
    assert stale(shop) == []


def the_newest_window_is_judged_by_its_volume(shop: Shop) -> None:
    # Only the 10th is news, and there was one other Tuesday before it.
    write(shop, "delete from raw.events where day in ('2026-03-03', '2026-03-10') and id > 4")
    assert backfill(shop, "2026-03-10", "2026-03-10") == 3
    runs = json.loads(shop.runner("list-runs", "shop", "--format", "json").out)
    assert runs[0]["reason"] == (
        "totals_volume: expected 17 to 29 rows, by the 1 verified windows before it; actual 5 rows"
    )
    assert backfill(shop, "2026-03-03", "2026-03-03", "--reprocess", "all") == 0
    assert backfill(shop, "2026-03-10", "2026-03-10") == 0


def a_changed_source_is_withheld_until_it_is_accepted(shop: Shop) -> None:
    write(shop, "alter table raw.events add column note varchar")
    assert backfill(shop, "2026-03-09", "2026-03-10", "--reprocess", "all") == 3
    shown = shop.runner("schema", "show", "raw.events")
    assert shown.code == 0, shown.err
    assert "note VARCHAR was added" in shown.out
    accepted = shop.runner("schema", "accept", "raw.events")
    assert accepted.code == 0, accepted.err
    assert accepted.out.splitlines() == [
        "raw.events: accepted as it is now, 4 columns",
        "  note VARCHAR was added",
    ]
    assert backfill(shop, "2026-03-09", "2026-03-10", "--reprocess", "all") == 0
    by_the_plain_engine = ("schema", "show", "raw.events", "--engine", "plain", "--format", "json")
    assert json.loads(shop.runner(*by_the_plain_engine).out)["changes"] == []


def an_unknown_source_is_a_line_and_changes_nothing(shop: Shop) -> None:
    finished = shop.runner("schema", "accept", "raw.event")
    assert finished.code == 2
    assert finished.err.splitlines() == [
        "runner: the project has no source 'raw.event'. Did you mean 'raw.events'?"
    ]


@pytest.mark.slow
def test_what_the_checks_tell_the_runner(shop: Shop):
    late_rows_make_their_windows_stale_until_they_have_run_again(shop)
    the_newest_window_is_judged_by_its_volume(shop)
    a_changed_source_is_withheld_until_it_is_accepted(shop)
    an_unknown_source_is_a_line_and_changes_nothing(shop)
