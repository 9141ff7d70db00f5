"""Hooks of the run, on-run-start and on-run-end, that fail: so does the run, in their words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults import bakery as bakeries
from tests.faults.bakery import Bakery

BAD = "select * from rates"  # there are none
RAISES = "{{ exceptions.raise_compiler_error('no rates today') if execute }}"
NO_RATES = "Catalog Error: Table with name rates does not exist!"
JUDGE = "dbt_packages/daybreak/macros/publications/judge_publications.sql"
# No test comes after receipts are published: its gates have had the last word.
PUBLISHED = {("sales", "published"), ("daily_sales", "published"), ("receipts", "success")}
ROWS = "select * exclude (verdict, judged_at, checks_hash) from daybreak_publications order by all"
RANGE = ("--start-date", "2026-03-01", "--end-date", "2026-03-03")
FAILING = [
    pytest.param(BAD, NO_RATES, id="sql"),
    pytest.param(RAISES, "no rates today", id="raises", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bakery")
    bakeries.make_template(folder)
    return folder


@pytest.fixture
def bakery(template: Path, tmp_path: Path) -> Bakery:
    return bakeries.clone(template, tmp_path / "bakery")


def hang(bakery: Bakery, *, start: tuple[str, ...] = (), end: tuple[str, ...] = ()):
    """Give the project these hooks, which dbt runs before those of its packages."""
    path = bakery.folder / "dbt_project.yml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("on-run-")]
    hooks = [f"on-run-start: {json.dumps(start)}", f"on-run-end: {json.dumps(end)}"]
    path.write_text("\n".join([*kept, *hooks, ""]))


def states(bakery: Bakery) -> set[tuple[Any, ...]]:
    return set(bakery.told("select state, reason from runs"))


def known(bakery: Bakery) -> set[tuple[Any, ...]]:
    return set(
        bakery.told(
            "select model, standing from model_windows where model not in ('breads', 'best_days')"
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "says"), FAILING)
def test_a_hook_that_fails_at_the_start_lets_nothing_run(bakery: Bakery, hook: str, says: str):
    hang(bakery, start=(hook,))
    failed = bakery.bake(*RANGE)
    assert failed.code == 1, failed.out + failed.err
    [(state, reason)] = states(bakery)
    assert state == "failed"
    assert reason.startswith(f"hook bakery.on-run-start.0 failed: {says}")
    assert bakery.query("select count(*) from information_schema.tables") == [(0,)]
    assert {standing for _, standing in known(bakery)} == {"failed"}
    hang(bakery)
    assert bakery.bake(*RANGE).code == 0
    assert {standing for _, standing in known(bakery)} == {"success"}


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "says"), FAILING)
def test_a_hook_that_fails_at_the_end_fails_the_runs_of_what_is_published(
    bakery: Bakery, hook: str, says: str
):
    hang(bakery, end=(hook,))
    failed = bakery.bake(*RANGE)
    assert failed.code == 1, failed.out + failed.err
    assert "nothing published" not in failed.out
    [(state, reason)] = states(bakery)
    assert state == "failed"
    assert reason.startswith(f"hook bakery.on-run-end.0 failed: {says}")
    assert known(bakery) == PUBLISHED
    rows = bakery.query(ROWS)
    hang(bakery)
    assert bakery.bake(*RANGE).code == 0
    assert {standing for _, standing in known(bakery)} == {"success"}
    assert bakery.query(ROWS) == rows  # judged, and nothing was built again


@pytest.mark.slow
def test_daybreaks_own_hook_that_fails_leaves_windows_to_be_judged(bakery: Bakery):
    macro = bakery.folder / JUDGE
    ours = macro.read_text()
    macro.write_text(ours.replace("results) %}", "results) %}{% do daybreak._stop('full') %}", 1))
    failed = bakery.bake(*RANGE)
    assert failed.code == 1, failed.out + failed.err
    assert states(bakery) == {("failed", "hook daybreak.on-run-end.0 failed: full")}
    assert known(bakery) == PUBLISHED
    macro.write_text(ours)
    assert bakery.bake(*RANGE).code == 0
    assert {standing for _, standing in known(bakery)} == {"success"}


@pytest.mark.slow
def test_the_plain_engine_hears_of_hooks_too(bakery: Bakery):
    hang(bakery, end=(RAISES,))
    assert bakery.bake(*RANGE, "--engine", "plain").code == 1
    assert states(bakery) == {("failed", "hook bakery.on-run-end.0 failed: no rates today")}
    assert known(bakery) == PUBLISHED
