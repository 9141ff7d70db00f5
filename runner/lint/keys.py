"""Find the columns that tell the rows of a query apart, as far as the query itself shows it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

Keys = tuple[frozenset[str], ...]


def keys_of_rows(select: exp.Select) -> Keys:
    """Return the keys of the rows that a select works on: its group, or what it reads alone.

    A filter takes no key away; a join does, so what is read with a join has none.
    """
    if select.args.get("group") is not None:
        columns = columns_of(group_of(select))
        return (columns,) if columns else ()
    return keys_of_input(select)


def keys_of_input(select: exp.Select) -> Keys:
    """Return the keys of the rows that a select reads, before it groups them."""
    read = select.args.get("from_") or select.args.get("from")
    if read is None or select.args.get("joins"):
        return ()
    body = _body_of(read.this, select)
    return _keys_handed_on(body) if body is not None else ()


def group_of(select: exp.Select) -> list[exp.Expr]:
    """Return what a select is grouped by; ``group by all`` means whatever is not summed up."""
    group = select.args.get("group")
    if group is None:
        return []
    if group.args.get("all"):
        return [item for item in select.expressions if not item.find(exp.AggFunc)]
    return named(group.expressions, select)


def named(by: Sequence[exp.Expr], select: exp.Query) -> list[exp.Expr]:
    """Replace positions to order or group by with the columns they stand for."""
    found: list[exp.Expr] = []
    for item in by:
        key = item.this if isinstance(item, exp.Ordered) else item
        if isinstance(key, exp.Literal) and key.is_int:
            position = int(key.this) - 1
            if 0 <= position < len(select.selects):
                found.append(exp.column(select.selects[position].alias_or_name))
        else:
            found.append(item)
    return found


def columns_of(parts: Sequence[exp.Expr]) -> frozenset[str]:
    """Return the names of the columns in some expressions, in lower case."""
    return frozenset(column.name.lower() for part in parts for column in part.find_all(exp.Column))


def _body_of(read: exp.Expr, select: exp.Select) -> exp.Select | None:
    """Return the select behind a name or subquery; None for a table or anything less plain."""
    bodies = [read.this] if isinstance(read, exp.Subquery) else []
    if isinstance(read, exp.Table):
        own = select.find_ancestor(exp.CTE)
        ctes = select.root().find_all(exp.CTE)
        bodies = [cte.this for cte in ctes if cte.alias == read.name and cte is not own]
    return next((body for body in bodies if isinstance(body, exp.Select)), None)


def _keys_handed_on(body: exp.Select) -> Keys:
    """Return the keys of a select's result, by the names that it gives its columns."""
    names: dict[str, str] = {}  # what a column is called outside, by its name inside
    for item in body.expressions:
        inside = item.unalias()
        if isinstance(inside, exp.Star) or item.is_star:
            return keys_of_rows(body)
        names.setdefault(item.alias_or_name.lower(), item.alias_or_name.lower())
        # An expression is as good a key as the columns that it was grouped by.
        for column in columns_of([inside]) if not inside.find(exp.AggFunc) else ():
            names.setdefault(column, item.alias_or_name.lower())
    keys = (key for key in keys_of_rows(body) if key <= names.keys())
    return tuple(frozenset(names[name] for name in key) for key in keys)
