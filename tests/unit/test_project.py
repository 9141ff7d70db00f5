from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.core.errors import ProjectError
from runner.core.windows import Grain
from runner.dbt.protocol import CompiledNode, Description, Target
from runner.project import files
from runner.project.files import fingerprint, project_zone
from runner.project.manifest import Project

Raw = dict[str, Any]

PROJECT_YML = """
name: shop
vars: {timezone: America/New_York}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project's files, and no environment that dbt would see."""
    for name in os.environ:
        if name.startswith(("DBT_", "DAYBREAK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path / "shop" / "dbt_project.yml", PROJECT_YML)
    return tmp_path / "shop"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# A manifest, as dbt writes it, of what the runner reads


def windowed_config(**changes: object) -> Raw:
    return {
        "materialized": "incremental",
        "incremental_strategy": "overwrite_window",
        "event_time": "day",
        "batch_size": "day",
        "begin": "2026-03-01",
        **changes,
    }


def model(name: str, *parents: str, macros: tuple[str, ...] = (), **config: object) -> Raw:
    config = config or windowed_config()
    return {
        "name": name,
        "resource_type": "model",
        "package_name": "shop",
        "original_file_path": f"models/{name}.sql",
        "raw_code": f"select 1 as {name}",
        "description": "",
        "config": {"meta": {}, **config},
        "unrendered_config": config,
        "depends_on": {"nodes": list(parents), "macros": list(macros)},
    }


def gate(on: str, **config: object) -> Raw:
    return {
        "name": "a_gate",
        "resource_type": "test",
        "package_name": "shop",
        "attached_node": on,
        "config": {"meta": {"gate": True}, "severity": "ERROR", **config},
        "depends_on": {"nodes": [on], "macros": []},
    }


def macro(unique_id: str, path: str, *reaches: str) -> Raw:
    return {
        "unique_id": unique_id,
        "package_name": unique_id.split(".")[1],
        "original_file_path": path,
        "macro_sql": f"{{% macro {unique_id} %}}",
        "depends_on": {"macros": list(reaches)},
    }


MACROS = {
    found["unique_id"]: found
    for found in (
        macro("macro.shop.money", "macros/money.sql", "macro.shop.rounded"),
        macro("macro.shop.rounded", "macros/deep/rounded.sql", "macro.shop.money"),
        macro("macro.shop.unreached", "macros/unreached.sql"),
        macro("macro.daybreak.in_window", "macros/in_window.sql", "macro.shop.hook"),
        macro("macro.shop.hook", "macros/hook.sql"),
        macro("macro.dbt.ref", "macros/ref.sql", "macro.shop.unreached"),
    )
}
REACHED = ("macro.shop.money", "macro.daybreak.in_window", "macro.dbt.ref", "macro.gone.away")


def project_of(
    folder: Path,
    nodes: dict[str, Raw],
    macros: dict[str, Raw] | None = None,
    compiled: Mapping[str, CompiledNode] | None = None,
) -> Project:
    manifest = {
        "metadata": {"project_name": "shop"},
        "nodes": nodes,
        "macros": macros or MACROS,
        "sources": {
            "source.shop.till": {"name": "till", "resource_type": "source", "config": None}
        },
        "exposures": {
            "exposure.shop.report": {
                "name": "report",
                "resource_type": "exposure",
                "depends_on": {"nodes": ["model.shop.table"]},
            }
        },
        "unit_tests": {},
    }
    return Project.from_description(
        Description(manifest, {"all": tuple(nodes)}, compiled or {}), folder, fingerprint(folder)
    )


# Nodes


def test_a_windowed_model_says_its_grain_and_its_first_window(folder: Path):
    project = project_of(folder, {"model.shop.a": model("a")})
    node = project.nodes["model.shop.a"]
    assert (node.grain, node.begin, node.is_windowed) == (Grain.DAY, date(2026, 3, 1), True)
    assert project.zone == ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    "changes",
    [
        {"materialized": "table"},
        {"materialized": "view"},
        {"event_time": None},
        {"incremental_strategy": "append"},
        {"incremental_strategy": "delete+insert"},
        {"batch_size": None, "incremental_strategy": "merge"},
    ],
)
def test_other_models_have_no_windows(folder: Path, changes: Raw):
    raw = model("a", **windowed_config(**changes))
    node = project_of(folder, {"model.shop.a": raw}).nodes["model.shop.a"]
    assert (node.grain, node.begin, node.is_windowed) == (None, None, False)


@pytest.mark.parametrize(
    ("strategy", "size"),
    [("merge", "decade"), ("overwrite_window", "fortnight"), ("overwrite_window", None)],
)
def test_a_batch_size_that_is_none_is_named(folder: Path, strategy: str, size: str | None):
    raw = model("a", **windowed_config(incremental_strategy=strategy, batch_size=size))
    with pytest.raises(ProjectError, match=f"a: batch_size is {size!r}; write one of hour, day"):
        project_of(folder, {"model.shop.a": raw})


def test_a_begin_that_is_no_date_is_an_error_with_the_models_name(folder: Path):
    raw = model("a", **windowed_config(begin="yesterday"))
    with pytest.raises(ProjectError, match="a: begin 'yesterday' is no date"):
        project_of(folder, {"model.shop.a": raw})


@pytest.mark.parametrize(
    ("raw", "is_gate"),
    [
        (gate("model.shop.a"), True),
        (gate("model.shop.a", severity="warn"), False),
        (gate("model.shop.a", meta={}), False),
        (gate("model.shop.a", meta={"gate": False}), False),
        (gate("model.shop.table"), False),
    ],
)
def test_a_gate_is_an_error_of_a_windowed_model(folder: Path, raw: Raw, *, is_gate: bool):
    nodes = {
        "model.shop.a": model("a"),
        "model.shop.table": model("table", materialized="table"),
        "test.shop.g": raw,
    }
    assert project_of(folder, nodes).nodes["test.shop.g"].is_gate is is_gate


def test_a_mark_is_known_though_it_makes_no_gate(folder: Path):
    table = model("table", materialized="table")
    generic = {**gate("model.shop.table"), "test_metadata": {"name": "unique"}}
    nodes = {"model.shop.table": table, "test.shop.g": generic}
    found = project_of(folder, nodes).nodes["test.shop.g"]
    assert (found.is_gate, found.is_marked_as_gate, found.is_singular) == (False, True, False)
    # dbt gives a singular test no metadata.
    nodes["test.shop.g"] = gate("model.shop.table", severity="warn")
    found = project_of(folder, nodes).nodes["test.shop.g"]
    assert (found.is_gate, found.is_marked_as_gate, found.is_singular) == (False, False, True)


def test_what_is_built_from_windows_knows_it_however_far_away(folder: Path):
    nodes = {
        "model.shop.table": model("table", "model.shop.view", materialized="table"),
        "model.shop.view": model("view", "model.shop.a", materialized="view"),
        "model.shop.a": model("a", "model.shop.other"),
        "model.shop.other": model("other", "source.shop.till", materialized="table"),
        "test.shop.g": gate("model.shop.a"),
    }
    project = project_of(folder, nodes)
    reading = {unique_id for unique_id, node in project.nodes.items() if node.reads_windows}
    assert reading == {"model.shop.table", "model.shop.view", "test.shop.g", "exposure.shop.report"}


def test_a_selection_of_nothing_that_can_be_built_is_refused(folder: Path):
    project = project_of(folder, {"model.shop.a": model("a"), "test.shop.g": gate("model.shop.a")})
    assert [node.name for node in project.selected("all")] == ["a", "a_gate"]
    for ids in ((), ("test.shop.g",), ("model.shop.disabled",)):
        with pytest.raises(ProjectError, match="matches no model, seed or snapshot"):
            replace(project, selections={"+a": ids}).selected("+a")


# Code hashes


def hash_of(folder: Path, raw: Raw, macros: dict[str, Raw] = MACROS) -> str:
    return project_of(folder, {"model.shop.a": raw}, macros).nodes["model.shop.a"].code_hash


def setting(*path: str, to: object) -> Callable[[Raw], None]:
    def change(raw: Raw) -> None:
        for part in path[:-1]:
            raw = raw[part]
        raw[path[-1]] = to

    return change


CODE_CHANGES = {
    "sql": setting("raw_code", to="select 2 as a"),
    "grain": setting("config", "batch_size", to="hour"),
    "hook": setting("unrendered_config", "post-hook", to=["vacuum"]),
    "contract": setting("unrendered_config", "contract", to={"enforced": True}),
    "reached macros": setting("depends_on", "macros", to=["macro.shop.unreached"]),
}
COSMETIC_CHANGES = {
    "description": setting("description", to="One row per day"),
    "described in its config": setting("unrendered_config", "description", to="One row per day"),
    "meta": setting("unrendered_config", "meta", to={"owner": "x"}),
    "tags": setting("unrendered_config", "tags", to=["nightly"]),
    "group": setting("unrendered_config", "group", to="finance"),
    "access": setting("unrendered_config", "access", to="public"),
    "docs": setting("unrendered_config", "docs", to={"node_color": "red"}),
    "rendered config": setting("config", "schema", to="elsewhere"),
    "blank lines": setting("raw_code", to="\n\nselect 1 as a\n"),
    "moved": setting("original_file_path", to="models/deeper/a.sql"),
    "order of config": setting("unrendered_config", to=dict(reversed(windowed_config().items()))),
}


@pytest.mark.parametrize("change", CODE_CHANGES)
def test_code_that_changes_changes_its_hash(folder: Path, change: str):
    before, after = model("a", macros=REACHED), model("a", macros=REACHED)
    CODE_CHANGES[change](after)
    assert hash_of(folder, after) != hash_of(folder, before)


@pytest.mark.parametrize("change", COSMETIC_CHANGES)
def test_what_cannot_change_a_row_changes_no_hash(folder: Path, change: str):
    before, after = model("a", macros=REACHED), model("a", macros=REACHED)
    COSMETIC_CHANGES[change](after)
    assert json.dumps(after) != json.dumps(before)
    assert hash_of(folder, after) == hash_of(folder, before)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("macro.shop.money", True),  # called by the model
        ("macro.shop.rounded", True),  # called by what it calls, in a circle
        ("macro.shop.hook", True),  # called by a macro of Daybreak's: a project's own override
        ("macro.shop.unreached", False),
        ("macro.daybreak.in_window", False),  # Daybreak's own
        ("macro.dbt.ref", False),
    ],
)
def test_a_macro_counts_if_the_model_reaches_it_and_the_project_wrote_it(
    folder: Path, name: str, *, changes: bool
):
    changed = deepcopy(MACROS)
    changed[name]["macro_sql"] = "{% macro other() %}"
    raw = model("a", macros=REACHED)
    assert (hash_of(folder, raw, changed) != hash_of(folder, raw)) is changes


