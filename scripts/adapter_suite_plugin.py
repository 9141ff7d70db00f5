"""pytest plugin: dbt's adapter tests on DuckDB; with DAYBREAK_PACKAGE our package in each project.

Loaded by scripts/test_adapter_suite.py, after dbt's own fixtures, which it narrows. What became of
each test goes to the file that DAYBREAK_OUTCOMES names, as JSON by the test's id.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

PACKAGE = os.environ.get("DAYBREAK_PACKAGE", "")
WORSE = ("passed", "skipped", "failed", "error")

_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the worst of a test's setup, call and teardown."""
    broken = "failed" if report.when == "call" else "error"
    now = broken if report.failed else report.outcome
    before = _outcomes.get(report.nodeid, "passed")
    _outcomes[report.nodeid] = max(before, now, key=WORSE.index)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a file that cannot be imported."""
    if report.failed:
        _outcomes[report.nodeid] = "error"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what became of each test; only the process that heard of all of them does."""
    if not hasattr(session.config, "workerinput"):
        Path(os.environ["DAYBREAK_OUTCOMES"]).write_text(json.dumps(_outcomes))


@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A warehouse per class of tests."""
    path = tmp_path_factory.mktemp("warehouse") / "test.duckdb"
    return {"type": "duckdb", "path": str(path), "threads": 4}


@pytest.fixture(scope="class")
def dbt_project_yml(dbt_project_yml: dict[str, Any], project_root: str) -> dict[str, Any]:
    """The project file of a test, with the two lines that a project with our package has."""
    if not PACKAGE:
        return dbt_project_yml
    name = dbt_project_yml["name"]
    order = {"macro_namespace": "dbt", "search_order": [name, "daybreak", "dbt"]}
    paths = [*dbt_project_yml.get("macro-paths", ["macros"]), "dbt_packages/daybreak/overrides"]
    laid = {"dispatch": [order], **dbt_project_yml, "macro-paths": paths}
    root = Path(project_root)
    (root / "dbt_project.yml").write_text(yaml.safe_dump(laid))
    (root / "dbt_packages").mkdir(exist_ok=True)
    (root / "dbt_packages" / "daybreak").symlink_to(PACKAGE)  # what `dbt deps` makes of it
    return laid


@pytest.fixture(scope="class")
def packages_yml(packages: dict[str, Any] | str, project_root: str) -> None:
    """The packages of a test and ours: a test that runs `dbt deps` keeps it."""
    declared = yaml.safe_load(packages) if isinstance(packages, str) else packages
    wanted = [*declared.get("packages", []), *([{"local": PACKAGE}] if PACKAGE else [])]
    if wanted:
        written = yaml.safe_dump({**declared, "packages": wanted})
        (Path(project_root) / "packages.yml").write_text(written)
