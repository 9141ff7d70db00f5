"""DB06: find answers that depend on the order of rows where no total order is said.

An order is total if it, and what it is cut by, hold a key: the model's ``unique_key``, columns that
a test says are unique, a key of what is read that is still one after joins and filters, or what the
rows were grouped by before. Whether a declared key of the model is one at that step of the query
cannot be seen from the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from runner.lint.facts import Facts
from runner.lint.outputs import keys_of_rows
from runner.lint.queries import columns_of, definition_of, function_of, group_of, named
from runner.lint.readings import Readings, readings_of
from runner.lint.rows import Keys, Scope
from runner.lint.rules import Severity, Spot
from runner.lint.source import Source, place, written

_PEERS = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
_NUMBERED = (exp.RowNumber, exp.Ntile, *_PEERS)
_RANKED = (exp.Rank, exp.DenseRank)  # equals share a rank, so any order will do
_ONE = (exp.First, exp.Last, exp.AnyValue)
_LISTS = (exp.ArrayAgg, exp.GroupConcat, exp.JSONArrayAgg, exp.JSONObjectAgg)
_PICKED = (*_ONE, *_LISTS)
_CHOSEN = (exp.ArgMax, exp.ArgMin, exp.Mode)  # max_by and min_by are the same
# What makes of a list what any order of it would make.
_SORTS = frozenset(
    {"array_sort", "list_sort", "list_reverse_sort", "array_reverse_sort", "len", "length",
     "array_length", "list_sum", "list_min", "list_max", "list_count", "list_unique",
     "array_unique", "list_contains", "list_has", "array_contains", "list_histogram"}
)  # fmt: skip
_SORTED = (exp.WithinGroup, exp.ArraySort, exp.ArraySize, exp.Length)
_ONE_NAMES = frozenset({"arbitrary"})
_PICKED_NAMES = _ONE_NAMES | {
    "list", "group_concat", "listagg", "string_agg", "json_group_array", "json_group_object",
}  # fmt: skip
_WRAPPED = (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)


def chance_among_equals(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB06: look at every branch of a text."""
    for readings in readings_of(source, facts):
        tree = readings.tree
        for window in tree.find_all(exp.Window):
            yield from _of_window(window, readings)
        for query in tree.find_all(exp.Query):
            yield from _of_limit(query, readings)
        for select in tree.find_all(exp.Select):
            yield from _of_distinct(select, readings)
        for call in tree.find_all(*_PICKED, exp.Anonymous):
            yield from _of_aggregate(call, readings)
        for call in tree.find_all(*_CHOSEN):
            yield from _of_choice(call, readings)


def _of_window(window: exp.Window, readings: Readings) -> Iterator[Spot]:
    source, call, said = readings.source, function_of(window), definition_of(window)
    is_cut_by_rows = _counts_rows(window.args.get("spec") or said.args.get("spec"))
    is_about_order = isinstance(call, (*_NUMBERED, *_RANKED, *_PICKED)) or (
        is_cut_by_rows and isinstance(call, exp.Func)  # not where the window is defined
    )
    select = window.find_ancestor(exp.Select)
    if not is_about_order or call.find(exp.Order) or source.tags_in(said.alias) or not select:
        return  # or Jinja makes the order
    start, end, name = written(call, source)
    order = said.args.get("order")
    cut_by = named(said.args.get("partition_by") or [], select)
    if order is None or _is_constant(order.expressions):
        if _is_settled(call, cut_by, readings.scope_of(select)):
            return
        may_be_alike = isinstance(call, _PICKED)
        severity = Severity.WARN if may_be_alike else Severity.ERROR
        yield Spot("DB06", start, end, f"{name} without an order", severity)
    elif not isinstance(call, _RANKED):
        by = order.expressions
        columns = columns_of([*cut_by, *named(by, select)])
        if why := _not_total(columns, by, _keys_at(select, readings), source):
            yield Spot("DB06", start, end, f"{name}, {why}", Severity.WARN)


def _counts_rows(frame: exp.Expr | None) -> bool:
    """Return True if a frame counts rows: which of equals lie within it is chance."""
    if frame is None or str(frame.args.get("kind")).upper() != "ROWS":
        return False
    bounds = {str(frame.args.get(side) or "CURRENT ROW").upper() for side in ("start", "end")}
    return bounds not in ({"UNBOUNDED"}, {"CURRENT ROW"})  # all of them, or the row alone


