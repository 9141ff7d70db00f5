"""dbt, imported once for all tests of a process: what needs it is forked from there.

Two processes wait. One is the warm engine's own server up to where it asks for its project: each
fork of it is a server as a command would start it. The other has only dbt's own command line.
Run as ``python -m tests.warm_dbt server|cli FD`` this module is such a process.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from multiprocessing import util
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn, Self
from unittest import mock

from runner.dbt import prewarm
from runner.dbt.server import DbtServer, die_with_parent
from runner.dbt.server import main as serve
from runner.dbt.target import leave_warehouse

TESTS = Path(__file__).resolve().parent


# Before a test changes it.
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith(("DAYBREAK_", "DBT_"))},
    "DO_NOT_TRACK": "1",
}


@dataclass
class Forked:
    """A process that a mould has forked; as much of a ``Popen`` as is asked of it."""

    pid: int
    descriptor: int | None  # of the process, until it has ended

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if self.descriptor is None:
            return
        if not select.select([self.descriptor], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        os.close(self.descriptor)
        self.descriptor = None


class Mould:
    """A process that has imported dbt and forks one that goes on from there."""

    def __init__(self, kind: str, project: Path) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_dbt", kind, str(theirs.fileno()), str(project)],
                cwd=TESTS.parent,
                env=ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @cached_property
    def is_ready(self) -> bool:
        """Wait until it has parsed."""
        return bool(self._channel.recv(1))

    def fork(
        self, descriptors: Sequence[int], environment: Mapping[str, str], **more: object
    ) -> Forked:
        """Fork a process that gets these descriptors and this environment."""
        assert self.is_ready, "it has ended: its standard error says why"
        request = json.dumps({"environment": dict(environment), **more}).encode()
        file = os.memfd_create("request")  # of any length, which a message is not
        os.write(file, request)
        socket.send_fds(self._channel, [b"."], [file, *descriptors])
        os.close(file)
        pid = int(self._channel.recv(32))
        forked = Forked(pid, os.pidfd_open(pid))
        self._channel.send(b".")
        return forked

    def end(self) -> None:
        """End it, and whatever it has forked."""
        self._channel.close()
        self._process.kill()
        self._process.wait()


class ForkedServer(prewarm.ServerProcess):
    """A warm engine's server that need not import dbt."""

    @classmethod
    def start(cls) -> Self:
        """Fork one; it waits to be told about a project."""
        output = TemporaryFile()  # noqa: SIM115 - as long as the process
        ours, theirs = socket.socketpair()
        with theirs:
            process = _mould("server").fork([theirs.fileno(), output.fileno()], os.environ)
        return cls(process, ours, output)  # type: ignore[arg-type]


@contextmanager
def forked_servers() -> Iterator[None]:
    """Let warm engines that are made in this process have servers that need not import dbt."""
    with mock.patch.object(prewarm, "ServerProcess", ForkedServer):
        yield


def run_cli(
    folder: Path, environment: Mapping[str, str], arguments: Sequence[str]
) -> tuple[int, str, str]:
    """Run dbt's command line in a folder; its exit code, and what it has written."""
    with TemporaryFile() as out, TemporaryFile() as err, TemporaryFile() as code:
        files = [file.fileno() for file in (out, err, code)]
        _mould("cli").fork(files, environment, folder=str(folder), arguments=arguments).wait(300)
        for file in (out, err, code):
            file.seek(0)
        # Who is killed says nothing.
        return int(code.read() or -9), out.read().decode(), err.read().decode()


def start(
    module: str, channel: socket.socket, folder: Path, environment: Mapping[str, str]
) -> Forked:
    """Start a module's ``main`` in a folder, over a dbt like a warm engine's."""
    return _mould("server").fork([channel.fileno()], environment, folder=str(folder), module=module)


_moulds: dict[str, Mould] = {}


def make_project() -> Path:
    """Where the moulds begin: a project that is parsed. The session's fixture replaces this."""
    raise NotImplementedError


def parse(project: Path) -> None:
    """Parse a project for the moulds that begin with it."""
    mould = Mould("cli", project)
    assert mould.is_ready
    mould.end()


def _mould(kind: str) -> Mould:
    if kind not in _moulds:
        _moulds[kind] = Mould(kind, make_project())
    return _moulds[kind]


def end() -> None:
    """End what waits."""
    while _moulds:
        _moulds.popitem()[1].end()


def _cast(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork whenever somebody asks; returns in each fork, with what it is for."""
    channel.send(b".")
    while True:
        told, descriptors, _, _ = socket.recv_fds(channel, 1, 8)
        if not told:
            os._exit(0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        child = os.fork()
        if not child:
            break
        channel.send(str(child).encode())
        channel.recv(1)  # it has been seen, and may end
        for descriptor in descriptors:
            os.close(descriptor)
    die_with_parent()
    os.setsid()
    channel.close()
    size = os.fstat(descriptors[0]).st_size
    request = json.loads(os.pread(descriptors[0], size, 0))
    os.close(descriptors[0])
    os.environ.clear()
    os.environ.update(request["environment"])
    return request, descriptors[1:]


def _be_server(channel: socket.socket, project: str) -> None:
    """Be the real server, which forks when it would wait for its project."""
    prepare = DbtServer.prepare

    def cast_and_prepare(server: DbtServer) -> None:
        _parse(project)
        request, (descriptor, *outputs) = _cast(channel)
        for output in outputs:
            os.dup2(output, 1)
            os.dup2(output, 2)
        theirs = socket.socket(fileno=descriptor)
        if "module" in request:
            os.chdir(request["folder"])
            import_module(request["module"]).main(theirs)
            _leave()
        server._channel = theirs
        server._requests = server._channel.makefile("r", encoding="utf-8")
        prepare(server)

    DbtServer.prepare = cast_and_prepare  # type: ignore[method-assign]
    unused, _ = socket.socketpair()
    sys.argv[1:] = [str(unused.detach())]
    serve()


def _be_cli(channel: socket.socket, project: str) -> None:
    """Be dbt's command line, as nobody has patched it, and say at last how it has ended."""
    from dbt.cli.main import cli

    _parse(project)
    request, (out, err, ended) = _cast(channel)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(request["folder"])
    sys.argv[:] = ["dbt", *request["arguments"]]
    code: object = 1
    try:
        cli()
    except SystemExit as done:
        code = done.code or 0
    except BaseException:
        traceback.print_exc()
    leave_warehouse()
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(ended, str(code).encode())
    _leave()


def _leave() -> NoReturn:
    """End a fork: what it would free at its end is not all its own."""
    util._exit_function()  # type: ignore[attr-defined]
    os._exit(0)


def _parse(project: str) -> None:
    """Parse a project: dbt makes most of what it needs for that when it is first used.

    A project that has changed is parsed in a fork, which has threads that a later one would wait
    for; then there is little left to do.
    """
    from dbt.cli.main import dbtRunner

    os.chdir(project)
    for is_fork in (True, False):
        if is_fork and (child := os.fork()):
            assert os.waitpid(child, 0)[1] == 0
            continue
        quiet = ["--log-level", "none", "--log-level-file", "none", "--no-write-json"]
        parsed = dbtRunner().invoke(["parse", *quiet])
        assert parsed.success, parsed.exception
        if is_fork:
            _leave()


if __name__ == "__main__":
    kind, number, project = sys.argv[1:]
    {"server": _be_server, "cli": _be_cli}[kind](socket.socket(fileno=int(number)), project)
