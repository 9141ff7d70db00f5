"""DB07, DB08 and DB14: check that windows are half-open, the parents' too, and no coarser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from runner.lint.event_times import grain_of, is_coarse, is_coarse_column, is_coarse_text
from runner.lint.facts import Facts
from runner.lint.queries import ARITHMETIC, columns_of
from runner.lint.rules import Spot
from runner.lint.source import BOUNDS, WINDOW_FILTERS, Source, Tag, place


def closed_window(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB07: find predicates whose bounds come from the window's vars and both belong to it."""
    columns = (facts.event_time, *facts.windowed_parents.values())
    event_times = {column.lower() for column in columns if column}
    for tree in source.trees:
        for between in tree.find_all(exp.Between):
            bounds = [between.args["low"], between.args["high"]]
            if _is_window(between.this, bounds, source, event_times):
                yield Spot("DB07", *place(between.this), "between includes both ends")
        for lower in tree.find_all(exp.GTE, exp.LTE):
            column, low, is_lower = _sides(lower, source)
            for upper in _whole_condition(lower).find_all(exp.GTE, exp.LTE) if is_lower else ():
                same, high, is_also_lower = _sides(upper, source)
                is_closed = same == column and not is_also_lower
                if is_closed and _is_window(column, [low, high], source, event_times):
                    yield Spot("DB07", *place(lower), ">= and <= include both ends")


def _sides(comparison: exp.Expr, source: Source) -> tuple[exp.Expr, exp.Expr, bool]:
    """Split a comparison: the column, its bound, and True if that is the lower one.

    The bound is Jinja, wherever it stands: `'{{ … }}' <= sold_at` too.
    """
    left, right = comparison.this, comparison.expression
    is_turned = bool(source.tags_in(left.sql())) and not source.tags_in(right.sql())
    is_lower = isinstance(comparison, exp.GTE) is not is_turned
    return (right, left, is_lower) if is_turned else (left, right, is_lower)


def _is_window(
    column: exp.Expr, bounds: list[exp.Expr], source: Source, event_times: set[str]
) -> bool:
    """Return True if both bounds are Jinja, the window's or put around an event time."""
    tags = [source.tags_in(bound.sql()) for bound in bounds]
    if not all(tags):
        return False
    if any(source.speaks_of(BOUNDS, tag) for found in tags for tag in found):
        return True  # a bound of the window, or what was set from one
    # Two constants of the project around an event time are no window.
    are_constants = all(tag.call in ("var", "env_var") for found in tags for tag in found)
    return not are_constants and not event_times.isdisjoint(columns_of([column]))


def _whole_condition(part: exp.Expr) -> exp.Expr:
    """Return all that is said at the same time as a part of a condition."""
    while isinstance(part.parent, (exp.And, exp.Paren)):
        part = part.parent
    return part


