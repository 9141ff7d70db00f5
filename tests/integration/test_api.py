"""The page about the Python interface, run as it stands."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY, Shop

PAGE = REPOSITORY / "docs" / "api.md"


def test_the_page_is_true(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(shop.folder)
    for name in [name for name in os.environ if name.startswith(("DAYBREAK_", "DBT_"))]:
        monkeypatch.delenv(name)
    tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (tried.failed, tried.attempted > 20) == (0, True)


def test_every_method_is_on_the_page():
    import runner

    methods = {name for name in vars(runner.OpenProject) if not name.startswith("_")}
    page = PAGE.read_text(encoding="utf-8")
    missing = {name for name in methods if f"`{name}" not in page and f"shop.{name}" not in page}
    assert missing <= {"planner"}


def test_importing_it_imports_nothing_heavy():
    heavy = ["dbt", "duckdb", "rich", "pydantic", "sqlglot", "typer"]
    code = f"import runner, sys; runner.OpenProject; print(*set({heavy}) & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
