"""The dbt half as a package, installed into another project: it changes what asks for it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from runner.dbt.package import PACKAGE, package_folder, package_version
from runner.project.files import fingerprint
from tests.conftest import REPOSITORY, Shop

NAMES = """
name: bistro
version: "2.3.0"
config-version: 2
profile: bistro
flags: {send_anonymous_usage_stats: false}
"""
USES = """
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [bistro, daybreak, dbt]}]
"""
VARS = """
vars: {timezone: Europe/Paris, start_date: "2026-03-01", end_date: "2026-03-04"}
models:
  bistro:
    meals: {+schema: food}
"""
PROFILES = """
bistro:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('BISTRO', 'data/warehouse.duckdb') }}"
      schema: bistro
      threads: 4
"""
# Nothing of ours: what a project may have, and an override of each name that we have too.
ORDINARY = {
    "profiles.yml": PROFILES,
    "seeds/dishes.csv": "dish,price\nsoup,4\nfish,11\n",
    "models/menu.sql": "select * from {{ ref('dishes') }}",
    "models/menu_table.sql": "{{ config(materialized='table') }} select * from {{ ref('menu') }}",
    "models/grows.sql": "{{ config(materialized='incremental', incremental_strategy='append',"
    " event_time='day') }} select current_date as day, * from {{ ref('menu') }}",
    "models/merged.sql": "{{ config(materialized='incremental', incremental_strategy='merge',"
    " unique_key='dish', event_time='day') }}"
    " select current_date as day, * from {{ ref('menu') }}",
    "models/file.sql": "{{ config(materialized='external', location='menu.parquet') }}"
    " select * from {{ ref('menu') }}",
    "models/ours.sql": "{{ config(materialized='own') }} select 1 as one",
    "models/in_python.py": "def model(dbt, session):\n"
    "    dbt.config(materialized='incremental')\n"
    "    return dbt.ref('menu')\n",
    "models/schema.yml": """
models:
  - name: menu
    columns:
      - name: dish
        data_tests:
          - unique
          - accepted_values: {arguments: {values: [soup, fish]}, config: {where: "price > 0"}}
  - name: menu_table
    data_tests: [late_rows: {config: {error_if: ">5"}}]
unit_tests:
  - name: menu_is_the_dishes
    model: menu_table
    given: [{input: ref('menu'), rows: [{dish: soup, price: 4}]}]
    expect: {rows: [{dish: soup, price: 4}]}
snapshots:
  - name: prices
    relation: ref('menu')
    config: {unique_key: dish, strategy: check, check_cols: all}
""",
    "macros/own.sql": """
{% materialization own, default %}
    {%- call statement('main') -%} create or replace table {{ this }} as {{ sql }} {%- endcall -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}
{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}
{% macro default__get_where_subquery(relation) %}
    {%- do return('(select * from ' ~ relation ~ ' /* bistro */) as mine') -%}
{% endmacro %}
{% test late_rows(model) %} select * from {{ model }} where price > 100 {% endtest %}
""",
}
# Every name of ours that calls one another, in the way if one of our calls were not qualified.
HOSTILE = "{{% macro {}() %}}{{{{ exceptions.raise_compiler_error('not yours') }}}}{{% endmacro %}}"
WINDOWED = {
    "models/meals/served.sql": "{{ config(materialized='incremental', event_time='day',"
    " incremental_strategy='overwrite_window', batch_size='day') }}"
    " select id, day from raw.served where {{ daybreak.in_window('day') }}",
    "models/meals/per_day.sql": "{{ config(materialized='incremental', event_time='day',"
    " incremental_strategy='overwrite_window', batch_size='day') }}"
    " select day, count(*) as meal_count from {{ ref('served') }}"
    " where {{ daybreak.in_window('day') }} group by day",
    "models/meals/schema.yml": """
models:
  - name: served
    data_tests:
      - daybreak.rows_in_every_window: {name: meals_every_day, config: {meta: {gate: true}}}
    columns:
      - name: id
        data_tests: [unique, not_null]
  - name: per_day
    columns:
      - name: meal_count
        data_tests: [not_null]
""",
    "pipelines.yml": """
pipelines:
  meals: {select: "+per_day", start: 2026-03-01, end: 2026-03-03}
