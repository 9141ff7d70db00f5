"""What a select gives: its columns, which of them are event times, and the keys of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from runner.lint.queries import columns_of, group_of, numbered_by
from runner.lint.rows import ONE_ROW, Keys, Rows, Scope, is_inexact


@dataclass(frozen=True)
class Output:
    """A column that a select gives."""

    name: str
    made_of: exp.Expr
    is_event: bool
    is_inexact: bool


def outputs_of(select: exp.Select, scope: Scope) -> Iterator[Output]:
    """Yield the columns that a select gives, as far as they are seen."""
    for item in select.expressions:
        if item.is_star:
            yield from _starred(item, scope)
        else:
            yield _output(item, scope)


def keys_of_rows(select: exp.Select, scope: Scope) -> Keys:
    """Return the keys of the rows that a select puts in order: its group, or what it reads."""
    if select.args.get("group") is not None:
        columns = columns_of(group_of(select))
        return (columns,) if columns else ()
    return scope.keys


def parts_of(condition: exp.Expr | None) -> list[exp.Expr]:
    """Return what a condition says at the same time, part by part."""
    if condition is None:
        return []
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    return [part.unnest() for part in parts]


def _output(item: exp.Expr, scope: Scope) -> Output:
    inside = item.unalias()
    kept = scope.times.is_kept(inside)
    return Output(item.alias_or_name.lower(), inside, kept, is_inexact(inside, scope))


def _starred(item: exp.Expr, scope: Scope) -> Iterator[Output]:
    """Yield what is known of the columns that a star stands for."""
    star = item.this if isinstance(item, exp.Column) else item
    table = item.table.lower() if isinstance(item, exp.Column) else ""
    replaced = list(star.args.get("replace") or ())
    renamed = {one.this.name.lower(): one.alias.lower() for one in star.args.get("rename") or ()}
    left_out = {one.name.lower() for one in star.args.get("except_") or ()}
    left_out |= {one.alias.lower() for one in replaced}
    for alias, rows in scope.inputs.items():
        if table not in ("", alias):
            continue
        events = {name for a, name in scope.events if a == alias}
        seen = {*events, *rows.inexact, *(name for key in rows.keys for name in key)}
        for name in dict.fromkeys((*(rows.columns or ()), *sorted(seen))):
            if name not in left_out:
                column = exp.column(name, table=alias)
                is_one = name in rows.inexact
                yield Output(renamed.get(name, name), column, name in events, is_one)
    for one in replaced:
        yield _output(one, scope)


def keys_given(
    select: exp.Select,
    scope: Scope,
    outputs: Sequence[Output],
    gathered: Sequence[Sequence[exp.Expr]],
) -> Keys:
    """Return the keys of a select's result, by the names that it gives its columns."""
    if is_one(select.args.get("limit")) or [*gathered] == [[]]:
        return ONE_ROW
    names: dict[str, str] = {}  # what a column is called outside, by its name inside
    for one in outputs:
        names.setdefault(one.name, one.name)
        # An expression is as good a key as the columns that it was grouped by.
        for column in () if one.made_of.find(exp.AggFunc) else columns_of([one.made_of]):
            names.setdefault(column, one.name)
    inside = [*keys_of_rows(select, scope)]
    if len(gathered) == 1:
        inside.append(columns_of(gathered[0]))  # of a `distinct`, on some columns or on all
    qualify = select.args.get("qualify")
    for part in parts_of(qualify.this if qualify else None):
        parts = numbered_by(part.this, select) if isinstance(part, exp.EQ) else None
        if parts is not None and isinstance(part.expression, exp.Literal):
            inside.append(columns_of(parts))
    if any(item.is_star for item in select.expressions):
        unseen = {name for key in inside for name in key} - names.keys()
        names |= {name: name for name in unseen}
    return tuple(frozenset(names[name] for name in key) for key in inside if key <= names.keys())


def numbers_given(
    select: exp.Select, scope: Scope, outputs: Sequence[Output]
) -> dict[str, frozenset[str]]:
    """Return the row numbers that a select gives or hands on, by what they count anew for."""
    names = {one.name for one in outputs}
    numbers = {name: key for rows in scope.inputs.values() for name, key in rows.numbers.items()}
    for one in outputs:
        parts = numbered_by(one.made_of, select)
        if parts is not None:
            numbers[one.name] = columns_of(parts)
    has_star = any(item.is_star for item in select.expressions)
    return {n: key for n, key in numbers.items() if has_star or {n, *key} <= names}


def renamed(rows: Rows, names: Sequence[str]) -> Rows:
    """Return rows whose columns are given other names."""
    if not names:
        return rows
    lowered = tuple(name.lower() for name in names)
    if rows.columns is None or len(rows.columns) != len(names):
        return Rows(rows.is_windowed, None if rows.is_windowed else frozenset(), columns=lowered)
    called = dict(zip(rows.columns, lowered, strict=True))
    return Rows(
        is_windowed=rows.is_windowed,
        event=None if rows.event is None else frozenset(called.get(n, n) for n in rows.event),
        keys=tuple(frozenset(called.get(name, name) for name in key) for key in rows.keys),
        inexact=frozenset(called.get(name, name) for name in rows.inexact),
        columns=lowered,
    )


def is_one(limit: exp.Expr | None) -> bool:
    """Return True for `limit 1`."""
    return isinstance(limit, exp.Limit) and limit.expression.sql() == "1"


def named_like(rows: Rows, first: Rows) -> Rows:
    """Return the rows of a part of a union by the names that its first part gives."""
    if rows.columns is None or first.columns is None or len(rows.columns) != len(first.columns):
        return rows
    return renamed(rows, first.columns)