def test_only_models_have_a_code_hash(folder: Path):
    nodes = {"model.shop.a": model("a"), "test.shop.g": gate("model.shop.a")}
    project = project_of(folder, nodes)
    assert [node.code_hash != "" for node in project.nodes.values()] == [True] + [False] * 3


def compiled(text: str, reads: tuple[str, ...] | None = None, **more: str) -> CompiledNode:
    return CompiledNode(text, f"meaning of {text}", reads, more.get("plain"), more.get("why_not"))


def test_what_an_engine_has_compiled_is_the_code(folder: Path):
    found = {"model.shop.a": compiled("select 1", plain="plain:1", why_not="it asks")}
    before, after = model("a"), {**model("a"), "raw_code": "select 1 -- another comment"}
    old, new = (
        project_of(folder, {"model.shop.a": raw}, compiled=found).nodes["model.shop.a"]
        for raw in (before, after)
    )
    assert old.code_hash == new.code_hash == new.own_code
    assert (new.plain_code, new.why_raw) == ("plain:1", "it asks")
    other = project_of(folder, {"model.shop.a": before}, compiled={"model.shop.a": compiled("2")})
    assert other.nodes["model.shop.a"].code_hash != old.code_hash


def seed_of(text: str, folder: Path, checksum: Raw | None = None) -> Raw:
    write(folder / "seeds" / "s.csv", text)
    digest = {"name": "sha256", "checksum": sha256(text.encode()).hexdigest()}
    return {
        **model("s", materialized="seed"),
        "resource_type": "seed",
        "original_file_path": "seeds/s.csv",
        "checksum": checksum or digest,
    }


