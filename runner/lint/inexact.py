"""DB15: find aggregates that are estimates, or whose last digits depend on the order of rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from runner.lint.facts import Facts
from runner.lint.queries import definition_of
from runner.lint.readings import readings_of
from runner.lint.rows import Scope, is_inexact
from runner.lint.rules import Spot
from runner.lint.source import Source, written

_ESTIMATES = (exp.ApproxQuantile, exp.ApproxQuantiles, exp.ApproxDistinct, exp.ApproxTopK, exp.Hll)
_ESTIMATE_NAMES = frozenset(
    {"approx_quantile", "approx_count_distinct", "approx_top_k", "approx_percentile",
     "approx_distinct", "percentile_approx", "datasketch_hll", "approx_top_count"}
)  # fmt: skip
# Worked out in floating point whatever they are given.
_FLOATS = (
    exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Corr,
    exp.CovarPop, exp.CovarSamp, exp.Skewness, exp.Kurtosis, exp.RegrAvgx, exp.RegrAvgy,
    exp.RegrIntercept, exp.RegrR2, exp.RegrSlope, exp.RegrSxx, exp.RegrSxy, exp.RegrSyy,
)  # fmt: skip
_FLOAT_NAMES = frozenset(
    {"product", "geomean", "geometric_mean", "entropy", "kurtosis_pop", "sem", "fsum",
     "kahan_sum", "sumkahan", "favg"}
)  # fmt: skip
_SUMS = (exp.Sum, exp.Avg)
_ROUNDED = (exp.Round, exp.Floor, exp.Ceil, exp.Trunc)
_EXACT = ("DECIMAL", "INT", "BIGINT", "SMALLINT", "TINYINT", "INT128", "VARCHAR")


def inexact_aggregate(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB15: look at every aggregate that nothing rounds."""
    for readings in readings_of(source, facts):
        for call in readings.tree.find_all(*_ESTIMATES, *_FLOATS, *_SUMS, exp.Anonymous):
            select = call.find_ancestor(exp.Select)
            what = _why(call, readings.scope_of(select)) if select is not None else None
            if what is not None:
                start, end, name = written(call, source)
                yield Spot("DB15", start, end, f"{name}, {what}")


def _why(call: exp.Expr, scope: Scope) -> str | None:
    """Return what is inexact about an aggregate; None: nothing."""
    name = str(call.this).lower() if isinstance(call, exp.Anonymous) else ""
    if isinstance(call, _ESTIMATES) or name in _ESTIMATE_NAMES:
        return "an estimate"
    is_float = isinstance(call, _FLOATS) or name in _FLOAT_NAMES
    is_sum = isinstance(call, _SUMS) and is_inexact(call.this, scope)
    if not (is_float or is_sum) or _is_rounded(call) or _is_in_order(call):
        return None
    return "of floating point numbers"


def _is_rounded(call: exp.Expr) -> bool:
    """Return True if what becomes of it has fewer digits: rounded, or cast to what is exact."""
    above = call.parent
    while above is not None and not isinstance(above, exp.Select):
        if isinstance(above, _ROUNDED):
            return True
        if isinstance(above, exp.Cast) and isinstance(above.to, exp.DataType):
            return above.to.this.name in _EXACT
        above = above.parent
    return False


def _is_in_order(call: exp.Expr) -> bool:
    """Return True if it is of a window that says in which order it sums up."""
    window = call.find_ancestor(exp.Window, exp.Select)
    return isinstance(window, exp.Window) and definition_of(window).args.get("order") is not None
