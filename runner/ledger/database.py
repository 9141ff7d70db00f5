"""Open the ledger's database; every operation on it is one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError

from runner.core.errors import LedgerError, UsageError
from runner.core.interrupts import shielded
from runner.ledger.schema import VERSION, ledger_version, metadata
from runner.ledger.upgrades import is_upgradable, keep_copy, upgrade

_WAL_ATTEMPTS = 200
_PATIENCE_SECONDS = 10  # with another process that writes
_WRITERS = 0x6461796272656B  # "daybrek": the advisory lock of all who write to a Postgres ledger
_REBUILD = "run `runner doctor --rebuild`, which makes a new one from the warehouse"
_DAMAGED = f"it is damaged, {_REBUILD}"
_UNWRITABLE = "make its folder writable, or name another with DAYBREAK_HOME"
_REMEDIES = {
    "malformed": _DAMAGED,
    "not a database": _DAMAGED,
    "unsupported file format": _DAMAGED,
    "could not decode": _DAMAGED,
    "disk i/o error": "look at its disk; `runner doctor` tells whether the file is damaged",
    "disk is full": "make room on its disk, then run the same command again",
    "no space left": "make room on its disk, then run the same command again",
    "readonly": _UNWRITABLE,
    "unable to open": _UNWRITABLE,
    "locked": "another process keeps it busy, run the same command again",
    "lock timeout": "another process keeps it busy, run the same command again",
    "connection": "look whether its server answers, then run the same command again",
}
_OTHERWISE = "look at its file and disk, or at its server, then run the same command again"


class Database:
    """The ledger's tables, in SQLite or in another database by URL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(daybreak_reads_only=True)
        self._writer = engine

    @classmethod
    def open(cls, location: Path | str) -> Self:
        """Open the ledger, and create it if there is none.

        ``location`` is the path of an SQLite file or a database URL. Raises
        :class:`LedgerError` if it cannot be opened or comes from another version of Daybreak,
        and :class:`UsageError` for a URL that is none.
        """
        engine = _sqlite(location) if isinstance(location, Path) else _by_url(location)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_immediate)
        else:
            event.listen(engine, "begin", _wait_for_other_writers)
        ledger = cls(engine)
        version = ledger._version()
        if version is None:
            version = ledger._create()
        if is_upgradable(version):
            version = ledger._upgrade()
        ledger._check(version)
        return ledger

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, reads_only: bool = False) -> Iterator[Connection]:
        """One transaction, undone by any exception; :class:`LedgerError` for the database's.

        An interrupt is put off to its end.

        Whoever writes is alone, from the first statement on. Who only reads sees one state; what
        is read and makes no sense is not what was written: the file is damaged.
        """
        try:
            # An interrupt between BEGIN and its undoing would keep the ledger locked.
            with shielded(), (self._reader if reads_only else self._writer).begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self._unusable(error.orig) from error
        except (TypeError, ValueError) as error:
            if not reads_only:
                raise
            raise self._unusable(error, _DAMAGED) from error

    def _unusable(self, error: BaseException | None, remedy: str | None = None) -> LedgerError:
        what = _one_line(error)
        if remedy is None:
            found = (remedy for said, remedy in _REMEDIES.items() if said in what.lower())
            remedy = next(found, _OTHERWISE)
        return LedgerError(f"the ledger {self._name} cannot be used ({what}): {remedy}")

    @property
    def _name(self) -> str:
        """What a person knows it by: its file, or its URL without passwords and options."""
        url = self._engine.url
        if url.get_backend_name() == "sqlite":
            return url.database or "in memory"
        return url.set(drivername=url.get_backend_name(), query={}).render_as_string()

    def _version(self) -> int | None:
        """The version of the ledger's tables, None if there are none."""
        with self._transaction(reads_only=True) as connection:
            if not inspect(connection).has_table(ledger_version.name):
                return None
            return connection.execute(select(ledger_version.c.version)).scalar()

    def _create(self) -> int:
        """Make the tables; returns their version, another's if it made them meanwhile."""
        with self._transaction() as connection:
            metadata.create_all(connection)
            version: int | None = connection.execute(select(ledger_version.c.version)).scalar()
            if version is None:
                connection.execute(insert(ledger_version).values(version=VERSION, highest_fence=0))
                return VERSION
            return version

    def _upgrade(self) -> int:
        """Bring older tables to this version; of a file a copy is kept. Returns their version."""
        with self._transaction() as connection:
            # Asked again: another process may have done it while this one waited.
            version: int = connection.execute(select(ledger_version.c.version)).scalar_one()
            if not is_upgradable(version):
                return version
            file = self._engine.url.database
            if self._engine.dialect.name == "sqlite" and file:
                self._keep_copy(Path(file), version)
            upgrade(connection, version)
            return VERSION

    def _keep_copy(self, file: Path, version: int) -> None:
        try:
            keep_copy(file, version)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(
                f"the ledger {self._name} has version {version} and cannot be copied before its "
                f"upgrade ({_one_line(error)}): make room beside it and its folder writable, "
                "then run the same command again"
            ) from error

    def _check(self, version: int) -> None:
        if version != VERSION:
            raise LedgerError(
                f"the ledger {self._name} has version {version}, this Daybreak knows {VERSION}: "
                + ("upgrade Daybreak" if version > VERSION else _REBUILD)
            )


def _sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be created ({error.strerror}): "
            "make its folder writable, or name another with DAYBREAK_HOME"
        ) from error
    return create_engine(URL.create("sqlite", database=str(path)))


def _by_url(text: str) -> Engine:
    try:
        url = make_url(text)
        if url.get_backend_name() == "sqlite":
            return create_engine(url)
        return _postgresql(url)
    except (ArgumentError, ImportError) as error:  # no URL, an unknown database, no driver for it
        raise UsageError(
            f"the ledger cannot be opened ({_one_line(error)}): write DAYBREAK_LEDGER like "
            "sqlite:////var/lib/daybreak/ledger.db or postgresql://user@host/database, "
            "the latter with pip install 'daybreak[postgres]'"
        ) from error


def _postgresql(url: URL) -> Engine:
    if url.get_backend_name() != "postgresql":
        raise ArgumentError(f"a ledger is not kept in {url.get_backend_name()}")
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    query = {"connect_timeout": str(_PATIENCE_SECONDS), **url.query}
    # A server that was restarted is met with another connection, not with an error.
    return create_engine(url.set(query=query), pool_pre_ping=True)


def _one_line(error: BaseException | None) -> str:
    printable = (letter if letter.isprintable() else " " for letter in str(error))
    return " ".join("".join(printable).split())


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Survive a power loss (FULL), and let readers read while one writes (WAL)."""
    connection.isolation_level = None  # SQLAlchemy's begin below is the only one
    patience = f"busy_timeout={_PATIENCE_SECONDS * 1000}"
    for pragma in (patience, "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    """Switch to WAL; the busy timeout does not cover two who switch a new file at once."""
    for attempt in range(_WAL_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == _WAL_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that has read could not always upgrade."""
    connection.exec_driver_sql("BEGIN" if _reads_only(connection) else "BEGIN IMMEDIATE")


def _wait_for_other_writers(connection: Connection) -> None:
    """Be the only writer, as on SQLite; statements see what was committed before each of them.

    Said outright, as a server may have other defaults: a snapshot that is older than the lock
    would not show what the writer before has done.
    """
    if _reads_only(connection):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


def _reads_only(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("daybreak_reads_only"))
