"""Read a model's text with its Jinja set apart: SQL of the same length, so that positions hold.

An expression becomes a name of its own length, a statement or comment becomes blanks. Where the
text branches, dbt builds one branch: the text is read once with the first branches and once with
the last, and neither may be more than what dbt could have made of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from jinja2 import Environment, TemplateSyntaxError
from sqlglot import Dialect, exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token

from runner.dbt.package import PACKAGE

DIALECT = "duckdb"
_SILENT = frozenset({"config", "do", "log", "print", "return", "set_sql_header"})
_OPENS = frozenset({"if", "for", "set", "call", "macro", "filter", "raw"})
# What filters by the window; landed_in_window reads the window's files alone.
WINDOW_FILTERS = frozenset({"in_window", "landed_in_window"})
# Macros and functions of which it is known what they make: no filter, and no clause.
KNOWN_CALLS = frozenset(
    {"config", "ref", "source", "var", "env_var", "is_incremental", "this", "set", "if", "for",
     "landed_date", "utc_to_local", "local_date", "log", "print", "do", "doc", "target"}
)  # fmt: skip
_NO_QUERY = (exp.Alias, exp.Column, exp.Command)  # a macro made it all, or it is not understood
_NO_CLAUSE = frozenset({"ref", "source", "this", *WINDOW_FILTERS})
IS_WHOLE = "is_whole"  # in the meta of a tree: no clause was left out of it
# Vars that say where a window, or the range that is built, begins and ends.
BOUNDS = frozenset({"window_start", "window_end", "start_date", "end_date"})
_CODE = {"variable": "expression", "block": "statement", "comment": "comment"}


@dataclass(frozen=True)
class Tag:
    """One piece of Jinja."""

    kind: str  # expression, statement, comment
    start: int  # offsets into the text, half-open
    end: int
    code: str  # between the delimiters
    names: tuple[str, ...]  # the names in its code, strings left out
    strings: tuple[str, ...]  # the strings in its code, unquoted

    @property
    def call(self) -> str:
        """The first word: what it calls, or which statement it is; less our package's name."""
        words = self.names[1:] if self.names[:1] == (PACKAGE,) else self.names
        return words[0] if words else ""

    @property
    def is_macro(self) -> bool:
        """True if it calls what is not known, and may be any piece of SQL."""
        is_known = self.call in KNOWN_CALLS | WINDOW_FILTERS
        return self.kind == "expression" and "(" in self.code and not is_known


