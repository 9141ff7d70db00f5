"""The ledger's tables, and how a ledger of an earlier version is brought to this one, in place.

A version is upgraded step by step, all steps in one transaction: whoever opens the ledger
meanwhile waits for its end and finds it done. Beside an SQLite file a copy of what it was is left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from runner.ledger.connection import Connection
from runner.ledger.records import UNFINISHED

VERSION = 7

TABLES = Path(__file__).with_name("tables.sql").read_text()


def create_tables(connection: Connection) -> None:
    """Make the tables that are not there yet."""
    for statement in TABLES.format(**connection.dialect.types, unfinished=UNFINISHED).split(";\n"):
        if statement.strip():
            connection.change(statement)


def version_in(connection: Connection) -> int | None:
    """Return the version of the tables that are there; None if they were made just now."""
    version: int | None = connection.value("select version from ledger_version")
    return version


def _add_publications(connection: Connection) -> None:
    """5 knows which publication and checks a window is of, which warehouse, relation: none yet."""
    instant = connection.dialect.types["instant"]
    for table in ("model_runs", "model_windows"):
        connection.change(f"alter table {table} add column published_at {instant}")
        connection.change(f"alter table {table} add column checks_hash varchar")
    connection.change("alter table model_runs add column is_same boolean not null default false")
    create_tables(connection)


# What turns a version into the next one. Ledgers that are older than the first are rebuilt.
_STEPS: Mapping[int, Callable[[Connection], None]] = {
    3: create_tables,  # 4 only adds tables; those that are there are left alone
    4: _add_publications,
    5: create_tables,  # 6 knows how what has no windows stood when it was built
    6: create_tables,  # 7 knows who read whom
}


def is_upgradable(version: int) -> bool:
    """Return whether there is a way from a version to this one."""
    return min(_STEPS) <= version < VERSION


def upgrade(connection: Connection, version: int) -> None:
    """Bring the tables from ``version`` to this one, within a transaction that only writes this."""
    for step in range(version, VERSION):
        _STEPS[step](connection)
    connection.change("update ledger_version set version = :version", version=VERSION)


def keep_copy(file: Path, version: int) -> Path:
    """Copy an SQLite file, its write-ahead log included, to ``<file>.v<version>``.

    The copy is whole or is not there. Raises :class:`sqlite3.Error` or :class:`OSError`.
    """
    copy = file.with_name(f"{file.name}.v{version}")
    unfinished = copy.with_name(f"{copy.name}.part")
    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(unfinished)) as target,
        ):
            source.backup(target)
        unfinished.chmod(file.stat().st_mode & 0o777)
        unfinished.replace(copy)
    finally:
        unfinished.unlink(missing_ok=True)
    return copy
