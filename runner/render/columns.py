"""Columns: each fact of a result is described once, and printed in a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from runner.core.visible import visible, visible_in_json
from runner.render.words import in_words, yes_no

Value = Callable[[Any], Any]


class Column:
    """One fact of a thing: under a heading in a table, under a key in JSON, or both."""

    def __init__(
        self,
        key: str | None,  # in JSON; None: only in the table
        value: Value | str | None = None,  # of a thing, or its attribute: the key by default
        heading: str | None = None,  # in the table; None: only in JSON
        text: Callable[[Any], str] = in_words,  # of the value
    ) -> None:
        self.key = key
        self.value = value if callable(value) else _path(value or key or "")
        self.heading = heading
        self.text = text


def _path(names: str) -> Value:
    """Return what reads an attribute of an attribute; None where there is nothing on the way.

    >>> _path("real.numerator")(7), _path("real.numerator")(None)
    (7, None)
    """

    def read(thing: object) -> object:
        for name in names.split("."):
            if thing is not None:
                thing = getattr(thing, name)
        return thing

    return read


class Table:
    """The columns of a kind of thing.

    >>> run = Table(Column("run_id", "name", "run"), Column("rows", heading="rows"))
    >>> class Thing: name, rows = "monday", 1204
    >>> run.record(Thing)
    {'run_id': 'monday', 'rows': 1204}
    >>> print(run.text([Thing]))
    run    | rows
    =======+======
    monday | 1,204
    """

    def __init__(self, *columns: Column, headings: str | None = None) -> None:
        """``columns`` come in the order of JSON, ``headings`` name another one for the table."""
        shown = {column.heading: column for column in columns if column.heading is not None}
        self.headings = list(shown) if headings is None else headings.split(", ")
        self._shown = [shown[heading] for heading in self.headings]
        self._recorded = [(column.key, column) for column in columns if column.key is not None]

    def record(self, thing: object) -> dict[str, Any]:
        """Return what JSON says of a thing."""
        return {key: column.value(thing) for key, column in self._recorded}

    def records(self, things: Iterable[object]) -> list[dict[str, Any]]:
        """Return what JSON says of some things."""
        return [self.record(thing) for thing in things]

    def cells(self, thing: object) -> list[str]:
        """Return the line of a thing, a text for each heading."""
        return [column.text(column.value(thing)) for column in self._shown]

    def text(self, things: Iterable[object]) -> str:
        """Draw some things, a line each."""
        return table(self.headings, map(self.cells, things))


def verdict_columns(path: str) -> tuple[Column, Column]:
    """Return the columns of the two verdicts, never one, that an attribute holds."""
    return (
        Column("ran", f"{path}.ran", "ran", yes_no),
        Column("correct", f"{path}.correct", "correct", yes_no),
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Draw columns separated by bars, as psql does.

    >>> print(table(["run", "rows"], [["a", "1"], ["bcd", "20"]]))
    run | rows
    ====+=====
    a   | 1
    bcd | 20
    """
    lines = [list(headings), *[[visible(cell) for cell in row] for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]

    def drawn(line: Sequence[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        return " | ".join(cells).rstrip()

    rule = "=+=".join("=" * width for width in widths)
    return "\n".join([drawn(lines[0]), rule, *map(drawn, lines[1:])])


def as_json(value: object) -> str:
    """Return indented JSON; instants as ISO 8601 in UTC."""
    return visible_in_json(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
