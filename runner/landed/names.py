"""Match file names that have the window in them, and find the window of a file by its name."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.spans import Span

_MAGIC = re.compile(r"(\*\*/|\*+|\?|\[[^\]]+\])")


@dataclass(frozen=True)
class Template:
    """A glob with ``{window:…}`` in it.

    >>> template = Template("landing/{window:%Y/%m-%d}/shop_*.csv")
    >>> template.listing(datetime(2026, 3, 1))
    'landing/*/*/shop_*.csv'
    """

    text: str

    @property
    def has_places(self) -> bool:
        """True if it names the window at all."""
        return bool(self._specs)

    def key(self, start: datetime) -> tuple[str, ...]:
        """Return what stands in the places of the window that starts at a local time."""
        return tuple(format(start, spec) for spec in self._specs)

    def listing(self, start: datetime) -> str:
        """Return a glob of the files of all windows."""
        return "".join(
            literal + ("" if spec is None else re.sub("[^/]+", "*", format(start, spec)))
            for literal, spec in self._parts
        )

    def fits(self, path: str) -> bool:
        """Return True if a path may be that of a file of some window.

        >>> Template("landing/{window:%Y/%m-%d}.csv").fits("landing/2026/03-01.csv")
        True
        """
        anything = ".+"
        pattern = "".join(
            _literal(literal) + ("" if spec is None else anything) for literal, spec in self._parts
        )
        return re.fullmatch(pattern, path, re.DOTALL) is not None

    def owners(
        self, paths: Iterable[str], windows: Mapping[tuple[str, ...], list[Span]]
    ) -> Iterable[tuple[str, list[Span]]]:
        """Yield the paths that the template stands for, each with the windows that it is for.

        One look at each name: to look for the files of each window takes far too long after years.
        """
        names = re.compile(self._pattern(windows), re.DOTALL)
        for path in paths:
            found = names.fullmatch(path)
            spans = windows.get(found.groups()) if found else None
            if spans:
                yield path, spans

    @property
    def _parts(self) -> list[tuple[str, str | None]]:
        """The text between the places, each with the format of the place after it."""
        return [(text, spec) for text, _, spec, _ in string.Formatter().parse(self.text)]

    @property
    def _specs(self) -> list[str]:
        return [spec for _, spec in self._parts if spec is not None]

    def _pattern(self, keys: Iterable[tuple[str, ...]]) -> str:
        """A regular expression with a group for every place, as wide as what stands there."""
        columns = zip(*keys, strict=True)
        groups = [_any_of(texts) for texts in columns] or [""] * len(self._specs)
        pattern = ".*"  # the project's folder
        for literal, spec in self._parts:
            pattern += _literal(literal)
            if spec is not None:
                pattern += f"({groups.pop(0)})"
        return pattern


def _any_of(texts: Iterable[str]) -> str:
    shapes = {re.sub("[0-9]", "0", text) for text in texts}
    longest_first = sorted(shapes, key=len, reverse=True)
    return "|".join(re.escape(shape).replace("0", "[0-9]") for shape in longest_first)


def _literal(text: str) -> str:
    """A regular expression of a part of a glob whose files were listed: no need to be strict."""
    wide = {"*": ".*", "?": ".", "[": "."}
    pieces = enumerate(_MAGIC.split(text))  # every second one is magic
    return "".join(wide[part[0]] if index % 2 else re.escape(part) for index, part in pieces)
