"""The landed files: what a source system may and may not do."""

import csv
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.conftest import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "land_demo_data.py"
# Saturday, and the Sunday of 23 hours.
SPRING = ("--start", "2017-03-11", "--end", "2017-03-12")


def land(target: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments, "--target", str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def extracted_at(landing: Path, day: str) -> list[str]:
    path = landing / "transactions" / f"{day}.parquet"
    found = duckdb.sql(f"select distinct cast(extracted_at as varchar) from '{path}'").fetchall()
    return [at for (at,) in found]


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("spring") / "landing"
    landed = land(target, *SPRING)
    assert landed.returncode == 0, landed.stderr
    return target


def test_there_are_the_files_asked_for_and_no_unfinished_one(spring: Path):
    assert sorted(contents(spring)) == [
        "control_totals.csv",
        "products.parquet",
        "transactions/2017-03-11.parquet",
        "transactions/2017-03-12.parquet",
    ]


@pytest.mark.slow
def test_the_same_arguments_give_the_same_bytes(spring: Path, tmp_path: Path):
    assert land(tmp_path, *SPRING).returncode == 0
    assert contents(tmp_path) == contents(spring)


def test_the_extract_is_taken_at_two_in_the_morning(spring: Path):
    # Store-local, as naive UTC. On the 12th there was no such hour: it is what the clock then
    # showed, three, daylight time.
    assert extracted_at(spring, "2017-03-11") == ["2017-03-12 07:00:00"]
    assert extracted_at(spring, "2017-03-12") == ["2017-03-13 06:00:00"]


@pytest.mark.slow
def test_a_revision_is_extracted_a_day_later_and_has_the_same_lines(spring: Path, tmp_path: Path):
    assert land(tmp_path, *SPRING, "--revision", "1").returncode == 0
    first, second = contents(spring), contents(tmp_path)
    assert first.keys() == second.keys()
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"transactions/2017-03-11.parquet", "transactions/2017-03-12.parquet"}
    for name in changed:
        lines = "select * exclude (extracted_at) from"
        before = duckdb.sql(f"{lines} '{spring / name}'").fetchall()
        assert duckdb.sql(f"{lines} '{tmp_path / name}'").fetchall() == before
    assert extracted_at(tmp_path, "2017-03-11") == ["2017-03-13 06:00:00"]
    assert extracted_at(tmp_path, "2017-03-12") == ["2017-03-14 06:00:00"]


def test_a_day_without_trade_lands_no_file_and_is_a_zero_at_the_source(tmp_path: Path):
    landed = land(tmp_path, "--start", "2017-12-24", "--end", "2017-12-26")
    assert landed.returncode == 0, landed.stderr
    files = sorted(path.name for path in (tmp_path / "transactions").iterdir())
    assert files == ["2017-12-24.parquet", "2017-12-26.parquet"]
    with (tmp_path / "control_totals.csv").open() as file:
        totals = {row.pop("business_date"): row for row in csv.DictReader(file)}
    assert len(totals) == 365
    assert totals["2017-12-25"] == {"line_count": "0", "basket_count": "0", "sales_value": "0.00"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--start", "2017-03-12", "--end", "2017-03-11"), "is before --start"),
        ((*SPRING, "--revision", "-1"), "--revision -1 is negative: 0 is the first extract"),
        (
            ("--start", "2018-01-01", "--end", "2018-01-02"),
            "no till line from 2018-01-01 to 2018-01-02: the data are those of 2017-01-01 to"
            " 2017-12-31",
        ),
    ],
)
def test_what_cannot_be_landed_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str):
    refused = land(tmp_path / "landing", *arguments)
    assert refused.returncode != 0
    assert said in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "landing").exists()
