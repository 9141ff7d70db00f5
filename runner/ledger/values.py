"""Convert the values of columns: instants, and texts from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache

_BOUNDS = 2**16  # windows share their bounds, and models their windows
_TEXTS = 2**10  # names and hashes come again with every window


def instant(value: object) -> datetime:
    """Return the UTC instant that a column holds; ValueError or TypeError if it holds none."""
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    raise TypeError(f"{value!r} is no instant")


def as_text(value: datetime) -> str:
    """Return an instant as SQLite keeps it: in UTC, and such that texts sort as instants do.

    >>> as_text(datetime(2026, 6, 19, 5, tzinfo=UTC))
    '2026-06-19 05:00:00.000000'
    """
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache(_BOUNDS)
def _from_text(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bindable(value: object) -> object:
    """Return a value as it may be given to a database.

    Of a text, which may come from outside, a sign takes the place of what no database keeps: NUL,
    halves of characters. A naive datetime is a RuntimeError: nobody knows which instant it means.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return keepable(value)
    if isinstance(value, list):
        return [bindable(one) for one in value]
    if isinstance(value, datetime) and value.tzinfo is None:
        raise RuntimeError(f"{value} has no time zone: pass an instant")
    return value


@lru_cache(_TEXTS)
def keepable(text: str) -> str:
    r"""Return a text without what no database keeps.

    >>> [ascii(keepable(text)) for text in ("rows", "na\0me", "half \ud83d")]
    ["'rows'", "'na\\ufffdme'", "'half ?'"]
    """
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
