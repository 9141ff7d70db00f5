"""Tell who holds the warehouse's file, and wait until nobody does.

DuckDB locks its file for the one process that writes it, or for all that read it. The lock can be
asked about without DuckDB. The runner opens the file for nothing else while it asks: POSIX locks
belong to the process, and closing *any* descriptor of a file gives all of them up. (`runner prove`
attaches it to be read, after it has asked, and asks no more.)
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from runner.core.environment import Environment
from runner.core.errors import EngineError, WarehouseLockedError

T = TypeVar("T")

_TIMES_ASKED = 3

_FLOCK = struct.Struct("hhqqi0q")  # Linux's struct flock: type, whence, start, length, pid
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.1, 2.0, 1.5  # seconds, seconds, times
_PROC = Path("/proc")
_ENGINES = "runner.dbt."  # in the command line of every dbt process that a runner starts
_PYTHON = re.compile(r"python[0-9.]*$")
# No option, path, URL or assignment: nothing that is a secret.
_WORD = re.compile(r"(?!-)[\w.-]{1,40}$")


@dataclass(frozen=True)
class Holder:
    """A process that has the warehouse open."""

    pid: int | None  # None: it runs on another machine or in another container
    command: str | None  # its program and subcommand, never an option's value; None: unknown

    def __str__(self) -> str:
        """In words.

        >>> print(Holder(4711, "dbt build"), "|", Holder(4711, None))
        dbt build (pid 4711) | a process (pid 4711)
        >>> print(Holder(None, None))
        a process on another machine or in another container
        """
        if self.pid is None:
            return "a process on another machine or in another container"
        return f"{self.command or 'a process'} (pid {self.pid})"


def holder(path: Path) -> Holder | None:
    """Return the process that keeps others from writing ``path``; None if nobody does.

    None also where it cannot be known: there is no such file, it cannot be read, its file system
    has no locks, or this is not Linux. Then DuckDB itself is the one to refuse. Of several readers
    it is one of them.
    """
    if sys.platform != "linux":
        return None
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # to write all of it
    try:
        # To close it gives every lock of ours up; we have none.
        with path.open("rb", buffering=0) as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, question)
    except OSError:
        return None
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    if kind == fcntl.F_UNLCK:
        return None
    return _process(pid) if pid > 0 else Holder(None, None)


def wait_until_free(
    path: Path, limit: timedelta, environment: Environment, notify: Callable[[Holder], None]
) -> None:
    """Return as soon as nobody holds ``path``; ``notify`` hears once of each holder in turn.

    Raises :class:`WarehouseLockedError` after ``limit``. Whoever takes the file after the return
    has been faster: DuckDB refuses then, and the caller waits again.
    """
    started = environment.monotonic()
    pause = _FIRST_PAUSE
    last: Holder | None = None
    while (found := holder(path)) is not None:
        if found != last:
            last = found
            notify(found)
        left = limit.total_seconds() - (environment.monotonic() - started)
        if left <= 0:
            raise WarehouseLockedError(
                f"{path} is still locked after {limit} of waiting: {found} holds it; let it end "
                "or end it, or raise `lock_timeout`, then run the same command again"
            )
        # Many that wait for one file must not all come back at the same moment.
        environment.sleep(min(left, pause * (0.5 + environment.random() / 2)))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)


@dataclass(frozen=True)
class Access:
    """A warehouse that is asked when nobody else holds it, and for how long that may take."""

    file: Path | None  # None: no file that can be seen, so nobody is waited for
    patience: timedelta
    timeout: timedelta  # of one question
    environment: Environment
    notify: Callable[[Holder], None] = lambda _holder: None

    def wait(self) -> None:
        """Return when nobody else holds it; raises :class:`WarehouseLockedError` at last."""
        if self.file is not None:
            wait_until_free(self.file, self.patience, self.environment, self.notify)

    def ask(self, question: Callable[[], T]) -> T:
        """Return what it answers; raises :class:`EngineError` if it cannot be asked."""
        for attempt in range(1, _TIMES_ASKED):
            self.wait()
            with suppress(EngineError):
                return question()
            # Somebody has been faster, or a dying dbt still holds the file.
            self.environment.sleep(self.environment.random() * 2**attempt)
        self.wait()
        return question()


def stray_engines(project_dir: Path) -> list[Holder]:
    """Find the dbt processes of a project whose runner has ended without ending them.

    They end with their runner by themselves; where they could not, they may keep the warehouse.
    """
    found = []
    for entry in sorted(_PROC.glob("[0-9]*")) if sys.platform == "linux" else ():
        pid = int(entry.name)
        arguments = _command_line(pid)
        with suppress(OSError):  # it has ended, or belongs to somebody else
            is_stray = _is_engine(arguments) and _is_orphan(pid)
            if is_stray and (entry / "cwd").readlink() == project_dir:
                found.append(Holder(pid, _in_short(arguments)))
    return found


def _is_engine(arguments: list[str]) -> bool:
    return any(_ENGINES in argument for argument in arguments)


def _is_orphan(pid: int) -> bool:
    """Return True if its parent is gone, so that it was given to one that only reaps."""
    parent = _parent(pid)
    adopter, *_ = (_command_line(parent) if parent else []) or [""]
    program = Path(adopter).name
    # In a container the runner itself may be the first process.
    return (parent == 1 and not _PYTHON.match(program)) or program == "systemd"


def _process(pid: int) -> Holder:
    """Return the process that a person knows: behind the dbt of a runner, the runner itself."""
    arguments = _command_line(pid)
    # Where the runner has ended, so will this.
    while _is_engine(arguments) and (parent := _parent(pid) or 0) > 1:
        pid, arguments = parent, _command_line(parent)
    return Holder(pid, _in_short(arguments))


def _command_line(pid: int) -> list[str]:
    """Read its arguments, empty if it has ended or hides them."""
    try:
        text = (_PROC / str(pid) / "cmdline").read_text(errors="replace")
    except OSError:
        return []
    return text.rstrip("\0").split("\0") if text else []


def _parent(pid: int) -> int | None:
    try:
        # The command in parentheses may hold anything, parentheses too.
        after_command = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2]
        return int(after_command.split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _in_short(arguments: list[str]) -> str | None:
    """Name the program and up to two words after it, in which no password can stand.

    >>> _in_short(["/usr/bin/python3.11", "-P", "/venv/bin/dbt", "build", "--vars", "{a: b}"])
    'dbt build'
    >>> _in_short(["python", "-m", "ipykernel_launcher", "-f", "/home/me/kernel.json"])
    'ipykernel_launcher'
    >>> _in_short(["python", "-c", "connect('md:?token=secret')"])
    'python'
    >>> _in_short(["/opt/duckdb", "data/warehouse.duckdb"]), _in_short([])
    ('duckdb', None)
    """
    program, rest = _program(arguments)
    name = Path(program).name[:40]
    return " ".join([name, *takewhile(_WORD.match, rest[:2])]) if name else None


def _program(arguments: list[str]) -> tuple[str, list[str]]:
    """Split off what runs, behind a Python its script or module, from its arguments."""
    program, rest = (arguments or [""])[0], arguments[1:]
    if not _PYTHON.match(Path(program).name):
        return program, rest
    while rest and rest[0].startswith("-"):
        option, rest = rest[0], rest[1:]
        if option == "-m":
            break
        if option == "-c":
            return program, []
        if option in ("-W", "-X"):
            rest = rest[1:]
    return (rest[0], rest[1:]) if rest else (program, [])
