"""`runner lint` and the sqlfluff plugin over the gallery, and who may not run because of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY, Finished, Shop
from tests.faults import bakery as bakeries
from tests.faults.bakery import Bakery

GALLERY = REPOSITORY / "tests" / "gallery"
MODELS = sorted(path.relative_to(GALLERY) for path in GALLERY.glob("*/*.sql"))
FLUFF = """
[sqlfluff]
dialect = duckdb
[sqlfluff:templater:jinja]
library_path = libraries
[sqlfluff:templater:dbt]
project_dir = .
profiles_dir = .
"""


# The gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A copy of the gallery; its project reads the macros two folders above it."""
    folder = tmp_path_factory.mktemp("gallery")
    shutil.copytree(REPOSITORY / "macros", folder / "macros")
    shutil.copytree(GALLERY, folder / "tests" / "gallery")
    (folder / "tests" / "gallery" / ".sqlfluff").write_text(FLUFF)
    # What stands for our package to sqlfluff's Jinja, which knows no dbt.
    (folder / "tests" / "gallery" / "libraries").mkdir()
    library = "def in_window(column, **_):\n    return f'({column} is not null)'\n"
    (folder / "tests" / "gallery" / "libraries" / "daybreak.py").write_text(library)
    return Shop(folder / "tests" / "gallery", {"DAYBREAK_WAREHOUSE": ":memory:"})


@pytest.fixture(scope="module")
def linted(gallery: Shop) -> list[dict[str, Any]]:
    finished = gallery.runner("lint", "--format", "json")
    assert finished.code == 1, finished.out + finished.err
    found: list[dict[str, Any]] = json.loads(finished.out)
    return found


def expected(path: Path) -> set[str]:
    """What the head of a model's file says must be found in it."""
    (said,) = re.findall(r"^-- lint: (.*)$", (GALLERY / path).read_text(), re.MULTILINE)
    return set() if said == "none" else set(said.split(", "))


def test_the_confusion_table_of_the_gallery(
    linted: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
):
    found: dict[Path, set[str]] = {path: set() for path in MODELS}
    for one in linted:
        found[Path(one["path"])].add(one["rule"])
    lines = [("model", "must be found", "found")]
    for path in MODELS:
        must, is_found = (", ".join(sorted(r)) or "-" for r in (expected(path), found[path]))
        lines.append((str(path.with_suffix("")), must, is_found))
    with capsys.disabled():
        sys.stdout.write("\n" + "".join(f"{a:<36} | {b:<14} | {c}\n" for a, b, c in lines))
    assert found == {path: expected(path) for path in MODELS}
    assert {str(path.parent) for path in MODELS} == {"broken", "correct"}
    assert not any(rules for path, rules in found.items() if path.parent.name == "correct")
    missed = [path.stem for path in MODELS if path.parent.name == "broken" and not found[path]]
    assert missed == ["version_that_stands"]
    page = (REPOSITORY / "docs" / "rules.md").read_text()
    broken, correct = (len(list((GALLERY / one).glob("*.sql"))) for one in ("broken", "correct"))
    assert f"Lint finds {broken - len(missed)} of {broken} broken models" in page
    assert f"alarms on none of {correct} correct ones" in page


def test_every_rule_is_broken_by_some_model_of_the_gallery():
    rules = Counter(rule for path in MODELS for rule in expected(path))
    # What breaks DB10 cannot be built, so no replay can disprove it.
    assert rules.keys() == {f"DB{number:02}" for number in range(1, 16) if number != 10}


def test_lint_prints_a_line_each_that_editors_can_follow(gallery: Shop):
    finished = gallery.runner("lint", "--select", "wall_clock arbitrary_value")
    assert finished.code == 1
    lines = finished.out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["broken/arbitrary_value.sql:8:5", "DB06", "warn"],
        ["broken/arbitrary_value.sql:9:5", "DB06", "warn"],
        ["broken/wall_clock.sql:10:5", "DB01", "error"],
    ]


@pytest.mark.parametrize(
    ("select", "says"),
    [("sales", "no model breaks a rule"), ("first_in_a_tie", "DB06 warn first, whose order")],
)
def test_warnings_alone_are_no_failure(gallery: Shop, select: str, says: str):
    finished = gallery.runner("lint", "--select", select)
    assert (finished.code, finished.err) == (0, "")
    assert says in finished.out


