"""DB02: find where a model reads its own table back, by whatever name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from runner.lint.facts import Facts
from runner.lint.queries import cte_named
from runner.lint.rules import Spot
from runner.lint.source import Source, Tag, place

_PLACES = frozenset({"database", "schema"})  # of a relation
_TABLES = frozenset({"identifier", "name", "table"})
# What makes a relation of a name: `adapter.get_relation`, `api.Relation.create`.
_RELATIONS = frozenset({"get_relation", "load_relation", "load_cached_relation", "Relation"})


def own_table(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB02: find it where rows are read; not this.name in a text, nor a hook."""
    yield from _read_by_jinja(source, facts)
    yield from _read_by_name(source, facts)
    for predicate in facts.predicates:
        inside = Source(predicate)
        for found in (*_read_by_jinja(inside, facts), *_read_by_name(inside, facts)):
            yield Spot("DB02", *source.config_place, f"{found.what} in incremental_predicates")


def _read_by_jinja(source: Source, facts: Facts) -> Iterator[Spot]:
    """Find {{ this }}, what was set to it, and what makes a relation of its name."""
    # In a string it is but a name.
    starts = {token.start for token in source.tokens if token.token_type.name != "STRING"}
    read = {token.start for token in _read_from(source.tokens)}
    own = _own_names(source, facts)
    for tag in source.live_tags:
        is_looked_up = _is_looked_up(tag, facts)
        if own.isdisjoint(tag.names) and not is_looked_up and not _asks(tag, facts):
            continue
        is_relation = tag.names == ("this",) and tag.start in starts
        is_read = tag.start in read and (is_looked_up or not _is_place_alone(tag))
        word = "select" if "this" in tag.names else "from "  # another name may be but a flag
        is_query = any(word in text.lower() for text in tag.strings)
        if is_relation or is_read or (is_query and tag.kind != "comment"):
            words = [t.text.lower() for t in source.tokens if t.start < tag.start][-12:]
            is_watermark = "max" in words and words[-1] == "from"
            what = "a watermark read from {{ this }}" if is_watermark else "{{ this }} read back"
            yield Spot("DB02", tag.start, tag.end, what)


def _read_by_name(source: Source, facts: Facts) -> Iterator[Spot]:
    """Find the name of the model's table where a query reads it, and it is no CTE."""
    if facts.name is None:
        return
    yield from _captured(source, facts.name)
    for tree in source.trees:
        for table in tree.find_all(exp.Table):
            if table.name.lower() == facts.name.lower() and cte_named(table) is None:
                schema = table.db
                is_here = not schema or facts.schema is None or bool(source.tags_in(schema))
                if is_here or schema.lower() == str(facts.schema).lower():
                    yield Spot("DB02", *place(table.this), f"its own table {table.name} read back")


def _captured(source: Source, name: str) -> Iterator[Spot]:
    """Find it in a query that Jinja keeps for later, which is no part of the tree."""
    for token in _read_from(source.tokens):
        if token.text.lower() == name.lower() and source.is_captured(token.start):
            yield Spot("DB02", token.start, token.end + 1, f"its own table {name} read back")


def _own_names(source: Source, facts: Facts) -> frozenset[str]:
    """Return the names in Jinja that stand for the model's own table, or for its name."""
    own = {"this"}
    for tag in source.tags:
        is_set = tag.call == "set" and len(tag.names) > 2 and "=" in tag.code
        is_own = is_set and tag.names[2] in own and not _is_place_alone(tag)
        if is_own or (is_set and _is_looked_up(tag, facts)):
            own.add(tag.names[1])
    return frozenset(own)


def _is_looked_up(tag: Tag, facts: Facts) -> bool:
    """Return True if it makes a relation of the model's name, or of {{ this }}."""
    if _RELATIONS.isdisjoint(tag.names):
        return False
    own = (facts.name or "").lower()
    is_named = bool(own) and any(text.lower() == own for text in tag.strings)
    is_whole = "this" in tag.names and re.search(r"\bthis\b(?!\s*\.)", tag.code) is not None
    is_this = re.search(r"\bthis\s*\.\s*(identifier|name|table)\b", tag.code) is not None
    return (
        is_named or is_whole or is_this or re.search(r"\bmodel\.(name|alias)", tag.code) is not None
    )


def _asks(tag: Tag, facts: Facts) -> bool:
    """Return True for a query in a string that reads the model's table by its name."""
    if facts.name is None:
        return False
    named = re.compile(rf"\b(from|join)\s+([\w\"]+\.)*\"?{re.escape(facts.name)}\b", re.IGNORECASE)
    return any(named.search(text) for text in tag.strings)


def _is_place_alone(tag: Tag) -> bool:
    """Return True if it only says where the table is: others are there too."""
    return bool(_PLACES.intersection(tag.names)) and _TABLES.isdisjoint(tag.names)


def _read_from(tokens: tuple[Token, ...]) -> Iterator[Token]:
    """Yield the last part of each name that rows are read from: `from a.b.c`."""
    for index, token in enumerate(tokens):
        if token.text.lower() in ("from", "join"):
            at = index + 1
            while at + 2 < len(tokens) and tokens[at + 1].text == ".":
                at += 2
            yield from tokens[at : at + 1]
