"""Connections that are kept for the next transaction."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runner.ledger.connection import Connection, Raw
from runner.ledger.dialects import Dialect


class Pool:
    """The connections to one database; each is in one transaction, and one thread, at a time."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._process = os.getpid()
        self._idle: list[Raw] = []
        self._inherited: list[list[Raw]] = []

    @contextmanager
    def transaction(self, *, reads_only: bool) -> Iterator[Connection]:
        """One transaction, undone by any exception."""
        raw = self._begun(reads_only=reads_only)
        try:
            yield Connection(raw, self.dialect)
            raw.commit()
        except BaseException:
            self._undo(raw)
            raise
        self._idle.append(raw)

    def close(self) -> None:
        """Give back every connection; a later transaction makes another."""
        self._leave_inherited()
        while self._idle:
            self._idle.pop().close()

    def _begun(self, *, reads_only: bool) -> Raw:
        """A connection whose transaction has begun.

        A server that was restarted is met with another connection, not with an error.
        """
        self._leave_inherited()
        while True:
            try:
                raw, is_new = self._idle.pop(), False
            except IndexError:
                raw, is_new = self.dialect.open(), True
            try:
                self.dialect.begin(raw, reads_only=reads_only)
            except BaseException as error:
                is_stale = isinstance(error, self.dialect.errors) and self.dialect.is_broken(raw)
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
        """After a fork, leave the parent's connections alone: closing one would end it there."""
        if self._process != os.getpid():
            self._inherited.append(self._idle)
            self._idle = []
            self._process = os.getpid()
