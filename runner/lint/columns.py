"""Find the column of a select that a place in its text makes, by its words alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token

# What begins a part of a query: only what stands behind `select` becomes a column.
_PARTS = frozenset(
    {
        "except", "from", "group", "having", "intersect", "join", "limit", "on", "order",
        "partition", "qualify", "select", "union", "using", "where", "window",
    }
)  # fmt: skip


def column_of(tokens: Sequence[Token], place: int) -> str | None:
    """Return the name, in lower case, that the expression at a place in the text gets.

    None if it is no expression behind a ``select``, or is given no name with ``as``.
    """
    at = next((index for index, token in enumerate(tokens) if token.end >= place), None)
    if at is None:
        return None
    words = [_word(token) for token in tokens]
    brackets = _brackets_around(words, at)
    return None if brackets is None else _name_after(words, at, brackets)


def _brackets_around(words: Sequence[str], at: int) -> int | None:
    """Count the brackets between a word and the `select` that it stands behind; None: no such."""
    depth = brackets = 0
    for index in range(at - 1, -1, -1):
        word = words[index]
        depth += (word == ")") - (word == "(")
        if depth < 0:
            depth, brackets = 0, brackets + 1
        elif depth == 0 and word in _PARTS:
            return brackets if word == "select" else None
    return None


def _name_after(words: Sequence[str], at: int, brackets: int) -> str | None:
    """Return the name behind an expression that ends so many brackets further out."""
    depth = brackets
    for index in range(at, len(words)):
        word = words[index]
        if depth == 0 and word == "as" and index + 1 < len(words):
            return words[index + 1]
        if depth == 0 and (word in (",", ")") or word in _PARTS):
            return None
        depth += (word == "(") - (word == ")")
    return None


def _word(token: Token) -> str:
    """Return a token as one word in lower case: `order by` is one; a text says nothing."""
    text = token.text.lower()
    kind = token.token_type.name
    return "" if kind == "STRING" else text if kind == "IDENTIFIER" else text.split(" ", 1)[0]
