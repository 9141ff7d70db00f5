"""What has to run beside a peer's command: started for a block, counted, and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Services:
    """Processes that live side by side, and all that they have started."""

    folder: Path  # where each writes what it says, as <name>.log
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    peak_mb: float = 0.0  # of the largest process that `look` has met

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> None:
        """Start one; away from the keyboard, as it is ended by us, and ended if we are killed."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                ["/usr/bin/env", "setpriv", "--pdeathsig", "TERM", *command],
                cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def look(self) -> None:
        """Require that all live, and note how large they are."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}:\n{self.said(name)}")
        self.peak_mb = max([self.peak_mb, *(_peak_mb(pid) for pid in self._tree())])

    def said(self, name: str) -> str:
        """The end of what one wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def cpu(self) -> float:
        """Seconds of the processor that all of them took so far, with their ended children."""
        # In a stat: 11 and 12 are a process's own time, 13 and 14 that of children it waited for.
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self._tree()) / TICKS

    def end(self) -> None:
        """Kill them and all that they have started, whatever session or group that is in.

        Each is stopped first, so that nothing is started that was not seen.
        """
        stopped: set[int] = set()
        while found := self._tree() - stopped:
            _signal(found, signal.SIGSTOP)
            stopped |= found
        _signal(stopped, signal.SIGKILL)
        for process in self.running.values():
            process.wait()

    def _tree(self) -> set[int]:
        children: dict[int, set[int]] = {}
        for path in Path("/proc").glob("[0-9]*"):
            if known := _stat(int(path.name)):
                children.setdefault(int(known[1]), set()).add(int(path.name))
        found = {process.pid for process in self.running.values() if process.returncode is None}
        new = found
        while new:
            new = {child for pid in new for child in children.get(pid, ())} - found
            found = found | new
        return found


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Services that do not outlive the block."""
    beside = Services(folder)
    try:
        yield beside
    finally:
        beside.end()


def _stat(pid: int) -> list[str]:
    """What the kernel knows of a process, from its state on; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _peak_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