""",
}


def write(folder: Path, *parts: dict[str, str]) -> Shop:
    for name, text in {key: text for part in parts for key, text in part.items()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir(exist_ok=True)
    return Shop(folder)


def local() -> str:
    return yaml.safe_dump({"packages": [{"local": str(package_folder())}]})


def names_of_ours() -> set[str]:
    found = {
        name
        for path in package_folder().rglob("*.sql")
        for name in re.findall(r"{%-?\s*macro\s+(\w+)\(", path.read_text())
    }
    # To override what is dispatched is what a project may do; so says dbt.
    return {name for name in found if "__" not in name}


def results(shop: Shop) -> dict[str, str]:
    told = json.loads((shop.folder / "target" / "run_results.json").read_text())
    return {one["unique_id"]: one["status"] for one in told["results"]}


def ok(shop: Shop, *arguments: str) -> dict[str, str]:
    finished = shop.dbt(*arguments)
    assert finished.code == 0, finished.out + finished.err
    return results(shop) if arguments[0] in ("build", "test", "run") else {}


def serve(shop: Shop, *days: int) -> None:
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute("create or replace table raw.served (id integer, day date)")
        for day in days:
            connection.execute(f"insert into raw.served values ({day}, '2026-03-0{day}')")


def through_git(folder: Path) -> str:
    """Commit the package as it is into a repository, and name that."""
    shutil.copytree(package_folder(), folder / "macros" / PACKAGE)
    git = (shutil.which("git") or "git", "-c", "user.name=x", "-c", "user.email=x@localhost")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    found = subprocess.run(
        [git[0], "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True
    )
    packages = [
        {
            "git": folder.as_uri(),
            "subdirectory": f"macros/{PACKAGE}",
            "revision": found.stdout.decode().strip(),
        }
    ]
    return yaml.safe_dump({"packages": packages})


@pytest.fixture
def by_git(tmp_path: Path) -> str:
    (tmp_path / "repository").mkdir()
    return through_git(tmp_path / "repository")


@pytest.mark.slow
@pytest.mark.parametrize("install", ["local", "git"])
def test_a_foreign_project_with_it_replaces_judges_and_marks_windows(
    tmp_path: Path, by_git: str, install: str
):
    shop = write(
        tmp_path / "bistro",
        {"dbt_project.yml": NAMES + USES + VARS},
        {"packages.yml": local() if install == "local" else by_git},
        {"profiles.yml": PROFILES, "macros/own.sql": ORDINARY["macros/own.sql"]},
        {"macros/names.sql": "\n".join(HOSTILE.format(name) for name in names_of_ours())},
        WINDOWED,
    )
    # What a project overrides of dbt's is its own: here, which rows a test reads.
    own = shop.folder / "macros" / "own.sql"
    own.write_text(own.read_text().replace("default__get_where_subquery", "unused"))
    ok(shop, "deps")
    assert package_version(shop.folder / "dbt_packages" / PACKAGE) == package_version(
        package_folder()
    )
    serve(shop, 1, 2, 3)
    built = ok(shop, "build")
    assert set(built.values()) == {"success", "pass"}
    assert not any(name.startswith("operation.") for name in built)
    assert shop.query("from food.per_day order by 1, 2") == shop.query(
        "select day, 1 from raw.served order by 1"
    )
    markers = "select model, relation, row_count, verdict from bistro.daybreak_publications"
    assert len(shop.query(markers)) == 6
    # A day without rows is withheld, and costs nothing that was published.
    serve(shop, 1, 3)
    assert shop.dbt("build", "--select", "served").code == 1
    assert results(shop)["model.bistro.served"] == "error"
    assert shop.query("select count(*) from food.served") == [(3,)]
    # The runner judges what it publishes, day by day.
    done = shop.runner("backfill", "meals", "--reprocess", "all")
    assert done.code == 3, done.out + done.err
    assert shop.query(f"{markers} where model = 'served' order by window_start") == [
        ("served", "food.served", 1, "correct"),
        ("served", "food.served", 1, None),
        ("served", "food.served", 1, "correct"),
    ]
    serve(shop, 1, 2, 3)
    plain = shop.runner("backfill", "meals", "--engine", "plain")
    assert plain.code == 0, plain.out + plain.err
    assert shop.query(f"{markers} where verdict is distinct from 'correct'") == []


def everything(shop: Shop) -> list[tuple[str, ...]]:
    """All relations; of a Python model dbt-duckdb leaves one behind, named after the moment."""
    return shop.query(
        "select table_schema, regexp_replace(table_name, '__dbt_tmp.*', '')"
        " from information_schema.tables order by all"
    )


@pytest.mark.slow
def test_a_project_that_asks_for_nothing_is_as_without_it(tmp_path: Path):
    bare = write(tmp_path / "bare", {"dbt_project.yml": NAMES + VARS}, ORDINARY)
    with_it = write(
        tmp_path / "with_it",
        {"dbt_project.yml": NAMES + USES + VARS, "packages.yml": local()},
        ORDINARY,
    )
    ok(with_it, "deps")
    for arguments in (
        ("build",),
        ("build",),
        ("build", "--empty"),
        ("build", "--full-refresh", "--sample", "3 days"),
        ("test", "--select", "menu"),
    ):
        assert ok(bare, *arguments) == ok(with_it, *arguments)
        assert everything(bare) == everything(with_it)
        assert compiled(bare) == compiled(with_it)
    assert not any("daybreak" in name for _, name in everything(with_it))
    # Tests of a file that may only be read.
    for shop in (bare, with_it):
        text = PROFILES.replace(
            "threads: 4", "threads: 4\n      config_options: {access_mode: READ_ONLY}"
        )
        (shop.folder / "profiles.yml").write_text(text)
    assert ok(bare, "test") == ok(with_it, "test")


def compiled(shop: Shop) -> dict[str, str]:
    """What dbt has made of every node, wherever the project lies and whenever it was."""
    folder = shop.folder / "target" / "run" / "bistro"
    texts = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {
        str(path.relative_to(folder)): re.sub(r"\d{12,}", "", text.replace(str(shop.folder), ""))
        for path, text in texts.items()
    }


@pytest.mark.slow
def test_models_that_publish_first_in_the_same_moment_do_not_collide(tmp_path: Path):
    config = WINDOWED["models/meals/served.sql"]
    many = {f"models/meals/served_{number}.sql": config for number in range(16)}
    shop = write(
        tmp_path / "bistro",
        {"dbt_project.yml": NAMES + USES + VARS, "packages.yml": local()},
        {"profiles.yml": PROFILES.replace("threads: 4", "threads: 16")},
        many,
    )
    ok(shop, "deps")
    serve(shop, 1, 2, 3)
    assert set(ok(shop, "build").values()) == {"success"}
    assert shop.query("select count(*) from bistro.daybreak_publications") == [(48,)]
    assert shop.query("select count(*) from bistro.daybreak_warehouse") == [(1,)]


@pytest.mark.slow
def test_what_a_project_has_not_written_is_said_before_anything_is_built(tmp_path: Path):
    def project(uses: str) -> Shop:
        shop = write(
            tmp_path / "bistro",
            {"dbt_project.yml": NAMES + uses + VARS, "packages.yml": local()},
            {"profiles.yml": PROFILES},
            WINDOWED,
        )
        ok(shop, "deps")
        serve(shop, 1, 2, 3)
        return shop

    macro_paths, dispatch = USES.strip().splitlines()
    shop = project(f"{dispatch}\n")
    failed = shop.dbt("build")
    assert failed.code == 1
    assert "served would be built by dbt alone, and nobody would judge its rows" in failed.out
    assert ("food", "served") not in everything(shop)
    shop = project(f"{macro_paths}\n")
    failed = shop.runner("backfill", "meals")
    assert failed.code == 2
    assert "dispatch does not ask daybreak in dbt_project.yml" in failed.err
    assert "runner init" in failed.err
    assert ("food", "served") not in everything(shop)


def test_every_call_of_ours_is_qualified():
    names = names_of_ours()
    call = re.compile(r"(?<![\w.'\"])(" + "|".join(sorted(names, key=len, reverse=True)) + r")\(")
    for path in package_folder().rglob("*.sql"):
        for tag in re.findall(r"{%.*?%}|{{.*?}}", path.read_text(), re.DOTALL):
            code = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "''", tag)
            assert call.findall(re.sub(r"^{%-?\s*(macro|test)\s+\w+\(", "", code)) == [], path


def test_what_is_linked_into_a_project_is_in_its_fingerprint(tmp_path: Path):
    shutil.copytree(package_folder(), tmp_path / "package")
    shop = write(tmp_path / "bistro", {"dbt_project.yml": NAMES, "profiles.yml": PROFILES})
    (shop.folder / "dbt_packages").mkdir()
    (shop.folder / "dbt_packages" / PACKAGE).symlink_to(tmp_path / "package")
    before = fingerprint(shop.folder)
    assert fingerprint(shop.folder) == before
    (tmp_path / "package" / "macros" / "errors.sql").write_text("-- another")
    assert fingerprint(shop.folder) != before


def test_the_package_says_the_version_of_the_runner(tmp_path: Path):
    project = REPOSITORY / "pyproject.toml"
    assert f'version = "{package_version(package_folder())}"' in project.read_text()
    assert package_version(tmp_path) is None


@pytest.mark.slow
def test_a_wheel_carries_the_package(tmp_path: Path):
    pytest.importorskip("hatchling")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    asked = "from runner.dbt.package import package_folder; print(package_folder())"
    told = subprocess.run(
        [sys.executable, "-c", asked], cwd=installed, check=True, capture_output=True, text=True
    )
    carried = Path(told.stdout.strip())
    assert carried.is_relative_to(installed)
    assert files(carried) == files(package_folder())


def files(folder: Path) -> dict[Path, Any]:
    read: Callable[[Path], bytes] = Path.read_bytes
    return {path.relative_to(folder): read(path) for path in folder.rglob("*") if path.is_file()}
