"""Who holds the file, and waiting: real processes hold real locks, time is a fake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from runner.core.environment import Environment
from runner.core.errors import EngineError, WarehouseLockedError
from runner.warehouse.lock import Holder, holder, wait_until_free

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks are asked about on Linux")

# How somebody opens the file; and how he says so, keeps it until he reads a line, and lets go.
LOCKS = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); "
READS = "import duckdb, sys; f = duckdb.connect(sys.argv[1], read_only=True); "
WRITES = "import duckdb, sys; f = duckdb.connect(sys.argv[1]); "
THEN_WAITS = "print('held', flush=True); sys.stdin.readline(); f.close(); print('left', flush=True)"


@dataclass
class Process:
    """Somebody who holds the file."""

    running: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.running.pid

    def leave(self) -> None:
        """Close the file and live on."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.running.stdin.write("\n")
        self.running.stdin.flush()
        assert self.running.stdout.readline() == "left\n"


@contextmanager
def held(path: Path, *command: str) -> Iterator[Process]:
    """A process that holds the file until it is told to leave."""
    with subprocess.Popen(
        [sys.executable, *command, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        try:
            yield Process(running)
        finally:
            running.kill()


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    duckdb.connect(str(path)).close()
    return path


@dataclass
class World:
    """Time passes only in a sleep; before each of them something may happen."""

    before_sleep: Callable[[int], None] = lambda _: None  # how many sleeps there have been
    chance: float = 0.0
    slept: list[float] = field(default_factory=list)
    told: list[Holder] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.before_sleep(len(self.slept))
        self.slept.append(seconds)

    def wait(self, path: Path, limit: timedelta) -> None:
        environment = Environment(
            now=lambda: datetime.now(UTC),
            monotonic=lambda: 1000.0 + sum(self.slept),
            sleep=self.sleep,
            random=lambda: self.chance,
        )
        wait_until_free(path, limit, environment, self.told.append)


# Who holds it


def test_a_free_file_has_no_holder(warehouse: Path, tmp_path: Path):
    assert holder(warehouse) is None
    assert holder(tmp_path / "not there.duckdb") is None
    assert holder(tmp_path) is None


@pytest.mark.parametrize("opens", [READS, WRITES], ids=["reader", "writer"])
def test_duckdb_is_seen_to_hold_its_file(warehouse: Path, opens: str):
    with held(warehouse, "-c", opens + THEN_WAITS) as process:
        for _ in range(2):  # asking changes nothing
            found = holder(warehouse)
            assert found is not None
            assert found.pid == process.pid
        process.leave()
        assert holder(warehouse) is None


def test_who_asks_takes_no_lock_and_keeps_nobody_out(warehouse: Path):
    assert holder(warehouse) is None
    with held(warehouse, "-c", WRITES + THEN_WAITS) as process:
        assert holder(warehouse) is not None
        process.leave()
    with held(warehouse, "-c", WRITES + THEN_WAITS):
        pass


def test_a_script_is_called_by_its_name_and_its_subcommand(warehouse: Path, tmp_path: Path):
    script = tmp_path / "dbt"
    script.write_text("import sys; sys.argv = sys.argv[-2:]; " + LOCKS + THEN_WAITS)
    secret = ("--vars", "{token: secret}")
    with held(warehouse, "-P", str(script), "build", *secret) as process:
        assert str(holder(warehouse)) == f"dbt build (pid {process.pid})"


def test_behind_the_dbt_of_a_runner_stands_the_runner(warehouse: Path, tmp_path: Path):
    dbt = "import runner.dbt.server; " + LOCKS + THEN_WAITS
    script = tmp_path / "runner"
    script.write_text(
        "import os, subprocess, sys\n"
        f"child = [sys.executable, '-c', {dbt!r}, sys.argv[-1]]\n"
        "sys.exit(subprocess.run(child).returncode)\n"
    )
    with held(warehouse, str(script), "backfill", "orders_pipeline") as runner:
        assert str(holder(warehouse)) == f"runner backfill orders_pipeline (pid {runner.pid})"
        runner.leave()


# Waiting


def test_a_free_file_is_not_waited_for(warehouse: Path):
    world = World()
    world.wait(warehouse, timedelta(0))
    assert world.slept == []
    assert world.told == []


def test_a_wait_ends_with_the_lock_and_names_each_holder_once(warehouse: Path):
    with ExitStack() as others:
        first = others.enter_context(held(warehouse, "-c", LOCKS + THEN_WAITS))
        second: list[Process] = []

        def change(count: int) -> None:
            if count == 3:
                first.leave()
                second.append(others.enter_context(held(warehouse, "-c", LOCKS + THEN_WAITS)))
            if count == 6:
                second[0].leave()

        world = World(change)
        world.wait(warehouse, timedelta(minutes=10))
        assert [told.pid for told in world.told] == [first.pid, second[0].pid]
    assert len(world.slept) == 7


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_a_wait_that_is_over_says_who_holds_what_and_what_to_do(warehouse: Path, chance: float):
    world = World(chance=chance)
    with (
        held(warehouse, "-c", LOCKS + THEN_WAITS) as process,
        pytest.raises(WarehouseLockedError) as raised,
    ):
        world.wait(warehouse, timedelta(seconds=90))
    assert isinstance(raised.value, EngineError)
    name = Path(sys.executable).name
    assert str(raised.value) == (
        f"{warehouse} is still locked after 0:01:30 of waiting: {name} (pid {process.pid}) holds "
        "it; let it end or end it, or raise `lock_timeout`, then run the same command again"
    )
    assert sum(world.slept) == pytest.approx(90)  # neither gives up early nor oversleeps
    assert world.slept[0] == pytest.approx(0.1 * (0.5 + chance / 2))
    assert max(world.slept) == pytest.approx(2.0 * (0.5 + chance / 2))
    assert world.slept[:8] == sorted(world.slept[:8])


def test_no_patience_is_one_look(warehouse: Path):
    world = World()
    with held(warehouse, "-c", LOCKS + THEN_WAITS), pytest.raises(WarehouseLockedError):
        world.wait(warehouse, timedelta(0))
    assert world.slept == []
    assert len(world.told) == 1


def test_a_holder_out_of_sight_is_still_a_holder(warehouse: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.warehouse.lock._PROC", warehouse / "no proc")
    with held(warehouse, "-c", LOCKS + THEN_WAITS) as process:
        assert holder(warehouse) == Holder(process.pid, None)