@pytest.mark.parametrize(
    ("reads", "changes"), [(None, True), (("seed.shop.s",), True), (("model.shop.a",), False)]
)
def test_the_contents_of_a_seed_are_code_of_what_its_sql_reads(
    folder: Path, reads: tuple[str, ...] | None, *, changes: bool
):
    def code(text: str) -> str:
        nodes = {
            "seed.shop.s": seed_of(text, folder),
            "model.shop.v": model("v", "seed.shop.s", materialized="view"),
            "model.shop.a": model("a", "model.shop.v"),
        }
        told = {"model.shop.v": compiled("select *", reads)}
        return project_of(folder, nodes, compiled=told).nodes["model.shop.a"].code_hash

    assert (code("id\n1") != code("id\n2")) is changes
    assert code("id\n1") == code("id\n1")


def test_a_seed_that_is_too_large_for_dbt_is_read(folder: Path):
    where = {"name": "path", "checksum": "seeds/s.csv"}  # all that dbt knows of it
    one, other = (
        project_of(folder, {"seed.shop.s": seed_of(text, folder, where)}).nodes["seed.shop.s"]
        for text in ("id\n1", "id\n2")
    )
    assert one.code_hash != other.code_hash


def test_what_has_windows_is_no_code_of_its_readers(folder: Path):
    def code(sql: str) -> str:
        nodes = {
            "model.shop.a": {**model("a"), "raw_code": sql},
            "model.shop.t": model("t", "model.shop.a", materialized="table"),
        }
        return project_of(folder, nodes).nodes["model.shop.t"].code_hash

    assert code("select 1") == code("select 2")


