"""DB11: find what gives other rows for a range of windows than for one window after the other.

The runner builds missing windows in chunks, and a plain `dbt build` all of them at once. What
brings rows of several windows together then sees more than a window, unless its keys hold the
event time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from runner.lint.facts import Facts
from runner.lint.queries import (
    columns_of,
    definition_of,
    function_of,
    gathered_by,
    named,
    own_aggregates,
    own_windows,
    tags_at,
)
from runner.lint.readings import Readings, readings_of
from runner.lint.rows import Scope
from runner.lint.rules import Severity, Spot
from runner.lint.source import IS_WHOLE, Source, place, written

# Of a merge: what picks the newest version of a key, which the merge itself picks again.
_PICKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.FirstValue, exp.LastValue)
_SPINES = (exp.GenerateSeries, exp.Unnest, exp.Explode, exp.GenerateDateArray)
_SPINE_NAMES = frozenset({"range", "generate_series", "unnest"})
_VARS = frozenset({"window_start", "window_end"})
_VALUES = ("expressions", "group", "order", "distinct", "qualify")  # where a var becomes a value


def windows_together(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB11: look at every query of every branch.

    A microbatch, and what is told its window by a var, is built one window at a time.
    """
    if facts.incremental_strategy == "microbatch" or facts.window_var is not None:
        return
    for readings in readings_of(source, facts):
        tree = readings.tree
        for select in tree.find_all(exp.Select):
            scope = readings.scope_of(select)
            if scope.may_mix_windows:
                yield from _of_rows(select, scope, tree, facts, source)
                yield from _of_windows(select, scope, facts, source)
                yield from _of_joins(select, scope, source)
                yield from _of_memberships(select, scope, readings)
        for query in tree.find_all(exp.Query):
            yield from _of_limit(query, readings, source)
        for pivot in tree.find_all(exp.Pivot):
            yield from _of_pivot(pivot, readings)
        yield from _of_vars(tree, source)


def _of_rows(
    select: exp.Select, scope: Scope, tree: exp.Expr, facts: Facts, source: Source
) -> Iterator[Spot]:
    """Look at what makes one row of several."""
    is_distinct = select.args.get("group") is None and select.args.get("distinct") is not None
    if _is_key_alone(select, facts):
        return
    for parts in gathered_by(select):
        is_pick = is_distinct and _is_of_the_key(parts, facts, is_pick=True)
        if scope.tells_windows_apart(parts) or is_pick or _is_of_the_key(parts, facts):
            continue
        if select.args.get("group") is not None:
            start, end = _begin(select.args["group"], select)
            yield Spot("DB11", start, end, _without("group by", scope), _severity(parts))
        elif is_distinct and next(own_aggregates(select), None) is None:
            start, end = _begin(select.args["distinct"], select)
            yield Spot("DB11", start, end, _without("distinct", scope), Severity.WARN)
        elif tree.meta.get(IS_WHOLE):  # else a macro may say by what it is grouped
            call = next(own_aggregates(select))
            start, end, name = written(call, source)
            yield Spot("DB11", start, end, f"{name} of all rows of the range")
        return


def _of_windows(select: exp.Select, scope: Scope, facts: Facts, source: Source) -> Iterator[Spot]:
    """Look at window functions, whose partitions must not hold rows of several windows."""
    for window in own_windows(select):
        said, call = definition_of(window), function_of(window)
        if source.tags_in(said.alias):
            continue  # Jinja makes it
        parts = named(said.args.get("partition_by") or [], select)
        is_of_key = _is_of_the_key(parts, facts, is_pick=isinstance(call, _PICKS))
        if not scope.tells_windows_apart(parts) and not is_of_key:
            start, end, name = written(call, source)
            by = "partition by" if parts else "over"
            yield Spot("DB11", start, end, f"{name}, {_without(by, scope)}", _severity(parts))


def _of_joins(select: exp.Select, scope: Scope, source: Source) -> Iterator[Spot]:
    """Look at joins of two inputs that both hold the rows of the range."""
    aliases = [alias for alias, rows in scope.inputs.items() if rows.is_windowed]
    if any(join.method == "NATURAL" for join in select.args.get("joins") or ()):
        return  # by whatever both have
    for number, alias in enumerate(aliases):
        others = aliases[:number]
        if others and scope.inputs[alias].keys != (frozenset(),):
            if any(scope.inputs[other].keys == (frozenset(),) for other in others):
                continue  # a single row, which is found where it is made
            if not scope.joins_on_window(alias, others):
                join = _join_of(select, alias)
                if join is not None and not tags_at(join, source):
                    what = f"join of {alias}, without the event time"
                    yield Spot("DB11", *place(join.this), what, Severity.WARN)


def _of_memberships(select: exp.Select, scope: Scope, readings: Readings) -> Iterator[Spot]:
    """Look at `exists` and `in`, which ask whether the range has such a row."""
    for call in select.find_all(exp.Exists, exp.In):
        inner = (call.args.get("query") or call.this).unnest()
        if not isinstance(inner, exp.Select) or call.find_ancestor(exp.Select) is not select:
            continue
        asked = readings.scope_of(inner)
        if not asked.may_mix_windows or frozenset() in asked.keys:
            continue  # or it looks for one row, by its key
        if isinstance(call, exp.In):
            mine, other = columns_of([call.this]), columns_of(inner.expressions)
            is_by_key = any(k <= mine for k in scope.keys) or any(k <= other for k in asked.keys)
            is_same = scope.times.is_kept(call.this) and asked.times.are_held(inner.expressions)
            if is_by_key or is_same:
                continue
        name = "in" if isinstance(call, exp.In) else "exists"
        what = f"{name} of the rows of the range, without the event time"
        yield Spot("DB11", *place(inner), what, Severity.WARN)


