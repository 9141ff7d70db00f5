"""The process of a warm engine, which may be started before it is known what it is for.

dbt takes longer to import than the rest of a command: a command that will need it starts the
process first of all, and the engine takes it over when it is made.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ServerProcess:
    """A running :mod:`runner.dbt.server`, and our end of the line to it."""

    process: subprocess.Popen[bytes]
    channel: socket.socket

    @classmethod
    def start(cls) -> Self:
        """Start one; it imports dbt and waits to be told about a project.

        It lives in a session of its own, so a Ctrl-C reaches the runner alone. It ends when our
        end of the line is closed, or with this process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runner.dbt.server", str(theirs.fileno())],
                env={**os.environ, "DO_NOT_TRACK": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return cls(process, ours)

    def end(self) -> None:
        """Kill it."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


_ahead: list[ServerProcess] = []


def start() -> None:
    """Start a process that the first engine will take over."""
    _ahead.append(ServerProcess.start())


def end() -> None:
    """Kill what nobody has taken over: a command may end before it comes to it."""
    while _ahead:
        _ahead.pop().end()


def take() -> ServerProcess:
    """The process that was started ahead, or a new one."""
    return _ahead.pop() if _ahead else ServerProcess.start()
