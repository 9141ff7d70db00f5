"""Open the ledger's database; every operation on it is one transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from runner.core.errors import LedgerError
from runner.core.interrupts import shielded
from runner.ledger.connection import Connection
from runner.ledger.dialects import Dialect, Raw, dialect_of
from runner.ledger.records import record_of
from runner.ledger.schema import (
    VERSION,
    create_tables,
    is_upgradable,
    keep_copy,
    upgrade,
    version_in,
)
from runner.ledger.values import instant

T = TypeVar("T")

_REBUILD = "run `runner doctor --rebuild`, which makes a new one from the warehouse"
_DAMAGED = f"it is damaged, {_REBUILD}"
_BUSY = "another process keeps it busy, run the same command again"
_FULL = "make room on its disk, then run the same command again"
_UNWRITABLE = "make its folder writable, or name another with DAYBREAK_HOME"
_REMEDIES = {
    "malformed": _DAMAGED,
    "not a database": _DAMAGED,
    "unsupported file format": _DAMAGED,
    "could not decode": _DAMAGED,
    "disk i/o error": "look at its disk; `runner doctor` tells whether the file is damaged",
    "disk is full": _FULL,
    "no space left": _FULL,
    "readonly": _UNWRITABLE,
    "unable to open": _UNWRITABLE,
    "locked": _BUSY,
    "lock timeout": _BUSY,
    "connection": "look whether its server answers, then run the same command again",
}
_OTHERWISE = "look at its file and disk, or at its server, then run the same command again"


class Database:
    """The ledger's tables, in SQLite or in another database by URL.

    Connections are kept for the next transaction; each is in one, and in one thread, at a time.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._process = os.getpid()
        self._idle: list[Raw] = []
        self._inherited: list[list[Raw]] = []

    @classmethod
    def open(cls, location: Path | str) -> Self:
        """Open the database at a location; create, or upgrade, its tables."""
        if isinstance(location, Path):
            _make_folder_of(location)
        database = cls(dialect_of(location))
        version = database._version()
        if version is None or is_upgradable(version):
            version = database._prepare(is_new=version is None)
        if version != VERSION:
            what = f"the ledger {database.dialect.name} has version {version}"
            remedy = "upgrade Daybreak" if version > VERSION else _REBUILD
            raise LedgerError(f"{what}, this Daybreak knows {VERSION}: {remedy}")
        return database

    def close(self) -> None:
        """Give back every connection; a later transaction makes another."""
        self._leave_inherited()
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def transaction(self, *, reads_only: bool = False) -> Iterator[Connection]:
        """Begin one transaction, undone by any exception; LedgerError for the database's.

        An interrupt is put off to its end.

        Whoever writes is alone, from the first statement on. Who only reads sees one state; what
        is read and makes no sense is not what was written: the file is damaged.
        """
        try:
            # An interrupt between BEGIN and its undoing would keep the ledger locked.
            with shielded(), self._committed(reads_only=reads_only) as connection:
                yield connection
        except self.dialect.errors as error:
            raise self.unusable(error) from error
        except (TypeError, ValueError) as error:
            if not reads_only:
                raise
            raise self.unusable(error, _DAMAGED) from error

    def select(self, record: type[T], sql: str, **values: object) -> list[T]:
        """Return the rows of one query, each as a record."""
        with self.transaction(reads_only=True) as connection:
            return [record_of(record, row) for row in connection.rows(sql, **values)]

    def value(self, sql: str, **values: object) -> Any:
        """Return the first value of one query, None if there is none."""
        with self.transaction(reads_only=True) as connection:
            return connection.value(sql, **values)

    def instant(self, sql: str, **values: object) -> datetime | None:
        """Return the instant (UTC) that is the first value of one query, None if there is none."""
        with self.transaction(reads_only=True) as connection:
            value = connection.value(sql, **values)
            return None if value is None else instant(value)

    def change(self, sql: str, **values: object) -> int:
        """Execute one statement that changes rows; returns how many."""
        with self.transaction() as connection:
            return connection.change(sql, **values)

    def unusable(self, error: BaseException, remedy: str | None = None) -> LedgerError:
        """Return the error that says why the ledger cannot be used, and what to do."""
        what = _one_line(error)
        known = (known for said, known in _REMEDIES.items() if said in what.lower())
        remedy = remedy or next(known, _OTHERWISE)
        return LedgerError(f"the ledger {self.dialect.name} cannot be used ({what}): {remedy}")

    @contextmanager
    def _committed(self, *, reads_only: bool) -> Iterator[Connection]:
        raw = self._begin(reads_only=reads_only)
        try:
            yield Connection(raw, self.dialect)
            raw.commit()
        except BaseException:
            self._undo(raw)
            raise
        self._idle.append(raw)

    def _begin(self, *, reads_only: bool) -> Raw:
        """Return a connection whose transaction has begun.

        A server that was restarted is met with another connection, not with an error.
        """
        self._leave_inherited()
        while True:
            try:
                raw, is_new = self._idle.pop(), False
            except IndexError:
                raw, is_new = self.dialect.open(), True
            try:
                raw.execute(self.dialect.beginning(reads_only=reads_only))
            except BaseException as error:
                # Only a server hangs up.
                is_stale = isinstance(error, self.dialect.errors) and getattr(raw, "closed", False)
                self._undo(raw)
                if is_new or not is_stale:
                    raise
            else:
                return raw

    def _undo(self, raw: Raw) -> None:
        try:
            raw.rollback()
        except self.dialect.errors:
            with suppress(*self.dialect.errors):
                raw.close()
        else:
            self._idle.append(raw)

    def _leave_inherited(self) -> None:
        """Leave the parent's connections alone after a fork: closing one would end it there."""
        if self._process != os.getpid():
            self._inherited.append(self._idle)
            self._idle = []
            self._process = os.getpid()

    def _version(self) -> int | None:
        """Return the version of the ledger's tables, None if there are none."""
        with self.transaction(reads_only=True) as connection:
            has_tables = connection.row(self.dialect.has_table, name="ledger_version")
            return version_in(connection) if has_tables else None

    def _prepare(self, *, is_new: bool) -> int:
        """Make the tables, or bring older ones to this version; returns the version they have."""
        with self.transaction() as connection:
            if is_new:
                create_tables(connection)
            # Asked again: another process may have done it while this one waited.
            version = version_in(connection)
            if version is None:
                connection.insert("ledger_version", [{"version": VERSION, "highest_fence": 0}])
            elif not is_upgradable(version):
                return version
            else:
                self._keep_copy(version)
                upgrade(connection, version)
            return VERSION

    def _keep_copy(self, version: int) -> None:
        try:
            if self.dialect.file:
                keep_copy(self.dialect.file, version)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(
                f"the ledger {self.dialect.name} has version {version} and cannot be copied before "
                f"its upgrade ({_one_line(error)}): make room beside it and its folder writable, "
                "then run the same command again"
            ) from error


def _make_folder_of(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be created ({error.strerror}): {_UNWRITABLE}"
        ) from error


def _one_line(error: BaseException) -> str:
    printable = (letter if letter.isprintable() else " " for letter in str(error))
    return " ".join("".join(printable).split())
