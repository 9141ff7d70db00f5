"""Questions about the ledger itself: is its file sound, and is anything left open in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from runner.ledger.database import Database
from runner.ledger.records import Run

_MOST_PROBLEMS = 5


class Checkup(Database):
    """What a doctor asks of a ledger that opens."""

    def open_ends(self) -> list[Run]:
        """The runs of all pipelines that have not ended, or ended with a question left open."""
        query = """
            select * from runs
            where state in ('queued', 'running', 'retrying') or is_unsettled
            order by pipeline, window_start
        """
        with self._transaction(reads_only=True) as connection:
            return [Run.from_row(row) for row in connection.rows(query)]

    def journal(self) -> tuple[str, int] | None:
        """SQLite's journal mode and its `synchronous` (2 is FULL); None on another database."""
        if self._pool.dialect.file is None:
            return None
        with self._transaction(reads_only=True) as connection:
            mode = connection.value("PRAGMA journal_mode")
            synchronous = connection.value("PRAGMA synchronous")
        return str(mode), int(synchronous or 0)


def file_problems(path: Path) -> list[str]:
    """What SQLite finds wrong with a file, the first few; empty if it is sound."""
    try:
        with closing(_connected(path)) as connection:
            found = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
            problems = [str(row[0]) for row in found if row[0] != "ok"]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_PROBLEMS)
    except sqlite3.Error as error:
        return [str(error)]
    return problems + [f"a row of {row[0]} belongs to no row of {row[2]}" for row in dangling]


def file_version(path: Path) -> int | None:
    """The version of the tables in a file; None if it has none or cannot be read."""
    try:
        with closing(_connected(path)) as connection:
            row = connection.execute("select version from ledger_version").fetchone()
    except sqlite3.Error:
        return None
    return int(row[0]) if row and isinstance(row[0], int) else None


def _connected(path: Path) -> sqlite3.Connection:
    """A connection that creates no file, and needs no more than the file to be there."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