# What is kept


def test_a_saved_project_is_loaded_as_it_was(folder: Path):
    nodes = {
        "model.shop.a": model("a", "source.shop.till"),
        "model.shop.table": model("table", "model.shop.a", materialized="table"),
        "test.shop.g": gate("model.shop.a"),
    }
    project = project_of(folder, nodes)
    kept = folder / ".daybreak" / "project.json"
    project.save(kept)
    assert Project.load(kept) == project
    elsewhere = replace(
        project, target=Target("prod", folder / "warehouse.duckdb", "main", "somewhere")
    )
    elsewhere.save(kept)
    assert Project.load(kept) == elsewhere
    project.save(kept)
    assert sorted(p.name for p in kept.parent.iterdir()) == ["code.json", "project.json"]


def test_two_who_save_at_once_do_not_take_each_others_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    project = project_of(folder, {"model.shop.a": model("a")})
    kept = folder / "project.json"
    move = Path.replace

    def save_meanwhile(source: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", move)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        project.save(kept)
        return move(source, target)

    monkeypatch.setattr(Path, "replace", save_meanwhile)
    project.save(kept)
    assert Project.load(kept) == project


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        '{"zone": "Mars/Olympus", "nodes": [], "selections": {}, "fingerprint": ""}',
        '{"zone": "UTC", "nodes": [{"unique_id": "a"}], "selections": {}, "fingerprint": ""}',
        '{"zone": "UTC", "nodes": [], "selections": [], "fingerprint": ""}',
        '{"zone": "UTC", "nodes": {}, "selections": {}}',
    ],
)
def test_a_kept_project_that_cannot_be_read_is_none(folder: Path, text: str | None):
    kept = folder / "project.json"
    if text is not None:
        kept.write_text(text)
    assert Project.load(kept) is None


# The time zone


