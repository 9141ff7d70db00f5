"""Read the address of a ledger: the path of a file, or a URL."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from runner.core.errors import UsageError
from runner.ledger.dialects import Dialect, Postgres, Sqlite

# A password may hold whatever a person has not escaped, and must not be shown even then.
_URL = re.compile(
    r"(?P<database>[\w+]+)://"
    r"(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<host>\[[^\]]+\]|[^/:?]*)(?::(?P<port>\d*))?"
    r"(?:/(?P<path>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
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
