"""Time what should be fast, side by side, and print ratios: single times mean little.

Run by ``make bench``. Works in a temporary folder over the landed real quarter.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REPEATS = 3
QUARTER = ("--start-date", "2017-03-01", "--end-date", "2017-05-31")
ONE_DAY = "{start_date: '2017-03-14', end_date: '2017-03-15'}"


def seconds(command: list[str | Path], environment: dict[str, str]) -> float:
    """Median wall time of a command; the first run warms caches and is not counted."""
    times = []
    for _ in range(REPEATS + 1):
        started = time.monotonic()
        subprocess.run(command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - started)
    return statistics.median(times[1:])


def main() -> None:
    """Print a table of medians and ratios."""
    land = [sys.executable, "scripts/land_demo_data.py", "--start", QUARTER[1], "--end", QUARTER[3]]
    subprocess.run(land, cwd=PROJECT, check=True)
    with tempfile.TemporaryDirectory(prefix="daybreak-bench-") as folder:
        environment = {
            **os.environ,
            "DAYBREAK_WAREHOUSE": str(Path(folder) / "warehouse.duckdb"),
            "DAYBREAK_HOME": str(Path(folder) / "home"),
            "DBT_TARGET_PATH": str(Path(folder) / "target"),
        }
        backfill = [BIN / "runner", "backfill", "orders_pipeline", *QUARTER, "--reprocess", "all"]
        quarter = seconds(backfill, environment)
        one_day = seconds([BIN / "dbt", "build", "--vars", ONE_DAY], environment)
        listing = seconds([BIN / "runner", "list-runs", "orders_pipeline"], environment)
        planning = seconds([BIN / "runner", "plan", "orders_pipeline"], environment)
        python = seconds([sys.executable, "-c", "pass"], environment)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'a quarter, one chunk':<28} {quarter:6.2f} s")
    print(f"{'one day, dbt build':<28} {one_day:6.2f} s")
    print(f"{'quarter / one day':<28} {quarter / one_day:6.2f}     must be at most 2")
    print(f"{'runner list-runs':<28} {listing:6.2f} s   {listing / python:.0f} x starting Python")
    print(f"{'runner plan':<28} {planning:6.2f} s   {planning / python:.0f} x starting Python")


if __name__ == "__main__":
    main()
