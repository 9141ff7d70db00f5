"""What is kept of dbt: taken from the file, and never from a file that is not whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.dbt.cache import CacheFile

RENDER = """
import sys
import jinja2
from pathlib import Path
from runner.dbt.cache import CacheFile
from runner.dbt.speedups import compile_cache

compiled = []
original = jinja2.Environment._compile
def counted(self, source, filename):
    compiled.append(source)
    return original(self, source, filename)
jinja2.Environment._compile = counted
kept = CacheFile(Path(sys.argv[1]), None)
compile_cache.apply(kept)
for text in sys.argv[2:]:
    print(jinja2.Environment().from_string(text).render(name="rows"))
kept.save()
print(len(compiled))
"""
HELLO = "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice(name) }}"


def rendered(path: Path, *texts: str) -> list[str]:
    """What each text becomes in a process of its own, and how many were compiled."""
    arguments = [sys.executable, "-c", RENDER, str(path), *texts]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "kept"


def test_what_was_compiled_is_not_compiled_again(path: Path):
    assert rendered(path, HELLO) == ["rowsrows", "1"]
    assert rendered(path, HELLO) == ["rowsrows", "0"]


def test_another_text_is_compiled_and_kept_beside_the_first(path: Path):
    rendered(path, HELLO)
    assert rendered(path, HELLO, "{{ name }}!") == ["rowsrows", "rows!", "1"]
    assert rendered(path, HELLO, "{{ name }}!") == ["rowsrows", "rows!", "0"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:0], lambda b: b[:40] + b"x" + b[41:]]
)
def test_a_damaged_file_counts_as_empty_and_is_written_anew(path: Path, damage):
    rendered(path, HELLO)
    path.write_bytes(damage(path.read_bytes()))
    assert rendered(path, HELLO) == ["rowsrows", "1"]
    assert rendered(path, HELLO) == ["rowsrows", "0"]


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    assert rendered(tmp_path / "file" / "kept", HELLO) == ["rowsrows", "1"]


def test_nothing_but_the_file_is_left(path: Path):
    rendered(path, HELLO)
    assert [found.name for found in path.parent.iterdir()] == ["kept"]


SCHEMA = """
import json, sys
from pathlib import Path
import dbt_common.dataclass_schema as mixin
from runner.dbt.cache import CacheFile
from runner.dbt.speedups import schema_cache

derived = []
original = mixin.build_json_schema
mixin.build_json_schema = lambda cls: derived.append(cls.__name__) or original(cls)
kept = CacheFile(Path(sys.argv[1]), None)
schema_cache.apply(kept)
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.artifacts.resources.v1.config import NodeConfig
from dbt.contracts.project import Project
from dbt_common.dataclass_schema import ValidationError
found = DuckDBCredentials.json_schema()
Project.json_schema()
NodeConfig.json_schema()
try:
    DuckDBCredentials.validate({"database": "shop", "schema": 1})
    wrong = None
except ValidationError as error:
    wrong = error.message
