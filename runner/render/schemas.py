"""The columns of a source, beside those that were recorded of it."""

from __future__ import annotations

from typing import Any

from runner.dbt.protocol import SourceSchema
from runner.render.words import counted, minute, table


def schema_page(schema: SourceSchema) -> str:
    """Its columns as they are and as they were recorded, and what of that is a change."""
    before, now = dict(schema.recorded), dict(schema.columns)
    names = [*now, *(name for name in before if name not in now)]
    rows = [[name, now.get(name, "-"), before.get(name, "-")] for name in names]
    return f"{table(['column', 'type', 'recorded'], rows)}\n\n{_summary(schema)}"


def accepted_page(schema: SourceSchema) -> str:
    """What was accepted by recording a source as it is now."""
    columns = counted(len(schema.columns), "column")
    if not schema.recorded:
        return f"{schema.source}: {columns} recorded, for the first time"
    if not schema.changes:
        return f"{schema.source}: nothing had changed, its {columns} stay as recorded"
    return "\n".join(
        [f"{schema.source}: accepted as it is now, {columns}", *_lines(schema)],
    )


def schema_record(schema: SourceSchema) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "source": schema.source,
        "columns": [{"column": name, "type": kind} for name, kind in schema.columns],
        "recorded": [{"column": name, "type": kind} for name, kind in schema.recorded],
        "recorded_at": schema.recorded_at,
        "changes": list(schema.changes),
    }


def _summary(schema: SourceSchema) -> str:
    if schema.recorded_at is None:
        return f"nothing is recorded of {schema.source}: runner schema accept {schema.source}"
    since = f"since it was recorded, {minute(schema.recorded_at)} UTC"
    if not schema.changes:
        return f"{schema.source} has not changed {since}"
    accept = f"if that is right: runner schema accept {schema.source}"
    return "\n".join([f"{schema.source} has changed {since}:", *_lines(schema), accept])


def _lines(schema: SourceSchema) -> list[str]:
    return [f"  {change}" for change in schema.changes]
