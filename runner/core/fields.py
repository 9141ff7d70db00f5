"""Turn plain values into typed ones, key by key, up to the first mistake and its place.

A reader takes a plain value, as YAML knows it, and gives what it means. It raises
:class:`UnfitError` for a value of another kind, and any other :class:`ValueError` or
:class:`UsageError` for one that means something impossible. Readers of lists and of keys say
in a :class:`Mistake` which of them it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from typing import Any, TypeVar

from runner.core.errors import UsageError, nearest

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
Path = tuple[str | int, ...]  # keys and indices, from outside in
Reader = Callable[[object], T]


class UnfitError(ValueError):
    """A value of another kind; the text says what was expected in its place."""


class BadNameError(ValueError):
    """A key that cannot be a name."""


class UnknownKeyError(ValueError):
    """A key that nobody knows; the text says which is meant."""


class MissingKeyError(ValueError):
    """A key that must be there, and is not."""


@dataclass
class Mistake(Exception):  # noqa: N818 - of a person, to be explained
    """Something wrong, and where."""

    error: ValueError | UsageError
    given: object
    path: Path


class Record:
    """Settings with a name each: a frozen dataclass whose fields are made by :func:`key`."""

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """Yield what does not fit together, and where, once each setting is right by itself."""
        yield from ()


R = TypeVar("R", bound=Record)


def key(
    read: Reader[T], default: Any = MISSING, example: str | None = None, *, is_secret: bool = False
) -> Any:
    """Make a field of a record with its reader; without a default it must be given.

    A default is said as a person would write it, and is the example unless there is a better one.
    """
    metadata = {"read": read, "example": str(default) if example is None else example}
    if default is None:
        metadata["read"] = lambda value: None if value is None else read(value)
    elif default is not MISSING:
        default = read(default)
    return field(default=default, repr=not is_secret, metadata=metadata)


def read_at(read: Reader[T], value: object, *place: str | int) -> T:
    """Read a value; :class:`Mistake` with its place, one part of it, if it cannot be read."""
    try:
        return read(value)
    except Mistake as inner:
        inner.path = (*place, *inner.path)
        raise
    except (ValueError, UsageError) as error:
        raise Mistake(error, value, place) from error


def record(made: type[R]) -> Reader[R]:
    """Make a reader of keys and values that make a record."""
    known = {one.name: one for one in fields(made)}  # type: ignore[arg-type]
    needed = [name for name, one in known.items() if one.default is MISSING]

    def unknown(name: object) -> object:
        hint = nearest(str(name), known) or f" The keys here are: {', '.join(known)}."
        raise UnknownKeyError(hint)

    def read(value: object) -> R:
        values = {}
        for name, given in _keyed(value).items():
            if name not in known:
                read_at(unknown, name, name)
            values[name] = read_at(known[name].metadata["read"], given, name)
        for name in needed:
            if name not in values:
                raise Mistake(MissingKeyError(), None, (name,))
        found = made(**values)
        for path, why in found.contradictions():
            raise Mistake(ValueError(why), value, path)
        return found

    return read


def named(read_name: Reader[str], read: Reader[T], least: str) -> Reader[dict[str, T | Mistake]]:
    """Make a reader of keys that are names; of none it says that there must be ``least``.

    What is wrong with one of them stands in its place, and keeps no other from being read.
    """

    def read_one(name: str, value: object) -> T | Mistake:
        try:
            return read_at(read, value, read_at(read_name, name, name))
        except Mistake as mistake:
            return mistake

    def read_all(value: object) -> dict[str, T | Mistake]:
        given = _keyed(value)
        if not given:
            raise UnfitError(least)
        return {name: read_one(name, one) for name, one in given.items()}

    return read_all


def many(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """Make a reader of a list."""

    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise UnfitError("a list")
        return tuple(read_at(read, one, index) for index, one in enumerate(value))

    return read_all


def one_of(choices: type[E]) -> Reader[E]:
    """Make a reader of one of a few words."""
    known = {choice.value: choice for choice in choices}
    *others, last = map(repr, known)

    def read(value: object) -> E:
        if not isinstance(value, str) or value not in known:
            raise UnfitError(f"{', '.join(others)} or {last}")
        return known[value]

    return read


def whole(least: int) -> Reader[int]:
    """Make a reader of a whole number."""

    def read(value: object) -> int:
        if type(value) is not int:  # nor true, which Python counts as one
            raise UnfitError("a whole number")
        if value < least:
            raise UnfitError(f"greater than or equal to {least}")
        return value

    return read


def words(value: object) -> str:
    """Read a text, as it is."""
    if not isinstance(value, str):
        raise UnfitError("text (put it in quotes)")
    return value


def text(value: object) -> str:
    """Read a text that says something; the blanks around it go."""
    found = words(value).strip()
    if not found:
        raise UnfitError("longer than nothing")
    return found


def _keyed(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UnfitError("keys and values")
    return value
