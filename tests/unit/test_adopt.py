"""What `runner init` finds in a project, proposes for its models, and writes."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.adopt import adoption
from runner.adopt.adoption import examine_project
from runner.adopt.changes import FileChange, write_changes
from runner.adopt.convert import converted, propose, watermark
from runner.adopt.extent import Extent
from runner.adopt.findings import Weight, find_obstacles
from runner.adopt.install import missing_pieces
from runner.adopt.new import new_project
from runner.adopt.pipelines import proposed_pipelines
from runner.core.errors import ProjectError, UsageError
from runner.dbt.package import PACKAGE, package_folder
from runner.dbt.protocol import Target
from runner.doctor import checks
from runner.doctor.checks import Health
from runner.project.installation import (
    COPY,
    edited_files,
    explained,
    installed_folder,
    package_problem,
)
from runner.project.pipelines_yml import parse_pipelines
from runner.workspace import EngineKind
from tests.conftest import REPOSITORY

WATERMARKED = """{{ config(materialized='incremental', unique_key='order_id') }}

select * from {{ ref('orders') }} as o
{% if is_incremental() %}
  where o.sold_at >= (select coalesce(max(sold_at), '1900-01-01') from {{ this }})
{% endif %}
"""
QUARTER = Extent(date(2026, 1, 1), date(2026, 3, 31), 9000, "TIMESTAMP")


def model(name: str, text: str = "select 1", **config: Any) -> dict[str, Any]:
    return {
        "name": name,
        "resource_type": "model",
        "package_name": "shop",
        "original_file_path": config.pop("path", f"models/{name}.sql"),
        "raw_code": text,
        "depends_on": {"nodes": config.pop("reads", [])},
        "config": {"materialized": "incremental", **config},
    }


def manifest(*models: dict[str, Any], **more: Any) -> dict[str, Any]:
    nodes = {f"model.shop.{raw['name']}": raw for raw in models}
    found = {"metadata": {"project_name": "shop"}, "macros": {}, "exposures": {}}
    return {**found, "nodes": nodes, **more}


def exposure(name: str, *reads: str) -> dict[str, Any]:
    nodes = [f"model.shop.{one}" for one in reads]
    return {"name": name, "package_name": "shop", "depends_on": {"nodes": nodes}}


def project(folder: Path, text: str = "name: shop\nprofile: shop\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dbt_project.yml").write_text(text)
    return folder


# What stands in the way


def test_every_kind_of_thing_is_named_the_heaviest_first():
    macro = {"package_name": "shop", "macro_sql": "{% macro x() %}{% endmacro %}"}
    orders = model("orders", materialized="table")
    versions = {f"model.shop.orders.v{n}": {**orders, "version": n} for n in (1, 2)}
    of_both = {"model.crm.days": {**model("days", materialized="table"), "package_name": "crm"}}
    parsed = manifest(
        model("scores", path="models/scores.py", materialized="table"),
        model("log", incremental_strategy="append"),
        model("hooked", WATERMARKED, post_hook=[{"sql": "commit", "transaction": True}]),
        model("days", event_time="day", batch_size="day", incremental_strategy="overwrite_window"),
        macros={
            "macro.shop.get_where_subquery": macro,
            "macro.shop.materialization_incremental_duckdb": macro,
            "macro.dbt.get_test_sql": {**macro, "package_name": "dbt"},
        },
    )
    parsed["nodes"].update({**versions, **of_both})
    found = find_obstacles(parsed, Target(place="duckdb :memory: memory"))
    assert [(one.weight, one.what) for one in found] == [
        (Weight.OBSTACLE, "profiles.yml"),
        (Weight.OBSTACLE, "macro materialization_incremental_duckdb"),
        (Weight.NOTE, "macro get_where_subquery"),
        (Weight.NOTE, "days"),
        (Weight.NOTE, "orders"),
        (Weight.NOTE, "hooked"),
        (Weight.NOTE, "scores"),
        (Weight.NOT_REPLAYABLE, "hooked"),
        (Weight.NOT_REPLAYABLE, "log"),
    ]
    # By the names that every command takes.
    assert found[3].text == "2 nodes have this name, and go by crm.days, days"
    assert found[4].text == "2 nodes have this name, and go by orders.v1, orders.v2"
    assert found[-2].text == "append, by a watermark: built like a table, once per run"


def test_our_own_incremental_stands_in_nobodys_way():
    ours = (package_folder() / "overrides" / "incremental.sql").read_text()
    macros = {
        "macro.shop.materialization_incremental_duckdb": {"package_name": "shop", "macro_sql": ours}
    }
    assert find_obstacles(manifest(macros=macros), Target()) == []


# What a model could become


@pytest.mark.parametrize(
    ("text", "own", "read"),
    [
        ("where x > (select max(x) from {{ this }})", "x", "x"),
        ("and t.at >= (select max(this.at) from {{ this }} as this)", "at", "t.at"),
        ("where d > (SELECT coalesce(max(d), '2020-01-01') FROM {{this}})", "d", "d"),
        ("where x > 3", None, None),
    ],
)
def test_a_watermark_is_found_in_a_text(text: str, own: str | None, read: str | None):
    assert watermark(text) == (own, read)


def test_a_watermark_becomes_a_window_and_nothing_else_of_the_text_changes(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sales.sql").write_text(WATERMARKED)
    proposal = propose("sales", model("sales", WATERMARKED, unique_key="order_id"), QUARTER)
    change = converted(tmp_path, proposal)
    assert change.after == (
        """{{
    config(
        materialized='incremental', unique_key='order_id',
        incremental_strategy='overwrite_window',
        event_time='sold_at',
        batch_size='day',
        begin='2026-01-01',
        meta={'event_time_as': 'utc'},
    )
}}