kept.save()
print(json.dumps([found["title"], sorted(derived), wrong]))
"""


def test_schemas_are_derived_once_and_still_refuse(path: Path):
    arguments = [sys.executable, "-c", SCHEMA, str(path)]
    first, second = (
        json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    )
    assert first == ["DuckDBCredentials", ["DuckDBCredentials", "NodeConfig", "Project"], second[2]]
    assert second[:2] == ["DuckDBCredentials", []]
    assert "is not of type 'string'" in second[2]


def test_what_cannot_be_written_is_no_harm(path: Path):
    kept = CacheFile(path, None)
    assert kept.of(("a",), object) is kept.of(("a",), object)
    kept.save()
    assert not path.exists()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def keep(path: Path, cache: Path | None, *names: str) -> list[str]:
    """Which of the names had to be made."""
    made: list[str] = []
    kept = CacheFile(path, cache)
    for name in names:
        kept.of((name,), lambda name=name: made.append(name) or name)
    kept.save()
    return made


def test_another_project_begins_with_what_the_first_has_left(tmp_path: Path, cache: Path):
    assert keep(tmp_path / "one", cache, "a", "b") == ["a", "b"]
    assert keep(tmp_path / "two", cache, "a", "c") == ["c"]
    assert keep(tmp_path / "two", cache, "a", "b", "c") == []


def test_a_project_that_began_so_needs_the_cache_no_more(tmp_path: Path, cache: Path):
    keep(tmp_path / "one", cache, "a")
    assert keep(tmp_path / "two", cache, "a") == []
    assert keep(tmp_path / "two", None, "a") == []


def test_the_copy_stays_as_the_first_has_left_it(tmp_path: Path, cache: Path):
    keep(tmp_path / "one", cache, "a")
    left = [(path.name, path.read_bytes()) for path in cache.iterdir()]
    keep(tmp_path / "one", cache, "a", "b")
    keep(tmp_path / "two", cache, "c")
    assert [(path.name, path.read_bytes()) for path in cache.iterdir()] == left


def test_a_damaged_copy_counts_as_none_and_is_made_anew(tmp_path: Path, cache: Path):
    keep(tmp_path / "one", cache, "a")
    (copy,) = cache.iterdir()
    copy.write_bytes(copy.read_bytes()[:-1])
    assert keep(tmp_path / "two", cache, "a") == ["a"]
    assert keep(tmp_path / "three", cache, "a") == []


def test_no_project_needs_a_cache(path: Path):
    assert keep(path, None, "a") == ["a"]
    assert keep(path, None, "a") == []


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_neither_read_nor_written(path: Path, mode: int):
    keep(path, None, "a")
    path.parent.chmod(mode)
    written = path.read_bytes()
    assert keep(path, None, "a", "b") == ["a", "b"]
    assert path.read_bytes() == written
    (notice,) = CacheFile(path, None).notices
    assert notice.startswith(f"{path.parent} is not used")
    path.parent.chmod(0o700)
    assert keep(path, None, "a") == []


def test_a_file_that_others_may_write_is_not_read(path: Path):
    keep(path, None, "a")
    path.chmod(0o620)
    assert keep(path, None, "a") == ["a"]
    assert CacheFile(path, None).notices


def test_a_folder_of_somebody_else_is_not_used(path: Path, monkeypatch: pytest.MonkeyPatch):
    keep(path, None, "a")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert keep(path, None, "a") == ["a"]
    assert len(CacheFile(path, None).notices) == 1


def test_a_project_without_a_folder_of_its_own_begins_with_the_copy(path: Path, cache: Path):
    keep(path, cache, "a")
    path.parent.chmod(0o777)
    assert keep(path, cache, "a") == []


def test_files_and_folders_are_for_their_owner_alone(path: Path, cache: Path):
    before = os.umask(0)
    try:
        keep(path, cache, "a")
    finally:
        os.umask(before)
    assert {oct(one.parent.stat().st_mode)[-3:] for one in (path, *cache.iterdir())} == {"700"}
    assert {oct(one.stat().st_mode)[-3:] for one in (path, *cache.iterdir())} == {"600"}


def test_what_a_killed_process_has_left_goes_with_the_next_write(path: Path):
    path.parent.mkdir(mode=0o700)
    (path.parent / f"{path.name}.abc.partial").write_bytes(b"half of i")
    keep(path, None, "a")
    assert [found.name for found in path.parent.iterdir()] == ["kept"]


NO_ROOM = """
import resource, sys
from pathlib import Path
from runner.dbt.cache import CacheFile
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
kept = CacheFile(Path(sys.argv[1]), Path(sys.argv[2]))
kept.of(("a",), lambda: "x" * 10_000)
kept.save()
"""


def test_without_room_nothing_is_written(path: Path, cache: Path):
    keep(path, None, "b")
    written = path.read_bytes()
    arguments = [sys.executable, "-c", NO_ROOM, str(path), str(cache)]
    subprocess.run(arguments, check=True)
    assert [found.name for found in path.parent.iterdir()] == ["kept"]
    assert path.read_bytes() == written
    path.unlink()
    subprocess.run(arguments, check=True)
    assert not [*path.parent.iterdir(), *cache.iterdir()]
