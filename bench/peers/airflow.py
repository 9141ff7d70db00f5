"""Airflow: its backfill of a daily DAG that runs the plain project's ``dbt build`` for the day.

Airflow's tables, its scheduler and the server that tasks report to are there before a backfill
begins, as they are in a team that has Airflow; its services end when the backfill has.
"""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from measuring import Spent, run

from peers.environments import BENCH, bin_of, clean_environment
from peers.peers import Theirs
from peers.services import Services, services

DAG = "plain_daily"
PATIENCE = 120  # seconds for the services to be there, and for each day
LOOK = 0.2  # seconds between looks
RUNS = "select state, queued_at, end_date from dag_run where dag_id = ?"
SCHEDULERS = "select count(*) from job where job_type = 'SchedulerJob' and state = 'running'"


@dataclass(frozen=True)
class Airflow:
    """An Airflow of its own in a folder, which builds a project that is a peer itself."""

    folder: Path
    project: Theirs

    def set_up(self) -> Airflow:
        """Make Airflow's tables, let it read the DAG, and keep both for every backfill."""
        shutil.copytree(BENCH / "peers" / "airflow_project", self.folder)
        (self.folder / "tmp").mkdir()
        for command in (("db", "migrate"), ("dags", "reserialize")):
            self._run(*command)
        shutil.copy(self._tables, self._fresh)
        return self

    def backfill(self, days: int) -> Spent:
        """Backfill the first days; the time from queued to the last success.

        The command that queues them is left out: it runs once, however many days there are, and
        a sample's time is scaled.
        """
        self._forget()
        port = free_port()
        with services(self.folder) as beside:
            self._start(beside, port)
            before = beside.cpu()
            last = self.project.days.first + timedelta(days=days - 1)
            queued = self._run(
                "backfill", "create", "--dag-id", DAG, "--max-active-runs", "1",
                "--from-date", f"{self.project.days.first}", "--to-date", f"{last}",
            )  # fmt: skip
            seconds = self._finished(beside, days)
            return Spent(seconds, beside.cpu() - before, beside.peak_mb, 0, queued.output)

    def _forget(self) -> None:
        shutil.rmtree(self.folder / "logs", ignore_errors=True)
        for path in self.folder.glob(f"{self._tables.name}*"):
            path.unlink()
        shutil.copy(self._fresh, self._tables)

    @property
    def _tables(self) -> Path:
        return self.folder / "airflow.db"

    @property
    def _fresh(self) -> Path:
        return self.folder / "fresh.db"

    def _environment(self, port: int = 0) -> dict[str, str]:
        return clean_environment(
            AIRFLOW_HOME=str(self.folder),
            AIRFLOW__CORE__DAGS_FOLDER=str(self.folder / "dags"),
            AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            # a day at a time needs more than one, as a worker lingers for seconds after its task
            AIRFLOW__CORE__PARALLELISM="4",
            AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"http://127.0.0.1:{port}/execution/",
            AIRFLOW__API_AUTH__JWT_SECRET="known to nobody but the bench" * 3,
            PLAIN_DBT=str(bin_of(self.project.peer) / "dbt"),
            PLAIN_PROJECT=str(self.project.folder),
            TMPDIR=str(self.folder / "tmp"),
        )

    def _run(self, *arguments: str) -> Spent:
        return run([bin_of("airflow") / "airflow", *arguments], self.folder, self._environment())

    def _start(self, beside: Services, port: int) -> None:
        """Start the scheduler and what tasks talk to, and wait until both are there."""
        program, environment = bin_of("airflow") / "airflow", self._environment(port)
        server = ["api-server", "--apps", "execution", "--host", "127.0.0.1", "--port", f"{port}"]
        beside.start("api-server", [program, *server], environment)
        beside.start("scheduler", [program, "scheduler", "--skip-serve-logs"], environment)
        until = time.monotonic() + PATIENCE
        while not (answers(port) and self._asked(SCHEDULERS)[0][0]):
            beside.look()
            if time.monotonic() > until:
                raise SystemExit(f"Airflow does not start:\n{beside.said('scheduler')}")
            time.sleep(LOOK)

    def _finished(self, beside: Services, days: int) -> float:
        """Wait until all of the days' runs are a success; the seconds by Airflow's own record."""
        until = time.monotonic() + PATIENCE * days
        while True:
            beside.look()
            runs = self._asked(RUNS, DAG)
            states = sorted(state for state, _, _ in runs)
            if states == ["success"] * days:
                queued = min(datetime.fromisoformat(run[1]) for run in runs)
                ended = max(datetime.fromisoformat(run[2]) for run in runs)
                return (ended - queued).total_seconds()
            if len(runs) != days or "failed" in states or time.monotonic() > until:
                raise SystemExit(f"Airflow's runs of {days} days: {states}\n{self._said(beside)}")
            time.sleep(LOOK)

    def _asked(self, query: str, *values: str) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self._tables}?mode=ro", uri=True)) as tables:
            return tables.execute(query, values).fetchall()

    def _said(self, beside: Services) -> str:
        """The end of what the newest task said, else the scheduler."""
        logs = sorted(
            self.folder.glob("logs/dag_id=*/*/*/*.log"), key=lambda log: log.stat().st_mtime
        )
        if not logs:
            return beside.said("scheduler")
        lines = logs[-1].read_text(errors="replace").splitlines()
        return "\n".join(map(event, lines))[-4000:]


def event(line: str) -> str:
    """What a line of a task's log says; a line that is cut off is shown as it is."""
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return line


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port: int) -> bool:
    """Whether Airflow's server is there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/execution/health", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