def test_lint_of_no_model_says_which_is_meant(gallery: Shop):
    finished = gallery.runner("lint", "--select", "wall_clok")
    assert (finished.code, finished.out) == (2, "")
    assert "Did you mean 'wall_clock'?" in finished.err


def test_lint_imports_no_dbt_while_the_last_parse_holds(
    gallery: Shop, linted: list[dict[str, Any]]
):
    assert linted
    program = (
        "import sys\nfrom runner.cli import main\n"
        "try:\n    main()\nfinally:\n    print('dbt' in sys.modules, file=sys.stderr)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, "lint", "--select", "sales"],
        cwd=gallery.folder,
        env=gallery.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "False\n")


# sqlfluff


def fluffed(gallery: Shop, *arguments: str) -> Finished:
    command = "import sys; from sqlfluff.cli.commands import cli; cli()"
    finished = subprocess.run(
        [sys.executable, "-c", command, "lint", *arguments],
        cwd=gallery.folder,
        env=gallery.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr)


def places(finished: Finished) -> set[tuple[str, int, int, str]]:
    document = json.loads(finished.out[finished.out.index("[{") :])
    return {
        (file["filepath"], v["start_line_no"], v["start_line_pos"], v["code"])
        for file in document
        for v in file["violations"]
        if v["code"].startswith("DB")
    }


@pytest.mark.slow
@pytest.mark.parametrize("templater", ["jinja", "dbt"])
def test_sqlfluff_underlines_what_lint_finds(
    gallery: Shop, linted: list[dict[str, Any]], templater: str
):
    arguments = ("--templater", templater, "--rules", "daybreak", "--format", "json")
    finished = fluffed(gallery, "broken", "correct", *arguments)
    assert finished.code == 1, finished.err
    assert places(finished) == {
        (one["path"], one["line"], one["column"], one["rule"]) for one in linted
    }


def test_sqlfluffs_noqa_and_ours_do_not_fight(gallery: Shop):
    silent = "    now() as a, -- noqa: DB01 a reason\n"
    hidden = "    now() as b, -- noqa: DB01\n"
    path = gallery.folder / "drafts" / "noqa.sql"  # not a model of the project: text alone
    path.parent.mkdir()
    path.write_text(
        "{{ config(materialized='incremental', incremental_strategy='overwrite_window') }}\n"
        f"select\n{silent}{hidden}    sold_on\nfrom x\n"
        "where {{ daybreak.in_window('sold_on') }}\n"
    )
    finished = fluffed(
        gallery, str(path), "--templater", "jinja", "--rules", "daybreak", "--format", "json"
    )
    assert {(line, code) for _, line, _, code in places(finished)} == {(4, "DB00")}
    assert "PRS" not in finished.out


