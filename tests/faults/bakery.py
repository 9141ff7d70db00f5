"""A bakery: a project so small that it can be killed hundreds of times, and how it must end.

Thirty windows of three models, one of them merged, with gates and later tests, a seed before
them and a table over all windows after them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY, RUNNER, Finished, Shop, install_package

PROJECT = Path(__file__).parent / "project"
MODELS = ("sales", "receipts", "daily_sales")
WINDOWS = 30


@dataclass(frozen=True)
class Bakery(Shop):
    """A copy of the small project, with a warehouse and a ledger of its own."""

    @property
    def ledger(self) -> Path:
        return self.folder / ".daybreak" / "ledger.db"

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the script in a process group of its own, as a terminal gives it."""
        return subprocess.Popen(
            [RUNNER, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def bake(self, *arguments: str, **environment: str) -> Finished:
        """Backfill to its end, or to wherever it is made to crash."""
        if not environment:
            return self.runner("backfill", "bakery", *arguments)
        process = self.start("backfill", "bakery", *arguments, **environment)
        out, err = process.communicate(timeout=300)
        return Finished(process.returncode, out, err)

    def told(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the ledger."""
        ledger = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            return ledger.execute(sql).fetchall()
        finally:
            ledger.close()

    def glimpse(self, sql: str) -> list[tuple[Any, ...]]:
        """The same while it is written: empty if there is none yet, or it is busy."""
        with suppress(sqlite3.OperationalError):
            return self.told(sql)
        return []

    def write_ledger(self, sql: str) -> None:
        """Change the ledger behind the runner's back."""
        with sqlite3.connect(self.ledger, timeout=30) as ledger:
            ledger.execute(sql)
        ledger.close()

    def is_writing(self) -> bool:
        """Whether a transaction is open: DuckDB keeps what is not yet in the file beside it."""
        return self.warehouse.with_name("warehouse.duckdb.wal").exists()

    def processes(self) -> dict[int, str]:
        """Every living process that works here, by pid: runner, server or child."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and (entry / "cwd").readlink() == self.folder:
                    found[int(entry.name)] = self._role(int(entry.name))
            except OSError:
                continue  # it has just ended, or is somebody else's
        return found

    def pids(self, role: str) -> list[int]:
        """The processes of one role."""
        return [pid for pid, found in self.processes().items() if found == role]

    def _role(self, pid: int) -> str:
        if "runner.dbt." not in _command_line(pid):
            return "runner"
        # A forked child has its server's command line.
        return "child" if "runner.dbt." in _command_line(_parent(pid)) else "server"


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def make_template(folder: Path) -> None:
    """Write the project into a folder, and let dbt parse it once for all copies."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    install_package(folder)
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    (folder / "data").mkdir()
    assert Shop(folder).dbt("parse", "-q").code == 0


def clone(template: Path, folder: Path) -> Bakery:
    """Another bakery like the template, warehouse and ledger included."""
    shutil.copytree(template, folder)
    return Bakery(folder)


def until(condition: Callable[[], Any], what: str, process: Any = None) -> Any:
    """Poll for an event and return what it gave; the bound is no measure of speed."""
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert process is None or process.poll() is None, f"ended before {what}"
        assert time.monotonic() < deadline, f"{what} never happened"
        time.sleep(0.01)
    return found


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was anybody to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def assert_undisturbed(
    bakery: Bakery, expected: Mapping[str, str], recorded: int = WINDOWS
) -> None:
    """Nothing tells this bakery from one that nobody has disturbed.

    ``recorded``: of how many windows the ledger has a run; it may have lost some.
    """
    assert bakery.hashes() == expected
    assert not bakery.processes()
    assert_markers_whole(bakery)
    assert_recorded_once(bakery, recorded)
    planned = bakery.runner("plan", "bakery")
    assert "skip | 2026-03-01 … 2026-03-30 | 30    | already success" in planned.out, planned


def assert_markers_whole(bakery: Bakery) -> None:
    """One marker per model and window, judged, under a fence that the ledger has given."""
    markers = bakery.query("select model, window_start, verdict, fence from daybreak_publications")
    assert Counter(model for model, *_ in markers) == dict.fromkeys(MODELS, WINDOWS)
    assert len({(model, start) for model, start, *_ in markers}) == len(markers)
    assert {verdict for *_, verdict, _ in markers} == {"correct"}
    [(highest,)] = bakery.told("select highest_fence from ledger_version")
    assert max(fence for *_, fence in markers) <= highest


def assert_recorded_once(bakery: Bakery, windows: int) -> None:
    """No window's newest run has failed, no model's work is in two of them, none is open.

    Cancelled is one that was queued for a table's sake alone, which another window's has built.
    """
    runs = bakery.told("select label, state, reason, is_unsettled from runs order by id")
    newest = {label: (state, reason) for label, state, reason, _ in runs}
    assert len(newest) == windows
    assert {n: w for n, w in newest.items() if w[0] not in ("success", "cancelled")} == {}
    unfinished = [row for row in runs if row[1] in ("queued", "running", "retrying") or row[3]]
    assert unfinished == []
    twice = bakery.told(
        "select label, model, count(*) from model_runs join runs on runs.id = model_runs.run "
        f"where standing = 'success' and state = 'success' and model in {MODELS} "
        "group by label, model having count(*) > 1"
    )
    assert twice == []
    assert bakery.told("select run_id from runs group by run_id having count(*) > 1") == []
    known = bakery.told("select distinct standing, is_outdated from model_windows")
    assert known == [("success", 0)]
