"""Rules that need no parsing: clock and chance, a model's own table, what config declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from sqlglot.tokenizer_core import Token

from runner.lint.columns import column_of
from runner.lint.facts import Facts
from runner.lint.rules import Severity, Spot
from runner.lint.source import WINDOW_FILTERS, Source, Tag

# Called with parentheses; a column may have the same name. With two arguments age is no clock.
_CALLS = frozenset(
    {
        "age", "clock_timestamp", "current_date", "current_localtime", "current_localtimestamp",
        "current_time", "current_timestamp", "gen_random_uuid", "get_current_time",
        "get_current_timestamp", "getdate", "localtime", "localtimestamp", "nextval", "now",
        "rand", "randn", "random", "random_normal", "statement_timestamp", "sysdate",
        "timeofday", "today", "transaction_timestamp", "txid_current", "uuid", "uuid_string",
        "uuidv4", "uuidv7",
    }
)  # fmt: skip
# Read without parentheses.
_WORDS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
_SCHEMAS = frozenset({"main", "pg_catalog"})  # main also behind `system.`
_JINJA_CLOCKS = frozenset({"run_started_at", "invocation_id", "current_timestamp"})
_PYTHON_CLOCK = re.compile(r"\.\s*(now|utcnow|today)\s*\(|\btime\.(time)\s*\(")
_PLACES = frozenset({"database", "schema"})  # of a relation
_TABLES = frozenset({"identifier", "name", "table"})
_OUTSIDE = frozenset({"before_begin", "after_commit"})  # dbt's, around the SQL of a hook
_ENDS = frozenset({"begin", "commit", "end", "rollback", "abort"})  # or begin, a transaction
_OF_THE_RUN = frozenset({"run_id", "fence"})  # vars that are others when a window runs again


def clock_or_chance(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB01: find what answers differently when it is asked again.

    What becomes a column that is meant to differ may.
    """
    for found in _clocks(source):
        if not facts.volatile or column_of(source.tokens, found.start) not in facts.volatile:
            yield found


def _clocks(source: Source) -> Iterator[Spot]:
    words = ["", "", *(token.text.lower() for token in source.tokens), ""]
    for at, token in enumerate(source.tokens, start=2):
        # With or without a seed: threads read in their own order.
        is_sample = words[at : at + 2] == ["using", "sample"] or (
            words[at] == "tablesample" and words[at + 1] != ","
        )
        if is_sample or _is_clock(token, words, at):
            what = "a sample" if is_sample else words[at]
            yield Spot("DB01", token.start, token.end + 1, what)
    for tag in source.live_tags:
        if clock := _clock_in(tag):
            yield Spot("DB01", tag.start, tag.end, clock)


def _clock_in(tag: Tag) -> str | None:
    """Return what of a piece of Jinja is another each time it is rendered."""
    named = [name for name in tag.names if name in _JINJA_CLOCKS]
    if called := _PYTHON_CLOCK.search(tag.code):
        named.append(called[1] or called[2])
    if "var" in tag.names:
        named += sorted(_OF_THE_RUN.intersection(tag.strings))
    return named[0] if named else None


def _is_clock(token: Token, words: list[str], at: int) -> bool:
    """Return True for a clock or chance that is called, or is read without parentheses."""
    schema, before, word, after = words[at - 2 : at + 2]
    kind = token.token_type.name
    # DuckDB keeps functions of its own in some schemas.
    if kind == "STRING" or before == "as" or (before == "." and schema not in _SCHEMAS):
        return False
    if after != "(":
        return word in _WORDS and kind != "IDENTIFIER" and before != "."  # else a column
    if word not in _CALLS:
        return False
    behind = words[at + 1 :]
    depths = list(accumulate((text == "(") - (text == ")") for text in behind))
    end = depths.index(0) if 0 in depths else len(depths)
    if behind[end + 1 : end + 3] == ["as", "("]:
        return False  # the name of a common table expression, with its columns
    return word != "age" or (",", 1) not in zip(behind[:end], depths[:end], strict=True)


