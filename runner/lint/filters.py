"""DB04: find models that read no window, or not always, or only of a part of what they read."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from runner.lint.cuts import Cuts
from runner.lint.facts import Facts
from runner.lint.rules import Severity, Spot
from runner.lint.source import WINDOW_FILTERS, Source, Tag, place

# What `{% if %}` asks where only a table that is there already is filtered.
_IS_LATER = frozenset({"is_incremental", "should_full_refresh", "FULL_REFRESH"})


def unwindowed(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB04: find texts that read no window; dbt's microbatch filters by itself."""
    is_partly_known = facts.materialized is None and facts.incremental_strategy is None
    if facts.incremental_strategy == "microbatch" or is_partly_known:
        return
    names = {name for tag in source.live_tags for name in tag.names}
    macros = [tag.call for tag in source.live_tags if tag.is_macro]
    if any(tag.call == "var" and facts.window_var in tag.strings for tag in source.live_tags):
        return
    if names & WINDOW_FILTERS:
        yield from _only_later(source)
        yield from _only_of_a_part(source)
        return
    if macros and facts.reaches_in_window:
        return
    reads = next((t for t in source.live_tags if t.call in ("ref", "source")), None)
    where = (reads.start, reads.end) if reads else source.config_place
    unless = f", unless the macro {macros[0]} has it" if macros else ""
    yield Spot("DB04", *where, f"no in_window{unless}", Severity.WARN if macros else None)


def _filters(source: Source) -> list[Tag]:
    """Return where the text is filtered: a name that was set from `in_window` counts there."""
    said = (tag for tag in source.live_tags if tag.kind == "expression")
    return [tag for tag in said if source.speaks_of(WINDOW_FILTERS, tag)]


def _only_later(source: Source) -> Iterator[Spot]:
    """Find filters that stand under `is_incremental()` alone: the first window reads everything."""
    filters = _filters(source)
    branches = [
        ([tag for tag in filters if start <= tag.start < end], index, block)
        for block, parts in enumerate(source.branches_asking(_IS_LATER))
        for index, (start, end) in enumerate(parts)
    ]
    inside = {tag for tags, *_ in branches for tag in tags}
    blocks = {block for *_, block in branches}
    is_covered = any(
        all(tags for tags, _, of in branches if of == block)
        and sum(of == block for *_, of in branches) > 1
        for block in blocks
    )
    if filters and inside.issuperset(filters) and not is_covered:
        yield Spot("DB04", filters[0].start, filters[0].end, "in_window only if is_incremental()")


def _only_of_a_part(source: Source) -> Iterator[Spot]:
    """Find results that rows come into which nothing has kept to the window.

    Such as all of the left side of a left join in whose `on` the filter stands, or another part of
    a union.
    """
    for tree in source.trees:
        marked = [
            node
            for node in tree.find_all(exp.Identifier, exp.Literal)
            if any(source.speaks_of(WINDOW_FILTERS, t) for t in source.tags_in(node.name))
        ]
        if marked and not Cuts(source).are_made_by(tree):
            yield Spot("DB04", *place(marked[0]), "in_window of only a part of what is read")
