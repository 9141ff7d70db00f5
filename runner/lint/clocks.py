"""DB01: find what answers differently when it is asked again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from sqlglot.tokenizer_core import Token

from runner.lint.columns import column_of
from runner.lint.facts import Facts
from runner.lint.rules import Spot
from runner.lint.source import Source, Tag

# Called with parentheses; a column may have the same name. With two arguments age is no clock.
_CALLS = frozenset(
    {
        "age", "clock_timestamp", "curdate", "current_date", "current_datetime",
        "current_localtime", "current_localtimestamp", "current_time", "current_timestamp",
        "curtime", "gen_random_uuid", "gen_random_bytes", "generate_ulid", "generate_uuid",
        "get_current_time", "get_current_timestamp", "getdate", "getutcdate", "localtime",
        "localtimestamp", "monotonically_increasing_id", "newid", "newsequentialid", "nextval",
        "now", "rand", "randn", "random", "random_normal", "randstr", "reservoir_quantile",
        "statement_timestamp", "sys_guid", "sysdate", "sysdatetime", "sysdatetimeoffset",
        "systimestamp", "sysutcdatetime", "timeofday", "today", "transaction_timestamp",
        "txid_current", "ulid", "utc_date", "utc_time", "utc_timestamp", "uuid",
        "uuid_generate_v1", "uuid_generate_v4", "uuid_string", "uuidv4", "uuidv7",
    }
)  # fmt: skip
# Clocks only with nothing between their parentheses; else they turn one value into another.
_EMPTY_CALLS = frozenset(
    {"date", "datetime", "julianday", "now_utc", "time", "timestamp", "to_unix_timestamp",
     "unix_date", "unix_millis", "unix_seconds", "unix_timestamp", "unixepoch"}
)  # fmt: skip
# Read without parentheses.
_WORDS = frozenset(
    {"current_date", "current_datetime", "current_time", "current_timestamp", "localtime",
     "localtimestamp"}
)  # fmt: skip
_SCHEMAS = frozenset({"main", "pg_catalog"})  # main also behind `system.`
_TEXTS = frozenset({"now", "today", "tomorrow", "yesterday"})  # as times, in Postgres
_TYPES = frozenset({"date", "datetime", "timestamp", "timestamptz", "time"})
_JINJA_CLOCKS = frozenset(
    {"run_started_at", "invocation_id", "pretty_time", "thread_id", "n_days_ago", "n_days_away",
     "n_weeks_ago", "n_months_ago", "last_week", "last_month", "next_week", "next_month"}
)  # fmt: skip
_BEGIN = "current_timestamp"  # of several macros of dbt
_PYTHON_CLOCK = re.compile(
    r"\.\s*(now|utcnow|today|yesterday|tomorrow)\s*\(|\btime\.(time)\s*\(|\|\s*(random)\b"
)
_RUN_ID = re.compile(r"RUN_?ID|RUN_?UUID|JOB_ID|INVOCATION", re.IGNORECASE)  # in the environment
_OF_THE_RUN = frozenset({"run_id", "fence"})  # vars that are others when a window runs again


def clock_or_chance(source: Source, facts: Facts) -> Iterator[Spot]:
    """DB01: look at a text, and at what config() has dbt look for in the table.

    What becomes a column that is meant to differ may.
    """
    for found in clocks_in(source):
        if not facts.volatile or column_of(source.tokens, found.start) not in facts.volatile:
            yield found
    for predicate in facts.predicates:
        for found in clocks_in(Source(predicate)):
            what = f"{found.what} in incremental_predicates"
            yield Spot("DB01", *source.config_place, what)


def clocks_in(source: Source) -> Iterator[Spot]:
    """Yield every clock and every chance in a text."""
    words = ["", "", *(token.text.lower() for token in source.tokens), "", ""]
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
    named = [name for name in tag.names if name in _JINJA_CLOCKS or name.startswith(_BEGIN)]
    if called := _PYTHON_CLOCK.search(tag.code):
        named.append(next(filter(None, called.groups())))
    if "var" in tag.names:
        named += sorted(_OF_THE_RUN.intersection(tag.strings))
    if "env_var" in tag.names:
        named += [text for text in tag.strings[:1] if _RUN_ID.search(text)]
    return named[0] if named else None


def _is_clock(token: Token, words: list[str], at: int) -> bool:
    """Return True for a clock or chance that is called, or is read without parentheses."""
    schema, before, word, after = words[at - 2 : at + 2]
    kind = token.token_type.name
    if kind == "STRING":  # `timestamp 'now'`, `'now'::timestamp`, `cast('now' as timestamp)`
        is_typed = before in _TYPES or (after in ("::", "as") and words[at + 2] in _TYPES)
        return is_typed and word in _TEXTS
    # DuckDB keeps functions of its own in some schemas.
    if before == "as" or (before == "." and schema not in _SCHEMAS):
        return False
    if after != "(":
        return word in _WORDS and kind != "IDENTIFIER" and before != "."  # else a column
    if word in _EMPTY_CALLS:
        return words[at + 2] == ")" or words[at + 2] == "now"
    if word not in _CALLS:
        return False
    behind = words[at + 1 :]
    depths = list(accumulate((text == "(") - (text == ")") for text in behind))
    end = depths.index(0) if 0 in depths else len(depths)
    if behind[end + 1 : end + 3] == ["as", "("]:
        return False  # the name of a common table expression, with its columns
    return word != "age" or (",", 1) not in zip(behind[:end], depths[:end], strict=True)
