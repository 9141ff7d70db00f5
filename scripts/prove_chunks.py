"""Prove that the size of the chunks does not show: backfill the quarter in several ways.

``--chunk 1``, ``--chunk 7``, ``--chunk auto`` and a plain ``dbt build`` run in folders of their
own over the same landed days; the content hash of every table must be the same. Takes some
minutes, so it is not among the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
from show_demo_totals import content_hashes

PROJECT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DATES = ("--start-date", "2017-03-01", "--end-date", "2017-05-31")
WAYS = {
    "dbt build": (BIN / "dbt", "build", "--quiet"),
    "--chunk auto": (BIN / "runner", "backfill", "orders_pipeline", *DATES),
    "--chunk 7": (BIN / "runner", "backfill", "orders_pipeline", *DATES, "--chunk", "7"),
    "--chunk 1": (BIN / "runner", "backfill", "orders_pipeline", *DATES, "--chunk", "1"),
}


def run(way: str, folder: Path) -> dict[str, tuple[int, str]]:
    """Run one way from nothing; rows and content hash by table."""
    environment = {
        **os.environ,
        "DAYBREAK_WAREHOUSE": str(folder / "warehouse.duckdb"),
        "DAYBREAK_HOME": str(folder / "home"),
        "DBT_TARGET_PATH": str(folder / "target"),
    }
    subprocess.run(WAYS[way], cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return content_hashes(connection)


def main() -> None:
    """Compare every way with the first; exit 1 at a difference."""
    os.chdir(PROJECT)  # the views read the landed files by a relative path
    land = [sys.executable, "scripts/land_demo_data.py", "--start", DATES[1], "--end", DATES[3]]
    subprocess.run(land, check=True)
    found = {}
    for way in WAYS:
        folder = Path(tempfile.mkdtemp(prefix="daybreak-"))
        found[way] = run(way, folder)
        shutil.rmtree(folder)
        same = found[way] == found["dbt build"]
        print(f"{way:<14} {'equal' if same else 'DIFFERENT'}")
    if any(tables != found["dbt build"] for tables in found.values()):
        sys.exit("the tables differ")


if __name__ == "__main__":
    main()