# Who may not run


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bakery whose daily_sales look at the clock."""
    folder = tmp_path_factory.mktemp("lint") / "bakery"
    folder.mkdir()
    bakeries.make_template(folder)
    model = folder / "models" / "daily_sales.sql"
    model.write_text(
        model.read_text().replace("paid.amount\n", "paid.amount,\n        now() as at\n")
    )
    return folder


@pytest.fixture
def bakery(template: Path, tmp_path: Path) -> Bakery:
    return bakeries.clone(template, tmp_path / "bakery")


ONE_DAY = ("--start-date", "2026-03-02", "--end-date", "2026-03-02")


def assert_refused(finished: Finished) -> None:
    assert (finished.code, finished.out) == (2, ""), finished.out + finished.err
    (line,) = finished.err.splitlines()
    assert "daily_sales is not safe to replay, DB01 clock or chance, models/daily_sales.sql" in line
    assert re.search(r"daily_sales\.sql:\d+: now: a replay gives other rows", line)
    assert "take the time from the window" in line
    assert line.endswith("--allow-unsafe daily_sales")


def test_an_unsafe_model_is_refused_before_anything_is_queued(bakery: Bakery):
    assert_refused(bakery.runner("backfill", "bakery", *ONE_DAY))
    assert_refused(bakery.runner("backfill", "bakery", *ONE_DAY, "--dry-run"))
    assert_refused(bakery.runner("run", "bakery", "--window", "2026-03-02"))
    assert_refused(bakery.runner("backfill", "bakery", *ONE_DAY, "--allow-unsafe", "sales"))
    assert bakery.told("select count(*) from runs") == [(0,)]
    assert not bakery.warehouse.exists()


def test_a_name_that_is_no_models_cannot_be_allowed(bakery: Bakery):
    finished = bakery.runner("backfill", "bakery", *ONE_DAY, "--allow-unsafe", "dayly_sales")
    assert (finished.code, finished.out) == (2, "")
    assert "bakery has no such model. Did you mean 'daily_sales'?" in finished.err


def test_what_is_allowed_runs_and_each_run_remembers_it(bakery: Bakery):
    allowed = ("--allow-unsafe", "daily_sales", "--allow-unsafe", "sales")
    days = ("--start-date", "2026-03-02", "--end-date", "2026-03-03")
    finished = bakery.runner("backfill", "bakery", *days, *allowed)
    assert finished.code == 0, finished.out + finished.err
    for label in ("2026-03-02", "2026-03-03"):
        shown = bakery.runner("show-run", "bakery", f"backfill__{label}", "--format", "json")
        assert json.loads(shown.out)["allowed_unsafe"] == [
            {"model": "daily_sales", "reason": "DB01 clock or chance"}
        ]
    page = bakery.runner("show-run", "bakery", "backfill__2026-03-03").out
    assert re.search(r"^unsafe +daily_sales: DB01 clock or chance$", page, re.MULTILINE)


def test_what_the_pipeline_allows_runs_by_itself_and_says_why(bakery: Bakery):
    pipelines = bakery.folder / "pipelines.yml"
    text = pipelines.read_text().rstrip()
    pipelines.write_text(f"{text}\n    allow_unsafe: [daily_sales: asked_at is only shown]\n")
    finished = bakery.runner("backfill", "bakery", *ONE_DAY)
    assert finished.code == 0, finished.out + finished.err
    shown = bakery.runner("show-run", "bakery", "backfill__2026-03-02", "--format", "json")
    (allowed,) = json.loads(shown.out)["allowed_unsafe"]
    assert allowed["reason"] == "DB01 clock or chance; asked_at is only shown"
    pipelines.write_text(f"{text}\n    allow_unsafe: [dayly_sales: a slip]\n")
    refused = bakery.runner("backfill", "bakery", *ONE_DAY)
    assert (refused.code, refused.out) == (2, "")
    assert "'allow_unsafe' names dayly_sales, which it does not select" in refused.err
    assert "Did you mean 'daily_sales'?" in refused.err


def test_a_clock_in_a_view_is_held_against_the_model_that_reads_it(bakery: Bakery):
    models = bakery.folder / "models"
    view = "{{ config(materialized='view') }}\nselect *, now() as asked_at from {{ ref('breads') }}"
    (models / "priced_breads.sql").write_text(view)
    receipts = models / "receipts.sql"
    receipts.write_text(receipts.read_text().replace("ref('breads')", "ref('priced_breads')"))
    finished = bakery.runner("backfill", "bakery", *ONE_DAY, "--select", "sales receipts")
    assert (finished.code, finished.out) == (2, ""), finished.out + finished.err
    (line,) = finished.err.splitlines()
    assert (
        "receipts is not safe to replay, DB01 clock or chance, through the view priced_breads, "
        "models/priced_breads.sql:2: now, read by receipts: a replay gives other rows" in line
    )
    assert line.endswith("--allow-unsafe receipts")
    both = ("--allow-unsafe", "receipts,daily_sales", "--dry-run")
    assert bakery.runner("backfill", "bakery", *ONE_DAY, *both).code == 0


def test_a_selection_without_the_unsafe_model_runs(bakery: Bakery):
    finished = bakery.runner("backfill", "bakery", *ONE_DAY, "--select", "sales")
    assert finished.code == 0, finished.out + finished.err
    shown = bakery.runner("show-run", "bakery", "backfill__2026-03-02", "--format", "json")
    assert json.loads(shown.out)["allowed_unsafe"] == []


@pytest.mark.slow
def test_a_retry_refuses_too(bakery: Bakery):
    losing = Bakery(bakery.folder, {"BAKERY_LOSES": "2026-03-02"})
    finished = losing.runner("backfill", "bakery", *ONE_DAY, "--allow-unsafe", "daily_sales")
    assert finished.code in (1, 3), finished.out + finished.err
    assert_refused(bakery.runner("retry", "bakery"))
    retried = bakery.runner("retry", "bakery", "--allow-unsafe", "daily_sales")
    assert retried.code == 0, retried.out + retried.err
