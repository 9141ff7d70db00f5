"""Turn plain values into typed ones, key by key, and find every mistake with its place.

A reader takes a plain value, as YAML knows it, and gives what it means. It raises
:class:`UnfitError` for a value of another kind, and any other :class:`ValueError` for one that
means something impossible. Readers of lists and of keys gather what is wrong in them as
:class:`MistakesError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")
K = TypeVar("K")
E = TypeVar("E", bound=Enum)
Path = tuple[str | int, ...]  # keys and indices, from outside in
Reader = Callable[[object], T]


class UnfitError(ValueError):
    """A value of another kind; the text says what was expected in its place."""


class BadNameError(ValueError):
    """A key that cannot be a name."""


class UnknownKeyError(ValueError):
    """A key that nobody knows."""


class MissingKeyError(ValueError):
    """A key that must be there, and is not."""


@dataclass(frozen=True)
class Mistake:
    """Something wrong, and where."""

    path: Path
    given: object
    error: ValueError


class MistakesError(ValueError):
    """Everything that is wrong in a value."""

    def __init__(self, found: Iterable[Mistake]) -> None:
        super().__init__("the value is wrong in some places")
        self.found = tuple(found)


class Record:
    """Settings with a name each: a frozen dataclass whose fields are made by :func:`key`."""

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """Yield what does not fit together, and where, once each setting is right by itself."""
        yield from ()


def key(read: Reader[T], default: T | Any = MISSING, *, is_secret: bool = False) -> Any:
    """Make a field of a record with its reader; without a default it must be given."""
    return field(default=default, repr=not is_secret, metadata={"read": read})


def record(made: type[T]) -> Reader[T]:
    """Make a reader of keys and values that make a record."""
    known = {one.name: one for one in fields(made)}  # type: ignore[arg-type]
    needed = [name for name, one in known.items() if one.default is MISSING]

    def read(value: object) -> T:
        given = _keyed(value)
        values = _all_read(
            (name, known[name].metadata["read"] if name in known else _unknown, given[name])
            for name in given
        )
        _all_read((name, _missing, None) for name in needed if name not in given)
        found = made(**dict(zip(given, values, strict=True)))
        if isinstance(found, Record):
            wrong = found.contradictions()
            mistakes = [Mistake(path, value, ValueError(why)) for path, why in wrong]
            if mistakes:
                raise MistakesError(mistakes)
        return found

    return read


def named(read_name: Reader[K], read: Reader[T], least: str) -> Reader[dict[K, T]]:
    """Make a reader of keys that are names; of none it says that there must be ``least``."""

    def read_all(value: object) -> dict[K, T]:
        given = _keyed(value)
        if not given:
            raise UnfitError(least)
        names = _all_read((name, read_name, name) for name in given)
        return dict(zip(names, _all_read((n, read, given[n]) for n in given), strict=True))

    return read_all


def many(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """Make a reader of a list."""

    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise UnfitError("a list")
        return tuple(_all_read((index, read, one) for index, one in enumerate(value)))

    return read_all


def maybe(read: Reader[T]) -> Reader[T | None]:
    """Make a reader of something that may be nothing."""
    return lambda value: None if value is None else read(value)


def one_of(choices: type[E]) -> Reader[E]:
    """Make a reader of one of a few words."""
    *others, last = [repr(choice.value) for choice in choices]

    def read(value: object) -> E:
        if not isinstance(value, str) or value not in [choice.value for choice in choices]:
            raise UnfitError(f"{', '.join(others)} or {last}")
        return choices(value)

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


def _unknown(_value: object) -> object:
    raise UnknownKeyError


def _missing(_value: object) -> object:
    raise MissingKeyError


def _all_read(parts: Iterable[tuple[Any, Reader[T], object]]) -> list[T]:
    """Read every part at its place; all mistakes are found before any is raised."""
    values, found = [], []
    for place, read, value in parts:
        try:
            values.append(read(value))
        except MistakesError as inner:
            found += [replace(one, path=(place, *one.path)) for one in inner.found]
        except ValueError as error:
            found.append(Mistake((place,), value, error))
    if found:
        raise MistakesError(found)
    return values
