"""DB06: answers that depend on the order of rows where no total order is said.

An order is total if it, and what it is cut by, hold a declared key: the model's ``unique_key``,
columns that a test says are unique, or what the rows were grouped by before. Whether a declared key
is one of the rows at that step of the query cannot be seen from the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlglot import exp

from runner.safety.facts import Facts
from runner.safety.findings import Spot, place, spot
from runner.safety.keys import columns_of, keys_of_rows, named
from runner.safety.rules import Severity
from runner.safety.source import Source

_NUMBERED = (exp.RowNumber, exp.Ntile, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue)
_RANKED = (exp.Rank, exp.DenseRank)  # equals share a rank, so any order will do
_PICKED = (exp.First, exp.Last, exp.AnyValue, exp.ArrayAgg, exp.GroupConcat)
_SORTS = frozenset({"array_sort", "list_sort", "list_reverse_sort", "array_reverse_sort"})
_PICKED_NAMES = frozenset({"arbitrary", "list", "group_concat", "listagg", "string_agg"})


def chance_among_equals(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB06 in every branch of a text."""
    for tree in source.trees:
        for window in tree.find_all(exp.Window):
            yield from _of_window(window, source, facts)
        for select in tree.find_all(exp.Select):
            yield from _of_select(select, source, facts)
        for call in tree.find_all(*_PICKED, exp.Anonymous):
            yield from _of_aggregate(call, source)


def _of_window(window: exp.Window, source: Source, facts: Facts) -> Iterator[Spot]:
    call = window.this
    if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)):
        call = call.this
    if not isinstance(call, (*_NUMBERED, *_RANKED, *_PICKED)) or call.find(exp.Order):
        return
    name = call.sql_name().lower()
    start, end = place(call)
    said = _definition(window)
    order = said.args.get("order")
    if source.tags_in(said.alias):
        return  # Jinja makes it
    if order is None or _is_constant(order.expressions):
        may_be_alike = isinstance(call, _PICKED)
        severity = Severity.WARN if may_be_alike else Severity.ERROR
        yield spot("DB06", start, end, f"{name} without an order", severity)
    elif not isinstance(call, _RANKED):
        cut_by = said.args.get("partition_by") or []
        columns = columns_of([*cut_by, *order.expressions])
        why = _not_total(columns, order.expressions, window, source, facts)
        if why:
            yield spot("DB06", start, end, f"{name}, {why}", Severity.WARN)


def _definition(window: exp.Window) -> exp.Expr:
    """What a window is; ``over w`` is defined at the end of its select."""
    name = window.args.get("alias")
    select = window.find_ancestor(exp.Select)
    if name is None or select is None:
        return window
    for defined in select.args.get("windows") or ():
        if defined.name == name.name:
            known: exp.Expr = defined
            return known
    return window


def _of_select(select: exp.Select, source: Source, facts: Facts) -> Iterator[Spot]:
    limit = select.args.get("limit") or select.args.get("offset")
    distinct = select.args.get("distinct")
    order = select.args.get("order")
    by = order.expressions if order else []
    if limit is not None and not _is_harmless(select, limit):
        what = "limit" if isinstance(limit, (exp.Limit, exp.Fetch)) else "offset"
        start, end = place(limit)
        if not by or _is_constant(by, positional=True):
            yield spot("DB06", start, end, f"{what} without an order")
        elif why := _not_total(columns_of(named(by, select)), by, select, source, facts):
            yield spot("DB06", start, end, f"{what}, {why}", Severity.WARN)
    if isinstance(distinct, exp.Distinct) and distinct.args.get("on"):
        start, end = place(distinct.args["on"])
        if not by:
            yield spot("DB06", start, end, "distinct on without an order")
        elif why := _not_total(columns_of(by), by, select, source, facts):
            yield spot("DB06", start, end, f"distinct on, {why}", Severity.WARN)


def _of_aggregate(call: exp.Expr, source: Source) -> Iterator[Spot]:
    """One value, or a list, of a group; the text cannot show whether all its values are equal."""
    if isinstance(call, exp.Anonymous) and str(call.this).lower() not in _PICKED_NAMES:
        return
    wrapped = call.parent
    while isinstance(wrapped, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        wrapped = wrapped.parent
    is_sorted = isinstance(wrapped, (exp.WithinGroup, exp.ArraySort)) or (
        isinstance(wrapped, exp.Anonymous) and str(wrapped.this).lower() in _SORTS
    )
    if isinstance(wrapped, exp.Window) or is_sorted or call.find(exp.Order):
        return
    start, end = place(call)
    # What the parser gives no place to stands before what it is called with.
    written = re.search(r"(\w+)\s*\(\s*(?:distinct\s+)?$", source.text[:start], re.IGNORECASE)
    if "start" not in call.meta and written is not None:
        start, end = written.span(1)
    name = source.text[start:end].lower()
    yield spot("DB06", start, end, f"{name} without an order by in it", Severity.WARN)


def _is_harmless(select: exp.Select, limit: exp.Expr) -> bool:
    """``limit 0``, ``exists (select 1 … limit 1)``, and the one row of an aggregate."""
    if limit.expression is not None and limit.expression.sql() == "0":
        return True
    if select.expressions and all(isinstance(e, exp.Literal) for e in select.expressions):
        return True
    return not select.args.get("group") and any(
        isinstance(e.unalias(), exp.AggFunc) for e in select.expressions
    )


def _is_constant(by: Sequence[exp.Expr], *, positional: bool = False) -> bool:
    """Whether an order says nothing; ``order by 1`` of a select names its first column."""
    keys = [item.this if isinstance(item, exp.Ordered) else item for item in by]
    if positional:
        keys = [key for key in keys if not (isinstance(key, exp.Literal) and key.is_int)]
        if not keys:
            return False
    return all(isinstance(key, (exp.Literal, exp.Null, exp.Boolean)) for key in keys)


def _not_total(
    columns: frozenset[str],
    by: Sequence[exp.Expr],
    inside: exp.Expr,
    source: Source,
    facts: Facts,
) -> str | None:
    """Why an order is not seen to be total; None if it is, or Jinja makes it."""
    by_all_columns = any(item.find(exp.Var) for item in by)  # order by all
    if by_all_columns or any(source.tags_in(item.sql()) for item in by):
        return None
    select = inside if isinstance(inside, exp.Select) else inside.find_ancestor(exp.Select)
    keys = [*facts.all_keys, *(keys_of_rows(select) if select is not None else ())]
    if any(key <= columns for key in keys):
        return None
    if not keys:
        return "and no key is declared by which its order could be total"
    return f"whose order does not hold the key ({', '.join(sorted(keys[0]))})"