def _join_of(select: exp.Select, alias: str) -> exp.Join | None:
    joins = select.args.get("joins") or ()
    return next((join for join in joins if join.alias_or_name.lower() == alias), None)


def _of_pivot(pivot: exp.Pivot, readings: Readings) -> Iterator[Spot]:
    """Look at a pivot: it groups by what it names, or else by all columns that it does not use."""
    read, group = pivot.this or pivot.parent, pivot.args.get("group")
    if read is None or pivot.args.get("unpivot"):
        return
    is_inner = isinstance(read, exp.Subquery)
    rows = readings.rows_of(read.this) if is_inner else readings.rows_read(read)
    if not rows.is_windowed or rows.event is None or (group is None and rows.columns is None):
        return
    used = columns_of(
        [*pivot.expressions, *pivot.args.get("using", ()), *pivot.args.get("fields", ())]
    )
    names = columns_of(group.expressions) if group is not None else {*(rows.columns or ())} - used
    if rows.event.isdisjoint(names):
        yield Spot("DB11", *place(pivot), "pivot without the event time", Severity.WARN)


def _of_limit(query: exp.Query, readings: Readings, source: Source) -> Iterator[Spot]:
    """Look at limits: so many rows of the range, and not of each window."""
    limit = query.args.get("limit") or query.args.get("offset")
    if limit is None or (limit.expression is not None and limit.expression.sql() == "0"):
        return
    if isinstance(query, exp.Select):
        is_mixed = readings.scope_of(query).may_mix_windows
        has_one_row = gathered_by(query) == [[]]
        is_exists = all(isinstance(item, exp.Literal) for item in query.expressions)
        if not is_mixed or has_one_row or is_exists:
            return
    elif not readings.rows_of(query).is_windowed:
        return
    what = "limit" if isinstance(limit, (exp.Limit, exp.Fetch)) else "offset"
    start, end = place(limit)
    severity = Severity.WARN if source.is_up_to_target(start) else None
    yield Spot("DB11", start, end, f"{what} of the rows of the range", severity)


def _of_vars(tree: exp.Expr, source: Source) -> Iterator[Spot]:
    """Look at the window's bounds as values, which are those of the range that is built."""
    for node in tree.find_all(exp.Identifier, exp.Literal):
        tags = source.tags_in(node.name)
        tag = next((one for one in tags if source.speaks_of(_VARS, one)), None)
        if tag is None:
            continue
        if _becomes_a_value(node):
            yield Spot(
                "DB11",
                tag.start,
                tag.end,
                f"{_var_of(tag.strings)} as a value, which no row's event time is",
            )
        elif _is_equal(node):
            what = f"equal to {_var_of(tag.strings)}, the first window of the range alone"
            yield Spot("DB11", tag.start, tag.end, what)


def _var_of(strings: Sequence[str]) -> str:
    return next((text for text in strings if text in _VARS), "a bound of the window")


def _becomes_a_value(node: exp.Expr) -> bool:
    """Return True for what a select gives or orders by; not for the rows of a spine."""
    at = node
    while at.parent is not None and not isinstance(at.parent, exp.Select):
        name = str(at.this).lower() if isinstance(at, exp.Anonymous) else ""
        if isinstance(at, _SPINES) or name in _SPINE_NAMES or isinstance(at, exp.From):
            return False
        at = at.parent
    return at.parent is not None and at.arg_key in _VALUES


def _is_equal(node: exp.Expr) -> bool:
    """Return True if rows are asked to be of the time at which the range begins."""
    at = node
    while isinstance(at.parent, (exp.Cast, exp.Paren, exp.Column)):
        at = at.parent
    return isinstance(at.parent, exp.EQ) and at.parent.find_ancestor(exp.Where) is not None


def _is_key_alone(select: exp.Select, facts: Facts) -> bool:
    """Return True for nothing but the key by which rows are replaced: twice the same is once."""
    names = {item.alias_or_name.lower() for item in select.expressions}
    key = {name.lower() for name in facts.unique_key}
    is_by_key = facts.incremental_strategy in ("merge", "delete+insert")
    return is_by_key and names <= key and next(own_aggregates(select), None) is None


def _is_of_the_key(parts: Sequence[exp.Expr], facts: Facts, *, is_pick: bool = False) -> bool:
    """Return True if the model's key is said to lie in one window, or the newest version counts."""
    columns = columns_of([part for part in parts if isinstance(part, exp.Column)])
    if facts.incremental_strategy == "overwrite_window":
        return any(key <= columns for key in facts.all_keys)
    is_merge = facts.incremental_strategy == "merge"
    key = frozenset(name.lower() for name in facts.unique_key)
    return is_merge and is_pick and bool(key) and key <= columns


def _without(what: str, scope: Scope) -> str:
    names = sorted({name for _, name in scope.own_events or ()})
    return f"{what} without the event time" + (f" ({', '.join(names)})" if names else "")


def _severity(parts: Sequence[exp.Expr]) -> Severity | None:
    """What is cut by something may be cut by the window, and the text does not show it."""
    return Severity.WARN if parts else None


def _begin(clause: exp.Expr, select: exp.Select) -> tuple[int, int]:
    """Return where a clause is: the place of what it names."""
    named_there = [part for part in clause.walk() if "start" in part.meta]
    return place(named_there[0]) if named_there else place(select)
