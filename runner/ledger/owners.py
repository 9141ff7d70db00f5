"""Name the process that holds a run, so that its death can be seen on its own machine."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def this_process() -> str:
    """Return ``host:pid:start`` of this process; the start tells a pid that was given again."""
    pid = os.getpid()
    return f"{_here()}:{pid}:{_started(pid)}"


def is_here(owner: str) -> bool:
    """Return whether the owner's pid means the same here as it does there."""
    return owner.rsplit(":", 2)[0] == _here()


def is_dead(owner: str) -> bool:
    """Return whether the owner is certainly gone; False for an owner on another machine."""
    if not is_here(owner):
        return False
    _, pid, started = owner.rsplit(":", 2)
    return _started(int(pid)) != started


@cache
def _here() -> str:
    """Name the place where pids are given: a machine since its boot, and the container within it.

    Two containers may bear the same name, and would take each other's processes for dead.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot[:8]}/{namespace.strip('pid:[]')}"


def _started(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot, empty if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _alive_without_proc(pid)
    # The name in parentheses may hold anything; field 22 counts from after it.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _alive_without_proc(pid: int) -> str:
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
