"""Open the ledger's database; every operation on it is one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from runner.errors import LedgerError, UsageError
from runner.ledger.schema import VERSION, ledger_version, metadata

_WAL_ATTEMPTS = 200


class Database:
    """The ledger's tables, in SQLite or in another database by URL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        ledger = cls(engine)
        version = ledger._version()
        if version is None:
            version = ledger._create()
        ledger._check(version)
        return ledger

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, reads_only: bool = False) -> Iterator[Connection]:
        """One transaction, undone by any exception; :class:`LedgerError` for the database's."""
        try:
            engine = self._engine.execution_options(daybreak_reads_only=reads_only)
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise LedgerError(
                f"the ledger {self._engine.url.database} cannot be used ({_one_line(error.orig)}): "
                "look at its file and disk, then run the same command again"
            ) from error

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
                connection.execute(insert(ledger_version).values(version=VERSION))
                return VERSION
            return version

    def _check(self, version: int) -> None:
        if version != VERSION:
            raise LedgerError(
                f"the ledger {self._engine.url.database} has version {version}, "
                f"this Daybreak knows {VERSION}: upgrade Daybreak"
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


def _by_url(url: str) -> Engine:
    try:
        return create_engine(url)
    except (ArgumentError, ImportError) as error:  # no URL, an unknown database, no driver for it
        raise UsageError(
            f"the ledger cannot be opened ({_one_line(error)}): write DAYBREAK_LEDGER like "
            "sqlite:////var/lib/daybreak/ledger.db, and install the database's driver"
        ) from error


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Survive a power loss (FULL), and let readers read while one writes (WAL)."""
    connection.isolation_level = None  # SQLAlchemy's begin below is the only one
    for pragma in ("busy_timeout=10000", "synchronous=FULL", "foreign_keys=ON"):
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
    reads_only = connection.get_execution_options().get("daybreak_reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
