"""What the rules find, first at an offset of a text, then at a line of a file."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from runner.lint.rules import RULES, Severity


@dataclass(frozen=True)
class Spot:
    """A breach of a rule at a place in a text."""

    rule: str
    start: int  # offsets, half-open
    end: int
    what: str  # is written there
    severity: Severity


@dataclass(frozen=True)
class LintFinding:
    """A breach of a rule at a line of a model's text."""

    rule: str
    severity: Severity
    line: int  # from 1
    column: int  # from 1
    last_line: int  # of what is found: a noqa on any of its lines is about it
    offset: int  # where it begins in the text
    message: str  # one line: what is wrong and what to do


def spot(rule: str, start: int, end: int, what: str, severity: Severity | None = None) -> Spot:
    """A breach of a rule, as severe as the rule says if nothing else is said."""
    return Spot(rule, start, end, what, severity or RULES[rule].severity)


def place(node: exp.Expr) -> tuple[int, int]:
    """Where a part of the parsed SQL is: its own place, else that of what it is made of."""
    known = [found.meta for found in node.walk() if "start" in found.meta]
    if "start" in node.meta:
        return node.meta["start"], node.meta["end"] + 1
    if not known:
        return place(node.parent) if isinstance(node.parent, exp.Expr) else (0, 0)
    return min(m["start"] for m in known), max(m["end"] for m in known) + 1
