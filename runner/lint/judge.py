"""Judge the text of one model; pure, so that a command line and an editor say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runner.lint.facts import Facts
from runner.lint.findings import LintFinding, Spot, spot
from runner.lint.ordering import chance_among_equals
from runner.lint.rules import RULES, Severity
from runner.lint.silencing import silenced
from runner.lint.source import Source
from runner.lint.texts import (
    appended,
    clock_or_chance,
    merged_blindly,
    not_understood,
    own_table,
    unwindowed,
)
from runner.lint.windows import closed_window, parent_without_window

_Check = Callable[[Source, Facts], Iterable[Spot]]
_OF_QUERIES: tuple[_Check, ...] = (clock_or_chance, chance_among_equals, not_understood)
_ALL: tuple[_Check, ...] = (
    clock_or_chance,
    own_table,
    appended,
    unwindowed,
    merged_blindly,
    chance_among_equals,
    closed_window,
    parent_without_window,
    not_understood,
)


def judged(text: str, facts: Facts) -> list[LintFinding]:
    """What breaks a rule in a model's text, in the order of its lines.

    ``facts`` are what the project declares; a config() in the text is added to them. Of a view
    that a model with windows reads, only what would be other rows at the next reading counts.
    """
    source = Source(text)
    facts = facts.with_config_of(source)
    checks = _ALL if facts.is_replaced else _OF_QUERIES if facts.is_read_on else ()
    spots = (found for check in checks for found in check(source, facts))
    once = {(found.rule, found.start): found for found in spots}  # two branches may say the same
    findings = (_finding(source, found, facts) for found in once.values())
    return sorted(silenced(findings, text), key=lambda f: (f.line, f.column, f.rule))


def unread(what: str) -> LintFinding:
    """The one finding of a file that nobody judges, for what it is."""
    return _finding(Source(""), spot("DB09", 0, 0, what), Facts("incremental"))


def _finding(source: Source, found: Spot, facts: Facts) -> LintFinding:
    rule = RULES[found.rule]
    line, column = source.position(found.start)
    last_line, _ = source.position(max(found.start, found.end - 1))
    is_grave = found.severity is Severity.ERROR
    read_by = ""
    if not facts.is_replaced:
        first, *others = facts.readers
        read_by = f", read by {first}" + (f" and {len(others)} more" if others else "")
        # Which rows it picks, its reader may well say again.
        is_grave = is_grave and found.rule != "DB06"
    return LintFinding(
        rule=rule.code,
        severity=Severity.ERROR if is_grave else Severity.WARN,
        line=line,
        column=column,
        last_line=last_line,
        offset=found.start,
        message=f"{found.what}{read_by}: {rule.why}; {rule.remedy}",
    )