def _of_limit(query: exp.Query, readings: Readings) -> Iterator[Spot]:
    source, limit = readings.source, query.args.get("limit") or query.args.get("offset")
    if limit is None or _is_harmless(query, limit):
        return
    keys = _keys_at(query, readings)
    order = query.args.get("order")
    by = order.expressions if order else []
    what = "limit" if isinstance(limit, (exp.Limit, exp.Fetch)) else "offset"
    start, end = place(limit)
    if frozenset() in keys:
        return  # it has one row anyway
    if not by or _is_constant(by, positional=True):
        may_be_right = source.is_up_to_target(start) or _is_lookup(query, limit)
        severity = Severity.WARN if may_be_right else Severity.ERROR
        yield Spot("DB06", start, end, f"{what} without an order", severity)
    elif why := _not_total(columns_of(named(by, query)), by, keys, source):
        yield Spot("DB06", start, end, f"{what}, {why}", Severity.WARN)


def _of_distinct(select: exp.Select, readings: Readings) -> Iterator[Spot]:
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if isinstance(distinct, exp.Distinct) else None
    if on is None or _selects_no_more(select, [*on.expressions, *named(on.expressions, select)]):
        return
    order = select.args.get("order")
    by = order.expressions if order else []
    start, end = place(on)
    keys = _keys_at(select, readings)
    if any(key <= columns_of(named(on.expressions, select)) for key in keys):
        return
    if not by:
        yield Spot("DB06", start, end, "distinct on without an order")
    elif why := _not_total(columns_of(named(by, select)), by, keys, readings.source):
        yield Spot("DB06", start, end, f"distinct on, {why}", Severity.WARN)


def _of_aggregate(call: exp.Expr, readings: Readings) -> Iterator[Spot]:
    """Judge one value, or a list, of a group; its values may all be equal, unseen in the text."""
    if isinstance(call, exp.Anonymous) and str(call.this).lower() not in _PICKED_NAMES:
        return
    user, select = _user_of(call), call.find_ancestor(exp.Select)
    is_sorted = isinstance(user, _SORTED) or (
        isinstance(user, exp.Anonymous) and str(user.this).lower() in _SORTS
    )
    if isinstance(user, exp.Window) or is_sorted or select is None:
        return
    start, end, name = written(call, readings.source)
    group, scope = group_of(select), readings.scope_of(select)
    if _is_settled(call, group, scope):
        return
    order = call.find(exp.Order)
    if order is None:
        yield Spot("DB06", start, end, f"{name} without an order by in it", Severity.WARN)
        return
    by = order.expressions
    columns = columns_of([*group, *by])
    is_by_itself = columns_of(_values_of(call)) <= columns  # equals are alike
    keys = [*readings.facts.all_keys, *scope.keys]
    why = None if is_by_itself else _not_total(columns, by, keys, readings.source)
    if why:
        yield Spot("DB06", start, end, f"{name}, {why}", Severity.WARN)


def _is_settled(call: exp.Expr, group: Sequence[exp.Expr], scope: Scope) -> bool:
    """Return True if one value is picked of many that the group's columns say are the same."""
    is_one = isinstance(call, _ONE) or (
        isinstance(call, exp.Anonymous) and str(call.this).lower() in _ONE_NAMES
    )
    columns = [column for part in _values_of(call) for column in part.find_all(exp.Column)]
    return is_one and scope.determines(group, columns)


def _values_of(call: exp.Expr) -> list[exp.Expr]:
    """Return what an aggregate is of, less the order that is said in it."""
    parts = call.expressions if isinstance(call, exp.Anonymous) else [call.this]
    parts = [part.this if isinstance(part, exp.Order) else part for part in parts if part]
    return [part for part in parts if isinstance(part, exp.Expr)]


