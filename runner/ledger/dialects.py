"""The two databases that a ledger may be kept in, their addresses, and all that differs in them."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, unquote

from runner.core.errors import UsageError
from runner.ledger.values import as_text, bindable

PATIENCE_SECONDS: float = 10  # with another process that writes
_WAL_ATTEMPTS = 200
_WRITERS = 0x6461796272656B  # "daybrek": the advisory lock of all who write to a Postgres ledger
_LITERAL = re.compile("'[^']*'")
_FOREIGN = ("::", "%", "--")
_AMONG = r"\bin :(\w+)"
_NOW = r"\bledger_now\((:\w+)\)"
# A password may hold whatever a person has not escaped, and must not be shown even then: it ends at
# the last @.
_URL = re.compile(
    r"(?P<database>[\w+]+)://"
    r"(?:(?P<user>[^:/]*)(?::(?P<password>.*))?@)?"
    r"(?P<host>\[[^\]]+\]|[^/:?@]*)(?::(?P<port>\d*))?"
    r"(?:/(?P<path>[^?@]*))?(?:\?(?P<query>[^@]*))?",
    re.DOTALL,
)
_AS_THEY_ARE = frozenset({int, float, bool, NoneType})  # thousands of them in a large backfill

Translations = tuple[tuple[str, str], ...]  # patterns and what takes their place, in this order


class Raw(Protocol):
    """A connection as sqlite3 and psycopg give it, which begins no transaction by itself."""

    def cursor(self) -> Any:
        """Return a cursor of the DB-API."""

    def execute(self, sql: str, values: Any = ..., /) -> Any:
        """Execute a statement with a new cursor, and return that."""

    def commit(self) -> None:
        """Keep what was done."""

    def rollback(self) -> None:
        """Undo what was done."""

    def close(self) -> None:
        """Give the connection back."""


class Dialect(ABC):
    """One of the databases."""

    name: str  # what a person knows the ledger by: its file, or its URL without passwords
    file: Path | None  # None: another process holds the data
    types: Mapping[str, str]  # by their names in the schema
    has_table: str  # SQL that answers with a row if there is a table :name
    errors: tuple[type[Exception], ...]  # what the database raises
    translations: Translations  # of the ledger's SQL

    @abstractmethod
    def open(self) -> Raw:
        """Open a new connection."""

    @abstractmethod
    def beginning(self, *, reads_only: bool) -> str:
        """Return SQL that begins a transaction: writers are alone, readers see one state."""

    def translated(self, sql: str) -> str:
        """Return the ledger's SQL in the words of this database."""
        return _translated(sql, self.translations)

    def bound(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return values in the types of this database."""
        return {
            name: value if type(value) in _AS_THEY_ARE else self._adapted(bindable(value))
            for name, value in values.items()
        }

    def _adapted(self, value: object) -> object:
        return value


@cache
def _translated(sql: str, translations: Translations) -> str:
    """Translate SQL; ValueError if it holds what could be taken for the name of a value."""
    if any(sign in sql for sign in _FOREIGN) or ":" in "".join(_LITERAL.findall(sql)):
        raise ValueError(f"write it without ::, %, comments, and colons in literals: {sql}")
    for pattern, replacement in translations:
        sql = re.sub(pattern, replacement, sql)
    return sql


@dataclass(frozen=True)
class Sqlite(Dialect):
    """A file of this machine; sets of values are lists in JSON, and instants are texts."""

    file: Path  # absolute
    name: str = field(init=False)
    pragmas: tuple[str, ...] = ("synchronous=FULL", "foreign_keys=ON")  # FULL outlives power loss

    types = MappingProxyType({"key": "INTEGER", "instant": "DATETIME"})
    has_table = "select 1 from sqlite_master where type = 'table' and name = :name"
    errors = (sqlite3.Error,)
    translations = (
        (_AMONG, r"in (select value from json_each(:\1))"),
        (_NOW, r"strftime('%Y-%m-%d %H:%M:%f', 'now', (\1) || ' seconds')"),
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", str(self.file))

    def open(self) -> Raw:
        """Open a new connection; threads may take turns with it."""
        raw = sqlite3.connect(
            self.file, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            raw.row_factory = sqlite3.Row
            for pragma in self.pragmas:
                raw.execute(f"PRAGMA {pragma}")
            _use_wal(raw)
        except BaseException:
            raw.close()
            raise
        return raw

    def beginning(self, *, reads_only: bool) -> str:
        """Take the write lock at once: a transaction that has read could not always upgrade."""
        return "begin" if reads_only else "begin immediate"

    def _adapted(self, value: object) -> object:
        if isinstance(value, datetime):
            return as_text(value)
        return json.dumps(value) if isinstance(value, list) else value


def _use_wal(raw: sqlite3.Connection) -> None:
    """Let readers read while one writes; two who switch a new file at once wait for no timeout."""
    for attempt in range(_WAL_ATTEMPTS):
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == _WAL_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True)
class Postgres(Dialect):
    """A server that runners on several machines share; ImportError without its driver."""

    name: str
    options: Mapping[str, str] = field(repr=False)  # as libpq names them; a password is among them

    file = None
    types = MappingProxyType({"key": "BIGSERIAL", "instant": "TIMESTAMP WITH TIME ZONE"})
    has_table = "select 1 where to_regclass(:name) is not null"
    translations = (
        (_AMONG, r"= any(:\1)"),
        (_NOW, r"(clock_timestamp() + make_interval(secs => \1))"),
        (r":(\w+)", r"%(\1)s"),
    )

    def __post_init__(self) -> None:
        import psycopg  # a ledger in a file needs no driver

        object.__setattr__(self, "errors", (psycopg.Error,))

    def open(self) -> Raw:
        """Open a new connection."""
        import psycopg
        from psycopg.rows import dict_row

        options: dict[str, Any] = {"connect_timeout": str(int(PATIENCE_SECONDS)), **self.options}
        # A statement that was prepared would fail once after an upgrade has changed a table.
        options |= {"autocommit": True, "prepare_threshold": None, "row_factory": dict_row}
        return cast(Raw, psycopg.connect(**options))

    def beginning(self, *, reads_only: bool) -> str:
        """Be the only writer, as on SQLite; statements see what was committed before each of them.

        Said outright, as a server may have other defaults: a snapshot that is older than the lock
        would not show what the writer before has done.
        """
        if reads_only:
            return "begin isolation level repeatable read, read only"
        return (
            "begin isolation level read committed, read write;"
            f"set local lock_timeout = '{PATIENCE_SECONDS}s';"
            f"select pg_advisory_xact_lock({_WRITERS})"
        )


def dialect_of(location: Path | str) -> Dialect:
    """Return the database at a location; :class:`UsageError` for a URL that names none."""
    if isinstance(location, Path):
        return Sqlite(location.absolute())
    try:
        return _by_url(location)
    except (ValueError, ImportError) as error:
        raise UsageError(
            f"the ledger cannot be opened ({error}): write DAYBREAK_LEDGER like "
            "sqlite:////var/lib/daybreak/ledger.db or postgresql://user@host/database, "
            "the latter with pip install 'daybreak[postgres]'"
        ) from error


def ledger_file(location: Path | str) -> Path | None:
    """Return the file of an SQLite ledger; None for another database."""
    if isinstance(location, Path):
        return location
    try:
        return _by_url(location).file
    except (ValueError, ImportError):
        return None  # opening it says what is wrong


def _by_url(url: str) -> Dialect:
    """Return the database of a URL; ValueError says what is wrong with it, without a password."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("it is no URL")
    if found["database"] == "sqlite":
        return _sqlite(found)
    if found["database"] in ("postgresql", "postgresql+psycopg"):
        return _postgres(found)
    raise ValueError(f"a ledger is not kept in {found['database']}")


def _sqlite(url: re.Match[str]) -> Dialect:
    if url["host"] or url["user"] is not None or url["port"]:
        raise ValueError("a file has no host: three slashes, or four before a whole path")
    if url["query"]:
        raise ValueError("a file has no options")
    if url["path"] in (None, "", ":memory:"):
        raise ValueError("a ledger in memory would forget everything")
    return Sqlite(Path(url["path"]).absolute())


def _postgres(url: re.Match[str]) -> Dialect:
    parts = {**url.groupdict(), "host": url["host"].strip("[]"), "dbname": url["path"]}
    names = ("host", "port", "dbname", "user", "password")
    options = {name: unquote(parts[name]) for name in names if parts[name]}
    secret = "" if url["password"] is None else ":***"
    login = "" if url["user"] is None else f"{url['user']}{secret}@"
    port = f":{url['port']}" if url["port"] else ""
    return Postgres(
        f"postgresql://{login}{url['host']}{port}/{url['path'] or ''}",
        options | dict(parse_qsl(url["query"] or "")),
    )
