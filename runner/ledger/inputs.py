"""Which files the windows of models were made from, and how those were before they were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select, update

from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.ledger.database import Database
from runner.ledger.records import InputFile, Looked
from runner.ledger.schema import input_files, input_looks


@dataclass(frozen=True)
class Read:
    """What is known of the files that a model has read."""

    looked: Spans = field(default_factory=Spans)  # the windows of which that is known
    files: Mapping[str, Timeline[InputFile]] = field(default_factory=dict)  # by path


class Inputs(Database):
    """The files that were read."""

    def read(self, models: Iterable[str]) -> dict[str, Read]:
        """What some models have read."""
        names = list(models)
        spans: dict[str, list[Span]] = {name: [] for name in names}
        files: dict[str, dict[str, list[tuple[Span, InputFile]]]] = {name: {} for name in names}
        looks = select(input_looks).where(input_looks.c.model.in_(names))
        facts = select(input_files).where(input_files.c.model.in_(names))
        with self._transaction(reads_only=True) as connection:
            for row in connection.execute(looks):
                spans[row.model].append(Span(row.window_start, row.window_end))
            for row in connection.execute(facts):
                files[row.model].setdefault(row.path, []).append(_part(row))
        return {
            name: Read(
                Spans(spans[name]), {path: Timeline(found) for path, found in files[name].items()}
            )
            for name in names
        }

    def refresh_inputs(self, touched: Mapping[str, Iterable[InputFile]]) -> None:
        """Remember when files, by model, were written again with the same bytes."""
        rows = [
            {"of_model": model, "of_path": f.path, "same": f.digest, "mtime_ns": f.mtime_ns}
            for model, files in touched.items()
            for f in files
        ]
        if not rows:
            return
        again = update(input_files).where(
            input_files.c.model == bindparam("of_model"),
            input_files.c.path == bindparam("of_path"),
            input_files.c.digest == bindparam("same"),
        )
        with self._transaction() as connection:
            connection.execute(again, rows)


def write_inputs(connection: Connection, looked: Looked) -> None:
    """Let some models' windows be made from some files, and from no others."""
    for model, windows in looked.items():
        if windows:
            _write(connection, model, windows)


def _write(
    connection: Connection, model: str, looked: Mapping[Span, tuple[InputFile, ...]]
) -> None:
    spans = Spans(looked)
    earlier = Spans(
        Span(row.window_start, row.window_end)
        for row in _taken(connection, input_looks, model, spans)
    )
    looks = [_bounds(model, span) for span in earlier | spans]
    connection.execute(insert(input_looks), looks)
    parts: dict[str, list[tuple[Span, InputFile]]] = {}
    for row in _taken(connection, input_files, model, spans):
        before, file = _part(row)
        for rest in Spans([before]) - spans:
            parts.setdefault(file.path, []).append((rest, file))
    for span, files in looked.items():
        for file in files:
            parts.setdefault(file.path, []).append((span, file))
    rows = [
        {
            **_bounds(model, span),
            "path": path,
            "size": file.size,
            "mtime_ns": file.mtime_ns,
            "digest": file.digest,
        }
        for path, found in parts.items()
        for span, file in Timeline(found)
    ]
    if rows:
        connection.execute(insert(input_files), rows)


def _bounds(model: str, span: Span) -> dict[str, object]:
    return {"model": model, "window_start": span.start, "window_end": span.end}


def _part(row: Row[Any]) -> tuple[Span, InputFile]:
    """The only conversion from a row of ``input_files``."""
    file = InputFile(row.path, row.size, row.mtime_ns, row.digest)
    return Span(row.window_start, row.window_end), file


def _taken(
    connection: Connection, table: Table, model: str, spans: Spans
) -> Sequence[Row[tuple[Any, ...]]]:
    """Take out of a table what lies in the range of ``spans``, its neighbours included."""
    bounds = list(spans)
    touching = (
        table.c.model == model,
        table.c.window_start <= bounds[-1].end,
        table.c.window_end >= bounds[0].start,
    )
    found = connection.execute(select(table).where(*touching)).all()
    connection.execute(delete(table).where(*touching))
    return found