select * from {{ ref('orders') }} as o
where {{ daybreak.in_window('o.sold_at', as='utc') }}
"""
    )
    assert (tmp_path / "models" / "sales.sql").read_text() == WATERMARKED  # only shown


def test_rows_that_change_later_are_merged_by_their_version():
    text = WATERMARKED.replace("sold_at", "updated_at")
    found = propose("sales", model("sales", text, unique_key="order_id"), QUARTER)
    assert found.config["incremental_strategy"] == "merge"
    assert found.config["version_column"] == "updated_at"


@pytest.mark.parametrize(
    ("rows", "last", "kind", "size"),
    [
        (9000, date(2026, 3, 31), "DATE", "day"),
        (900, date(2028, 3, 31), "DATE", "month"),
        (900, date(2026, 12, 31), "DATE", "day"),
        (200_000_000, date(2026, 3, 31), "TIMESTAMP", "hour"),
        (200_000_000, date(2026, 3, 31), "DATE", "day"),
    ],
)
def test_the_size_of_windows_is_from_the_rows(rows: int, last: date, kind: str, size: str):
    assert Extent(date(2026, 1, 1), last, rows, kind).batch_size == size


@pytest.mark.parametrize(
    ("raw", "extent", "says"),
    [
        (model("log", "select 1"), QUARTER, "by no watermark"),
        (model("log", WATERMARKED), None, "build it once"),
        (model("log", "select 1", event_time="d"), QUARTER, "write\n?.*in_window"),
        (model("log", WATERMARKED), QUARTER, "is not there"),
    ],
)
def test_what_cannot_be_converted_says_what_to_write(
    tmp_path: Path, raw: dict[str, Any], extent: Extent | None, says: str
):
    if "event_time" in raw["config"]:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "log.sql").write_text(raw["raw_code"])
    with pytest.raises(UsageError, match=says):
        converted(tmp_path, propose("log", raw, extent))


# Pipelines


def test_there_is_a_pipeline_for_each_exposure_if_each_table_belongs_to_one():
    tables = [model(name, materialized="table") for name in ("sales", "stock")]
    exposures = {"exposure.shop.a": exposure("Sales board", "sales")}
    one_of_two = proposed_pipelines("shop", manifest(*tables, exposures=exposures))
    exposures["exposure.shop.b"] = exposure("stock", "stock")
    split = proposed_pipelines("shop", manifest(*tables, exposures=exposures))
    exposures["exposure.shop.b"] = exposure("stock", "stock", "sales")
    shared = proposed_pipelines("shop", manifest(*tables, exposures=exposures))
    assert {name: one.select for name, one in parse_pipelines(split).pipelines.items()} == {
        "sales_board": "+exposure:Sales board",
        "stock": "+exposure:stock",
    }
    for text in (one_of_two, shared, proposed_pipelines("shop", manifest(*tables))):
        assert {name: one.select for name, one in parse_pipelines(text).pipelines.items()} == {
            "shop": "*"
        }


def test_the_default_of_selectors_yml_is_taken_over_where_windows_have_one_length(tmp_path: Path):
    shop = project(tmp_path / "shop")
    (shop / "selectors.yml").write_text(
        "selectors:\n  - {name: all, definition: 'fqn:*'}\n"
        "  - {name: nightly, default: true, definition: 'tag:nightly'}\n"
    )

    def proposed(*models: dict[str, Any]) -> str:
        changes = missing_pieces(shop, manifest(*models))
        return next(c.after for c in changes if isinstance(c, FileChange) and "pipe" in c.path)

    sized = {"incremental_strategy": "overwrite_window", "event_time": "at"}
    days, hours = (model(size, batch_size=size, **sized) for size in ("day", "hour"))
    one = proposed(days)
    assert parse_pipelines(one).pipelines["shop"].selection == "--selector nightly"
    assert "# the default of selectors.yml" in one
    two = proposed(days, hours)
    assert {config.selector for config in parse_pipelines(two).pipelines.values()} == {None}
    assert "# Not the default of selectors.yml, nightly" in two


# What is written, and whether it fits


def test_a_second_look_finds_nothing_to_do(tmp_path: Path):
    shop = project(tmp_path / "shop")
    assert package_problem(shop) == "the macros of Daybreak are not installed: runner init"
    changes = missing_pieces(shop, None)
    assert not (shop / COPY).exists()
    write_changes(changes, shop)
    assert package_problem(shop) is None
    assert missing_pieces(shop, None) == missing_pieces(shop, None, upgrade=True) == []
    said = yaml.safe_load((shop / "dbt_project.yml").read_text())
    assert said["macro-paths"] == ["macros", f"{COPY}/overrides"]
    assert said["dispatch"] == [
        {"macro_namespace": "dbt", "search_order": ["shop", PACKAGE, "dbt"]}
    ]
    assert said["vars"] == {"timezone": "UTC"}


NOT_PARSED = "the dbt project does not parse: "


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (
            '2 packages, but only 0 installed. Run "dbt deps" to install them.',
            'Run "dbt deps" to install them. Then type runner init again',
        ),
        ("there is no profile shop", "no profile shop. Mend that, then type runner init again"),
        ("'daybreak' is undefined", None),
    ],
)
def test_a_project_that_does_not_parse_gets_what_helps_it_to_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str, says: str | None
):
    shop = project(tmp_path / "shop")

    def refuse(*_: object) -> None:
        raise ProjectError(NOT_PARSED + why)

    monkeypatch.setattr(adoption, "_described", refuse)
    if says is None:
        found = examine_project(shop, EngineKind.WARM)
        assert found.problem == package_problem(shop)
        paths = [change.path for change in found.changes]
        assert (COPY in paths, "pipelines.yml" in paths) == (True, False)
        write_changes(found.changes, shop)
        says = "'daybreak' is undefined. Mend that, then type runner init again"
    with pytest.raises(UsageError, match=says) as raised:
        examine_project(shop, EngineKind.WARM)
    assert str(raised.value).startswith(f"nothing is proposed, as {NOT_PARSED}")


@pytest.mark.parametrize(
    "told", ["Path '{}' does not exist", "Could not find profile named 'shop'", "no model x"]
)
def test_a_profile_that_is_not_there_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
):
    shop, profiles = project(tmp_path / "shop"), tmp_path / "profiles"
    monkeypatch.setenv("DBT_PROFILES_DIR", str(profiles))
    error = ProjectError(NOT_PARSED + told.format(profiles))
    why = str(explained(shop, error))
    if told == "no model x":
        assert why == str(error)
    else:
        said = f"there is no profiles.yml with a profile shop: looked in {profiles}; write it there"
        assert why.startswith(said)


@pytest.mark.parametrize("name", ["daybreak", "dbt"])
def test_a_project_named_as_a_package_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
):
    shop = project(tmp_path / "shop", f"name: {name}\nprofile: shop\n")
    with pytest.raises(UsageError, match=f"^a project cannot be named {name}, "):
        examine_project(shop, EngineKind.WARM)
    with pytest.raises(UsageError, match=f"^a project cannot be named {name}, "):
        new_project(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["shop", "dbt_project.yml"]


def test_this_repository_lacks_nothing():
    assert missing_pieces(REPOSITORY, None) == []


def test_what_dbt_deps_empties_is_linked_again(tmp_path: Path):
    shop = project(tmp_path / "shop")
    write_changes(missing_pieces(shop, None), shop)
    shutil.rmtree(shop / "dbt_packages")
    assert "not installed" in str(package_problem(shop))
    (change,) = missing_pieces(shop, None)
    write_changes([change], shop)
    assert package_problem(shop) is None


def test_a_zone_a_dispatch_and_packages_of_ones_own_stay(tmp_path: Path):
    text = (
        "name: shop\nprofile: shop\nvars: {shop: {timezone: Asia/Tokyo}}\n"
        "dispatch:\n  - macro_namespace: dbt\n    search_order: ['shop', 'tools', 'dbt']\n"
    )
    shop = project(tmp_path / "shop", text)
    (shop / "dependencies.yml").write_text("packages:\n  - package: a/tools\n    version: 1.0.0\n")
    write_changes(missing_pieces(shop, None), shop)
    assert (
        (shop / "dbt_project.yml").read_text().startswith(text.replace("'dbt'", "daybreak, 'dbt'"))
    )
    packages = yaml.safe_load((shop / "dependencies.yml").read_text())["packages"]
    assert packages == [{"package": "a/tools", "version": "1.0.0"}, {"local": COPY}]
    assert not (shop / "packages.yml").exists()


def test_a_package_that_came_by_other_ways_is_left_to_them(tmp_path: Path):
    shop = project(tmp_path / "shop")
    (shop / "packages.yml").write_text("packages:\n  - git: https://example.com/daybreak.git\n")
    with pytest.raises(UsageError, match="dbt deps"):
        missing_pieces(shop, None)
    shutil.copytree(package_folder(), shop / "dbt_packages" / PACKAGE)
    paths = [change.path for change in missing_pieces(shop, manifest())]
    assert paths == ["dbt_project.yml", "pipelines.yml", ".gitignore"]


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["macro-paths"], "macro-paths does not name"),
        (["dispatch", "macro_namespace", "search_order"], "dispatch does not ask"),
    ],
)
def test_a_line_that_is_gone_is_named(tmp_path: Path, lines: list[str], missing: str):
    shop = project(tmp_path / "shop")
    write_changes(missing_pieces(shop, None), shop)
    path = shop / "dbt_project.yml"
    text = path.read_text().splitlines()
    kept = [one for one in text if not any(line in one for line in lines)]
    path.write_text("\n".join(kept))
    problem = str(package_problem(shop))
    assert missing in problem
    assert problem.endswith(": runner init")
    write_changes(missing_pieces(shop, None), shop)
    assert package_problem(shop) is None


def test_an_old_copy_and_an_edited_one_are_known_and_laid_anew(tmp_path: Path):
    shop = project(tmp_path / "shop")
    write_changes(missing_pieces(shop, None), shop)
    laid = shop / COPY
    mine = laid / "macros" / "errors.sql"
    mine.write_text(mine.read_text() + "{# mine #}\n")
    (laid / "macros" / "extra.sql").write_text("{# more #}")
    folder = installed_folder(shop)
    assert edited_files(folder) == ("macros/errors.sql", "macros/extra.sql")
    line = checks.macros(None, edited_files(folder), folder)
    assert (line.verdict, "errors.sql" in line.text) == (Health.WARNING, True)
    # An old copy knows by itself what was laid.
    settings = laid / "dbt_project.yml"
    settings.write_text(settings.read_text().replace('version: "', 'version: "0.0.'))
    assert edited_files(folder) == ("dbt_project.yml", "macros/errors.sql", "macros/extra.sql")
    problem = str(package_problem(shop))
    assert problem.startswith("the macros of Daybreak are of version 0.0.")
    assert problem.endswith("runner init --upgrade")
    assert checks.macros(problem, (), folder).remedy == "runner init --upgrade"
    assert missing_pieces(shop, None) == []  # only who asks for it loses an edit
    (change,) = missing_pieces(shop, None, upgrade=True)
    assert "-{# mine #}" in change.shown()
    write_changes([change], shop)
    assert package_problem(shop) is None
    assert edited_files(folder) == ()


def test_a_new_project_is_named_as_its_folder_and_takes_no_other_s_place(tmp_path: Path):
    name, written = new_project(tmp_path / "My Shop")
    assert name == "my_shop"
    assert package_problem(tmp_path / "My Shop") is None
    texts = [change.after for change in written if isinstance(change, FileChange)]
    assert not any("my_project" in text for text in texts)
    with pytest.raises(UsageError, match="not empty"):
        new_project(tmp_path / "My Shop")
