"""Read a query's parts: what it is grouped by, which aggregates are its own, what a name means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from runner.lint.source import Source, Tag

# What shifts a time: `sold_on - 3`.
ARITHMETIC = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Interval, exp.DateAdd, exp.DateSub,
    exp.TimestampAdd, exp.TimestampSub, exp.TsOrDsAdd,
)  # fmt: skip
_SETS = (exp.GroupingSets, exp.Rollup, exp.Cube)
_WRAPPED = (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)
# Aggregates that the parser does not know as such.
_AGGREGATES = frozenset(
    {"list", "arbitrary", "string_agg", "listagg", "group_concat", "json_group_array",
     "json_group_object", "json_group_structure", "histogram", "product", "fsum", "kahan_sum",
     "sumkahan", "favg", "mad", "entropy", "geomean", "geometric_mean", "sem", "bitstring_agg",
     "bit_xor", "bit_and", "bit_or", "bool_and", "bool_or", "reservoir_quantile", "approx_top_k",
     "approx_quantile", "kurtosis_pop", "count_star", "any_value", "covar_samp", "covar_pop"}
)  # fmt: skip


def columns_of(parts: Sequence[exp.Expr]) -> frozenset[str]:
    """Return the names of the columns in some expressions, in lower case."""
    return frozenset(column.name.lower() for part in parts for column in part.find_all(exp.Column))


def named(by: Sequence[exp.Expr], query: exp.Query) -> list[exp.Expr]:
    """Replace positions, and names of results, by the expressions that they stand for."""
    results = {item.alias.lower(): item.unalias() for item in query.selects if item.alias}
    found: list[exp.Expr] = []
    for item in by:
        key = item.this if isinstance(item, exp.Ordered) else item
        if isinstance(key, exp.Literal) and key.is_int:
            position = int(key.this) - 1
            if 0 <= position < len(query.selects):
                found.append(query.selects[position].unalias())
            continue
        is_plain = isinstance(key, exp.Column) and not key.table
        result = results.get(key.name.lower()) if is_plain else None
        # A column of what is read comes before a result of its name.
        is_result = result is not None and key.name.lower() not in columns_of([result])
        found.append(result if result is not None and is_result else key)
    return found


def group_of(select: exp.Select) -> list[exp.Expr]:
    """Return what a select is grouped by; ``group by all`` means whatever is not summed up."""
    group = select.args.get("group")
    if group is None:
        return []
    if group.args.get("all"):
        return [item.unalias() for item in select.expressions if not item.find(exp.AggFunc)]
    plain = [part for part in group.expressions if not isinstance(part, _SETS)]
    return named(plain, select)


def groupings_of(select: exp.Select) -> list[list[exp.Expr]]:
    """Return each set of expressions that rows are grouped by; a rollup ends with the least."""
    group, plain = select.args.get("group"), group_of(select)
    if group is None:
        return []
    parts = [*group.expressions, *(group.args.get("grouping_sets") or ())]
    sets = [one for some in parts if isinstance(some, exp.GroupingSets) for one in some.expressions]
    if not sets:
        return [plain]
    listed = [one.expressions or [one.unnest()] for one in sets]
    return [[*plain, *named(parts, select)] for parts in listed]


def gathered_by(select: exp.Select) -> list[list[exp.Expr]]:
    """Return by what rows become one: groups, `distinct`, or nothing for all of them.

    Without any set of expressions rows stay what they are.
    """
    distinct = select.args.get("distinct")
    if select.args.get("group") is not None:
        return groupings_of(select)
    if next(own_aggregates(select), None) is not None:
        return [[]]
    if isinstance(distinct, exp.Distinct):
        on = distinct.args.get("on")
        return [named(on.expressions, select) if on is not None else list(select.expressions)]
    return []


def own_aggregates(select: exp.Select) -> Iterator[exp.Expr]:
    """Yield the aggregates of a select itself: neither of windows nor of queries inside it."""
    for part in ("expressions", "having", "qualify", "order"):
        for item in _listed(select.args.get(part)):
            for call in item.find_all(exp.AggFunc, exp.Anonymous):
                is_one = isinstance(call, exp.AggFunc) or str(call.this).lower() in _AGGREGATES
                if is_one and not _is_of_window(call) and call.find_ancestor(exp.Select) is select:
                    yield call


def own_windows(select: exp.Select) -> Iterator[exp.Window]:
    """Yield the window functions of a select itself."""
    for part in ("expressions", "qualify", "order"):
        for item in _listed(select.args.get(part)):
            for window in item.find_all(exp.Window):
                if window.find_ancestor(exp.Select) is select:
                    yield window


def definition_of(window: exp.Window) -> exp.Expr:
    """Return the definition of a window; that of ``over w`` is at the end of its select."""
    name = window.args.get("alias")
    select = window.find_ancestor(exp.Select)
    if name is None or select is None:
        return window
    return next((w for w in select.args.get("windows") or () if w.name == name.name), window)


def numbered_by(part: exp.Expr, select: exp.Select) -> list[exp.Expr] | None:
    """Return what a `row_number()` counts anew for: no two rows of it have one number.

    None if it is another expression, or is cut by what is no column.
    """
    if not isinstance(part, exp.Window) or not isinstance(function_of(part), exp.RowNumber):
        return None
    parts = named(definition_of(part).args.get("partition_by") or [], select)
    return parts if all(isinstance(one, exp.Column) for one in parts) else None


def function_of(window: exp.Window) -> exp.Expr:
    """Return the function that a window is of, its filter left out."""
    function: exp.Expr = window.this
    while isinstance(function, _WRAPPED):
        function = function.this
    return function


def cte_named(table: exp.Table) -> exp.CTE | None:
    """Return the CTE that a table's name means at its place; None: it is a table."""
    if table.args.get("db") is not None:
        return None
    name = table.name.lower()
    inside: exp.Expr | None = None
    at: exp.Expr | None = table
    while at is not None:
        with_ = at.args.get("with_")
        for cte in reversed(with_.expressions if with_ is not None else ()):
            if not isinstance(cte, exp.CTE) or cte is inside:
                continue
            if cte.alias.lower() == name:
                return cte
        inside = at if isinstance(at, exp.CTE) else inside
        at = at.parent
    return None


def parent_name(tag: Tag) -> str:
    """Return the name under which facts know a `ref`, or a `source` with what it is a part of."""
    return ".".join(tag.strings[-2:] if tag.call == "source" else tag.strings[-1:]).lower()


def tags_at(part: exp.Expr, source: Source) -> list[Tag]:
    """Return the Jinja in an expression itself, not in queries inside it."""
    found: list[Tag] = []
    for node in part.walk(prune=lambda node: isinstance(node, exp.Query)):
        if isinstance(node, (exp.Identifier, exp.Literal)):
            found += source.tags_in(node.name)
    return found


def _is_of_window(call: exp.Expr) -> bool:
    window = call.find_ancestor(exp.Window, exp.Select)
    return isinstance(window, exp.Window) and function_of(window) is call


def _listed(part: object) -> list[exp.Expr]:
    if isinstance(part, list):
        return part
    return [part] if isinstance(part, exp.Expr) else []
