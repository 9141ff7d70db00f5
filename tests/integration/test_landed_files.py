"""Landed files as dbt reads them, and event times of other types than they are taken for."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.conftest import install_package
from tests.integration.macros_project import (
    PROFILES,
    PROJECT,
    Invocation,
    Project,
    Trial,
    started,
    window_vars,
)

MONDAY = date(2026, 3, 2)
DAY = timedelta(days=1)

_LANDED = (
    "{{ config(event_time='day') }} select id, amount,"
    " cast({{ daybreak.landed_date('filename') }} as date) as day"
    " from {{ daybreak.landed_in_window(source('drop', 'SOURCE')) }}"
)
_SOLD = " from {{ source('raw', 'sales') }} where {{ daybreak.in_window('sold_at', as='instant') }}"
MODELS = {
    **{name: _LANDED.replace("SOURCE", name) for name in ("parquet", "text", "quoted", "rounded")},
    "round": _LANDED.replace("SOURCE", "round"),
    "late": "{{ config(event_time='day') }} select id, day from {{ source('drop', 'late') }}"
    " where {{ daybreak.in_window('day') }}",
    "taken_for_a_date": "{{ config(event_time='sold_at') }} select id, sold_at" + _SOLD,
    "an_instant": "{{ config(event_time='sold_at', meta={'event_time_as': 'instant'}) }}"
    " select id, sold_at" + _SOLD,
    "taken_for_an_instant": "{{ config(event_time='at', meta={'event_time_as': 'instant'}) }}"
    " select id, sold_at at time zone 'UTC' as at" + _SOLD,
    "cast_to_a_date": "{{ config(event_time='day') }} select id, cast(sold_at as date) as day"
    " from {{ source('raw', 'sales') }} where cast(sold_at as date) >= '2026-03-02'"
    " and cast(sold_at as date) < '2026-03-03'",
}
SCHEMA = """
sources:
  - name: raw
    tables: [{name: sales}]
  - name: drop
    tables:
      - {name: parquet, meta: {external_location: "landing/*.parquet"}}
      - {name: text, meta: {external_location: "landing/*.csv*"}}
      - {name: quoted, meta: {external_location: "landing/o'clock/*.csv"}}
      - {name: round, meta: {external_location: "landing/till (1)/*.csv"}}
      - {name: rounded, meta: {external_location: "'landing/till (1)/*.csv'"}}
      - {name: late, meta: {external_location: "landing/late/*.parquet"}}
models:
  - name: late
    data_tests:
      - daybreak.late_rows:
          name: late_files
          arguments: {of: "source('drop', 'late')", event_time: day, loaded_at: loaded_at}
