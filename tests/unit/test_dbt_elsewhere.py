"""A dbt of another environment: what a person names, and what is no dbt."""

from pathlib import Path

import pytest

from runner.core.errors import ConfigError
from runner.dbt.elsewhere import find_dbt, version_of
from runner.project.pipelines_yml import parse_pipelines

CORE = r"Core:\n  - installed: 1.11.16\n  - latest:    1.12.6\nPlugins:\n  - duckdb: 1.11.1\n"


def program(folder: Path, *says: str, code: int = 0) -> Path:
    file = folder / "dbt"
    file.write_text(f"#!/bin/sh\nprintf '{''.join(says)}'\nexit {code}\n")
    file.chmod(0o755)
    return file


def test_a_path_counts_from_the_projects_folder(tmp_path: Path):
    made = program(tmp_path)
    assert find_dbt("./dbt", tmp_path) == made
    assert find_dbt(str(made), Path("/elsewhere")) == made


def test_a_command_is_looked_for_where_commands_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = program(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_dbt("dbt", Path("/elsewhere")) == made
    with pytest.raises(ConfigError, match=r"^there is no command 'dbtf': let DAYBREAK_DBT"):
        find_dbt("dbtf", tmp_path)


def test_what_is_not_there_or_may_not_run_is_one_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^there is no file .*/no/dbt: let DAYBREAK_DBT"):
        find_dbt("no/dbt", tmp_path)
    (tmp_path / "text").write_text("dbt")
    with pytest.raises(ConfigError, match=r"/text may not be executed: let DAYBREAK_DBT"):
        find_dbt("./text", tmp_path)


@pytest.mark.parametrize(
    ("says", "version"),
    [
        (CORE, "1.11.16"),
        (r"dbt-fusion 2.0.0-preview.45\n", "2.0.0-preview.45"),
        ("dbt 2.1.0", "2.1.0"),
    ],
)
def test_a_dbt_says_its_version(tmp_path: Path, says: str, version: str):
    assert version_of(program(tmp_path, says)) == version


@pytest.mark.parametrize(("says", "code"), [("", 0), ("hello", 0), (CORE, 1)])
def test_what_says_no_version_is_no_dbt(tmp_path: Path, says: str, code: int):
    with pytest.raises(ConfigError, match=r"/dbt is no dbt .*: let DAYBREAK_DBT"):
        version_of(program(tmp_path, says, code=code))


def test_a_file_that_is_no_program_is_no_dbt(tmp_path: Path):
    file = tmp_path / "dbt"
    file.write_bytes(b"\x7fELF, but not really")
    file.chmod(0o755)
    with pytest.raises(ConfigError, match=r"/dbt is no dbt that runs"):
        version_of(file)


def test_pipelines_yml_may_name_it():
    text = "dbt: ~/.venvs/dbt/bin/dbt\npipelines: {a: {select: b}}"
    assert parse_pipelines(text).dbt == "~/.venvs/dbt/bin/dbt"
    with pytest.raises(ConfigError, match="'dbt' must be"):
        parse_pipelines("dbt: [a]\npipelines: {a: {select: b}}")
