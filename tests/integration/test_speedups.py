"""Without the patches of dbt, one or all, everything is as it is with them; only slower."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from runner.core.errors import EngineError
from runner.core.spans import Span
from runner.dbt.protocol import Description, Invocation, InvocationResult
from runner.dbt.speedups import NAMES, SWITCH
from runner.dbt.warm import WarmEngine
from tests.conftest import Shop, clone
from tests.integration.test_batched_tests import PROJECT

EVERYTHING = Invocation(
    nodes=("fqn:*",),
    checks=(),
    exclude=(),
    with_unit_tests=True,
    span=Span(datetime(2017, 3, 11, 5, tzinfo=UTC), datetime(2017, 3, 12, 5, tzinfo=UTC)),
    run_id="manual__2017-03-11",
    fence=1,
    code_hashes={},
    timeout=timedelta(minutes=5),
)
MORE = {
    "seeds/tills.csv": "till,opened_on\n1,2017-03-11\n2,\n",
    "macros/twice.sql": "{% macro twice(x) %}({{ x }} * 2){% endmacro %}",
    "models/doubled.sql": "{{ config(materialized='table') }}\n"
    "select id, {{ twice('id') }} as twofold from {{ ref('returns') }}, {{ ref('tills') }}",
}


class Came(NamedTuple):
    """What came of a project: told, heard and left in the warehouse."""

    described: Description
    result: InvocationResult
    heard: dict[str, list[str]]
    tables: dict[str, tuple[Any, ...]]
    notices: tuple[str, ...]


def came_of(folder: Path, cache: Path) -> Came:
    """Describe and build the project in a folder with an engine of its own."""
    for path, text in {**PROJECT, **MORE}.items():
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        (folder / path).write_text(text)
    heard: dict[str, list[str]] = {}
    with WarmEngine(folder, cache=cache) as engine:
        described = engine.describe(["+doubled", "tag:none"])
        result = engine.build(
            EVERYTHING, lambda node, status: heard.setdefault(node, []).append(status)
        )
        notices = engine.notices()
    assert result.error is None
    nodes = sorted((replace(one, seconds=0) for one in result.nodes), key=lambda n: n.unique_id)
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as warehouse:
        names = warehouse.execute(
            "select schema_name || '.' || table_name from duckdb_tables() order by 1"
        ).fetchall()
        digest = "select count(*), bit_xor(hash(t)), sum(hash(t)::hugeint) from"
        tables = {name: warehouse.execute(f"{digest} {name} t").fetchall()[0] for (name,) in names}
    return Came(described, replace(result, nodes=tuple(nodes), seconds=0), heard, tables, notices)


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Came:
    folder = tmp_path_factory.mktemp("patched")
    return came_of(folder / "shop", folder / "cache" / "kept")


def assert_same(found: Came, expected: Came) -> None:
    """Equal in all that is told; of the project only what the patched one tells."""
    assert found.result == expected.result
    assert found.heard == expected.heard
    assert found.tables == expected.tables
    assert found.described.selections == expected.described.selections
    for group in ("nodes", "sources", "exposures", "unit_tests"):
        nodes = expected.described.manifest[group]
        assert found.described.manifest[group].keys() == nodes.keys()
        for unique_id, node in nodes.items():
            told = found.described.manifest[group][unique_id]
            assert {told[name] == node[name] for name in node.keys() - {"config"}} <= {True}


def test_the_project_shows_something(patched: Came):
    assert patched.notices == ()
    assert patched.tables.keys() >= {"main.doubled", "main.tills"}
    statuses = {node.status for node in patched.result.nodes}
    assert statuses >= {"success", "pass", "fail", "warn", "error", "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize("off", ["off", *NAMES])
def test_what_is_switched_off_changes_nothing(
    off: str, patched: Came, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(SWITCH, off)
    found = came_of(tmp_path / "shop", tmp_path / "cache" / "kept")
    assert found.notices == ()
    assert_same(found, patched)
    assert (tmp_path / "cache" / "kept").exists() == (off != "off")


def other_dbt_common(folder: Path, path: str, name: str, other: str) -> str:
    """A PYTHONPATH with a dbt-common in which one name is another."""
    spec = importlib.util.find_spec("dbt_common")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, folder / "dbt_common")
    module = folder / "dbt_common" / path
    assert name in module.read_text()
    module.write_text(module.read_text().replace(name, other))
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


@pytest.mark.slow
def test_a_patch_that_does_not_fit_is_left_out_alone_and_said_once(
    patched: Came, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    where = "clients/agate_helper.py", "build_type_tester", "make_type_tester"
    monkeypatch.setenv("PYTHONPATH", other_dbt_common(tmp_path / "dbt", *where))
    with caplog.at_level(logging.WARNING, "runner"):
        found = came_of(tmp_path / "shop", tmp_path / "cache" / "kept")
        came_of(tmp_path / "another", tmp_path / "cache" / "kept")
    assert_same(found, patched)
    (notice,) = found.notices
    assert notice.startswith("dbt runs without the speedup type_testers, with the same results: ")
    assert "has no attribute 'build_type_tester'" in notice
    assert [record.getMessage() for record in caplog.records] == [notice]


@pytest.mark.slow
def test_doctor_and_every_run_say_what_does_not_fit(template: Path, tmp_path: Path):
    where = "clients/agate_helper.py", "string_null_values", "null_words"
    path = other_dbt_common(tmp_path / "dbt", *where)
    shop = clone(template, tmp_path / "shop")
    other = Shop(shop.folder, {"PYTHONPATH": path})
    day = ("--start-date", "2017-03-11", "--end-date", "2017-03-11")
    finished = other.script("backfill", "orders_pipeline", *day)
    assert finished.code == 0, finished.out + finished.err
    assert finished.err.count("dbt runs without the speedup type_testers") == 1
    doctor = other.script("doctor")
    assert doctor.code == 0, doctor.out + doctor.err
    assert "takes (text_columns, null_words), not (text_columns" in " ".join(doctor.out.split())


@pytest.mark.parametrize("is_asked_late", [False, True])
def test_why_a_server_has_ended_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_asked_late: bool
):
    where = "events/functions.py", "def fire_event(", "def fire_an_event("
    monkeypatch.setenv("PYTHONPATH", other_dbt_common(tmp_path, *where))
    with WarmEngine(tmp_path) as engine:
        if is_asked_late:
            engine._server.process.wait()
        with pytest.raises(EngineError) as raised:
            engine.describe([])
    text = str(raised.value)
    assert text.startswith("the dbt server has ended unexpectedly: run the same command again; ")
    assert "ImportError: cannot import name 'fire_event'" in text.splitlines()[-1]
    assert len(text.splitlines()) == 6


@pytest.mark.slow
def test_a_folder_that_others_may_write_to_is_said_once_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o770)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    found = came_of(tmp_path / "shop", cache / "kept")
    (notice,) = found.notices
    assert notice.startswith(f"{cache} is not used, so dbt compiles anew: ")
    assert [record.getMessage() for record in caplog.records] == [notice]
    assert not list(cache.iterdir())
