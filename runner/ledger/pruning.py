"""Forget what is long over, so that a ledger does not grow forever.

What may be forgotten is listed in ``_ROOMS``: each says which of its rows are old. Never among
them: what is unfinished or unsettled, the index of windows, and of each window the runs that `list`
and `why` tell of, which are the newest, and for each model those that last worked on it and last
published it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, union_all

from runner.ledger.database import Database
from runner.ledger.schema import UNFINISHED, model_runs, outbox, runs

_BATCH = 500  # rows in one transaction: a writer waits for no more than that
_MUCH = 4  # a file of which less than this part is free is left as it is: SQLite fills it again


@dataclass(frozen=True)
class Room:
    """A table that forgets; its children go with its rows."""

    rows: str  # what they are called
    key: ColumnElement[int]
    is_over: Callable[[datetime], ColumnElement[bool]]  # may be forgotten, looked at by itself
    kept: Select[Any] | None = None  # keys of rows that stay, however old


@dataclass(frozen=True)
class FileSize:
    """What an SQLite file takes of its disk."""

    before: int  # bytes, its write-ahead log included
    after: int


def _kept_runs() -> Select[Any]:
    """The runs that tell of a window what `list` and `why` show of it."""
    worked = (
        select(func.max(model_runs.c.run))
        .join(runs, runs.c.id == model_runs.c.run)
        .group_by(runs.c.pipeline, runs.c.window_start, model_runs.c.model)
    )
    newest = select(func.max(runs.c.id)).group_by(runs.c.pipeline, runs.c.window_start)
    published = worked.where(model_runs.c.row_count.is_not(None))
    kept = union_all(newest, worked, published).subquery()
    return select(kept.c[0])


_ROOMS = (
    Room(
        "runs",
        runs.c.id,
        lambda before: (
            runs.c.state.not_in(UNFINISHED) & ~runs.c.is_unsettled & (runs.c.finished_at < before)
        ),
        _kept_runs(),
    ),
    Room("messages", outbox.c.id, lambda before: outbox.c.sent_at < before),
)


class Pruning(Database):
    """What makes a ledger smaller."""

    def prunable(self, before: datetime) -> Mapping[str, int]:
        """How many rows of which kind would be forgotten that were over before an instant."""
        with self._transaction(reads_only=True) as connection:
            return {room.rows: len(_keys(connection, room, before)) for room in _ROOMS}

    def prune(self, before: datetime) -> Mapping[str, int]:
        """Forget what was over before an instant, a batch at a time; how many rows of which kind.

        Interrupted, it has forgotten less, and nothing by half.
        """
        return {room.rows: self._forget(room, before) for room in _ROOMS}

    def _forget(self, room: Room, before: datetime) -> int:
        with self._transaction(reads_only=True) as connection:
            keys = _keys(connection, room, before)
        forgotten = 0
        for start in range(0, len(keys), _BATCH):
            batch = room.key.in_(keys[start : start + _BATCH])
            # Looked at again: meanwhile one may have become a question for the markers.
            over = delete(room.key.table).where(batch, room.is_over(before))
            with self._transaction() as connection:
                forgotten += connection.execute(over).rowcount
        return forgotten

    def compact(self) -> FileSize | None:
        """Give free room of an SQLite file back to its disk; None on another database.

        The write-ahead log is emptied into the file. The file is written anew only if a good part
        of it is free: writers wait for that, and it takes as much room again meanwhile.
        """
        name = self._engine.url.database
        if self._engine.dialect.name != "sqlite" or not name or name == ":memory:":
            return None
        before = _size(Path(name))
        try:
            with closing(self._engine.raw_connection()) as connection:
                cursor = connection.cursor()
                pages = cursor.execute("PRAGMA page_count").fetchone()[0]
                free = cursor.execute("PRAGMA freelist_count").fetchone()[0]
                if free * _MUCH >= pages:
                    cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return FileSize(before, _size(Path(name)))


def _keys(connection: Connection, room: Room, before: datetime) -> list[int]:
    query = select(room.key).where(room.is_over(before)).order_by(room.key)
    if room.kept is not None:
        query = query.where(room.key.not_in(room.kept))
    return list(connection.execute(query).scalars())


def _size(file: Path) -> int:
    log = file.with_name(f"{file.name}-wal")
    return sum(path.stat().st_size for path in (file, log) if path.exists())
