"""DB10 and DB13: find hooks that leave the transaction of a window, or change other windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sqlglot.tokenizer_core import Token

from runner.lint.clocks import clocks_in
from runner.lint.facts import Facts
from runner.lint.rules import Spot
from runner.lint.source import BOUNDS, WINDOW_FILTERS, Source

_OUTSIDE = frozenset({"before_begin", "after_commit"})  # dbt's, around the SQL of a hook
_ENDS = frozenset({"begin", "commit", "end", "rollback", "abort"})  # or begin, a transaction
_CHANGES = frozenset({"update", "delete", "insert", "merge", "truncate", "drop", "create"})
# What may stand between such a word and the table.
_BETWEEN = frozenset(
    {"from", "into", "table", "or", "replace", "if", "exists", "not", "only", "ignore", "temp"}
)


def hook_outside(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB10: find hooks of a windowed model that run outside its transaction, or end it."""
    if not facts.is_windowed:
        return
    called = {name for tag in source.tags if tag.call == "config" for name in tag.names}
    words = [word for sql, _ in facts.hooks for word in _transaction_words(Source(sql))]
    if called & _OUTSIDE or not all(is_inside for _, is_inside in facts.hooks):
        yield Spot("DB10", *source.config_place, "a hook outside the transaction")
    elif words:
        yield Spot("DB10", *source.config_place, f"a hook with {words[0]}")


def hook_of_other_windows(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB13: find hooks that change the model's table and say no window; DB01: by a clock."""
    for sql, _ in facts.hooks:
        hook = Source(sql)
        for statement in _statements(hook):
            if not _changes_own_table(statement, hook, facts):
                continue
            start, end = statement[0].start, statement[-1].end
            tags = [tag for tag in hook.live_tags if start <= tag.start <= end]
            if not any(hook.speaks_of(WINDOW_FILTERS | BOUNDS, tag) for tag in tags):
                word = statement[0].text.lower()
                yield Spot("DB13", *source.config_place, f"a hook with {word} of the whole table")
            for clock in clocks_in(hook):
                if start <= clock.start <= end:
                    yield Spot("DB01", *source.config_place, f"{clock.what} in a hook")


def _statements(hook: Source) -> Iterator[Sequence[Token]]:
    parts = groupby(hook.tokens, lambda token: token.text == ";")
    return (list(tokens) for is_end, tokens in parts if not is_end)


def _changes_own_table(statement: Sequence[Token], hook: Source, facts: Facts) -> bool:
    """Return True if a statement changes the table that the model makes."""
    if statement[0].text.lower() not in _CHANGES:
        return False
    named = (t for t in statement[1:] if t.text.lower() not in _BETWEEN)
    name = next(named, None)
    for part in named:  # the last part of `a.b.c`
        if part.text == ".":
            name = next(named, None)
        else:
            break
    if name is None:
        return False
    tag = hook.tag_named(name.text)
    is_this = tag is not None and "this" in tag.names
    return is_this or (facts.name is not None and name.text.lower() == facts.name.lower())


def _transaction_words(source: Source) -> Iterator[str]:
    """Yield the statements of a hook that begin or end a transaction."""
    words = [";", *(token.text.lower() for token in source.tokens), ""]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if before == ";" and (word in _ENDS or (word, after) == ("start", "transaction")):
            yield word
