"""Pages that are too long to read: the rows that need attention, and in a line what is left out.

What fits is shown as it is. Else the rows are put in order, the worst first, and as many are shown
of every part as leave room for the others; ``--all`` shows all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from runner.render.terminal import Terminal

MOST_LINES = 60  # of a page
_FEWEST_ROWS = 3  # of a part; rather than fewer, whole pipelines are left out
_INK = re.compile(r"\x1b\[[0-9;]*m")
_HOW = "--all shows them"


@dataclass(frozen=True)
class Room:
    """The lines that a page may take."""

    lines: int = MOST_LINES
    width: int | None = None  # columns, at which longer lines go on below; None: no terminal

    @classmethod
    def of(cls, terminal: Terminal) -> Room:
        """Return the room of a page on a terminal; into a pipe, a line is a line."""
        return cls(width=terminal.width if terminal.is_interactive else None)

    def below(self, text: str) -> Room:
        """Return what is left of it below a text and a blank line."""
        return replace(self, lines=self.lines - self._height(text) - 1)

    def has(self, text: str) -> bool:
        """Return whether a text fits."""
        return self._height(text) <= self.lines

    def _height(self, text: str) -> int:
        lines, width = text.split("\n"), self.width
        if width is None:
            return len(lines)
        columns = (len(_INK.sub("", line)) for line in lines)
        return sum(max(1, ceil(count / width)) for count in columns)


@dataclass(frozen=True)
class Rows:
    """A part of a page that may be cut: what its rows are about, and how they are drawn."""

    things: Sequence[Any]
    draw: Callable[[Sequence[Any]], Sequence[str]]  # lines of some, not none, with headings
    state: Callable[[Any], str] | None = None  # of one, in a word that sums up those left out
    urgency: Callable[[Any], int] = lambda _: 0  # the smaller, the sooner it is to be seen

    def cut(self, most: int | None) -> list[str]:
        """Draw at most so many, the most urgent; None: all of them, as they come."""
        if most is None or len(self.things) <= most:
            return list(self.draw(self.things)) if self.things else []
        ordered = sorted(self.things, key=self.urgency)
        left = ordered[most:]
        states = [self.state(thing) for thing in left] if self.state else ()
        shown = self.draw(ordered[:most]) if most else ()
        return [*shown, left_out(len(left), states)]


Part = str | Rows


@dataclass(frozen=True)
class Page:
    """What is to be said of a pipeline: blocks with a blank line between, of one part or more."""

    blocks: Sequence[Sequence[Part]]
    is_fine: bool = False  # it is left out before those that are not

    def text(self, most: int | None = None) -> str:
        """Write it with at most so many rows in a part; None: with all of them."""
        blocks = ([line for part in block for line in _lines(part, most)] for block in self.blocks)
        return "\n\n".join("\n".join(block) for block in blocks if block)


def pages(found: Sequence[Page], room: Room | None) -> str:
    """Write pages below each other, cut so that they fit; None: nothing is cut.

    >>> letters = Rows("abcdef", list, state=lambda letter: "missing" if letter > "c" else "fine")
    >>> print(pages([Page([["letters"], [letters]])], Room(lines=5)))
    letters
    <BLANKLINE>
    a
    b
    … and 4 more (1 fine, 3 missing): --all shows them
    """
    whole = _joined(found, len(found), None)
    if room is None or room.has(whole):
        return whole
    ordered = sorted(found, key=lambda page: page.is_fine)
    counts = range(len(found), 1, -1)
    count = next((n for n in counts if room.has(_joined(ordered, n, _FEWEST_ROWS))), 1)
    low, high = 0, room.lines  # rows in a part: the most with which it fits
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if room.has(_joined(ordered, count, middle)) else (low, middle - 1)
        )
    return _joined(ordered, count, low)


def _joined(found: Sequence[Page], count: int, most: int | None) -> str:
    """Write the first pages, and how many more there are."""
    rest = len(found) - count
    shown = [page.text(most) for page in found[:count]]
    return "\n\n".join([*shown, *([left_out(rest, noun="pipelines")] if rest else [])])


def left_out(count: int, states: Iterable[str] = (), noun: str = "") -> str:
    """Say how many there are more, what they are, and how to see them.

    >>> left_out(843, ["success"] * 843)
    '… and 843 more, all success: --all shows them'
    """
    counts = Counter(states)
    more = f"… and {count:,} more{f' {noun}' if noun else ''}"
    if len(counts) == 1:
        return f"{more}, all {next(iter(counts))}: {_HOW}"
    words = ", ".join(f"{number:,} {state}" for state, number in counts.items())
    return f"{more}{f' ({words})' if words else ''}: {_HOW}"


def _lines(part: Part, most: int | None) -> list[str]:
    return [part] if isinstance(part, str) else part.cut(most)
