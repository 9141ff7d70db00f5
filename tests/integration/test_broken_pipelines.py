"""One pipeline that cannot be read or planned stops no other: each is named, and the code is 2."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from runner.core.errors import DaybreakError
from runner.scheduling.passes import PipelinePass
from runner.scheduling.serving import Reporter, SchedulerLoop
from runner.workspace import EngineKind, real_environment
from tests.conftest import REPOSITORY, Shop, install_package

CSV = "id,amount\n1,10\n2,20\n"
FILES = {
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
  late:
    select: ancient
    deadline: 999999d
  unknown:
    select: "nosuch:x"
    start: 2026-03-01
    schedule: "0 5 * * *"
  old:
    select: ancient
    schedule: "0 5 * * *"
  good:
    select: sales
    start: 2026-03-01
    end: 2026-03-02
    schedule: "0 5 * * *"
""",
    "models/schema.yml": """
sources:
  - name: drop
    tables: [{name: sales, meta: {external_location: "landing/*.csv"}}]
models:
  - name: sales
    columns: [{name: id, data_tests: [not_null]}]
""",
    "models/sales.sql": "{{ config(event_time='day') }} select id, amount,"
    " cast({{ daybreak.landed_date('filename') }} as date) as day"
    " from {{ daybreak.landed_in_window(source('drop', 'sales')) }}",
    "models/ancient.sql": "{{ config(event_time='day', begin='1900-01-01') }}"
    " select 1 as id, date '1900-01-01' as day where {{ daybreak.in_window('day') }}",
    "landing/2026-03-01.csv": CSV,
    "landing/2026-03-02.csv": CSV,
}
pytestmark = pytest.mark.slow
BROKEN = {
    "late": "pipelines.yml:5: 'deadline' of pipeline 'late': 999999d is too long: at most 3660d",
    "unknown": "dbt does not take the selection `--select nosuch:x`",
    "old": "pipeline old: `begin` of ancient is 1900-01-01",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("broken")
    install_package(folder)
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    (folder / "data").mkdir()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return Shop(folder)


def test_the_others_run_and_are_shown(shop: Shop):
    ticked = shop.runner("tick")
    assert ticked.code == 2, ticked.out + ticked.err
    for name, why in BROKEN.items():
        assert f"[{name}] {why}" in ticked.out
    assert "[good] 2 success" in ticked.out
    for command in ("list", "status"):
        shown = shop.runner(command, "--format", "json")
        assert shown.code == 2, shown.out + shown.err
        assert "good" in shown.out
        told = shown.err.splitlines()
        assert [line.split(": ")[1] for line in told] == list(BROKEN)
        for name, why in BROKEN.items():
            assert f"runner: {name}: {why}" in shown.err
    watched = shop.runner("watch", "--once", "--format", "json")
    assert watched.code == 2, watched.out + watched.err
    errors = json.loads(watched.out)["errors"]
    assert list(errors) == list(BROKEN)
    assert all(why in errors[name] for name, why in BROKEN.items())


def test_serve_goes_on_with_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Also with the version before, once an edit has broken one that could be read."""
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.chdir(shop.folder)
    config, edits, heard = shop.folder / "pipelines.yml", [], Ears()
    kept = config.read_text()

    def sleep(_seconds: float) -> None:
        config.write_text(kept.replace("start: 2026-03-01\n    end", "begin: 2026-03-01\n    end"))
        edits.append(config)

    environment = replace(real_environment(), sleep=sleep, is_stopping=lambda: len(edits) > 1)
    loop = SchedulerLoop(shop.folder, EngineKind.WARM, environment, heard, timedelta(seconds=30))
    try:
        assert loop.serve() == set(BROKEN)
    finally:
        config.write_text(kept)
    assert all(why in heard.errors[name] for name, why in BROKEN.items())
    assert "good" in heard.turns
    assert "good" not in heard.errors
    (refused,) = heard.refused
    assert "unknown key 'begin' of pipeline 'good'" in refused


class Ears(Reporter):
    """Keeps what a scheduler says of the turns of its pipelines."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.errors: dict[str, str] = {}
        self.refused: list[str] = []

    def turned(self, found: PipelinePass) -> None:
        self.turns.append(found.pipeline)
        if found.error is not None:
            self.errors[found.pipeline] = str(found.error)

    def broken(self, error: DaybreakError) -> None:
        self.refused.append(str(error))


def test_one_that_is_asked_for_by_name_is_refused_and_a_good_one_is_not(shop: Shop):
    for name, why in BROKEN.items():
        for command in (("status", name), ("backfill", name), ("plan", name)):
            refused = shop.runner(*command)
            assert refused.code == 2, refused.out + refused.err
            assert why in refused.err
    assert shop.runner("backfill", "good").code == 0
    assert shop.runner("status", "good").code == 0


def test_a_model_that_is_no_utf_8_text_is_named(shop: Shop):
    model = shop.folder / "models" / "sales.sql"
    kept = model.read_bytes()
    try:
        model.write_bytes(b"-- caf\xe9\n" + kept)
        for arguments in (("plan", "good"), ("backfill", "good", "--engine", "plain")):
            refused = shop.runner(*arguments)
            assert refused.code == 2, refused.out + refused.err
            assert "models/sales.sql is not UTF-8 text (the byte 0xE9 in line 1)" in refused.err
    finally:
        model.write_bytes(kept)
