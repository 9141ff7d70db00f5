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
import tempfile
from dataclasses import dataclass, field
from typing import IO, Self

_LAST_BYTES = 4096
_LAST_LINES = 5


@dataclass(frozen=True)
class ServerProcess:
    """A running :mod:`runner.dbt.server`, and our end of the line to it."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    # What it writes to stdout and stderr, in a file without a name.
    output: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    @classmethod
    def start(cls) -> Self:
        """Start one; it imports dbt and waits to be told about a project.

        It lives in a session of its own, so a Ctrl-C reaches the runner alone. It ends when our
        end of the line is closed, or with this process.
        """
        output = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runner.dbt.server", str(theirs.fileno())],
                env={**os.environ, "DO_NOT_TRACK": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process, ours, output)

    def forget_output(self) -> None:
        """Empty the file: a server that goes on has nothing to explain."""
        self.output.seek(0)  # theirs too: it is one position for both
        self.output.truncate()

    def last_lines(self) -> list[str]:
        """Return the last that it has written, once it has ended; nothing if we have ended it."""
        if self.output.closed:
            return []
        self.output.seek(max(0, self.output.seek(0, os.SEEK_END) - _LAST_BYTES))
        lines = self.output.read().decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-_LAST_LINES:]

    def end(self) -> None:
        """Kill it."""
        self.channel.close()
        self.output.close()
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
