"""Target, vars and profiles that a person gives: where they stand, and what dbt is told of them."""

import json
import os
from pathlib import Path

import pytest

from runner.cli.given import take_given
from runner.core.config import PipelineConfig
from runner.core.errors import UsageError
from runner.dbt.arguments import as_given, list_arguments
from runner.project.files import fingerprint, project_vars, project_zone


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DBT_TARGET", "DAYBREAK_VARS", "DBT_PROFILES_DIR", "DBT_PROJECT_DIR"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


def test_options_are_taken_from_wherever_they_stand():
    line = ["-t", "prod", "plan", "orders", "--vars={a: 1}", "--profiles-dir", "x", "--force"]
    assert take_given(line) == ["plan", "orders", "--force"]
    assert os.environ["DBT_TARGET"] == "prod"
    assert os.environ["DAYBREAK_VARS"] == "{a: 1}"
    assert os.environ["DBT_PROFILES_DIR"] == str(Path.cwd() / "x")


@pytest.mark.parametrize(
    "line", [["--project-dir", "shop", "plan", "orders"], ["plan", "orders", "--project-dir=shop"]]
)
def test_the_project_may_be_named_before_the_command(line: list[str], tmp_path: Path):
    (tmp_path / "dbt_project.yml").write_text("name: shop\n")
    before = fingerprint(tmp_path)
    assert take_given(line) == ["plan", "orders"]
    assert os.environ["DBT_PROJECT_DIR"] == str(Path.cwd() / "shop")
    assert fingerprint(tmp_path) == before  # nothing is parsed again for where one stands


@pytest.mark.parametrize("line", [["plan", "--target"], ["--vars=", "plan"]])
def test_an_option_without_a_value_is_refused(line: list[str]):
    with pytest.raises(UsageError, match="says nothing: write a value after it"):
        take_given(line)


@pytest.mark.parametrize("text", ["a", "[1]", "{a: "])
def test_vars_that_are_none_are_refused(text: str):
    with pytest.raises(UsageError, match="are no keys and values"):
        take_given(["--vars", text])


def test_dbt_is_given_one_vars_the_runners_own_over_a_persons():
    given = {"DAYBREAK_VARS": "{rate: 2, fence: 9}", "DBT_TARGET": "prod"}
    found = as_given(["build", "--vars", '{"fence": 3}', "--select", "a"], given)
    assert found[:2] == ["build", "--vars"]
    assert json.loads(found[2]) == {"rate": 2, "fence": 3}
    assert found[3:] == ["--select", "a", "--target", "prod"]
    assert as_given(["parse"], {"DAYBREAK_VARS": "a: 1"}) == ["parse", "--vars", '{"a": 1}']
    assert as_given(["parse"], {}) == ["parse"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (PipelineConfig(select="+a tag:b,c"), ["--select", "+a", "tag:b,c"]),
        (PipelineConfig(select="a", exclude="b c"), ["--select", "a", "--exclude", "b", "c"]),
        (PipelineConfig(selector="nightly"), ["--selector", "nightly"]),
    ],
)
def test_a_selection_is_what_dbt_ls_takes(config: PipelineConfig, words: list[str]):
    listed = list_arguments(config.selection)
    assert listed[: listed.index("--quiet")] == ["ls", *words]


def test_vars_and_target_are_of_what_was_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    project = "name: shop\nvars: {timezone: UTC, rate: 1}\n"
    (tmp_path / "dbt_project.yml").write_text(project)
    before = fingerprint(tmp_path)
    monkeypatch.setenv("DAYBREAK_VARS", "{timezone: Europe/Berlin, rate: 2}")
    with_vars = fingerprint(tmp_path)
    assert project_vars(tmp_path)["rate"] == 2
    assert project_zone(tmp_path).key == "Europe/Berlin"
    monkeypatch.setenv("DBT_TARGET", "prod")
    assert len({before, with_vars, fingerprint(tmp_path)}) == 3
