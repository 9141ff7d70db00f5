"""Where a ledger is kept: the path of a file, or a URL."""

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
_SQLITE = ("sqlite",)
_POSTGRES = ("postgresql", "postgresql+psycopg")


class AddressError(ValueError):
    """A URL that no ledger is kept under; says what is wrong with it, and quotes no password."""


def dialect_of(location: Path | str) -> Dialect:
    """The database at a location; :class:`UsageError` for a URL that names none."""
    if isinstance(location, Path):
        return Sqlite(location.absolute())
    try:
        return _by_url(location)
    except (AddressError, ImportError) as error:
        raise UsageError(
            f"the ledger cannot be opened ({error}): write DAYBREAK_LEDGER like "
            "sqlite:////var/lib/daybreak/ledger.db or postgresql://user@host/database, "
            "the latter with pip install 'daybreak[postgres]'"
        ) from error


def ledger_file(location: Path | str) -> Path | None:
    """The file of an SQLite ledger; None for another database."""
    if isinstance(location, Path):
        return location
    try:
        return _by_url(location).file
    except (AddressError, ImportError):
        return None  # opening it says what is wrong


def _by_url(url: str) -> Dialect:
    found = _URL.fullmatch(url)
    if found is None:
        raise AddressError("it is no URL")
    if found["database"] in _SQLITE:
        return _sqlite(found)
    if found["database"] in _POSTGRES:
        return _postgres(found)
    raise AddressError(f"a ledger is not kept in {found['database']}")


def _sqlite(url: re.Match[str]) -> Dialect:
    if url["host"] or url["user"] is not None or url["port"]:
        raise AddressError("a file has no host: three slashes, or four before a whole path")
    if url["query"]:
        raise AddressError("a file has no options")
    if url["path"] in (None, "", ":memory:"):
        raise AddressError("a ledger in memory would forget everything")
    return Sqlite(Path(url["path"]).absolute())


def _postgres(url: re.Match[str]) -> Dialect:
    parts = {"host": url["host"].strip("[]"), "port": url["port"], "dbname": url["path"]}
    options = {name: unquote(value) for name, value in parts.items() if value}
    for name in ("user", "password"):
        if url[name]:
            options[name] = unquote(url[name])
    options |= dict(parse_qsl(url["query"] or ""))
    user = "" if url["user"] is None else url["user"]
    secret = "" if url["password"] is None else ":***"
    at = "" if url["user"] is None else "@"
    port = f":{url['port']}" if url["port"] else ""
    return Postgres(
        f"postgresql://{user}{secret}{at}{url['host']}{port}/{url['path'] or ''}", options
    )
