"""Tell whether all rows of a query lie in the window, or some come in by another way.

What cannot be seen counts as kept: a macro may filter, and a table function makes what it makes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from runner.lint.queries import cte_named
from runner.lint.source import BOUNDS, WINDOW_FILTERS, Source


@dataclass(frozen=True)
class Cuts:
    """Follows one parsed text down to what it reads."""

    source: Source
    _seen: set[int] = field(default_factory=set)  # ids of queries that are being looked at

    def are_made_by(self, query: exp.Expr | None) -> bool:
        """Return True if everything that a query gives is kept to the window somewhere."""
        while isinstance(query, (exp.Subquery, exp.Paren)):
            query = query.this
        if query is None or id(query) in self._seen:
            return True
        self._seen.add(id(query))
        try:
            if isinstance(query, (exp.Except, exp.Intersect)):
                return self.are_made_by(query.this)
            if isinstance(query, exp.SetOperation):
                return self.are_made_by(query.this) and self.are_made_by(query.expression)
            return not isinstance(query, exp.Select) or self._are_made_by_select(query)
        finally:
            self._seen.discard(id(query))

    def _are_made_by_select(self, select: exp.Select) -> bool:
        first = select.args.get("from_")
        conditions = [select.args.get(part) for part in ("where", "having", "qualify")]
        if first is None or any(self._says_window(condition) for condition in conditions):
            return True
        is_cut = self._is_cut(first.this)
        for join in select.args.get("joins") or ():
            side, is_right_cut = (join.side or "").upper(), self._is_cut(join.this)
            is_tied = is_right_cut or self._says_window(join.args.get("on"))
            if side == "RIGHT":
                is_cut = is_right_cut
            elif side == "FULL":
                is_cut = is_cut and is_right_cut
            elif side != "LEFT" and str(join.kind or "").upper() != "ANTI":
                is_cut = is_cut or (is_tied and not isinstance(join.this, exp.Unnest))
        return is_cut

    def _is_cut(self, read: exp.Expr) -> bool:
        """Return True for what is read cut already, and for what is no table."""
        if not isinstance(read, exp.Table):
            return self.are_made_by(read.this) if isinstance(read, exp.Subquery) else True
        cte = cte_named(read)
        if cte is not None:
            return self.are_made_by(cte.this)
        tag = self.source.tag_named(read.name)
        if tag is None:
            return isinstance(read.this, exp.Func)
        return tag.is_macro or "landed_in_window" in tag.names

    def _says_window(self, condition: exp.Expr | None) -> bool:
        """Return True for a condition that speaks of the window, or of keys that are in it."""
        if condition is None:
            return False
        tags = self.source.tags_in(condition.sql())
        words = BOUNDS | WINDOW_FILTERS
        if any(tag.is_macro or self.source.speaks_of(words, tag) for tag in tags):
            return True
        inside = condition.find_all(exp.Subquery, exp.Exists, exp.In)
        queries = (part.args.get("query") or part.this for part in inside)
        return any(isinstance(q.unnest(), exp.Query) and self.are_made_by(q) for q in queries)
