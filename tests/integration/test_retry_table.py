"""Every row of the retry table against the real thing: the error is provoked, then classified.

Most errors come through dbt, from one project in one process: one run in which every model fails
in its own way, then a run on each damaged warehouse. No privileges are needed: ``/dev/full`` is a
full disk and ``/proc/self/mem`` a failing one, for root and for anybody else.
"""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import pytest

from runner.core.retries import RULES, classify
from runner.dbt.reports import brief
from tests.integration import macros_project
from tests.integration.macros_project import Project

PROJECT = """
name: faults
version: "1.0.0"
config-version: 2
profile: faults
flags: {send_anonymous_usage_stats: false}
models: {faults: {+materialized: table}}
"""

PROFILES = """
faults:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('DAYBREAK_FOLDER') }}/warehouse.duckdb"
      schema: main
      threads: 1
      keep_open: false
      module_paths: ["{{ env_var('DBT_PROFILES_DIR') }}"]
      plugins: [{module: faults}]
"""

# What SQL cannot do by itself: have another connection write meanwhile, be interrupted midway.
PLUGIN = """
import os
import signal

from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    def configure_connection(self, conn):
        interrupted = []

        def meanwhile(sql: str) -> str:
            conn.cursor().execute(sql)
            return sql

        def interrupt(number: int) -> int:
            if not interrupted:
                interrupted.append(number)
                os.kill(os.getpid(), signal.SIGINT)
            return number

        conn.create_function("meanwhile", meanwhile, side_effects=True)
        conn.create_function("interrupt", interrupt, side_effects=True)
"""

LANDED = "{{ env_var('DAYBREAK_FOLDER') }}"

# By model: the rule that must know its error, and the model.
MODELS = {
    "conversion": ("conversion", "select cast('x' || 1 as integer) as one"),
    "quotes_memory": ("conversion", "select cast('Out of Memory Error: x' as integer) as one"),
    "quotes_lock": ("conversion", "select cast('IO Error: Could not set lock' as integer) as one"),
    "overflow": ("conversion", "select cast(range + 100 as tinyint) + 100::tinyint from range(1)"),
    "from_a_macro": (
        "conversion",
        "{% if execute %}{% do run_query(\"select cast('y' as integer)\") %}{% endif %} select 1",
    ),
    "binder": ("binder", "select no_such_column from (select 1 as one)"),
    "catalog": ("catalog", "select * from no_such_table"),
    "parser": ("parser", "selec 1"),
    "said_by_sql": ("input", "select error('IO Error: Could not set lock on file') as one"),
    "missing": ("missing file", f"select * from read_parquet('{LANDED}/nowhere/*.parquet')"),
    "cut": ("damaged landed file", f"select * from '{LANDED}/cut.parquet'"),
    "empty": ("damaged landed file", f"select * from '{LANDED}/empty.parquet'"),
    "scrambled": (
        "damaged landed file",
        f"select sum(length(r)) from '{LANDED}/scrambled.parquet'",
    ),
    "not_null": ("constraint", "select cast(null as integer) as one"),
    "unique": ("constraint", "select 1 as one union all select 1"),
    "checked": ("constraint", "select -1 as one"),
    "jinja": ("compilation", "{% if execute %}{{ no_such_macro() }}{% endif %} select 1"),
    "reference": ("compilation", "select * from {% if execute %}{{ ref('nowhere') }}{% endif %}"),
    "full_disk": (
        "disk full",
        "{{ config(materialized='external', location='/dev/full', format='csv') }} select 1 as one",
    ),
    "memory": (
        "out of memory",
        "{{ config(pre_hook=\"set memory_limit = '10MB'\") }}"
        " select list(range) as one from range(10000000)",
    ),
    "conflict": (
        "transaction conflict",
        "{{ config(pre_hook=['reset memory_limit',"
        " \"select meanwhile('update counter set n = 2')\","
        " 'update counter set n = 3']) }} select 1 as one",
    ),
}
INTERRUPTED = (
    "select count(interrupt(a.range + b.range)) from range(1000000000) a, range(1000000) b"
)

SCHEMA = """
models:
  - name: not_null
    config: &contract {contract: {enforced: true}}
    columns: [{name: one, data_type: integer, constraints: [{type: not_null}]}]
  - name: unique
    config: *contract
    columns: [{name: one, data_type: integer, constraints: [{type: unique}]}]
  - name: checked
    config: *contract
    columns:
      - {name: one, data_type: integer, constraints: [{type: check, expression: one > 0}]}
"""