"""


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """dbt's process, which parses once."""
    folder = tmp_path_factory.mktemp("landed")
    install_package(folder)
    files = {
        "dbt_project.yml": PROJECT,
        "profiles.yml": PROFILES,
        "models/schema.yml": SCHEMA,
        **{f"models/{name}.sql": sql for name, sql in MODELS.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with started(folder) as project:
        yield project


@pytest.fixture
def trial(landed: Project, tmp_path: Path) -> Trial:
    trial = Trial(landed, tmp_path)
    trial.sql("create schema raw; create table raw.sales (id integer, sold_at timestamptz)")
    landing = landed.folder / "landing"
    for path in sorted(landing.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    landing.mkdir(exist_ok=True)
    return trial


def run(trial: Trial, model: str, days: int = 1, first: date = MONDAY) -> Invocation:
    return trial.run(model, str(first), str(first + (days - 1) * DAY))


def land(trial: Trial, name: str, amount: str) -> None:
    path = trial.project.folder / "landing" / name
    path.parent.mkdir(exist_ok=True)
    if name.endswith(".parquet"):
        duckdb.execute(f"copy (select 1 as id, {amount} as amount) to '{path}' (format parquet)")
        return
    text = f"id,amount\n1,{amount}\n".encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def amounts(trial: Trial, model: str) -> list[float]:
    return [float(amount) for (amount,) in trial.sql(f"select amount from {model} order by day")]


@pytest.mark.parametrize(
    ("model", "types"),
    [
        ("parquet", ("500::integer", "500.75::double")),
        ("parquet", ("500::bigint", "500.75::double")),
        ("parquet", ("500.75::double", "500::smallint")),
        ("parquet", ("500::bigint", "500.75::decimal(9, 2)")),
        ("text", ("500", "500.75")),
    ],
)
def test_numbers_of_other_types_in_one_chunk_are_what_they_are_alone(
    trial: Trial, model: str, types: tuple[str, str]
):
    ending = "parquet" if model == "parquet" else "csv"
    for n, amount in enumerate(types):
        land(trial, f"{MONDAY + n * DAY}.{ending}", amount)
    found = run(trial, model, days=2)
    assert found.success, found.nodes
    expected = [float(duckdb.sql(f"select {amount}").fetchall()[0][0]) for amount in types]
    assert amounts(trial, model) == expected


def test_of_many_text_files_the_last_counts_for_the_type_too(trial: Trial):
    """DuckDB looks at the first few by itself."""
    for n in range(24):
        land(trial, f"{MONDAY}-store{n:02}.csv", "500.75" if n == 23 else "500")
    assert run(trial, "text").success
    assert sorted(amounts(trial, "text"))[-2:] == [500.0, 500.75]


@pytest.mark.parametrize(
    "other", ["'500'", "500.75::decimal(9, 2)", "9007199254740993", "date '2026-03-01'"]
)
def test_types_that_cannot_be_one_are_refused_and_both_files_named(trial: Trial, other: str):
    land(trial, f"{MONDAY}.parquet", "500.75::double")
    land(trial, f"{MONDAY + DAY}.parquet", other)
    said = run(trial, "parquet", days=2).daybreak_error("parquet")
    assert "amount is DOUBLE in landing/2026-03-02.parquet and" in said
    assert "in landing/2026-03-03.parquet" in said
    assert run(trial, "parquet").success
    assert amounts(trial, "parquet") == [500.75]


NAMES = ["2026-03-02.csv", "2026-03-02_part2.csv", "20260302T05.csv", "2026-03-02 (2).csv.gz"]


def test_every_file_of_a_day_is_read_and_its_name_is_no_glob(trial: Trial):
    for n, name in enumerate([*NAMES, "2026-03-02*.csv", "2026-03-02[1].csv"]):
        land(trial, name, str(n))
    assert run(trial, "text").success
    assert sorted(amounts(trial, "text")) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_file_that_names_no_date_is_read_by_no_window(trial: Trial):
    land(trial, f"{MONDAY}.csv", "1")
    land(trial, "orders_2026-03-02.csv", "2")
    land(trial, "zz-latest.csv", "3")  # nor does it say how files are read, as the last by name
    assert run(trial, "text").success
    assert amounts(trial, "text") == [1.0]


def test_an_empty_file_is_named(trial: Trial):
    land(trial, f"{MONDAY}.csv", "1")
    (trial.project.folder / "landing" / "2026-03-02_part2.csv").write_text("")
    said = run(trial, "text").daybreak_error("text")
    assert "landing/2026-03-02_part2.csv is empty" in said
    (trial.project.folder / "landing" / "2026-03-02.parquet").write_text("")
    assert "landing/2026-03-02.parquet" in run(trial, "parquet").error("parquet")


def test_quotes_and_brackets_in_a_location_are_read_or_named(trial: Trial):
    land(trial, f"o'clock/{MONDAY}.csv", "7")
    land(trial, f"till (1)/{MONDAY}.csv", "8")
    for model, amount in (("quoted", 7.0), ("rounded", 8.0)):
        found = run(trial, model)
        assert found.success, found.nodes
        assert amounts(trial, model) == [amount]
    said = run(trial, "round").daybreak_error("round")
    assert "external_location landing/till (1)/*.csv has a round bracket" in said
    assert "'landing/till (1)/*.csv'" in said


def late_file(trial: Trial, name: str, columns: str) -> None:
    path = trial.project.folder / "landing" / "late" / name
    path.parent.mkdir(exist_ok=True)
    duckdb.execute(f"copy (select {columns}) to '{path}' (format parquet)")


def test_late_rows_opens_only_the_files_that_arrived_since(trial: Trial):
    day = f"1 as id, date '{MONDAY}' as day"
    late_file(trial, "1.parquet", f"{day}, timestamp '2026-03-03' as loaded_at")
    found = run(trial, "late")
    assert found.success, found.nodes
    assert found.nodes["late_files"]["status"] == "pass"
    # What was there before is not opened again, or this would break the check.
    (trial.project.folder / "landing" / "late" / "1.parquet").rename(
        trial.project.folder / "landing" / "late" / "1.kept"
    )
    broken = trial.project.folder / "landing" / "late" / "0.parquet"
    broken.write_text("no parquet")
    duckdb_old = "update daybreak_publications set published_at = now() at time zone 'UTC'"
    trial.sql(f"{duckdb_old} + interval 1 minute")
    tested = trial.project.invoke(trial.folder, "test", "--select", "late")
    assert tested.nodes["late_files"]["status"] == "error"  # no other file is left to look at
    late_file(trial, "1.parquet", f"{day}, timestamp '2026-03-03' as loaded_at")
    tested = trial.project.invoke(trial.folder, "test", "--select", "late")
    assert tested.nodes["late_files"]["status"] == "pass"
    trial.sql(f"{duckdb_old} - interval 1 hour")
    broken.unlink()
    now = "now() at time zone 'UTC' - interval 1 minute"
    late_file(trial, "2.parquet", f"{day}, {now} as loaded_at from range(3)")
    late_file(trial, "3.parquet", "1 as id, 'x' as note")  # other columns, which are not asked for
    tested = trial.project.invoke(trial.folder, "test", "--select", "late")
    assert tested.nodes["late_files"]["message"].startswith("Got 1 result")


@pytest.mark.slow
@pytest.mark.parametrize("is_run", [True, False])
def test_the_zone_of_the_machine_shifts_no_window(trial: Trial, *, is_run: bool):
    """20:30 UTC on Monday is Tuesday in Tokyo; a process of its own knows no other zone."""
    trial.sql("insert into raw.sales values (1, '2026-03-02 20:30:00+00')")
    run_vars = {"run_id": "trial", "fence": 1} if is_run else {}
    values = {**window_vars(str(MONDAY), str(MONDAY)), **run_vars}
    finished = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *("run", "--select", "cast_to_a_date", "an_instant", "--vars", json.dumps(values)),
        ],
        cwd=trial.project.folder,
        env={
            **os.environ,
            "TZ": "Asia/Tokyo",
            "DAYBREAK_FOLDER": str(trial.folder),
            "DBT_PROFILES_DIR": str(trial.project.folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert trial.sql("select id, day from cast_to_a_date") == [(1, MONDAY)]
    assert trial.markers("an_instant", "row_count") == [(1,)]


def test_an_event_time_whose_type_says_otherwise_is_refused_by_name(trial: Trial):
    trial.sql("insert into raw.sales values (1, '2026-03-02 20:30:00+00')")
    said = run(trial, "taken_for_a_date").daybreak_error("taken_for_a_date")
    assert "the event_time sold_at of taken_for_a_date is a TIMESTAMP WITH TIME ZONE" in said
    assert "meta: {event_time_as: instant}" in said
    said = run(trial, "taken_for_an_instant").daybreak_error("taken_for_an_instant")
    assert "the event_time at of taken_for_an_instant is a TIMESTAMP, which has no zone" in said
    assert trial.markers("taken_for_a_date") == []
