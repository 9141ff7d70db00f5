"""pytest plugin: dbt's adapter tests on DuckDB; with DAYBREAK_PACKAGE our package in each project.

Loaded by scripts/test_adapter_suite.py, after dbt's own fixtures, which it narrows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

PACKAGE = os.environ.get("DAYBREAK_PACKAGE", "")


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
    (root / "dbt_packages" / "daybreak").symlink_to(PACKAGE)
    return laid
