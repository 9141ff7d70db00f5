"""Which date a landed file belongs to, and which files a location names."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from runner.landed.dates import date_of
from runner.landed.listing import listed
from tests.landed_names import MORE, NAMES


def test_every_case_is_here():
    assert len(NAMES) == 18


@pytest.mark.parametrize("name", [*NAMES, *MORE])
@pytest.mark.parametrize("folder", ["", "landing/", "/data/20160101/", "/data/2016-01-01 x/"])
def test_a_name_says_its_date(name: str, folder: str):
    assert date_of(folder + name) == {**NAMES, **MORE}[name]


def land(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("id\n1\n")


PATTERNS = [
    "*.csv",
    "**/*.csv",
    "**",
    "*/*.csv",
    "day=*/*.csv",
    "2017-03-1[89].csv",
    "2017-03-1[!9].csv",
    "2017-03-1?.csv",
    "[[]x].csv",
    "*/**/*.csv",
    "up/**/2017*.csv",
    "2017-03-18.csv",
    "nothing/*.csv",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_glob_lists_what_duckdb_lists(tmp_path: Path, pattern: str):
    folder = tmp_path / "[2017] it's*"  # a name is never a glob
    land(folder, "2017-03-18.csv", "2017-03-19.csv", "2017-03-18*.csv", "[x].csv", "note.txt")
    land(folder, "up/2017-03-18.csv", "up/day=2017-03-18/part.csv", "day=2017-03-18/part.csv")
    by_duckdb = duckdb.execute("select file from glob(?)", [glob_in(folder, pattern)]).fetchall()
    files = [path for path in listed(folder, pattern) if Path(path).is_file()]
    assert files == sorted(path for (path,) in by_duckdb)


def glob_in(folder: Path, pattern: str) -> str:
    escaped = str(folder).replace("[", "[[]").replace("*", "[*]")
    return f"{escaped}/{pattern}"


@pytest.mark.parametrize("pattern", ["**/*.csv", "**"])
def test_links_that_lead_around_are_no_way(tmp_path: Path, pattern: str):
    """Two links to the folder itself are 2 ** 40 ways, as deep as the system follows them."""
    land(tmp_path, "2017-03-18.csv", "below/2017-03-19.csv")
    (tmp_path / "one").symlink_to(".")
    (tmp_path / "two").symlink_to(".")
    (tmp_path / "below" / "up").symlink_to("..")
    found = [path for path in listed(tmp_path, pattern) if Path(path).is_file()]
    assert found == [f"{tmp_path}/2017-03-18.csv", f"{tmp_path}/below/2017-03-19.csv"]
    by_duckdb = duckdb.execute("select file from glob(?)", [f"{tmp_path}/{pattern}"]).fetchall()
    assert sorted(path for (path,) in by_duckdb) == found


def test_a_link_to_a_file_or_named_by_a_pattern_is_followed(tmp_path: Path):
    land(tmp_path, "elsewhere/2017-03-18.csv")
    (tmp_path / "landing").symlink_to("elsewhere")
    assert listed(tmp_path, "landing/*.csv") == [f"{tmp_path}/landing/2017-03-18.csv"]
    assert listed(tmp_path, "l*/*.csv") == [f"{tmp_path}/landing/2017-03-18.csv"]
