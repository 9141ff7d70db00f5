"""The columns of a source, beside those that were recorded of it."""

from __future__ import annotations

from runner.dbt.protocol import SourceSchema
from runner.render.columns import Column, Table, table
from runner.render.words import counted, minute

_COLUMNS = Table(Column("column", lambda pair: pair[0]), Column("type", lambda pair: pair[1]))
SCHEMA = Table(
    Column("source"),
    Column("columns", lambda schema: _COLUMNS.records(schema.columns)),
    Column("recorded", lambda schema: _COLUMNS.records(schema.recorded)),
    Column("recorded_at"),
    Column("changes"),
)


def schema_page(schema: SourceSchema) -> str:
    """Show the columns as they are and as they were recorded, and what of that is a change."""
    before, now = dict(schema.recorded), dict(schema.columns)
    rows = [[name, now.get(name, "-"), before.get(name, "-")] for name in {**now, **before}]
    return f"{table(['column', 'type', 'recorded'], rows)}\n\n{_summary(schema)}"


def accepted_page(schema: SourceSchema) -> str:
    """Say what was accepted by recording a source as it is now."""
    columns = counted(len(schema.columns), "column")
    if not schema.recorded:
        return f"{schema.source}: {columns} recorded, for the first time"
    if not schema.changes:
        return f"{schema.source}: nothing had changed, its {columns} stay as recorded"
    return "\n".join([f"{schema.source}: accepted as it is now, {columns}", *_changes(schema)])


def _summary(schema: SourceSchema) -> str:
    if schema.recorded_at is None:
        return f"nothing is recorded of {schema.source}: runner schema accept {schema.source}"
    since = f"since it was recorded, {minute(schema.recorded_at)} UTC"
    if not schema.changes:
        return f"{schema.source} has not changed {since}"
    accept = f"if that is right: runner schema accept {schema.source}"
    return "\n".join([f"{schema.source} has changed {since}:", *_changes(schema), accept])


def _changes(schema: SourceSchema) -> list[str]:
    return [f"  {change}" for change in schema.changes]
