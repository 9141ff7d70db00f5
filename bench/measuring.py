"""Run commands, time them, and keep what was measured.

A time counts from the start of a process to its end, as a person waits for it. Memory is the
largest resident size of the process or of any child that it has waited for.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
QUIET = 0.10  # of the machine's time may be others' before a number counts


@dataclass(frozen=True)
class Spent:
    """What one process took."""

    seconds: float
    cpu: float
    peak_mb: float
    code: int
    output: str


@dataclass
class Row:
    """One peer's work, measured some times."""

    name: str
    command: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds of it and its children, all cores
    peak_mb: list[float] = field(default_factory=list)
    times: float = 1.0  # a sample is scaled by this
    note: str = ""

    @property
    def median(self) -> float:
        """Seconds of the whole work: the median, scaled if it was a sample."""
        return statistics.median(self.seconds) * self.times


@dataclass(frozen=True)
class Goal:
    """What must be reached, and what was."""

    what: str
    limit: float
    actual: float
    is_lower_better: bool = True

    @property
    def is_reached(self) -> bool:
        """Whether it was reached."""
        good = self.actual <= self.limit
        return good if self.is_lower_better else self.actual >= self.limit


@dataclass
class Sheet:
    """All that was measured in one scenario."""

    scenario: str
    title: str
    rows: list[Row]
    goals: list[Goal]
    answer: str  # what every peer's tables were found to say
    others_busy: float = 0.0  # the largest share of the machine that others had before a repeat
    taken_at: str = ""
    machine: str = ""

    def keep(self) -> None:
        """Write the raw numbers as JSON."""
        RESULTS.mkdir(exist_ok=True)
        self.taken_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        self.machine = this_machine()
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (RESULTS / f"{self.scenario}.json").write_text(text + "\n")

    @classmethod
    def of(cls, path: Path) -> Sheet:
        """The sheet that was kept in a file."""
        kept = json.loads(path.read_text())
        rows = [Row(**row) for row in kept.pop("rows")]
        goals = [Goal(**goal) for goal in kept.pop("goals")]
        return cls(rows=rows, goals=goals, **kept)

    @property
    def was_under_load(self) -> bool:
        """Whether others used the machine, so that the numbers are rough."""
        return self.others_busy > QUIET


def run(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    codes: Sequence[int] = (0,),
) -> Spent:
    """Run a command to its end; an unexpected exit code stops the bench and shows what it said."""
    log = folder / "bench-output.log"
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text(errors="replace")
    if process.returncode not in codes:
        shown = " ".join(str(part) for part in command)
        raise SystemExit(f"{shown}\nended with {process.returncode}:\n{said[-4000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Spent(seconds, cpu, usage.ru_maxrss / 1024, process.returncode, said)


def side_by_side(
    repeats: int, peers: Mapping[str, Callable[[], tuple[Row, Spent]]]
) -> tuple[list[Row], float]:
    """Every peer in turn, so many times: what drifts meets all of them.

    Returns the rows, and the largest share of the machine that others had before a repeat.
    """
    rows: dict[str, Row] = {}
    busiest = 0.0
    for repeat in range(repeats):
        for name, measure in peers.items():
            busiest = max(busiest, others_busy())
            row, spent = measure()
            kept = rows.setdefault(name, row)
            kept.seconds.append(round(spent.seconds, 4))
            kept.cpu.append(round(spent.cpu, 4))
            kept.peak_mb.append(round(spent.peak_mb, 1))
            print(f"  {repeat + 1}/{repeats} {name:<42} {spent.seconds:8.2f} s", flush=True)
    return list(rows.values()), round(busiest, 3)


def others_busy(seconds: float = 0.5) -> float:
    """The share of the machine's time that is used while we do nothing."""
    before = _cpu_ticks()
    time.sleep(seconds)
    after = _cpu_ticks()
    total = sum(after) - sum(before)
    idle = (after[3] + after[4]) - (before[3] + before[4])
    return max(0.0, 1 - idle / total) if total else 0.0


def _cpu_ticks() -> list[int]:
    line = Path("/proc/stat").read_text().splitlines()[0]
    return [int(value) for value in line.split()[1:9]]


def this_machine() -> str:
    """What the numbers were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )
