"""A project of many generated models: taken on, built as dbt builds it, and short to look at.

The bench has fifteen times as many (bench/scenarios/s9_large_project.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.render.excerpt import MOST_LINES
from tests.integration.test_init import Adopted
from tests.projects import generated

MODELS = 70
LAST = "    end: 2026-01-04\n"
BROKEN = "case when day = '2026-01-03' then cast('x' as integer) end, cast(amount as integer)"


@pytest.fixture
def shop(tmp_path: Path) -> Adopted:
    generated.write(tmp_path / "generated", MODELS)
    shop = Adopted(tmp_path / "generated")
    done = shop.runner("init", "--yes")
    assert done.code == 0, done.out + done.err
    with (shop.folder / "pipelines.yml").open("a") as pipelines:
        pipelines.write(LAST)
    return shop


def lines_of(shop: Adopted, *arguments: str) -> list[str]:
    found = shop.runner(*arguments)
    assert found.code == 0, found.err
    return found.out.splitlines()


def counts_of(shop: Adopted) -> dict[str, dict[str, int]]:
    """The number of windows of each model by what is wrong with them."""
    status = json.loads(shop.runner("status", "generated", "--format", "json").out)
    assert len(status["models"]) > MODELS * 0.15
    wrong = {
        m["model"]: {s: n for s, n in m["counts"].items() if s != "success"}
        for m in status["models"]
    }
    return {model: counts for model, counts in wrong.items() if counts}


@pytest.mark.slow
def test_many_models_are_built_as_dbt_builds_them_and_a_broken_day_costs_that_day(
    shop: Adopted, tmp_path: Path
):
    for command in ("plan", "status", "list"):
        assert len(lines_of(shop, command)) <= MOST_LINES
    assert "more, all missing: --all shows them" in shop.runner("plan").out
    assert len(lines_of(shop, "plan", "--all")) > MODELS

    generated.write(tmp_path / "plain", MODELS, windowed=False)
    plain = Adopted(tmp_path / "plain")
    assert plain.dbt("build").code == 0
    done = shop.runner("backfill", "generated")
    assert (done.code, "0 incorrect" in done.out) == (3, True), done.out + done.err  # unchecked
    tables = plain.tables()
    assert len(tables) == MODELS + 1
    assert shop.tables() == tables
    again = shop.runner("backfill", "generated")
    assert "nothing to do" in again.out

    model = shop.folder / "models" / "day" / "day_003.sql"
    text = model.read_text()
    model.write_text(text.replace("cast(amount as integer)", f"coalesce({BROKEN})"))
    broken = shop.runner("backfill", "generated", "--reprocess", "stale")
    assert broken.code == 1, broken.out + broken.err
    assert counts_of(shop) == {"day_003": {"blocked": 1}}
    assert "blocked    2026-01-03  day_003: " in shop.runner("status").out

    model.write_text(text)
    mended = shop.runner("backfill", "generated")
    assert "1 run queued (one per day) 2026-01-03, 1 chunk" in mended.out
    assert shop.tables() == tables
