"""Compiled templates: taken from the file, and never from a file that is not whole."""

import subprocess
import sys
from pathlib import Path

import pytest

RENDER = """
import sys
import jinja2
from pathlib import Path
from runner.dbt.kept_templates import KeptTemplates

compiled = []
original = jinja2.Environment._compile
def counted(self, source, filename):
    compiled.append(source)
    return original(self, source, filename)
jinja2.Environment._compile = counted
kept = KeptTemplates(Path(sys.argv[1])).install()
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
    return tmp_path / "home" / "templates"


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
    assert rendered(tmp_path / "file" / "templates", HELLO) == ["rowsrows", "1"]


def test_nothing_but_the_file_is_left(path: Path):
    rendered(path, HELLO)
    assert [found.name for found in path.parent.iterdir()] == ["templates"]
