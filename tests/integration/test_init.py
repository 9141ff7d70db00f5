"""`runner init` on fresh dbt projects: what is built then is what plain dbt builds."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from runner.project.installation import COPY
from tests.conftest import REPOSITORY, Finished, Shop

PROJECTS = REPOSITORY / "tests" / "projects"
NOT_INSTALLED = "the macros of Daybreak are not installed: runner init"


@dataclass(frozen=True)
class Adopted(Shop):
    """A copy of a project under tests/projects, whose warehouse lies beside its files."""

    @property
    def warehouse(self) -> Path:
        return next(self.folder.glob("*.duckdb"), self.folder / f"{self.folder.name}.duckdb")

    def tables(self) -> dict[str, str]:
        """A content hash of every table and view; our own tables aside."""
        names = self.query(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where not starts_with(table_name, 'daybreak_') order by 1"
        )
        return {name: self.content_hash(name) for (name,) in names}

    def log_builds(self) -> None:
        """From now on every model says that it was built."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("create table builds (name text)")
        path = self.folder / "dbt_project.yml"
        logged = (
            "materialized: table\n      post-hook: \"insert into builds select '{{ this.name }}'\""
        )
        path.write_text(path.read_text().replace("materialized: table", logged))

    def built(self, pipeline: str, *arguments: str) -> set[str]:
        """Backfill, and return the models that were built, each of them once."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("truncate builds")
        self.runner("backfill", pipeline, *arguments)
        names = [name for (name,) in self.query("select name from builds")]
        assert len(names) == len(set(names))
        return set(names)


def copied(name: str, folder: Path) -> Adopted:
    shutil.copytree(PROJECTS / name, folder)
    return Adopted(folder)


def adopted(name: str, folder: Path) -> Adopted:
    shop = copied(name, folder)
    done = shop.runner("init", "--yes")
    assert done.code == 0, done.out + done.err
    return shop


def in_a_line(finished: Finished, text: str) -> None:
    assert finished.code == 2
    assert finished.err.count("\n") == 1
    assert text in finished.err


@pytest.mark.slow
def test_a_plain_project_is_built_as_dbt_builds_it_and_only_what_is_wrong_is_built_again(
    tmp_path: Path,
):
    plain = copied("jaffle_shop", tmp_path / "plain")
    assert plain.dbt("build").code == 0
    shop = copied("jaffle_shop", tmp_path / "jaffle_shop")
    files = {path: path.read_bytes() for path in shop.folder.rglob("*") if path.is_file()}
    # Shown and not written: asked for so, or because nobody can be asked.
    dry = shop.runner("init", "--dry-run")
    assert (dry.code, "+++ b/pipelines.yml" in dry.out) == (0, True)
    in_a_line(shop.runner("init"), "nothing is written")
    assert {path: path.read_bytes() for path in files} == files
    assert not (shop.folder / "pipelines.yml").exists()
    done = shop.runner("init", "--yes")
    assert done.code == 0, done.out + done.err
    assert "nothing wrong" in done.out
    again = shop.runner("init")
    assert (again.code, "nothing to do" in again.out) == (0, True)

    first = shop.runner("backfill", "jaffle_shop")
    assert first.code == 0, first.out + first.err
    assert shop.tables() == plain.tables()
    again = shop.runner("backfill", "jaffle_shop")
    assert (again.code, "nothing to do" in again.out) == (0, True)

    # A broken model costs itself and what reads it; then only these are built.
    model = shop.folder / "models" / "orders.sql"
    text = model.read_text()
    reader = shop.folder / "models" / "order_days.sql"
    reader.write_text("select order_date, count(*) as n from {{ ref('orders') }} group by 1")
    model.write_text(text.replace("sum(amount) as total", "sum(amount / 'x') as total"))
    shop.log_builds()
    views = {"stg_customers", "stg_orders", "stg_payments"}
    assert shop.built("jaffle_shop", "--reprocess", "all") == {*views, "customers"}
    broken = shop.runner("list-runs", "jaffle_shop", "--format", "json", "--limit", "1")
    assert json.loads(broken.out)[0]["state"] == "failed"
    model.write_text(text)
    assert shop.built("jaffle_shop") == {"orders", "order_days"}
    assert shop.built("jaffle_shop") == set()


@pytest.mark.slow
def test_what_grows_at_each_run_is_built_once_per_run_and_refused_to_who_names_it(tmp_path: Path):
    shop = adopted("mixed_growth", tmp_path / "mixed_growth")
    plain = copied("mixed_growth", tmp_path / "plain")
    for builds in (1, 2):
        assert plain.dbt("build").code == 0
        again = ("--reprocess", "all") if builds > 1 else ()
        done = shop.runner("backfill", "mixed_growth", *again)
        assert done.code == 3, done.out + done.err  # nothing judges two of them
        assert shop.tables() == plain.tables()
        assert shop.query("select count(*) from log.appended") == [(builds,)]
    shop.runner("backfill", "mixed_growth")
    assert shop.query("select count(*) from log.appended") == [(2,)]

    grown = "appended, by_var, by_watermark"
    for command in ("plan", "status"):
        assert f"once per run: {grown}" in shop.runner(command).out
    (listed,) = json.loads(shop.runner("list", "--format", "json").out)
    assert listed["not_replayable"] == grown.split(", ")
    for command in ("plan", "status"):
        (one,) = json.loads(shop.runner(command, "--format", "json").out).values()
        assert one["not_replayable"] == grown.split(", ")
    assert shop.runner("lint").code == 1  # and says why

    again = ("--reprocess", "all", "--select", "appended")
    in_a_line(shop.runner("backfill", "mixed_growth", *again), "appended is not safe to replay")
    shop.runner("backfill", "mixed_growth", *again, "--allow-unsafe", "appended")
    assert shop.query("select count(*) from log.appended") == [(3,)]


@pytest.mark.slow
def test_a_model_by_watermark_becomes_windowed_when_a_person_says_so(tmp_path: Path):
    shop = adopted("mixed_growth", tmp_path / "mixed_growth")
    assert shop.runner("backfill", "mixed_growth").code == 3  # as a table, not judged
    rows = shop.content_hash("marts.by_watermark")
    path = shop.folder / "models" / "by_watermark.sql"
    before = path.read_text()
    shown = shop.runner("init", "--convert", "by_watermark")
    assert (shown.code, path.read_text()) == (0, before)
    assert "+where {{ daybreak.in_window('happened_at', as='utc') }}" in shown.out
    assert "batch_size day: 5 rows over 4 days" in shown.out
    assert shop.runner("init", "--convert", "by_watermark", "--yes").code == 0
    pipelines = shop.folder / "pipelines.yml"
    pipelines.write_text(pipelines.read_text() + "    end: 2026-01-04\n")
    done = shop.runner("backfill", "mixed_growth", "--select", "by_watermark")
    assert "4 success" in done.out, done.out + done.err
    # Of the time when it had no windows nothing is left to be made good.
    assert shop.runner("doctor").code == 0
    assert "stale" not in shop.runner("plan").out
    assert shop.content_hash("marts.by_watermark") == rows
    assert shop.dbt("build", "--select", "by_watermark").code == 0
    in_a_line(shop.runner("init", "--convert", "appended"), "by no watermark")
    in_a_line(shop.runner("init", "--convert", "by_watermrk"), "no incremental model")


@pytest.mark.slow
def test_a_new_project_runs_and_without_its_macros_everything_says_so(tmp_path: Path):
    nowhere = Shop(tmp_path)
    made = nowhere.runner("init", "--new", "corner")
    assert made.code == 0, made.out + made.err
    assert "cd corner && runner backfill corner" in made.out
    shop = Adopted(tmp_path / "corner")
    assert len((shop.folder / "README.md").read_text().splitlines()) <= 10
    done = shop.runner("backfill", "corner")
    assert (done.code, "4 success" in done.out) == (0, True), done.out + done.err
    assert shop.runner("lint").code == shop.runner("doctor").code == 0
    tables = shop.tables()
    assert shop.dbt("build").code == 0
    assert shop.tables() == tables
    in_a_line(nowhere.runner("init", "--new", "corner"), "not empty")

    # A clone without dbt_packages, before `dbt deps` or `runner init`.
    shutil.rmtree(shop.folder / "dbt_packages")
    for command in ("list", "plan", "status", "lint", "backfill corner", "run corner"):
        in_a_line(shop.runner(*command.split()), NOT_INSTALLED)
    looked = shop.runner("doctor")
    assert looked.code == 1
    assert re.search(r"wrong +macros +the macros of Daybreak are not installed", looked.out)
    assert shop.runner("init", "--yes").code == 0
    assert (shop.folder / "dbt_packages" / "daybreak").resolve() == shop.folder / COPY
    # Nothing of it is remembered: no window is blocked, or to be run again.
    assert shop.runner("backfill", "corner").code == 0
    runs = json.loads(shop.runner("list-runs", "corner", "--format", "json").out)
    assert {run["state"] for run in runs} == {"success"}
    # An old copy.
    settings = shop.folder / COPY / "dbt_project.yml"
    settings.write_text(settings.read_text().replace('version: "', 'version: "0.0.'))
    for command in ("list", "backfill corner"):
        in_a_line(shop.runner(*command.split()), "runner init --upgrade")
    assert shop.runner("init", "--upgrade", "--yes").code == 0
    assert shop.runner("backfill", "corner").code == 0


@pytest.mark.slow
def test_a_project_without_windows_is_looked_at_without_the_macros_and_not_run(tmp_path: Path):
    shop = copied("jaffle_shop", tmp_path / "jaffle_shop")
    in_a_line(shop.runner("list"), "in a dbt project: runner init")
    (shop.folder / "pipelines.yml").write_text('pipelines: {all: {select: "*"}}\n')
    with (shop.folder / "dbt_project.yml").open("a") as settings:
        settings.write("vars: {timezone: UTC}\n")
    for command in ("list", "plan", "status", "lint"):
        assert shop.runner(command).code == 0
    in_a_line(shop.runner("backfill", "all"), NOT_INSTALLED)
    assert shop.runner("list-runs", "all").out.count("\n") <= 3
    assert shop.runner("init", "--yes").code == 0
    assert shop.runner("backfill", "all").code == 0


def test_a_project_that_cannot_be_read_is_left_as_it_is(tmp_path: Path):
    shop = copied("two_packages", tmp_path / "two_packages")
    files = sorted(shop.folder.rglob("*.yml"))
    refused = Shop(tmp_path).runner("--project-dir", "two_packages", "init", "--yes")
    in_a_line(refused, "nothing is proposed, as the dbt project does not parse")
    assert refused.err.endswith("Then type runner init again\n")
    assert "dbt deps" in refused.err
    assert sorted(shop.folder.rglob("*.yml")) == files


@pytest.mark.slow
def test_the_doctor_puts_every_pipeline_together(tmp_path: Path):
    shop = adopted("microbatch", tmp_path / "microbatch")
    (shop.folder / "pipelines.yml").write_text('pipelines: {all: {select: "*"}}\n')
    looked = shop.runner("doctor")
    assert looked.code == 1
    assert re.search(r"wrong +pipelines +pipeline all mixes grains", looked.out), looked.out


@pytest.mark.slow
def test_a_model_that_takes_its_day_from_a_var_is_built_a_day_at_a_time(tmp_path: Path):
    shop = adopted("told_its_day", tmp_path / "told_its_day")
    days = ("--start-date", "2026-01-01", "--end-date", "2026-01-04")
    done = shop.runner("backfill", "told_its_day", *days, "--chunk", "3")
    assert done.code == 0, done.out + done.err
    assert "4 chunks" in done.out
    assert shop.query("select snapshot_date::text, pieces::int from daily_total order by 1") == [
        ("2026-01-01", 50),
        ("2026-01-02", 47),
        ("2026-01-03", 47),
        ("2026-01-04", 62),
    ]
    again = shop.runner("backfill", "told_its_day", *days)
    assert (again.code, "nothing to do" in again.out) == (0, True)
    assert shop.runner("lint").code == 0
    proved = shop.runner("prove", "told_its_day", "--windows", "2", "--format", "json")
    assert proved.code == 0, proved.out + proved.err

    model = shop.folder / "models" / "daily_stock.sql"
    model.write_text(model.read_text().replace("'snapshot_dt'", "'window_start'"))
    in_a_line(shop.runner("plan"), "daily_stock: meta window_var is 'window_start'; write the name")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model", "breaks"),
    [
        ("two_packages", "people.v1", ("models/people_v1.sql", "name", "nam_e")),
        ("python_models", "ranked_orders", ("models/ranked_orders.py", "amount desc", "amont")),
    ],
)
def test_what_projects_have_is_built_as_dbt_builds_it(
    tmp_path: Path, name: str, model: str, breaks: tuple[str, str, str]
):
    plain, shop = copied(name, tmp_path / "plain"), copied(name, tmp_path / name)
    for one in (plain, shop):
        if (one.folder / "packages.yml").exists():
            assert one.dbt("deps").code == 0
    assert plain.dbt("build").code == 0
    assert shop.runner("init", "--yes").code == 0
    done = shop.runner("backfill", name)
    assert done.code in (0, 3), done.out + done.err  # nothing judges some of them
    assert shop.tables() == plain.tables()
    again = shop.runner("backfill", name)
    assert (again.code, "nothing to do" in again.out) == (done.code, True)

    path, sound, broken = shop.folder / breaks[0], *breaks[1:]
    text = path.read_text()
    path.write_text(text.replace(sound, broken))
    assert shop.runner("backfill", name, "--reprocess", "all").code == 1
    (run,) = json.loads(shop.runner("list-runs", name, "--format", "json", "--limit", "1").out)
    shown = json.loads(shop.runner("show-run", name, run["run_id"], "--format", "json").out)
    states = {found["model"]: found["state"] for found in shown["models"]}
    assert states[model] == "failed"
    assert [name for name, state in states.items() if state == "failed"] == [model]
    path.write_text(text)
    assert shop.runner("backfill", name).code in (0, 3)
    assert shop.tables() == plain.tables()
