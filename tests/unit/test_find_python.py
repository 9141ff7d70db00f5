"""The Python that `make` takes: the newest that is there, is supported, and runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/find_python.sh"
BASE = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
NAME = BASE.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def find(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Look for a Python where only the folder is on the PATH."""
    environment = {
        "PATH": str(folder),
        "HOME": str(folder.parent),
        "PYENV_ROOT": str(folder.parent / "pyenv"),
    }
    return subprocess.run(
        [SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def shim(path: Path) -> None:
    path.write_text(f"#!/bin/sh\necho 'pyenv: {path.name}: command not found' >&2\nexit 127\n")
    path.chmod(0o755)


def found(done: subprocess.CompletedProcess[str]) -> list[Path]:
    assert done.returncode == 0, done.stderr
    return [Path(line).resolve() for line in done.stdout.splitlines()]


def test_what_only_answers_that_there_is_no_such_command_is_passed_over(folder: Path):
    for name in {"python3.11", "python3.12", "python3.13"} - {NAME}:
        shim(folder / name)
    (folder / NAME).symlink_to(BASE)
    assert found(find(folder)) == [BASE.resolve()]


def test_a_python_is_taken_at_its_word_not_at_its_name(folder: Path):
    other = "python3.12" if NAME != "python3.12" else "python3.13"
    (folder / other).symlink_to(BASE)
    assert find(folder).returncode == 1
    (folder / "python3").symlink_to(BASE)
    assert found(find(folder)) == [BASE.resolve()]


def test_what_pyenv_keeps_is_taken_where_the_path_has_none(folder: Path):
    kept = folder.parent / "pyenv/versions/3.x/bin"
    kept.mkdir(parents=True)
    (kept / NAME).symlink_to(BASE)
    assert found(find(folder)) == [BASE.resolve()]
    assert found(find(folder, "--all")) == [BASE.resolve()]


def test_behind_an_environment_its_own_python_is_found(folder: Path):
    subprocess.run([BASE, "-m", "venv", "--without-pip", folder.parent / "env"], check=True)
    environment = os.fspath(folder.parent / "env/bin/python")
    assert found(find(folder, environment)) == [BASE.resolve()]
    assert not find(folder, environment).stdout.startswith(os.fspath(folder.parent))


def test_where_there_is_none_one_line_says_what_to_install(folder: Path):
    done = find(folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "install one (python3.13 and python3.13-venv)" in done.stderr


def test_a_named_python_that_will_not_do_is_refused_in_one_line(folder: Path):
    shim(folder / "python3.13")
    done = find(folder, "python3.13")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("python3.13 will not do: ")
    assert done.stderr.count("\n") == 1