def write_project(folder: Path) -> None:
    files = {
        "dbt_project.yml": PROJECT,
        "profiles.yml": PROFILES,
        "faults.py": PLUGIN,
        "models/schema.yml": SCHEMA,
        "models/interrupted.sql": INTERRUPTED,
        "models/fine.sql": "select 1 as one",
        **{f"models/{name}.sql": sql for name, (_, sql) in MODELS.items()},
    }
    (folder / "models").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def write_landed(folder: Path) -> None:
    """Landed files that were cut off or scrambled on the way."""
    good = folder / "good.parquet"
    rows = "select md5(range::varchar) as r from range(10000)"
    duckdb.execute(f"copy ({rows}) to '{good}' (compression zstd)")
    whole = good.read_bytes()
    half = len(whole) // 2
    (folder / "cut.parquet").write_bytes(whole[:half])
    (folder / "empty.parquet").write_bytes(b"")
    # All but the header of the page and the footer: a few wrong bytes would be read as rows.
    scrambled = b"\x55" * len(whole[200:-1000])
    (folder / "scrambled.parquet").write_bytes(whole[:200] + scrambled + whole[-1000:])


def write_warehouse(folder: Path) -> Path:
    """A small warehouse whose newest rows are still in its WAL."""
    path = folder / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table counter as select 1 as n")
        connection.execute("create table numbers as select range as n from range(10000)")
        connection.execute("checkpoint")
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("insert into counter select * from range(1000)")
    assert wal(path).exists()
    return path


def wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def overwrite(path: Path, at: int, count: int) -> None:
    content = bytearray(path.read_bytes())
    assert len(content) > at
    content[at : at + count] = b"\x55" * count
    path.write_bytes(content)


def foreign_wal(path: Path) -> None:
    """The WAL of another database."""
    with duckdb.connect(str(path.with_name("other.duckdb"))) as connection:
        connection.execute("create table other as select 1 as n")
        connection.execute("checkpoint")
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("insert into other select * from range(1000)")
    wal(path.with_name("other.duckdb")).rename(wal(path))