@pytest.mark.parametrize(
    "text",
    [
        "name: shop\nvars: {timezone: Europe/Berlin}",
        "name: shop\nvars: {shop: {timezone: Europe/Berlin}}",
    ],
)
def test_the_zone_is_a_var_of_the_project(folder: Path, text: str):
    write(folder / "dbt_project.yml", text)
    assert project_zone(folder) == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: shop", "says no time zone"),
        ("name: shop\nvars: {other: {timezone: UTC}}", "says no time zone"),
        ("name: shop\nvars: {timezone: Mars/Olympus}", "no time zone 'Mars/Olympus'"),
        ("name: shop\nvars: {timezone: 5}", "no time zone 5"),
        ("name: shop\nvars: {timezone: [UTC]}", r"no time zone \['UTC'\]"),
        ("name: shop\nvars: {timezone: ../UTC}", "no time zone '../UTC'"),
        ("name: shop\nvars: {timezone: \"{{ env_var('TZ') }}\"}", "timezone holds Jinja"),
        ("name: shop\nvars: {timezone: '{% if x %}UTC{% endif %}'}", "timezone holds Jinja"),
        ("name: shop\nvars: {timezone: {{ tz }}}", "cannot be read .* put Jinja in quotes"),
        ("name: [shop", "cannot be read"),
        ("- shop", "has no name"),
        ("", "has no name"),
    ],
)
def test_a_zone_that_cannot_be_used_is_one_clear_line(folder: Path, text: str, said: str):
    write(folder / "dbt_project.yml", text)
    with pytest.raises(ProjectError, match=said) as error:
        project_zone(folder)
    assert "\n" not in str(error.value)


def test_a_project_file_that_is_gone_is_one_clear_line(folder: Path):
    (folder / "dbt_project.yml").unlink()
    with pytest.raises(ProjectError, match="cannot be read"):
        fingerprint(folder)


# The fingerprint


@pytest.mark.parametrize(
    "path",
    [
        "models/a.sql",
        "models/deep/er/_a.yml",
        "macros/a.sql",
        "seeds/a.csv",
        "snapshots/a.sql",
        "tests/a.sql",
        "dbt_project.yml",
        "profiles.yml",
        "packages.yml",
        "dependencies.yml",
        "package-lock.yml",
        "selectors.yml",
    ],
)
def test_a_file_that_dbt_parses_changes_the_fingerprint(folder: Path, path: str):
    seen = {fingerprint(folder)}
    for text in (PROJECT_YML + "#", PROJECT_YML + "##"):
        write(folder / path, text)
        seen.add(fingerprint(folder))
    assert len(seen) == 3
    stamp = (folder / path).stat()
    os.utime(folder / path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    seen.add(fingerprint(folder))
    assert len(seen) == 4  # same size, another time


@pytest.mark.parametrize("module", ["manifest.py", "declarations.py", "hashes.py"])
def test_the_code_that_reads_a_project_changes_the_fingerprint(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
):
    code = tmp_path / "code"
    shutil.copytree(Path(files.__file__).parent, code)
    monkeypatch.setattr(files, "__file__", str(code / "files.py"))
    before = fingerprint(folder)
    write(code / module, (code / module).read_text() + "# newer")
    assert fingerprint(folder) != before


def test_a_file_that_is_removed_or_renamed_changes_the_fingerprint(folder: Path):
    before = fingerprint(folder)
    write(folder / "models" / "a.sql", "")
    with_a = fingerprint(folder)
    (folder / "models" / "a.sql").rename(folder / "models" / "b.sql")
    assert len({before, with_a, fingerprint(folder)}) == 3
    (folder / "models" / "b.sql").unlink()
    assert fingerprint(folder) == before


@pytest.mark.parametrize(
    "path", ["target/manifest.json", "logs/dbt.log", "data/a.parquet", ".daybreak/x", "README.md"]
)
def test_what_dbt_does_not_parse_leaves_the_fingerprint(folder: Path, path: str):
    before = fingerprint(folder)
    write(folder / path, "something")
    assert fingerprint(folder) == before


@pytest.mark.parametrize("kind", ["model", "macro", "seed", "snapshot", "test"])
def test_folders_are_where_the_project_says(folder: Path, kind: str):
    write(folder / "dbt_project.yml", f"name: shop\n{kind}-paths: [one, two/deep]\n")
    write(folder / f"{kind}s" / "a.sql", "")
    before = fingerprint(folder)
    write(folder / f"{kind}s" / "b.sql", "")
    assert fingerprint(folder) == before  # dbt's default holds no longer
    write(folder / "two" / "deep" / "a.sql", "")
    assert fingerprint(folder) != before


def test_a_folder_in_jinja_is_one_clear_line(folder: Path):
    write(folder / "dbt_project.yml", "name: shop\nmodel-paths: [\"{{ env_var('X') }}\"]\n")
    with pytest.raises(ProjectError, match=r"model-paths in dbt_project\.yml holds Jinja"):
        fingerprint(folder)


def test_profiles_are_where_dbt_looks_for_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home, told = tmp_path / "home" / ".dbt" / "profiles.yml", tmp_path / "told" / "profiles.yml"
    before = fingerprint(folder)
    write(home, "a: 1")
    at_home = fingerprint(folder)
    assert at_home != before
    write(folder / "profiles.yml", "a: 1")
    here = fingerprint(folder)
    write(home, "a: 22")
    assert fingerprint(folder) == here  # the project's own come first
    monkeypatch.setenv("DBT_PROFILES_DIR", "../told")
    elsewhere = fingerprint(folder)
    write(folder / "profiles.yml", "a: 22")
    assert fingerprint(folder) == elsewhere
    write(told, "a: 1")
    assert fingerprint(folder) != elsewhere


@pytest.mark.parametrize(
    ("name", "changes"), [("DBT_TARGET", True), ("DAYBREAK_WAREHOUSE", True), ("EDITOR", False)]
)
def test_the_environment_that_dbt_and_daybreak_read_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, changes: bool
):
    before = fingerprint(folder)
    monkeypatch.setenv(name, "something else")
    assert (fingerprint(folder) != before) is changes


