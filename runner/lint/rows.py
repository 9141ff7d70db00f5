"""The rows that a select works on: which are cut to the window, what tells them and windows apart.

Names are in lower case. What cannot be seen counts as right: a rule that asks here finds too
little rather than too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from runner.lint.event_times import EventTimes
from runner.lint.source import Source

Cell = tuple[str, str]  # a column of what is read: its alias and its name
Keys = tuple[frozenset[str], ...]

ONE_ROW: Keys = (frozenset(),)  # the key of what has one row: no column is needed
_INEXACT = frozenset({"DOUBLE", "FLOAT", "REAL"})
_MADE_INEXACT = (exp.Div, exp.Sqrt, exp.Ln, exp.Log, exp.Exp, exp.Pow)
# What is inexact if something in it is.
_HANDS_ON = (
    exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Abs, exp.Paren, exp.Alias, exp.Neg, exp.Add, exp.Sub,
    exp.Mul, exp.Coalesce, exp.Case, exp.If, exp.Nullif, exp.Filter, exp.Distinct,
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """What is known of some rows: those of a table, or those that a query gives."""

    is_windowed: bool = False  # which of them are there depends on the range that is built
    event: frozenset[str] | None = frozenset()  # columns that say in which window; None: unseen
    keys: Keys = ()  # columns that tell them apart
    inexact: frozenset[str] = frozenset()  # columns of floating point numbers
    columns: tuple[str, ...] | None = None  # in their order; None: not all of them are seen
    # What are row numbers, and of what: who keeps to one number has a key.
    numbers: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What a select works on: the rows that it reads, filtered, and not yet grouped."""

    inputs: Mapping[str, Rows]  # by alias
    grain: str  # of the model's windows
    source: Source
    equal: tuple[tuple[Cell, Cell], ...] = ()  # columns that a condition says are equal
    pinned: frozenset[Cell] = frozenset()  # columns that a condition gives one value
    is_windowed: bool = False
    own_events: frozenset[Cell] | None = frozenset()  # None: unseen
    has_keys: bool = True  # False: a join adds rows of what is joined alone

    @cached_property
    def events(self) -> frozenset[Cell]:
        """The columns that say in which window a row lies."""
        return self._equal_to(self.own_events or ())

    @cached_property
    def times(self) -> EventTimes:
        """Tells of expressions whether they hold an event time."""
        return EventTimes(self.is_event, self.grain, self.source)

    @property
    def is_in_one_window(self) -> bool:
        """True if a condition keeps to the window of another query's row, or to one value."""
        return not self.events.isdisjoint(self.pinned)

    @property
    def may_mix_windows(self) -> bool:
        """True if it works on rows of several windows, and it can be seen which those are."""
        return self.is_windowed and self.own_events is not None and not self.is_in_one_window

    def is_event(self, column: exp.Column) -> bool:
        """Return True for a column that says in which window a row lies."""
        return not self.events.isdisjoint(self.cells_of(column))

    def cells_of(self, column: exp.Column) -> frozenset[Cell]:
        """Return what a column may be of what is read; nothing if it is another query's."""
        name, table = column.name.lower(), column.table.lower()
        if table:
            return frozenset({(table, name)} if table in self.inputs else ())
        known = [a for a, rows in self.inputs.items() if rows.columns and name in rows.columns]
        unseen = [alias for alias, rows in self.inputs.items() if rows.columns is None]
        return frozenset((alias, name) for alias in known or unseen)

    def tells_windows_apart(self, parts: Sequence[exp.Expr]) -> bool:
        """Return True if no two rows of different windows agree in some expressions."""
        if self.own_events is None or self.times.are_held(parts):
            return True
        cells, aliases = self._determined_by(self._plain_cells(parts))
        return any(cell in cells or cell[0] in aliases for cell in self.events)

    def determines(self, parts: Sequence[exp.Expr], columns: Iterable[exp.Column]) -> bool:
        """Return True if rows that agree in some expressions have one value of each column."""
        cells, aliases = self._determined_by(self._plain_cells(parts))
        return all(
            bool(own := self.cells_of(column)) and all(c in cells or c[0] in aliases for c in own)
            for column in columns
        )

    def joins_on_window(self, alias: str, others: Iterable[str]) -> bool:
        """Return True if rows of two windows are not joined, or only by the key of one of them."""
        others, events = set(others), self.own_events or frozenset()
        reached = self._equal_to(cell for cell in events if cell[0] == alias)
        if any(cell in events and cell[0] in others for cell in reached):
            return True
        ties = [(one, other) for one, other in (*self.equal, *((b, a) for a, b in self.equal))]
        tied = {one[1] for one, other in ties if one[0] == alias and other[0] in others}
        there = {other for one, other in ties if one[0] == alias and other[0] in others}
        return any(key <= tied for key in self.inputs[alias].keys) or any(
            key <= {name for a, name in there if a == other}
            for other in others
            for key in self.inputs[other].keys
        )

    @cached_property
    def keys(self) -> Keys:
        """The keys of the rows: of what is read, where nothing that is joined repeats it."""
        found: list[frozenset[str]] = []
        for alias, rows in self.inputs.items() if self.has_keys else ():
            others = self.inputs.keys() - {alias}
            mine = {cell for pair in self.equal for cell in pair if cell[0] == alias}
            if others <= self._determined_by(mine)[1]:
                pinned = {name for a, name in self.pinned if a == alias}
                numbered = (key for name, key in rows.numbers.items() if name in pinned)
                found += [key - pinned for key in (*rows.keys, *numbered)]
        return tuple(found)

    def _plain_cells(self, parts: Sequence[exp.Expr]) -> frozenset[Cell]:
        columns = (part.unalias() for part in parts)
        plain = (column for column in columns if isinstance(column, exp.Column))
        return frozenset(cell for column in plain for cell in self.cells_of(column))

    def _equal_to(self, cells: Iterable[Cell]) -> frozenset[Cell]:
        found, size = set(cells), -1
        while size != len(found):
            size = len(found)
            for one, other in self.equal:
                if one in found or other in found:
                    found |= {one, other}
        return frozenset(found)

    def _determined_by(self, cells: Iterable[Cell]) -> tuple[frozenset[Cell], frozenset[str]]:
        """Return the columns that some columns determine, and the aliases whose row they do."""
        found, aliases, size = set(cells), set[str](), -1
        while size != len(found) + len(aliases):
            size = len(found) + len(aliases)
            mine = {cell for pair in self.equal for cell in pair if cell[0] in aliases}
            found |= self._equal_to(found | mine)
            for alias, rows in self.inputs.items():
                names = {name for a, name in found | self.pinned if a == alias}
                if any(key <= names for key in rows.keys):
                    aliases.add(alias)
        return frozenset(found), frozenset(aliases)


def is_inexact(part: exp.Expr, scope: Scope) -> bool:
    """Return True if an expression is visibly a floating point number.

    DuckDB divides whatever it is given as such.
    """
    if isinstance(part, exp.Cast):
        return isinstance(part.to, exp.DataType) and part.to.this.name in _INEXACT
    if isinstance(part, exp.Column):
        return any(name in scope.inputs[alias].inexact for alias, name in scope.cells_of(part))
    if isinstance(part, exp.Literal):
        return not part.is_string and "e" in part.name.lower()
    if isinstance(part, _HANDS_ON):
        return any(is_inexact(inside, scope) for inside in part.iter_expressions())
    return isinstance(part, _MADE_INEXACT)
