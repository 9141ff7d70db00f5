"""DB12: find what depends on where on the disk, or in its file, a row lies."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from runner.lint.facts import Facts
from runner.lint.readings import Readings, readings_of
from runner.lint.rules import Severity, Spot
from runner.lint.source import Source, place

_PLACES = frozenset({"rowid", "_rowid_", "ctid", "file_row_number", "file_index"})
_OF_FILES = frozenset({"file_row_number", "file_index"})  # the same until a file is sent again


def place_of_a_row(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB12: look at columns that no table has, and at joins of the first with the first row."""
    for readings in readings_of(source, facts):
        tree = readings.tree
        for column in tree.find_all(exp.Column):
            name = column.name.lower()
            if name in _PLACES and not _is_made(column, readings):
                severity = Severity.WARN if name in _OF_FILES else None
                yield Spot("DB12", *place(column.this), name, severity)
        for join in tree.find_all(exp.Join):
            if "POSITIONAL" in str(join.method or join.kind or "").upper():
                yield Spot("DB12", *place(join.this), "positional join")


def _is_made(column: exp.Column, readings: Readings) -> bool:
    """Return True if a query inside gives a column of that name, which is a value like any."""
    select = column.find_ancestor(exp.Select)
    if select is None:
        return False
    scope = readings.scope_of(select)
    cells = scope.cells_of(column)
    made = (scope.inputs[alias].columns for alias, _ in cells)
    return any(columns is not None and column.name.lower() in columns for columns in made)