def test_the_environment_that_a_project_names_counts(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for path, name in (("models/a.sql", "A"), ("macros/m.sql", "B"), ("dbt_packages/p/x.yml", "C")):
        write(folder / path, f"{{{{ env_var( '{name}', 'none') }}}}")
    monkeypatch.setenv("B", "secret")
    project = project_of(folder, {"model.shop.a": model("a")})
    kept = folder / ".daybreak" / "project.json"
    project.save(kept)
    assert "secret" not in kept.read_text()
    loaded = Project.load(kept)
    assert loaded is not None
    assert loaded.is_current(fingerprint(folder))
    for name in "ABC":
        with monkeypatch.context() as changed:
            changed.setenv(name, "another")
            assert not loaded.is_current(fingerprint(folder))
    monkeypatch.setenv("D", "named nowhere")
    assert loaded.is_current(fingerprint(folder))
    write(folder / "models" / "a.sql", "select 1")
    assert not loaded.is_current(fingerprint(folder))


# What is declared


def test_what_a_model_declares_is_kept_for_those_who_judge_its_text(folder: Path, tmp_path: Path):
    def unique(on: str, name: str, **kwargs: object) -> Raw:
        test = gate(on)
        return {**test, "name": name, "test_metadata": {"name": name, "kwargs": kwargs}}

    nodes = {
        "model.shop.a": model("a", **windowed_config(unique_key=["x", "y"], version_column="v")),
        "model.shop.b": model("b", macros=("macro.shop.filters",)),
        "model.other.c": {**model("c"), "package_name": "other"},
        "test.shop.u": unique("model.shop.b", "unique", column_name="id"),
        "test.shop.w": unique(
            "model.shop.b",
            "unique_combination_of_columns",
            combination_of_columns=["store_id", "day"],
        ),
        "test.shop.n": unique("model.shop.b", "not_null", column_name="day"),
        "test.shop.p": {
            **unique("model.shop.b", "unique", column_name="part"),
            "config": {"where": "is_open"},
        },
    }
    macros = {
        **MACROS,
        "macro.shop.filters": macro(
            "macro.shop.filters", "macros/filters.sql", "macro.daybreak.in_window"
        ),
    }
    project = project_of(folder, nodes, macros)
    found = [project.nodes[name] for name in ("model.shop.a", "model.shop.b")]
    a, b = (node.declared for node in found)
    assert a is not None
    assert b is not None
    assert (a.path, a.strategy, a.event_time) == ("models/a.sql", "overwrite_window", "day")
    assert (a.unique_key, a.version_column, b.unique_key) == (("x", "y"), "v", ())
    assert [node.keys for node in found] == [(), (("id",), ("store_id", "day"))]
    assert (a.reaches_in_window, b.reaches_in_window) == (False, True)
    assert project.nodes["model.other.c"].declared is None

    project.save(tmp_path / "project.json")
    kept = Project.load(tmp_path / "project.json")
    assert kept is not None
    assert kept.nodes == project.nodes


def test_keys_and_types_come_from_tests_and_contracts_of_whatever_is_read(
    folder: Path, tmp_path: Path
):
    column = {"constraints": [{"type": "not_null"}, {"type": "unique"}], "data_type": "DOUBLE"}
    pair = {"constraints": [{"type": "primary_key", "columns": ["day", "store_id"]}]}
    columns = {"columns": {"id": column, "day": {"data_type": "date"}}}
    test = {**gate("source.shop.till"), "name": "unique", "attached_node": None}
    metadata = {"name": "unique", "kwargs": {"column_name": "line_id"}}
    nodes = {
        "model.shop.a": {**model("a", contract={"enforced": True}), **columns, **pair},
        "model.shop.b": {**model("b"), **columns, **pair},  # nobody enforces it
        "test.shop.u": {**test, "test_metadata": metadata},
        "test.shop.both": {
            **test,
            "test_metadata": metadata,
            "depends_on": {"nodes": ["source.shop.till", "model.shop.a"]},
        },
    }
    project = project_of(folder, nodes)
    known = {name: (node.keys, node.inexact) for name, node in project.nodes.items()}
    assert known["model.shop.a"] == ((("id",), ("day", "store_id")), ("id",))
    assert known["model.shop.b"] == ((), ("id",))
    assert known["source.shop.till"] == ((("line_id",),), ())
    project.save(tmp_path / "project.json")
    kept = Project.load(tmp_path / "project.json")
    assert kept is not None
    assert kept.nodes == project.nodes


@pytest.mark.parametrize(("pre", "post"), [("pre-hook", "post-hook"), ("pre_hook", "post_hook")])
def test_a_model_declares_its_hooks(folder: Path, pre: str, post: str):
    hooks = {
        pre: [{"sql": "set threads = 1", "transaction": True, "index": None}],
        post: [{"sql": "checkpoint", "transaction": False, "index": None}],
    }
    project = project_of(folder, {"model.shop.a": model("a", **windowed_config(), **hooks)})
    declared = project.nodes["model.shop.a"].declared
    assert declared is not None
    assert declared.hooks == (("set threads = 1", True), ("checkpoint", False))
    project.save(folder / "kept.json")
    kept = Project.load(folder / "kept.json")
    assert kept is not None
    assert kept.nodes == project.nodes


@pytest.mark.parametrize(
    ("said", "closures"),
    [
        ("ref('closures')", ("seed.shop.closures", "closed_on")),
        ('{{ ref("shop", "closures") }}', ("seed.shop.closures", "closed_on")),
        ("ref('open_days')", None),
        (None, None),
    ],
)
def test_a_check_says_in_which_seed_closed_days_stand(
    folder: Path, said: str | None, closures: tuple[str, str] | None
):
    metadata = {"name": "rows_in_every_window", "namespace": "daybreak"}
    test = gate("model.shop.a")
    test["test_metadata"] = {**metadata, "kwargs": {"closures": said} if said else {}}
    test["depends_on"] = {"nodes": ["model.shop.a", "seed.shop.closures"], "macros": []}
    nodes = {"model.shop.a": model("a"), "test.shop.g": test}
    project = project_of(folder, nodes)
    assert project.nodes["test.shop.g"].closures == closures
    project.save(folder / "kept.json")
    kept = Project.load(folder / "kept.json")
    assert kept is not None
    assert kept.nodes["test.shop.g"].closures == closures
