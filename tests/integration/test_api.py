"""The page about the Python interface, run as it stands."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import runner
from tests.conftest import REPOSITORY, Shop

PAGE = REPOSITORY / "docs" / "api.md"


@pytest.mark.slow
def test_the_page_is_true(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(shop.folder)
    for name in [name for name in os.environ if name.startswith(("DAYBREAK_", "DBT_"))]:
        monkeypatch.delenv(name)
    tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (tried.failed, tried.attempted > 20) == (0, True)


@pytest.mark.slow
def test_an_edit_is_seen_by_the_next_call(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """What was made by the new code must not be recorded as the old one's."""
    monkeypatch.chdir(shop.folder)
    opened = runner.OpenProject(".")
    days = "orders_pipeline", date(2017, 3, 1), date(2017, 3, 1)
    opened.backfill(*days)
    assert opened.plan(*days, reprocess="stale").window_count == 0
    model = shop.folder / "models/staging/landing/stg_transactions.sql"
    model.write_text(model.read_text().replace("select", "select 7 as lucky, ", 1))
    assert opened.plan(*days, reprocess="stale").window_count == 1
    pipelines = shop.folder / "pipelines.yml"
    pipelines.write_text(pipelines.read_text().replace("orders_pipeline", "renamed"))
    assert opened.pipelines == ("renamed",)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: p.prove("orders_pipeline", windows=0), "0 windows prove nothing"),
        (lambda p: p.plan("orders_pipeline", chunk=0), "chunks of 0 windows run nothing"),
        (lambda p: p.plan("orders_pipeline", "2017-03-01"), "'2017-03-01' is no date"),
        (lambda p: p.plan("orders_pipeline", reprocess="some"), "'some' is none of missing, "),
        (lambda p: p.backfill("orders_pipeline", engine="hot"), "'hot' is none of warm, plain"),
        (lambda p: p.plan(None), "there is no pipeline None"),
        (lambda p: p.verify(None), "there is no pipeline None"),
        (lambda p: p.verify("orders_pipeline", engine="hot"), "'hot' is none of warm, plain"),
        (lambda p: p.status(3), "there is no pipeline 3"),
        (lambda p: p.pause(None), "there is no pipeline None"),
        (lambda p: p.status("orders_pipeline", date(2017, 6, 1)), "is no time to look from"),
        (lambda p: p.watch(datetime(1950, 1, 1)), "lies outside the years 1970 to 9000"),  # noqa: DTZ001
        (lambda p: p.runs("orders_pipeline", state="nope"), "'nope' is none of queued, "),
        (lambda p: p.runs("orders_pipeline", limit=-1), "-1 runs are none"),
        (lambda p: p.lint("dayly_revenue"), "'dayly_revenue'"),
    ],
)
def test_what_cannot_be_meant_is_said(template: Path, call: Callable[[Any], object], said: str):
    with pytest.raises(runner.UsageError, match=re.escape(said)):
        call(runner.OpenProject(template))


def test_an_option_that_there_is_not_is_not_passed_over(template: Path):
    opened: Any = runner.OpenProject(template)
    with pytest.raises(TypeError, match="select_models"):
        opened.plan("orders_pipeline", select_models=["daily_revenue"])


def test_after_its_end_a_session_says_so(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(shop.folder)
    opened = runner.OpenProject(".")
    with opened.session("orders_pipeline") as session:
        request = session.planner.request_run("2017-03-01", session.now)
    with pytest.raises(runner.EngineError, match="the dbt server has ended unexpectedly"):
        session.run(request)


def test_every_method_is_on_the_page():
    methods = {name for name in vars(runner.OpenProject) if not name.startswith("_")}
    page = PAGE.read_text(encoding="utf-8")
    missing = {name for name in methods if f"`{name}" not in page and f"shop.{name}" not in page}
    assert missing <= {"planner"}


def test_importing_it_imports_nothing_heavy():
    heavy = ["dbt", "duckdb", "rich", "pydantic", "sqlglot", "typer"]
    code = f"import runner, sys; runner.OpenProject; print(*set({heavy}) & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
