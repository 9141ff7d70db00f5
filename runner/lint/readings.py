"""Follow rows through one parsed text, from what is read up to the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from runner.lint.event_times import grain_of
from runner.lint.facts import Facts
from runner.lint.outputs import (
    is_one,
    keys_given,
    named_like,
    numbers_given,
    outputs_of,
    parts_of,
    renamed,
)
from runner.lint.queries import (
    ARITHMETIC,
    cte_named,
    gathered_by,
    own_aggregates,
    parent_name,
    tags_at,
)
from runner.lint.rows import ONE_ROW, Cell, Rows, Scope
from runner.lint.source import DIALECT, WINDOW_FILTERS, Source, Tag

_BOUND = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.Between)
_HALF = ("SEMI", "ANTI")  # joins that hand on no column of what they join


@dataclass(frozen=True)
class Readings:
    """What is known of every query of a parsed text."""

    tree: exp.Expr
    source: Source
    facts: Facts
    _scopes: dict[int, Scope] = field(default_factory=dict)  # by id of the select
    _rows: dict[int, Rows] = field(default_factory=dict)  # by id of the query

    @property
    def grain(self) -> str:
        """The length of the model's windows, a day where nobody says."""
        return grain_of(self.facts.grain) or "day"

    def scope_of(self, select: exp.Select) -> Scope:
        """Return what a select works on."""
        if id(select) not in self._scopes:
            self._scopes[id(select)] = self._scope(select)
        return self._scopes[id(select)]

    def rows_of(self, query: exp.Expr | None) -> Rows:
        """Return what is known of the rows that a query gives."""
        while isinstance(query, (exp.Subquery, exp.Paren)):
            query = query.this
        if query is not None and id(query) not in self._rows:
            self._rows[id(query)] = Rows()  # while it is looked at: it may read itself
            if isinstance(query, exp.Select):
                self._rows[id(query)] = self._given_by(query)
            elif isinstance(query, exp.SetOperation):
                self._rows[id(query)] = self._of_union(query)
        return self._rows.get(id(query), Rows())

    # What is read

    def _scope(self, select: exp.Select) -> Scope:
        first = select.args.get("from_")
        joins = [
            join
            for join in select.args.get("joins") or ()
            if isinstance(join, exp.Join) and str(join.kind or "").upper() not in _HALF
        ]
        read = [*([first.this] if first is not None else []), *(join.this for join in joins)]
        inputs = {self._alias(one): self.rows_read(one) for one in read}
        plain = Scope(inputs, self.grain, self.source)
        where = select.args.get("where")
        conditions: list[tuple[exp.Expr, str | None]]
        conditions = [(part, None) for part in parts_of(where.this if where else None)]
        for join in joins:
            outer = self._alias(join.this) if join.side else None
            conditions += [(part, outer) for part in parts_of(join.args.get("on"))]
        equal, pinned = self._equations(conditions, plain)
        summed = (_filtered(call) for call in own_aggregates(select))
        looked_at = (*(condition for condition, _ in conditions), *summed)
        cuts = [cells for part in looked_at if (cells := self._cut_by(part, plain)) is not None]
        windowed = {alias: rows for alias, rows in inputs.items() if rows.is_windowed}
        is_unseen = any(rows.event is None for rows in windowed.values()) or not all(cuts)
        events = {(alias, name) for alias, rows in windowed.items() for name in rows.event or ()}
        events = events.union(*cuts, self._declared_events(plain))
        return Scope(
            inputs=inputs,
            grain=self.grain,
            source=self.source,
            equal=(*_using(joins, list(inputs)), *equal),
            pinned=frozenset(pinned),
            is_windowed=bool(windowed or cuts),
            own_events=None if is_unseen else frozenset(events),
            has_keys=not any((join.side or "").upper() in ("RIGHT", "FULL") for join in joins),
        )

    def _equations(
        self, conditions: Sequence[tuple[exp.Expr, str | None]], scope: Scope
    ) -> tuple[list[tuple[Cell, Cell]], set[Cell]]:
        """Return which columns are equal, and which have one value.

        Beside a condition stands the alias that it is about alone: that of an outer join.
        """
        equal: list[tuple[Cell, Cell]] = []
        pinned: set[Cell] = set()
        for condition, outer in conditions:
            if isinstance(condition, exp.EQ):
                sides = [condition.this, condition.expression]
                left, right = (self._cells_of_side(side, scope) for side in sides)
                equal += [(one, other) for one in left for other in right]
                if not left or not right:
                    pinned |= {c for c in left | right if outer is None or c[0] == outer}
        return equal, pinned

    def _alias(self, read: exp.Expr) -> str:
        """Return the name by which columns of something that is read are qualified."""
        tag = self.source.tag_named(read.name) if isinstance(read, exp.Table) else None
        if tag is not None and not read.alias and tag.strings:
            return tag.strings[-1].lower()
        return read.alias_or_name.lower()

    def rows_read(self, read: exp.Expr) -> Rows:
        """Return what is known of a table, a CTE or a subquery that is read."""
        rows = self._rows_read(read)
        # A pivot makes rows and columns of its own.
        return replace(rows, keys=(), columns=None) if read.args.get("pivots") else rows

    def _rows_read(self, read: exp.Expr) -> Rows:
        if isinstance(read, (exp.Subquery, exp.Lateral)):
            return renamed(self.rows_of(read.this), read.alias_column_names)
        if not isinstance(read, exp.Table):
            names = read.alias_column_names if isinstance(read, exp.DerivedTable) else ()
            return Rows(columns=tuple(name.lower() for name in names) or None)
        cte = cte_named(read)
        if cte is not None:
            names = [*read.alias_column_names] or [*cte.alias_column_names]
            return renamed(self.rows_of(cte.this), names)
        tag = self.source.tag_named(read.name)
        if tag is None:
            return Rows()
        if "landed_in_window" in tag.names:
            return Rows(is_windowed=True, event=frozenset({"filename"}))
        parent = self.facts.parents.get(parent_name(tag))
        if parent is None:
            return Rows()
        keys = tuple(frozenset(map(str.lower, key)) for key in parent.keys)
        return Rows(keys=keys, inexact=frozenset(map(str.lower, parent.inexact)))

    def _declared_events(self, scope: Scope) -> frozenset[Cell]:
        """Return the columns called like the model's event time, which must lie in the window."""
        name = (self.facts.event_time or "").lower().strip('"')
        return scope.cells_of(exp.column(name)) if name and self.facts.is_windowed else frozenset()

    def _cells_of_side(self, side: exp.Expr, scope: Scope) -> set[Cell]:
        """Return the column that one side of an equation is, seen through casts."""
        while isinstance(side, (exp.Cast, exp.Paren)):
            side = side.this
        if not isinstance(side, exp.Column):
            return {("", side.sql())} if side.find(exp.Column) else set()
        tag = self.source.tag_named(side.name)
        return set(self._cells_in(tag, scope)) if tag else set(scope.cells_of(side))

    def _cut_by(self, condition: exp.Expr, scope: Scope) -> set[Cell] | None:
        """Return the columns by which a condition cuts rows to the window; None: it does not."""
        tags = tags_at(condition, self.source)
        if filters := [tag for tag in tags if self._is_filter(tag)]:
            return {cell for tag in filters for cell in self._cells_in(tag, scope)}
        is_start = any(self.source.speaks_of({"window_start"}, tag) for tag in tags)
        if not is_start or not isinstance(condition, _BOUND) or condition.find(*ARITHMETIC):
            return None  # or it looks further back
        columns = (c for c in condition.find_all(exp.Column) if not self.source.tag_named(c.name))
        return {cell for column in columns for cell in scope.cells_of(column)}

    def _cells_in(self, tag: Tag, scope: Scope) -> Iterator[Cell]:
        """Yield the columns that a macro is told of."""
        for told in (tag, *self.source.made_by(tag)):
            for text in told.strings[:1]:
                with suppress(SqlglotError):
                    for column in sqlglot.parse_one(text, dialect=DIALECT).find_all(exp.Column):
                        yield from scope.cells_of(column)

    def _is_filter(self, tag: Tag) -> bool:
        return self.source.speaks_of(WINDOW_FILTERS, tag) or (
            tag.is_macro and self.facts.reaches_in_window
        )

    # What is given

    def _given_by(self, select: exp.Select) -> Rows:
        scope, gathered = self.scope_of(select), gathered_by(select)
        outputs = list(outputs_of(select, scope))
        is_windowed = scope.is_windowed and not scope.is_in_one_window
        # What has lost its windows is found where it lost them, and not again.
        is_lost = is_windowed and not all(map(scope.tells_windows_apart, gathered))
        is_unseen = scope.own_events is None or is_lost
        has_star = any(item.is_star for item in select.expressions)
        is_hidden = has_star and any(rows.columns is None for rows in scope.inputs.values())
        return Rows(
            is_windowed=is_windowed,
            event=None if is_unseen else frozenset(one.name for one in outputs if one.is_event),
            keys=keys_given(select, scope, outputs, gathered),
            inexact=frozenset(one.name for one in outputs if one.is_inexact),
            columns=None if is_hidden else tuple(one.name for one in outputs),
            numbers=numbers_given(select, scope, outputs),
        )

    def _of_union(self, union: exp.SetOperation) -> Rows:
        left, right = self.rows_of(union.this), self.rows_of(union.expression)
        parts = [rows for rows in (left, named_like(right, left)) if rows.is_windowed]
        events = [rows.event for rows in parts]
        is_unseen = any(event is None for event in events)
        return Rows(
            is_windowed=bool(parts),
            event=None if is_unseen else frozenset[str]().union(*(e for e in events if e)),
            keys=ONE_ROW if is_one(union.args.get("limit")) else (),
            inexact=left.inexact | right.inexact,
            columns=left.columns,
        )


@lru_cache(maxsize=4)
def readings_of(source: Source, facts: Facts) -> tuple[Readings, ...]:
    """Return what is known of every branch of a text that can be parsed, once for all rules."""
    return tuple(Readings(tree, source, facts) for tree in source.trees)


def _using(joins: Sequence[exp.Join], aliases: Sequence[str]) -> Iterator[tuple[Cell, Cell]]:
    for join, alias in zip(reversed(joins), reversed(aliases), strict=False):
        for name in join.args.get("using") or ():
            for other in aliases[: aliases.index(alias)]:
                yield (other, name.name.lower()), (alias, name.name.lower())


def _filtered(call: exp.Expr) -> exp.Expr:
    """Return an aggregate with its filter."""
    return call.parent if isinstance(call.parent, exp.Filter) else call