@dataclass(frozen=True)
class Source:
    """The text of a model."""

    text: str

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """All Jinja in the order of the text; none if Jinja itself cannot read it."""
        try:
            return tuple(_tags(self.text))
        except TemplateSyntaxError:
            return ()

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The SQL of all branches as tokens, comments left out; none if it cannot be read."""
        return self._tokenized or ()

    @cached_property
    def _tokenized(self) -> tuple[Token, ...] | None:
        """The tokens of all branches; where those spoil each other, of the first or the last."""
        branches = [_dropped(self.tags, keeps_last=keeps_last) for keeps_last in (False, True)]
        for dropped in ((), *branches):
            with suppress(SqlglotError):
                return tuple(Dialect.get_or_raise(DIALECT).tokenize(self._masked(dropped)))
        return None

    @cached_property
    def trees(self) -> tuple[exp.Expr, ...]:
        """The SQL that dbt might make of it, parsed; less what cannot be parsed."""
        dropped = [_dropped(self.tags, keeps_last=keeps_last) for keeps_last in (False, True)]
        trees = map(self._parsed, dict.fromkeys(map(self._masked, dropped)))
        return tuple(tree for tree in trees if tree is not None)

    def _parsed(self, sql: str) -> exp.Expr | None:
        """Parse a masked text, less the clauses that macros make; None if that cannot be done."""
        is_whole = True
        while True:
            try:
                statements = Dialect.get_or_raise(DIALECT).parse(sql)
            except ParseError as error:
                clause = self._clause_at(error)
                if clause is None or sql[clause.start : clause.end].isspace():
                    return None  # a column may be called like a tag
                sql, is_whole = _blanked(sql, clause.start, clause.end), False
            except SqlglotError:
                return None
            else:
                found = [one for one in statements if one and not isinstance(one, exp.Semicolon)]
                if len(found) != 1 or isinstance(found[0], _NO_QUERY):
                    return None
                found[0].meta[IS_WHOLE] = is_whole
                return found[0]

    def _clause_at(self, error: ParseError) -> Tag | None:
        """Find the Jinja that makes a clause: the parser stumbles over it, or the word behind."""
        said = error.errors[0] if error.errors else {}
        tag = self.tag_named(said.get("highlight") or "")
        if tag is None:
            before = re.search(r"\bj\d+_*(?=\s*$)", said.get("start_context") or "")
            tag = self.tag_named(before[0]) if before else None
        return tag if tag is not None and tag.call not in _NO_CLAUSE else None

    @cached_property
    def live_tags(self) -> tuple[Tag, ...]:
        """The expressions and statements, config() aside, that are not in a comment of SQL."""
        tags = tuple(tag for tag in self.tags if tag.call != "config")
        if self._tokenized is None:
            return tags  # no telling what is a comment
        covered = {at for token in self.tokens for at in range(token.start, token.end + 1)}
        return tuple(
            tag
            for tag in tags
            if tag.kind == "statement"
            or (tag.kind == "expression" and (tag.call in _SILENT or tag.start in covered))
        )

    def tag_named(self, name: str) -> Tag | None:
        """Return the expression that a name in the parsed SQL stands for."""
        tags = self.tags_in(name) if re.fullmatch(r"j\d+_*", name) else []
        return tags[0] if tags else None

    def tags_in(self, text: str) -> list[Tag]:
        """Return the expressions within a string or name of the parsed SQL."""
        return [self.tags[int(n)] for n in re.findall(r"j(\d+)_*", text) if int(n) < len(self.tags)]

    def made_by(self, tag: Tag) -> list[Tag]:
        """Return the statements that set a name which a tag uses."""
        return [
            found
            for found in self.tags
            if found.call == "set" and len(found.names) > 1 and found.names[1] in tag.names
        ]

    def speaks_of(self, words: Collection[str], tag: Tag) -> bool:
        """Return True if Jinja has one of some words in it, or a name that was set from one."""
        said = ((*one.names, *one.strings) for one in (tag, *self.made_by(tag)))
        return any(word in words for words_of in said for word in words_of)

    def branches_asking(self, names: Collection[str]) -> Iterator[list[tuple[int, int]]]:
        """Yield the places of all branches of each `{% if %}` that asks for one of some names."""
        for branches, end in _blocks(self.tags):
            asked = {name for branch in branches for name in branch.names}
            if branches[0].call == "if" and not asked.isdisjoint(names):
                yield [(tag.end, after.start) for tag, after in pairwise([*branches, end])]

    def is_up_to_target(self, offset: int) -> bool:
        """Return True if an ``{% if %}`` that asks for dbt's target decides if a place is there."""
        return any(
            branches[0].start <= offset < end.start
            and branches[0].call == "if"
            and any("target" in branch.names for branch in branches)
            for branches, end in _blocks(self.tags)
        )

    def is_captured(self, offset: int) -> bool:
        """Return True for a place in what a `set`, a `call` or a macro keeps for later."""
        return any(
            branches[0].start <= offset < end.start and branches[0].call in ("set", "call", "macro")
            for branches, end in _blocks(self.tags)
        )

    @property
    def config_place(self) -> tuple[int, int]:
        """Where the model's config() is; the beginning if the folder says it all."""
        found = next((tag for tag in self.tags if tag.call == "config"), None)
        return (found.start, found.end) if found else (0, 0)

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, from 1."""
        line = self.text.count("\n", 0, offset) + 1
        return line, offset - self.text.rfind("\n", 0, offset)

    def _masked(self, dropped: Iterable[tuple[int, int]]) -> str:
        sql = self.text
        for number, tag in enumerate(self.tags):
            if tag.kind == "expression" and tag.call not in _SILENT:
                length = tag.end - tag.start
                name = f"j{number}".ljust(length, "_")[:length]
                if tag.names[-1:] == ("group_by",):  # dbt_utils: by the first columns
                    name = "group by all".ljust(length)
                sql = sql[: tag.start] + name + sql[tag.end :]
            else:
                sql = _blanked(sql, tag.start, tag.end)
        for start, end in dropped:
            sql = _blanked(sql, start, end)
        return sql


def place(node: exp.Expr) -> tuple[int, int]:
    """Return where a part of the parsed SQL is: its own place, else that of what it is made of."""
    parts = [node] if "start" in node.meta else [n for n in node.walk() if "start" in n.meta]
    if not parts:
        return place(node.parent) if node.parent else (0, 0)
    return min(n.meta["start"] for n in parts), max(n.meta["end"] for n in parts) + 1


def written(call: exp.Expr, source: Source) -> tuple[int, int, str]:
    """Return where the name of a call is, and the name as written there."""
    start, end = place(call)
    # What the parser gives no place to stands before what it is called with.
    before = re.search(r"(\w+)\s*\(\s*(?:distinct\s+)?$", source.text[:start], re.IGNORECASE)
    if "start" not in call.meta and before is not None:
        start, end = before.span(1)
    return start, end, source.text[start:end].lower()


def _blanked(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def _tags(text: str) -> Iterator[Tag]:
    """Jinja's own lexer drops only blanks, so every token is found again in the text."""
    at = start = 0
    kind = ""
    names: list[str] = []
    strings: list[str] = []
    for _, what, value in Environment(autoescape=True).lex(text):
        found = text.find(value.strip(), at)
        # Of long texts Jinja changes the line ends, and no tag begins within them.
        if what in ("data", "comment") or not value.strip() or found < 0:
            continue
        begun, edge = what.rpartition("_")[::2]
        if edge == "begin" and begun in _CODE:
            kind, start, names, strings = _CODE[begun], found, [], []
        elif edge == "end" and begun in _CODE:
            at = found + len(value.strip())
            code = text[start + 2 : found].strip("-+")
            yield Tag(kind, start, at, code, tuple(names), tuple(strings))
        elif what == "name":
            names.append(value)
        elif what == "string":
            strings.append(value[1:-1])
        at = max(at, found + len(value.strip()))


def _dropped(tags: tuple[Tag, ...], *, keeps_last: bool) -> Iterator[tuple[int, int]]:
    """Yield what is left out of the text: other branches, what is only defined or captured."""
    for branches, end in _blocks(tags):
        bodies = [(tag.end, after.start) for tag, after in pairwise([*branches, end])]
        first, last = branches[0].call, branches[-1].call
        if first == "for" or (first == "if" and not keeps_last):
            del bodies[0]
        elif first == "if" and last == "else":
            del bodies[-1]
        yield from bodies


def _blocks(tags: tuple[Tag, ...]) -> Iterator[tuple[list[Tag], Tag]]:
    """Yield each statement that has an end: itself with where it branches, and its end."""
    open_tags: list[list[Tag]] = []  # of each open statement: itself and where it branches
    for tag in tags:
        if tag.kind != "statement":
            continue
        if tag.call in _OPENS and not (tag.call == "set" and "=" in tag.code):
            open_tags.append([tag])
        elif tag.call in ("elif", "else") and open_tags:
            open_tags[-1].append(tag)
        elif tag.call.startswith("end") and open_tags:
            yield open_tags.pop(), tag
