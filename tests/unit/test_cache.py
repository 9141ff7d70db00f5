"""What is kept of dbt: taken from the file, and never from a file that is not whole."""

import json
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