def parent_without_window(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB08: find windowed parents of which all rows are read, in every branch of the text."""
    if facts.incremental_strategy == "microbatch" or not facts.windowed_parents:
        return
    per_tree = [set(_unfiltered(tree, source, facts)) for tree in source.trees]
    for tag in set.intersection(*per_tree) if per_tree else ():
        yield Spot("DB08", tag.start, tag.end, f"all windows of {tag.strings[-1]}")


def _unfiltered(tree: exp.Expr, source: Source, facts: Facts) -> Iterator[Tag]:
    for table in tree.find_all(exp.Table):
        tag = source.tag_named(table.name)
        if tag is None or tag.call != "ref" or not tag.strings:
            continue
        event_time = facts.windowed_parents.get(tag.strings[-1])
        if event_time is None:
            continue
        may_be_hidden = (
            facts.reaches_in_window or facts.window_var is not None or not facts.is_whole
        )
        if not _Reading(tree, source, event_time.lower(), may_be_hidden).is_filtered(table):
            yield tag


@dataclass(frozen=True)
class _Reading:
    """Follows what is read of one parent from its select up to the result."""

    tree: exp.Expr
    source: Source
    event_time: str
    may_be_hidden: bool  # whether some macro may have in_window in it
    seen: set[int] = field(default_factory=set)  # ids of selects

    def is_filtered(self, table: exp.Table) -> bool:
        """Return True if something keeps to a window before all is summed up or handed out."""
        select = table.find_ancestor(exp.Select)
        if select is None or id(select) in self.seen:
            return True  # not a reading that can be judged
        self.seen.add(id(select))
        if self._filters(select, table.alias_or_name):
            return True
        if self._sums_up(select):
            return False
        name = _name_of_result(select)
        if name is None:
            return False
        readers = [found for found in self.tree.find_all(exp.Table) if found.name == name]
        return all(self.is_filtered(reader) for reader in readers)

    def _filters(self, select: exp.Select, alias: str) -> bool:
        joins = select.args.get("joins") or []
        using = {name.name.lower() for join in joins for name in join.args.get("using") or ()}
        conditions = [select.args.get(part) for part in ("where", "having", "qualify")]
        conditions += [join.args.get("on") for join in joins]
        return self.event_time in using or any(
            self._keeps_to_window(condition, alias) for condition in filter(None, conditions)
        )

    def _keeps_to_window(self, condition: exp.Expr, alias: str) -> bool:
        """Return True for Jinja about this relation, or its event time equal to another's."""
        for tag in self.source.tags_in(condition.sql()):
            # It filters by the window, not by another value such as a store.
            is_filter = (self.may_be_hidden and tag.is_macro) or self.source.speaks_of(
                BOUNDS | WINDOW_FILTERS, tag
            )
            qualifiers = [text.rpartition(".")[0] for text in tag.strings[:1]]
            if is_filter and (not qualifiers or qualifiers[0] in ("", alias)):
                return True
        return any(
            self.event_time in columns_of([equal])
            for equal in condition.find_all(exp.EQ, exp.In)
            if not _is_shifted(equal)
        )

    def _sums_up(self, select: exp.Select) -> bool:
        """Return True if rows of several windows become one: no later filter can part them."""
        group = select.args.get("group")
        if group is not None:
            columns = columns_of([group])
            return bool(columns) and self.event_time not in columns
        calls = (call for item in select.expressions for call in item.find_all(exp.AggFunc))
        return any(not isinstance(call.parent, exp.Window) for call in calls)


def _is_shifted(equal: exp.Expr) -> bool:
    """Return True if equal but for some time: `sold_on = today.sold_on - 3`, another window."""
    query = equal.args.get("query")  # of `in`: only what it selects counts
    selected = query.selects if isinstance(query, exp.Query) else []
    sides = [equal.this, equal.expression, *equal.expressions, *selected]
    return any(side is not None and side.find(*ARITHMETIC) for side in sides)


def _name_of_result(select: exp.Select) -> str | None:
    """Return the CTE that a select is a part of; None if it is the model's result."""
    above = select.find_ancestor(exp.CTE, exp.Select)
    return above.alias if isinstance(above, exp.CTE) else None


def coarse_event_time(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB14: find event times that are the same for several windows: a month of daily windows."""
    grain = grain_of(facts.grain)
    if facts.incremental_strategy == "microbatch" or grain is None:
        return
    if grain == "hour" and facts.is_windowed and (facts.event_time_as or "date") == "date":
        yield Spot("DB14", *source.config_place, "an event time that is a date, in hourly windows")
    column = (facts.event_time or "").lower().strip('"')
    for tree in source.trees:
        for item in tree.find_all(exp.Alias):
            is_named = bool(column) and item.alias.lower() == column
            if is_named and (is_coarse(item, grain) or is_coarse_column(item, source, grain)):
                yield Spot("DB14", *place(item), f"{column} that is the same for several {grain}s")
    for tag in source.live_tags:
        is_filter = not WINDOW_FILTERS.isdisjoint(tag.names)
        if is_filter and any(is_coarse_text(text, grain) for text in tag.strings[:1]):
            yield Spot(
                "DB14", tag.start, tag.end, f"a filter that is the same for several {grain}s"
            )
