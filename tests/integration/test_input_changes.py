"""A landed file is written again after its day was published: a tick runs that day again."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import libfaketime
import pytest

from tests.conftest import REPOSITORY, Shop, install_package

PROJECT = {
    "dbt_project.yml": """
name: shop
version: "1.0.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: America/New_York, start_date: "2026-03-01", end_date: "2026-03-04"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models:
  shop: {+materialized: incremental, +incremental_strategy: overwrite_window, +batch_size: day}
""",
    "pipelines.yml": """
pipelines:
  shop:
    select: "+totals"
    schedule: "0 5 * * *"
    start: 2026-03-01
""",
    "models/schema.yml": """
version: 2
sources:
  - name: raw
    tables: [{name: events, meta: {external_location: "landing/*.csv"}}]
models:
  - name: lines
    data_tests: [{daybreak.rows_in_every_window: {name: lines_there, config: {meta: {gate: true}}}}]
""",
    "models/lines.sql": "{{ config(event_time='day') }} select id, day from"
    " {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}",
    "models/totals.sql": "{{ config(event_time='day') }} select day, count(*) as line_count from"
    " {{ ref('lines') }} where {{ daybreak.in_window('day') }} group by day",
}
NOON = "2026-03-05T12:00:00"


def land(shop: Shop, day: str, count: int) -> None:
    folder = shop.folder / "landing"
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{number},{day}\n" for number in range(count))
    (folder / f"{day}.csv").write_text(f"id,day\n{rows}")


def touch(shop: Shop, day: str) -> None:
    os.utime(shop.folder / "landing" / f"{day}.csv", (1, 1))


def tick(shop: Shop) -> list[dict[str, Any]]:
    """What a pass runs, at noon of the fifth."""
    before = {run["run_id"] for run in runs(shop)}
    finished = shop.script("tick", "--as-of", NOON)
    assert "Traceback" not in finished.out + finished.err
    assert finished.code in (0, 3), finished.out + finished.err
    return [run for run in runs(shop) if run["run_id"] not in before]


def runs(shop: Shop) -> list[dict[str, Any]]:
    listed = shop.runner("list-runs", "shop", "--limit", "100", "--format", "json")
    found: list[dict[str, Any]] = json.loads(listed.out)
    return found


def counts(shop: Shop) -> list[int]:
    return [count for (count,) in shop.query("select line_count from totals order by day")]


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Four days; the file of the last has not landed. What happens to it is one story."""
    folder = tmp_path_factory.mktemp("shop")
    install_package(folder)
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    # An hour ahead, so that every file has settled.
    _, faked = libfaketime.get_reload_information()
    shop = Shop(folder, {**faked, "FAKETIME": "+1h"})
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        land(shop, day, 10)
    assert {run["window"]: run["state"] for run in tick(shop)} == {
        "2026-03-01": "unchecked",
        "2026-03-02": "unchecked",
        "2026-03-03": "unchecked",
        "2026-03-04": "incorrect",
    }
    return shop


def a_file_that_was_only_touched_makes_nothing_run(shop: Shop) -> None:
    touch(shop, "2026-03-02")
    assert tick(shop) == []


def a_file_with_other_bytes_makes_its_day_run_again_once(shop: Shop) -> None:
    land(shop, "2026-03-02", 12)
    (run,) = tick(shop)
    assert (run["run_id"], run["state"]) == ("event__2026-03-02", "unchecked")
    assert counts(shop) == [10, 12, 10]
    assert tick(shop) == []


def a_file_that_lands_after_its_day_was_incorrect_makes_it_run_at_once(shop: Shop) -> None:
    land(shop, "2026-03-04", 7)
    (run,) = tick(shop)
    assert (run["window"], run["state"]) == ("2026-03-04", "unchecked")
    assert counts(shop) == [10, 12, 10, 7]
    assert tick(shop) == []


@pytest.mark.slow
def test_what_changed_files_make_run(shop: Shop):
    a_file_that_was_only_touched_makes_nothing_run(shop)
    a_file_with_other_bytes_makes_its_day_run_again_once(shop)
    a_file_that_lands_after_its_day_was_incorrect_makes_it_run_at_once(shop)