def own_table(source: Source, _facts: Facts) -> Iterator[Spot]:
    """DB02: find {{ this }} where rows are read; not this.name in a text, nor a hook."""
    # In a string it is but a name.
    starts = {token.start for token in source.tokens if token.token_type.name != "STRING"}
    read = {token.start for token in _read_from(source.tokens)}
    own = _own_names(source)
    for tag in source.live_tags:
        if own.isdisjoint(tag.names):
            continue
        is_relation = tag.names == ("this",) and tag.start in starts
        is_read = tag.start in read and not _is_place_alone(tag)
        word = "select" if "this" in tag.names else "from "  # another name may be but a flag
        is_query = any(word in text.lower() for text in tag.strings)
        if is_relation or is_read or is_query:
            words = [t.text.lower() for t in source.tokens if t.start < tag.start][-12:]
            is_watermark = "max" in words and words[-1] == "from"
            what = "a watermark read from {{ this }}" if is_watermark else "{{ this }} read back"
            yield Spot("DB02", tag.start, tag.end, what)


def _own_names(source: Source) -> frozenset[str]:
    """Return the names in Jinja that stand for the model's own table, or for its name."""
    own = {"this"}
    for tag in source.tags:
        is_set = tag.call == "set" and len(tag.names) > 2 and "=" in tag.code
        if is_set and tag.names[2] in own and not _is_place_alone(tag):
            own.add(tag.names[1])
    return frozenset(own)


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


def appended(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB03: find strategies that only ever add rows."""
    strategy = facts.incremental_strategy
    if strategy == "append":
        yield Spot("DB03", *_config_place(source), "incremental_strategy append")
    elif strategy is None and facts.is_whole and not facts.unique_key:
        what = "neither incremental_strategy nor unique_key, so dbt appends"
        yield Spot("DB03", *_config_place(source), what)


def unwindowed(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB04: find texts that read no window; dbt's microbatch filters by itself."""
    is_partly_known = facts.materialized is None and facts.incremental_strategy is None
    if facts.incremental_strategy == "microbatch" or is_partly_known:
        return
    names = {name for tag in source.live_tags for name in tag.names}
    macros = [tag.call for tag in source.live_tags if tag.is_macro]
    if names & WINDOW_FILTERS or (macros and facts.reaches_in_window):
        return
    if any(tag.call == "var" and facts.window_var in tag.strings for tag in source.live_tags):
        return
    reads = next((t for t in source.live_tags if t.call in ("ref", "source")), None)
    where = (reads.start, reads.end) if reads else _config_place(source)
    unless = f", unless the macro {macros[0]} has it" if macros else ""
    yield Spot("DB04", *where, f"no in_window{unless}", Severity.WARN if macros else None)


def merged_blindly(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB05: find a merge that cannot tell an old version from a new one."""
    if facts.incremental_strategy != "merge":
        return
    needed = {"unique_key": facts.unique_key, "version_column": facts.version_column}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        yield Spot("DB05", *_config_place(source), f"merge without {' and '.join(missing)}")


def not_understood(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB09: report that no branch can be parsed, so that rules which need that are silent."""
    if not source.trees:
        silent = "DB06 to DB08 were" if facts.is_replaced else "DB06 was"
        yield Spot("DB09", 0, 0, f"SQL that the parser does not understand, so {silent} not judged")


def hook_outside(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB10: find hooks of a windowed model that run outside its transaction, or end it."""
    if not facts.is_windowed:
        return
    called = {name for tag in source.tags if tag.call == "config" for name in tag.names}
    words = [word for sql, _ in facts.hooks for word in _transaction_words(Source(sql))]
    if called & _OUTSIDE or not all(is_inside for _, is_inside in facts.hooks):
        yield Spot("DB10", *_config_place(source), "a hook outside the transaction")
    elif words:
        yield Spot("DB10", *_config_place(source), f"a hook with {words[0]}")


def _transaction_words(source: Source) -> Iterator[str]:
    """Yield the statements of a hook that begin or end a transaction."""
    words = [";", *(token.text.lower() for token in source.tokens), ""]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if before == ";" and (word in _ENDS or (word, after) == ("start", "transaction")):
            yield word


def _config_place(source: Source) -> tuple[int, int]:
    """Return where the model's config() is; the beginning if the folder says it all."""
    found = next((tag for tag in source.tags if tag.call == "config"), None)
    return (found.start, found.end) if found else (0, 0)
