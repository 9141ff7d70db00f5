"""Open the ledger's database; every operation on it is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from runner.core.errors import LedgerError
from runner.core.interrupts import shielded
from runner.ledger.addresses import dialect_of
from runner.ledger.connection import Connection
from runner.ledger.pool import Pool
from runner.ledger.schema import VERSION, create_tables
from runner.ledger.upgrades import is_upgradable, keep_copy, upgrade

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

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @classmethod
    def open(cls, location: Path | str) -> Self:
        """Open the ledger, and create it if there is none.

        ``location`` is the path of an SQLite file or a database URL. Raises
        :class:`LedgerError` if it cannot be opened or comes from another version of Daybreak,
        and :class:`UsageError` for a URL that is none.
        """
        if isinstance(location, Path):
            _make_folder_of(location)
        ledger = cls(Pool(dialect_of(location)))
        version = ledger._version()
        if version is None:
            version = ledger._create()
        if is_upgradable(version):
            version = ledger._upgrade()
        ledger._check(version)
        return ledger

    def close(self) -> None:
        """Give back every connection."""
        self._pool.close()

    @contextmanager
    def _transaction(self, *, reads_only: bool = False) -> Iterator[Connection]:
        """One transaction, undone by any exception; :class:`LedgerError` for the database's.

        An interrupt is put off to its end.

        Whoever writes is alone, from the first statement on. Who only reads sees one state; what
        is read and makes no sense is not what was written: the file is damaged.
        """
        try:
            # An interrupt between BEGIN and its undoing would keep the ledger locked.
            with shielded(), self._pool.transaction(reads_only=reads_only) as connection:
                yield connection
        except self._pool.dialect.errors as error:
            raise self._unusable(error) from error
        except (TypeError, ValueError) as error:
            if not reads_only:
                raise
            raise self._unusable(error, _DAMAGED) from error

    def _unusable(self, error: BaseException, remedy: str | None = None) -> LedgerError:
        what = _one_line(error)
        if remedy is None:
            found = (remedy for said, remedy in _REMEDIES.items() if said in what.lower())
            remedy = next(found, _OTHERWISE)
        return LedgerError(f"the ledger {self._name} cannot be used ({what}): {remedy}")

    @property
    def _name(self) -> str:
        """What a person knows it by: its file, or its URL without passwords and options."""
        return self._pool.dialect.name

    def _version(self) -> int | None:
        """The version of the ledger's tables, None if there are none."""
        with self._transaction(reads_only=True) as connection:
            if connection.row(self._pool.dialect.has_table, name="ledger_version") is None:
                return None
            return _version_in(connection)

    def _create(self) -> int:
        """Make the tables; returns their version, another's if it made them meanwhile."""
        with self._transaction() as connection:
            create_tables(connection)
            version = _version_in(connection)
            if version is None:
                connection.change(
                    "insert into ledger_version (version, highest_fence) values (:version, 0)",
                    version=VERSION,
                )
                return VERSION
            return version

    def _upgrade(self) -> int:
        """Bring older tables to this version; of a file a copy is kept. Returns their version."""
        with self._transaction() as connection:
            # Asked again: another process may have done it while this one waited.
            version = _version_in(connection)
            if version is None or not is_upgradable(version):
                return version or 0
            if self._pool.dialect.file:
                self._keep_copy(self._pool.dialect.file, version)
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


def _version_in(connection: Connection) -> int | None:
    found: int | None = connection.value("select version from ledger_version")
    return found


def _make_folder_of(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be created ({error.strerror}): "
            "make its folder writable, or name another with DAYBREAK_HOME"
        ) from error


def _one_line(error: BaseException) -> str:
    printable = (letter if letter.isprintable() else " " for letter in str(error))
    return " ".join("".join(printable).split())