def instead(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_room_for_the_wal(path: Path) -> None:
    path.unlink()  # a WAL that is found is read first, and this one is no file
    instead(wal(path), "/dev/full")


# By what has happened to the warehouse: the rule, and how it comes about.
WAREHOUSES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "another file": ("corruption", lambda path: path.write_bytes(b"not a database " * 1000)),
    "first header": ("corruption", lambda path: overwrite(path, 12, 8)),
    "second header": ("corruption", lambda path: overwrite(path, 4096, 4096)),
    "every block": ("corruption", lambda path: overwrite(path, 12288, path.stat().st_size)),
    "cut off": ("corruption", lambda path: os.truncate(path, path.stat().st_size // 2)),
    "middle of the wal": ("corruption", lambda path: overwrite(wal(path), 100, 10)),
    "wal of another": ("corruption", foreign_wal),
    "no room for the wal": ("disk full", no_room_for_the_wal),
    "failing disk": ("input/output", lambda path: instead(path, "/proc/self/mem")),
    "folder": ("no access", a_folder),
}


def assert_known(message: str, rule: str) -> None:
    """Whether dbt's words and our line of them are both known by the same rule."""
    for said in (message, brief(message)):
        assert classify(said).name == rule, said


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """dbt's process on the project of failing models."""
    folder = tmp_path_factory.mktemp("faults")
    write_project(folder)
    with macros_project.started(folder) as project:
        yield project


@pytest.fixture(scope="module")
def failed(faults: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every model said when all were run."""
    folder = tmp_path_factory.mktemp("failing")
    write_landed(folder)
    write_warehouse(folder)
    run = faults.invoke(folder, "run", "--exclude", "interrupted", "fine")
    return {model: run.error(model) for model in run.nodes}


@pytest.mark.parametrize("model", MODELS)
def test_a_failing_model(failed: dict[str, str], model: str) -> None:
    rule, _ = MODELS[model]
    assert_known(failed[model], rule)


@pytest.mark.parametrize("fault", WAREHOUSES)
def test_a_failing_warehouse(faults: Project, tmp_path: Path, fault: str) -> None:
    rule, damage = WAREHOUSES[fault]
    damage(write_warehouse(tmp_path))
    run = faults.invoke(tmp_path, "run", "--select", "fine")
    assert_known(run.exception or run.error("fine"), rule)


def test_a_locked_warehouse(faults: Project, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")):
        run = faults.invoke(tmp_path, "run", "--select", "parser")
    assert run.exception is not None
    assert_known(run.exception, "lock")
    assert f"(pid {os.getpid()}) holds it" in brief(run.exception)


def test_dbt_says_nothing_when_it_is_interrupted(faults: Project, tmp_path: Path) -> None:
    """Neither a result nor words: who starts dbt has to name the exception himself."""
    run = faults.invoke(tmp_path, "run", "--select", "interrupted")
    assert (run.success, run.nodes, run.exception) == (False, {}, "")
    assert_known(repr(KeyboardInterrupt()), "interrupted")


def updates(folder: Path, first: str, second: str) -> None:
    """Two transactions at once, which both commit."""
    with duckdb.connect(str(folder / "two.duckdb")) as one, one.cursor() as other:
        one.execute("create table t (id integer primary key, n integer)")
        one.execute("insert into t values (1, 1)")
        one.execute("begin")
        other.execute("begin")
        one.execute(first)
        other.execute(second)
        one.execute("commit")
        other.execute("commit")


def other_settings(folder: Path) -> None:
    path = str(folder / "one.duckdb")
    with duckdb.connect(path):
        duckdb.connect(path, read_only=True)


def spill(folder: Path) -> None:
    with duckdb.connect(str(folder / "one.duckdb")) as connection:
        connection.execute("set threads = 1; set memory_limit = '10MB'")
        connection.execute("set max_temp_directory_size = '100KB'")
        connection.execute(
            "create table t as select range as n, hash(range) as h from range(3000000) order by h"
        )


def interrupted(_: Path) -> None:
    """Another thread interrupts a query of hours, as soon as that runs."""
    with duckdb.connect() as connection:

        def interrupt(number: int) -> int:
            thread = threading.Thread(target=connection.interrupt)
            thread.start()
            thread.join()
            return number

        connection.create_function("interrupt", interrupt, side_effects=True)
        connection.execute(INTERRUPTED).fetchall()


def installed(folder: Path, url: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"set extension_directory = '{folder}'")
        connection.execute(f"install httpfs from '{url}'")


def nobody_listens(folder: Path) -> None:
    with socket.socket() as taken:  # bound, so nobody else gets the port; not listening
        taken.bind(("127.0.0.1", 0))
        installed(folder, f"http://127.0.0.1:{taken.getsockname()[1]}")


@contextmanager
def answering(code: int) -> Iterator[str]:
    """An HTTP server that answers everything with one code."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def answered(folder: Path, code: int) -> None:
    with answering(code) as url:
        installed(folder, url)


def newer_file(folder: Path) -> None:
    """A file of a version that does not exist yet."""
    path = write_warehouse(folder)
    wal(path).unlink()
    overwrite(path, 12, 1)
    duckdb.connect(str(path))


def python_disk_full(_: Path) -> None:
    with Path("/dev/full").open("w") as full:
        full.write("x")


INSERT = "insert into t values (2, 1)"
# By what is done with DuckDB or Python themselves: the rule, and the deed.
DEEDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "both update": (
        "transaction conflict",
        lambda folder: updates(folder, "update t set n = 2", "update t set n = 3"),
    ),
    "both create": (
        "transaction conflict",
        lambda folder: updates(folder, "create table u (n int)", "create table u (n int)"),
    ),
    "altered meanwhile": (
        "transaction conflict",
        lambda folder: updates(folder, "alter table t add column m integer", INSERT),
    ),
    "altered before the commit": (
        "transaction conflict",
        lambda folder: updates(folder, INSERT, "alter table t add column m integer"),
    ),
    "both insert": ("constraint", lambda folder: updates(folder, INSERT, INSERT)),
    "other settings": ("settings of the connection", other_settings),
    "no room to spill": ("no room to spill", spill),
    "interrupt": ("interrupted", interrupted),
    "nobody listens": ("network", nobody_listens),
    "busy server": ("network", lambda folder: answered(folder, 503)),
    "no such extension": ("http", lambda folder: answered(folder, 404)),
    "extension not installed": (
        "extension or version",
        lambda folder: duckdb.execute(f"set extension_directory = '{folder}'; load daybreak"),
    ),
    "folder missing": (
        "missing file",
        lambda folder: duckdb.execute(f"copy (select 1) to '{folder}/nowhere/a.parquet'"),
    ),
    "python's disk full": ("disk full", python_disk_full),
    "python's memory": ("out of memory", lambda _: bytearray(1 << 62)),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed(tmp_path: Path, deed: str) -> None:
    rule, do = DEEDS[deed]
    with pytest.raises((duckdb.Error, OSError, MemoryError)) as raised:
        do(tmp_path)
    assert_known("".join(traceback.format_exception(raised.value)), rule)
    if str(raised.value):
        assert_known(str(raised.value), rule)


def test_every_rule_has_been_provoked() -> None:
    """All but our own words, which are in the unit tests."""
    provoked = {rule for rule, _ in (*MODELS.values(), *WAREHOUSES.values(), *DEEDS.values())}
    known = {rule.name for rule in RULES}
    assert known - provoked == {"lock", "timed out", "killed", "fenced off"}
    assert provoked <= known