def _of_choice(call: exp.Expr, readings: Readings) -> Iterator[Spot]:
    """Judge the row that has the most of something, or the commonest value: of two."""
    start, end, name = written(call, readings.source)
    select = call.find_ancestor(exp.Select)
    if isinstance(call, exp.Mode) or select is None:
        if not call.find(exp.Order):
            yield Spot("DB06", start, end, f"{name}, of which there may be two", Severity.WARN)
        return
    user, most = _user_of(call), [call.expression]
    cut_by = group_of(select)
    if isinstance(user, exp.Window):
        cut_by = named(definition_of(user).args.get("partition_by") or [], select)
    scope = readings.scope_of(select)
    columns = columns_of([*cut_by, *most])
    keys = [*readings.facts.all_keys, *scope.keys]
    is_alike = scope.determines([*cut_by, *most], call.this.find_all(exp.Column))
    if not is_alike and (why := _not_total(columns, most, keys, readings.source)):
        yield Spot("DB06", start, end, f"{name}, {why}", Severity.WARN)


def _user_of(call: exp.Expr) -> exp.Expr | None:
    """Return what an aggregate is written in, its filter left out."""
    user = call.parent
    while isinstance(user, _WRAPPED):
        user = user.parent
    return user


def _is_harmless(query: exp.Query, limit: exp.Expr) -> bool:
    """Return True for ``limit 0``, ``exists (select 1 … limit 1)`` and an aggregate's one row."""
    if limit.expression is not None and limit.expression.sql() == "0":
        return True
    if query.expressions and all(isinstance(e, exp.Literal) for e in query.expressions):
        return True
    sums_up = any(isinstance(e.unalias(), exp.AggFunc) for e in query.expressions)
    return sums_up and not query.args.get("group")


def _is_lookup(query: exp.Query, limit: exp.Expr) -> bool:
    """Return True for ``(select name from p where p.id = l.product_id limit 1)``, a lookup."""
    inside = query.parent
    is_scalar = isinstance(inside, exp.Subquery) and not isinstance(
        inside.parent, (exp.From, exp.Join, exp.Lateral, exp.Query)
    )
    where = query.args.get("where")
    if not is_scalar or where is None or limit.expression is None or limit.expression.sql() != "1":
        return False
    own = {"", *(table.alias_or_name for table in query.find_all(exp.Table))}
    outside = {column for column in where.find_all(exp.Column) if column.table not in own}
    return any(
        outside.isdisjoint(equal.this.find_all(exp.Column))
        is not outside.isdisjoint(equal.expression.find_all(exp.Column))
        for equal in where.find_all(exp.EQ)
    )


def _selects_no_more(select: exp.Select, on: Sequence[exp.Expr]) -> bool:
    """Return True if a ``distinct on`` selects only what it is distinct on: equals are alike."""
    alike = {part.sql().lower() for part in on}
    return all(
        isinstance(item.unalias(), exp.Literal)
        or not alike.isdisjoint({item.unalias().sql().lower(), item.alias_or_name.lower()})
        for item in select.expressions
    )


def _is_constant(by: Sequence[exp.Expr], *, positional: bool = False) -> bool:
    """Return True if an order says nothing; ``order by 1`` names a select's first column."""
    keys = [item.this if isinstance(item, exp.Ordered) else item for item in by]
    if positional and any(isinstance(key, exp.Literal) and key.is_int for key in keys):
        return False
    return all(isinstance(key, (exp.Literal, exp.Null, exp.Boolean)) for key in keys)


def _keys_at(query: exp.Query, readings: Readings) -> Keys:
    """Return the keys of the rows that are put in order there."""
    select = query.unnest()
    if not isinstance(select, exp.Select):
        return readings.facts.all_keys
    return (*readings.facts.all_keys, *keys_of_rows(select, readings.scope_of(select)))


def _not_total(
    columns: frozenset[str], by: Sequence[exp.Expr], keys: Sequence[frozenset[str]], source: Source
) -> str | None:
    """Say why an order is not seen to be total; None if it is, or Jinja makes it."""
    by_all_columns = any(item.find(exp.Var) for item in by)  # order by all
    if by_all_columns or any(source.tags_in(item.sql()) for item in by):
        return None
    if any(key <= columns for key in keys):
        return None
    if not keys:
        return "and no key is declared by which its order could be total"
    return f"whose order does not hold the key ({', '.join(sorted(keys[0]))})"
