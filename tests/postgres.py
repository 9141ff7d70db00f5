"""A Postgres server of the tests' own: in a temporary folder, on a socket that lies in it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import psycopg

_INITDB = ("--username=daybreak", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
# Nothing has to outlive the tests, and nobody else shall find the server.
_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")


@dataclass(frozen=True)
class Server:
    """A running server whose database holds a schema for every test that asks for one."""

    folder: Path  # of its data and its socket

    def new_schema(self) -> str:
        """The URL of an empty schema."""
        name = f"test_{uuid4().hex}"
        self._execute(f"create schema {name}")
        options = f"-csearch_path%3D{name}"
        return f"postgresql://daybreak@/postgres?host={self.folder}&options={options}"

    def clear(self, url: str) -> None:
        """Empty the schema of a URL again."""
        name = url.rpartition("%3D")[2]
        self._execute(f"drop schema {name} cascade; create schema {name}")

    def _execute(self, sql: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.encode())

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection to the server."""
        return psycopg.connect(host=str(self.folder), user="daybreak", dbname="postgres")


@contextmanager
def running_server() -> Iterator[Server]:
    """A server that runs until the end of the block."""
    binaries = _binaries()
    folder = Path(mkdtemp(prefix="daybreak-postgres-", dir="/tmp"))  # a socket's path is short
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # Postgres refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    process = None
    try:
        data = str(folder / "data")
        with (folder / "log").open("wb") as log:
            common: dict[str, Any] = {"cwd": folder, "stdout": log, "stderr": log, **user}
            subprocess.run([binaries / "initdb", "-D", data, *_INITDB], check=True, **common)
            settings = [part for setting in _SETTINGS for part in ("-c", setting)]
            command = [str(binaries / "postgres"), "-D", data, "-k", str(folder), *settings]
            process = subprocess.Popen(command, **common)
        server = Server(folder)
        _wait_for(server, process)
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait()
        shutil.rmtree(folder)


def _wait_for(server: Server, process: subprocess.Popen[Any]) -> None:
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            log = (server.folder / "log").read_text()
            assert process.poll() is None, f"Postgres has not started:\n{log}"
            time.sleep(0.02)
        else:
            return


def _binaries() -> Path:
    """The folder of the newest server's programs; Debian keeps them off the path."""
    found = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError(
        "the ledger's tests need the programs of a Postgres server: run scripts/ensure_postgres.sh "
        "(Debian: apt-get install postgresql)"
    )


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
