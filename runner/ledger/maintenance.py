"""Keep a ledger small and sound: forget what is long over, give room back, check the file.

What may be forgotten is listed in ``_PRUNABLE``: each says which of its rows are old. Never among
them: what is unfinished or unsettled, the index of windows, and of each window the runs that `list`
and `why` tell of, which are the newest, and for each model those that last worked on it and last
published it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.records import UNFINISHED

_BATCH = 500  # rows in one transaction: a writer waits for no more than that
_MOST_PROBLEMS = 5
_MUCH = 4  # a file of which less than this part is free is left as it is: SQLite fills it again


@dataclass(frozen=True)
class PrunableTable:
    """A table that forgets; its children go with its rows."""

    rows: str  # what they are called
    name: str
    is_over: str  # SQL: a row may be forgotten, looked at by itself
    kept: str = "select 0"  # SQL: the keys of rows that stay, however old


# What `list` and `why` show of a window: its newest run, and of each model the last that worked
# on it and the last that published it.
_KEPT_RUNS = """
    select max(id) from runs group by pipeline, window_start
    union all
    select max(model_runs.run)
    from model_runs
    join runs on runs.id = model_runs.run
    group by runs.pipeline, runs.window_start, model_runs.model
    union all
    select max(model_runs.run)
    from model_runs
    join runs on runs.id = model_runs.run
    where model_runs.row_count is not null
    group by runs.pipeline, runs.window_start, model_runs.model
"""
_PRUNABLE = (
    PrunableTable(
        "runs",
        "runs",
        f"state not in {UNFINISHED} and not is_unsettled and finished_at < :before",
        _KEPT_RUNS,
    ),
    PrunableTable("messages", "outbox", "sent_at < :before"),
)


@dataclass(frozen=True)
class FileSize:
    """The room that an SQLite file takes of its disk."""

    before: int  # bytes, its write-ahead log included
    after: int


@dataclass
class Maintenance:
    """The work on the ledger itself."""

    database: Database

    def count_prunable(self, before: datetime) -> Mapping[str, int]:
        """Count, by kind, the rows that would be forgotten: over before an instant."""
        with self.database.transaction(reads_only=True) as connection:
            return {table.rows: len(_keys(connection, table, before)) for table in _PRUNABLE}

    def prune(self, before: datetime) -> Mapping[str, int]:
        """Forget what was over before an instant, a batch at a time; returns how much.

        Interrupted, it has forgotten less, and nothing by half.
        """
        return {table.rows: self._forget(table, before) for table in _PRUNABLE}

    def _forget(self, table: PrunableTable, before: datetime) -> int:
        with self.database.transaction(reads_only=True) as connection:
            keys = _keys(connection, table, before)
        # Looked at again: meanwhile one may have become a question for the markers.
        over = f"delete from {table.name} where id in :keys and {table.is_over}"
        batches = (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
        return sum(self.database.change(over, keys=batch, before=before) for batch in batches)

    def compact(self) -> FileSize | None:
        """Give free room of an SQLite file back to its disk; None on another database.

        The write-ahead log is emptied into the file. The file is written anew only if a good part
        of it is free: writers wait for that, and it takes as much room again meanwhile.
        """
        dialect = self.database.dialect
        if dialect.file is None:
            return None
        before = _size(dialect.file)
        try:
            with closing(dialect.open()) as raw:
                connection = Connection(raw, dialect)  # none of these is for a transaction
                free = connection.value("PRAGMA freelist_count")
                if free * _MUCH >= connection.value("PRAGMA page_count"):
                    connection.change("VACUUM")
                connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        except dialect.errors as error:
            raise self.database.unusable(error) from error
        return FileSize(before, _size(dialect.file))

    def get_journal(self) -> tuple[str, int] | None:
        """Return SQLite's journal mode and `synchronous` (2 is FULL); None on another database."""
        if self.database.dialect.file is None:
            return None
        mode = self.database.value("PRAGMA journal_mode")
        return str(mode), int(self.database.value("PRAGMA synchronous") or 0)


def file_problems(path: Path) -> list[str]:
    """Return what SQLite finds wrong with a file, the first few; empty if it is sound."""
    try:
        with closing(_connected(path)) as connection:
            found = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
            problems = [str(row[0]) for row in found if row[0] != "ok"]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_PROBLEMS)
    except sqlite3.Error as error:
        return [str(error)]
    return problems + [f"a row of {row[0]} belongs to no row of {row[2]}" for row in dangling]


def bound_place(file: Path) -> str | None:
    """Return which warehouse a ledger's file is about; None: none yet, or it cannot be read."""
    place = _peeked(file, "select place from warehouses")
    return str(place) if place is not None else None


def file_version(path: Path) -> int | None:
    """Return the version of the tables in a file; None if it has none or cannot be read."""
    version = _peeked(path, "select version from ledger_version")
    return version if isinstance(version, int) else None


def _peeked(path: Path, query: str) -> object:
    """Return the first value of a query of a file of whatever version; None if there is none."""
    try:
        with closing(_connected(path)) as connection:
            row = connection.execute(query).fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


def _connected(path: Path) -> sqlite3.Connection:
    """Open a connection that creates no file, and needs no more than the file to be there."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)


def _keys(connection: Connection, table: PrunableTable, before: datetime) -> list[int]:
    query = f"""
        select id from {table.name}
        where {table.is_over} and id not in ({table.kept})
        order by id
    """
    return connection.column(query, before=before)


def _size(file: Path) -> int:
    log = file.with_name(f"{file.name}-wal")
    return sum(path.stat().st_size for path in (file, log) if path.exists())
