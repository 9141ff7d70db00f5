"""S7: a ledger with a million model-windows, one in a hundred of them not right."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from measuring import Goal, Row, Sheet, Spent, side_by_side
from peers.environments import PROJECT
from peers.peers import PIPELINE, Ours, Range, row

from runner.workspace import Workspace

MODELS, WINDOWS = 100, 10_000
FIRST = date(1990, 1, 1)
ZONE = ZoneInfo("America/New_York")
FILES = {
    "dbt_project.yml": """
name: shop
version: "0.1.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: America/New_York, start_date: "1990-01-01", end_date: "2017-05-19"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models:
  shop:
    +materialized: incremental
    +incremental_strategy: overwrite_window
    +on_schema_change: fail
    +batch_size: day
    +begin: "1990-01-01"
    +event_time: day
""",
    "pipelines.yml": """
pipelines:
  orders_pipeline:
    {select: "path:models", schedule: "0 5 * * *", start: 1990-01-01, end: 2017-05-18}
""",
}


def measure(folder: Path, repeats: int) -> Sheet:
    """Fill a ledger and look at it."""
    shop = set_up(folder / "shop")
    shop.runner("list")  # parses
    count = fill(shop)
    shop.runner("list")  # parses again: to fill it was another environment
    peers = {
        name: lambda command=command, name=name: measured(shop, name, command)
        for name, command in {
            "plan": ("plan", PIPELINE),
            "status": ("status", PIPELINE),
            "list-runs": ("list-runs", PIPELINE),
        }.items()
    }
    rows, busy = side_by_side(repeats, peers)
    goals = [Goal(f"s, {found.name}", 1, found.median) for found in rows[:2]]
    goals += [Goal(f"MB of memory, {found.name}", 200, max(found.peak_mb)) for found in rows[:2]]
    answer = f"{count:,} model-windows in the ledger, {MODELS * WINDOWS // 100:,} of them incorrect"
    return Sheet("S7", "a ledger with 1,000,000 model-windows", rows, goals, answer, busy)


def set_up(folder: Path) -> Ours:
    """A project of a hundred models by day, over 27 years."""
    folder.mkdir()
    shutil.copytree(PROJECT / "macros" / "daybreak", folder / "dbt_packages" / "daybreak")
    shutil.copy(PROJECT / "profiles.yml", folder)
    for name, text in FILES.items():
        (folder / name).write_text(text.lstrip())
    (folder / "models").mkdir()
    for number in range(MODELS):
        before = f"model_{number - 1:03}"
        first = "(select current_date as day) as t"
        source = f"{{{{ ref('{before}') }}}}" if number % 10 else first
        text = f"select day from {source} where {{{{ daybreak.in_window('day') }}}}\n"
        (folder / "models" / f"model_{number:03}.sql").write_text(text)
    days = Range(FIRST, FIRST + timedelta(days=WINDOWS - 1))
    shop = Ours(folder, folder / "landing", days)
    shop.warehouse.touch()
    return shop


def fill(shop: Ours) -> int:
    """Write runs, model runs and the index, as so many mornings would have; returns how many."""
    workspace = Workspace(shop.folder, shop.folder / ".daybreak")
    hashes = {n.name: n.code_hash for n in workspace.planner(PIPELINE).pipeline.windowed}
    assert workspace.ledger is not None  # noqa: S101 - it makes the tables
    opens = [
        datetime(d.year, d.month, d.day, tzinfo=ZONE).astimezone(UTC).strftime("%F %T.000000")
        for d in (FIRST + timedelta(days=number) for number in range(WINDOWS + 1))
    ]
    with sqlite3.connect(shop.ledger) as ledger:
        ledger.executemany(
            "insert into runs (id, pipeline, run_id, kind, window_start, window_end, label, state, "
            "row_count, check_count, seconds, queued_at, started_at, finished_at, is_unsettled) "
            "values (?, ?, ?, 'scheduled', ?, ?, ?, ?, 1000, 10, 1.0, ?, ?, ?, 0)",
            runs_of(opens),
        )
        ledger.executemany(
            "insert into model_runs (run, model, standing, row_count, code_hash, is_same) "
            "values (?, ?, ?, 1000, ?, 0)",
            (
                (run, model, "success" if run % 100 else "incorrect", code)
                for run in range(1, WINDOWS + 1)
                for model, code in hashes.items()
            ),
        )
        ledger.executemany(
            "insert into model_windows (model, window_start, window_end, standing, code_hash, "
            # Judged by the checks of today, which are none.
            "is_outdated, reason, has_rows, checks_hash) values (?, ?, ?, ?, ?, 0, ?, 1, '')",
            (part for model, code in hashes.items() for part in parts_of(model, code, opens)),
        )
        return int(ledger.execute("select count(*) from model_runs").fetchone()[0])


def runs_of(opens: list[str]) -> Iterator[tuple[object, ...]]:
    """A row of ``runs`` for every window."""
    for number in range(1, WINDOWS + 1):
        label = f"{FIRST + timedelta(days=number - 1)}"
        state = "success" if number % 100 else "incorrect"
        start, end = opens[number - 1 : number + 1]
        yield (number, PIPELINE, f"scheduled__{label}", start, end, label, state, end, end, end)


def parts_of(model: str, code: str, opens: list[str]) -> Iterator[tuple[object, ...]]:
    """The index of a model: ranges of 99 good windows, and one that is not, by turns."""
    for hundred in range(0, WINDOWS, 100):
        bad = hundred + 99
        yield (model, opens[hundred], opens[bad], "success", code, None)
        yield (model, opens[bad], opens[bad + 1], "incorrect", code, "check_7 failed")


def measured(shop: Ours, name: str, command: tuple[str, ...]) -> tuple[Row, Spent]:
    """One look."""
    return row(name, f"runner {' '.join(command)}", shop.runner(*command))
