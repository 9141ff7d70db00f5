"""The files that models' windows were made from, as those were before they were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.records import InputFile, columns_of, record_of, span_of, take_ranges


@dataclass(frozen=True)
class ModelInputs:
    """The files that a model has read, as far as it is known."""

    windows: Spans = field(default_factory=Spans)  # those of which it is known
    files: Mapping[str, Timeline[InputFile]] = field(default_factory=dict)  # by path


@dataclass
class Inputs:
    """The files that were read."""

    database: Database

    def get_files(self, models: Iterable[str]) -> dict[str, ModelInputs]:
        """Return what some models have read, by model."""
        names = list(models)
        looks = "select * from input_looks where model in :models"
        facts = "select * from input_files where model in :models"
        with self.database.transaction(reads_only=True) as connection:
            looked_at = connection.rows(looks, models=names)
            found = connection.rows(facts, models=names)
        spans = grouped((row["model"], span_of(row)) for row in looked_at)
        files: dict[str, dict[str, Timeline[InputFile]]] = {name: {} for name in names}
        parts = (((r["model"], r["path"]), (span_of(r), record_of(InputFile, r))) for r in found)
        for (name, path), read in grouped(parts).items():
            files[name][path] = Timeline(read)
        return {name: ModelInputs(Spans(spans.get(name, ())), files[name]) for name in names}

    def update_mtimes(self, touched: Mapping[str, Iterable[InputFile]]) -> None:
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
        if rows:
            with self.database.transaction() as connection:
                connection.change_each(again, rows)


def write_inputs(
    connection: Connection, model: str, windows: Mapping[Span, tuple[InputFile, ...]]
) -> None:
    """Let some windows of a model be made from some files, and from no others."""
    spans = Spans(windows)
    earlier = Spans(map(span_of, take_ranges(connection, "input_looks", model, spans)))
    looks = [{"model": model, **columns_of(span)} for span in earlier | spans]
    connection.insert("input_looks", looks)
    taken = take_ranges(connection, "input_files", model, spans)
    before = ((span_of(row), record_of(InputFile, row)) for row in taken)
    parts = [(rest, file) for span, file in before for rest in spans.outside(span)]
    parts += ((span, file) for span, files in windows.items() for file in files)
    by_path = grouped((file.path, (span, file)) for span, file in parts)
    rows = [
        {"model": model, **columns_of(span), **asdict(file)}
        for found in by_path.values()
        for span, file in Timeline(found)
    ]
    connection.insert("input_files", rows)
