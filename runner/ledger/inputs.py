"""Which files the windows of models were made from, and how those were before they were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.ledger.connection import Connection, Row
from runner.ledger.database import Database
from runner.ledger.records import InputFile, Looked, span_of

_TOUCHING = "where model = :model and window_start <= :last and window_end >= :first"
_INSERT_FILE = """
    insert into input_files (model, path, window_start, window_end, size, mtime_ns, digest)
    values (:model, :path, :window_start, :window_end, :size, :mtime_ns, :digest)
"""
_INSERT_LOOK = """
    insert into input_looks (model, window_start, window_end)
    values (:model, :window_start, :window_end)
"""


@dataclass(frozen=True)
class ReadInputs:
    """What is known of the files that a model has read."""

    looked: Spans = field(default_factory=Spans)  # the windows of which that is known
    files: Mapping[str, Timeline[InputFile]] = field(default_factory=dict)  # by path


class Inputs(Database):
    """The files that were read."""

    def read(self, models: Iterable[str]) -> dict[str, ReadInputs]:
        """What some models have read."""
        names = list(models)
        spans: dict[str, list[Span]] = {name: [] for name in names}
        files: dict[str, dict[str, list[tuple[Span, InputFile]]]] = {name: {} for name in names}
        looks = "select * from input_looks where model in :models"
        facts = "select * from input_files where model in :models"
        with self._transaction(reads_only=True) as connection:
            for row in connection.rows(looks, models=names):
                spans[row["model"]].append(span_of(row))
            for row in connection.rows(facts, models=names):
                files[row["model"]].setdefault(row["path"], []).append(_part(row))
        return {
            name: ReadInputs(
                Spans(spans[name]), {path: Timeline(found) for path, found in files[name].items()}
            )
            for name in names
        }

    def refresh_inputs(self, touched: Mapping[str, Iterable[InputFile]]) -> None:
        """Remember when files, by model, were written again with the same bytes."""
        again = """
            update input_files
            set mtime_ns = :mtime_ns
            where model = :model and path = :path and digest = :digest
        """
        rows = [
            {"model": model, "path": f.path, "digest": f.digest, "mtime_ns": f.mtime_ns}
            for model, files in touched.items()
            for f in files
        ]
        if not rows:
            return
        with self._transaction() as connection:
            connection.change_each(again, rows)


def write_inputs(connection: Connection, looked: Looked) -> None:
    """Let some models' windows be made from some files, and from no others."""
    for model, windows in looked.items():
        if windows:
            _write(connection, model, windows)


def _write(
    connection: Connection, model: str, looked: Mapping[Span, tuple[InputFile, ...]]
) -> None:
    spans = Spans(looked)
    earlier = Spans(span_of(row) for row in _taken(connection, "input_looks", model, spans))
    looks = [_bounds(model, span) for span in earlier | spans]
    connection.change_each(_INSERT_LOOK, looks)
    parts: dict[str, list[tuple[Span, InputFile]]] = {}
    for row in _taken(connection, "input_files", model, spans):
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
    connection.change_each(_INSERT_FILE, rows)


def _bounds(model: str, span: Span) -> dict[str, object]:
    return {"model": model, "window_start": span.start, "window_end": span.end}


def _part(row: Row) -> tuple[Span, InputFile]:
    """The only conversion from a row of ``input_files``."""
    file = InputFile(row["path"], row["size"], row["mtime_ns"], row["digest"])
    return span_of(row), file


def _taken(connection: Connection, table: str, model: str, spans: Spans) -> list[Row]:
    """Take out of a table what lies in the range of ``spans``, its neighbours included."""
    bounds = list(spans)
    touching: dict[str, object] = {
        "model": model,
        "first": bounds[0].start,
        "last": bounds[-1].end,
    }
    found = connection.rows(f"select * from {table} {_TOUCHING}", **touching)
    connection.change(f"delete from {table} {_TOUCHING}", **touching)
    return found
