"""Digest what SQL says, whatever its layout, comments and letter case of keywords.

The text is cut into tokens by sqlglot, in the dialect of the warehouse, and nothing but comments is
left out: a tree would lose what sqlglot does not know, and a change of it would go unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# Their text is a value, or a name whose case may be what a reader sees.
_VERBATIM = ("STRING", "IDENTIFIER", "NUMBER", "VAR")
_END = ("", "")
Word = tuple[str, str]  # the kind of a token, and its text


class UnreadableSqlError(Exception):
    """A text that is no SQL of a dialect."""


@dataclass(frozen=True)
class Meaning:
    """What a text says."""

    digest: str
    names: frozenset[str]  # the quoted names in it


def meaning_of(sql: str, dialect: str) -> Meaning:
    r"""Read SQL; raises :class:`UnreadableSqlError` if it is none.

    >>> meaning_of('select A -- all of it', "duckdb") == meaning_of('SELECT\n  A', "duckdb")
    True
    >>> meaning_of("select 'A'", "duckdb").digest == meaning_of("select 'a'", "duckdb").digest
    False
    >>> one = "with x as (select 1), y as (select 2) select * from x, y"
    >>> other = "with y as (select 2), x as (select 1) select * from x, y"
    >>> meaning_of(one, "duckdb") == meaning_of(other, "duckdb")
    True
    """
    words = _words(sql, dialect)
    text = "\n".join(f"{kind} {word}" for kind, word in _in_order(words))
    names = frozenset(word for kind, word in words if kind == "IDENTIFIER")
    return Meaning(hashlib.sha256(text.encode()).hexdigest(), names)


def _words(sql: str, dialect: str) -> list[Word]:
    from sqlglot.errors import SqlglotError

    try:
        tokens = _dialect(dialect).tokenize(sql)
    except (SqlglotError, ValueError) as error:
        raise UnreadableSqlError(" ".join(str(error).split())) from error
    words: list[Word] = []
    end, before = -2, ""
    for index, token in enumerate(tokens):
        kind, text = token.token_type.name, token.text
        if kind == "VAR" and index + 1 < len(tokens) and tokens[index + 1].text == "(":
            text = text.lower()  # a function
        elif not kind.endswith(_VERBATIM):
            text = text.upper()
        if token.start == end + 1 and {kind, before} <= {"VAR", "NUMBER"}:
            text = f"+{text}"  # 0x1F is a number, and 0 x1F a number with a name
        words.append((kind, text))
        end, before = token.end, kind
    return words


@lru_cache
def _dialect(name: str) -> Any:
    """Return the dialect of an adapter; raises :class:`ValueError` if sqlglot knows none."""
    from sqlglot import Dialect  # 0.1 s, for what has changed only

    return Dialect.get_or_raise(name)


def _in_order(words: Sequence[Word]) -> list[Word]:
    """Return words with the CTEs of every WITH by name, as far as their order does not matter."""
    found: list[Word] = []
    index = 0
    while index < len(words):
        ctes, index_after = _ctes(words, index) if words[index][0] == "WITH" else ((), index)
        if len(ctes) > 0:
            found.append(words[index])
            for cte in _sorted(ctes):
                found += [*_in_order(cte), ("COMMA", ",")]
            index = index_after
        else:
            found.append(words[index])
            index += 1
    return found


def _ctes(words: Sequence[Word], start: int) -> tuple[Sequence[Sequence[Word]], int]:
    """Return the CTEs after a WITH, and where they end; none if this is no such WITH.

    What is recursive may read itself and what comes later: its order is left alone.
    """
    ctes: list[Sequence[Word]] = []
    index = start + 1
    while True:
        first = index
        index = _after_name(words, index)
        if index == first:
            return (), start
        end = _after_brackets(words, index)
        if end == index:
            return (), start
        ctes.append(words[first:end])
        if _at(words, end)[0] != "COMMA":
            return ctes, end
        index = end + 1


def _after_name(words: Sequence[Word], index: int) -> int:
    """Return where the query of a CTE opens: after `name [(columns)] as [[not] materialized]`."""
    start = index
    index = _after_brackets(words, index + 1)
    if _at(words, index)[0] != "ALIAS":
        return start
    index += 1
    for word in ("NOT", "MATERIALIZED"):
        index += _at(words, index)[1].upper() == word
    return index


def _after_brackets(words: Sequence[Word], index: int) -> int:
    """Return where brackets that open here are closed; the same place if none open."""
    depth, place = 0, index
    while place < len(words):
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(words[place][0], 0)
        if depth == 0:
            return place + 1 if place > index else index
        place += 1
    return index


def _at(words: Sequence[Word], index: int) -> Word:
    return words[index] if index < len(words) else _END


def _sorted(ctes: Sequence[Sequence[Word]]) -> list[Sequence[Word]]:
    """Sort CTEs by name, but for two of which one mentions the other: which was first counts."""
    names = [cte[0][1].lower() for cte in ctes]
    mentioned = [{word.lower() for _, word in cte[1:]} for cte in ctes]

    def are_bound(one: int, other: int) -> bool:
        return (
            names[one] in mentioned[other]
            or names[other] in mentioned[one]
            or names[one] == names[other]
        )

    left = list(range(len(ctes)))
    found = []
    while left:
        free = (i for i in left if not any(are_bound(j, i) for j in left if j < i))
        first = min(free, key=lambda i: names[i])
        left.remove(first)
        found.append(ctes[first])
    return found


def digest_of(parts: Iterable[str]) -> str:
    """Digest some texts, each of which counts by itself."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
