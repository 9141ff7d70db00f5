"""Judge the text of one model; pure, so that a command line and an editor say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from runner.lint.facts import Facts
from runner.lint.ordering import chance_among_equals
from runner.lint.rules import RULES, LintFinding, Severity, Spot, spot
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

_COMMENT = re.compile(r"--\s*noqa\b(?P<colon>\s*:)?(?P<rest>.*)$", re.IGNORECASE)
_CODES = re.compile(
    r"\s*(?P<codes>[A-Z]{2}\d{2}(?:\s*,\s*[A-Z]{2}\d{2})*)?(?P<reason>.*)$", re.IGNORECASE
)

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


def judge(text: str, facts: Facts) -> list[LintFinding]:
    """Find what breaks a rule in a model's text, in the order of its lines.

    ``facts`` are what the project declares; a config() in the text is added to them. Of a view
    that a model with windows reads, only what would be other rows at the next reading counts.
    """
    source = Source(text)
    facts = facts.with_config_of(source)
    checks = _ALL if facts.is_replaced else _OF_QUERIES if facts.is_read_on else ()
    spots = (found for check in checks for found in check(source, facts))
    once = {(found.rule, found.start): found for found in spots}  # two branches may say the same
    findings = (_finding(source, found, facts) for found in once.values())
    return sorted(_silence(findings, text), key=lambda f: (f.line, f.column, f.rule))


def not_judged(what: str) -> LintFinding:
    """Return the one finding of a file that nobody judges, for what it is."""
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


@dataclass(frozen=True)
class _Noqa:
    """A comment that asks for silence: ``-- noqa: DB06 one row per day``."""

    codes: frozenset[str]  # rules; empty: all of them
    reason: str

    @property
    def has_reason(self) -> bool:
        """True if it says why, in at least one word."""
        return bool(self.codes) and re.search(r"\w", self.reason) is not None


def _parse_noqa(line: str) -> _Noqa | None:
    """Read the comment of a line, if it has one.

    >>> _parse_noqa("limit 1 -- noqa: DB06 one row per day").reason
    'one row per day'
    >>> _parse_noqa("limit 1 -- noqa: DB06, LT05").has_reason
    False
    """
    comment = _COMMENT.search(line)
    if comment is None:
        return None
    found = _CODES.match(comment["rest"] if comment["colon"] else "")
    if found is None or not found["codes"]:
        return _Noqa(frozenset(), "")
    codes = frozenset(code.strip().upper() for code in found["codes"].split(","))
    return _Noqa(codes, found["reason"].strip())


def _silence(findings: Iterable[LintFinding], text: str) -> Iterator[LintFinding]:
    """Leave out what somebody has looked at; a comment without a reason is a finding itself."""
    lines = text.split("\n")  # as lines are counted
    reported: set[int] = set()
    for finding in findings:
        about = range(finding.line, min(finding.last_line, len(lines)) + 1)
        asked = {
            number: noqa
            for number in about
            if (noqa := _parse_noqa(lines[number - 1]))
            and (not noqa.codes or finding.rule in noqa.codes)
        }
        if any(noqa.has_reason for noqa in asked.values()):
            continue
        yield finding
        for number in asked.keys() - reported:
            reported.add(number)
            yield _without_reason(number, lines, finding)


def _without_reason(number: int, lines: list[str], about: LintFinding) -> LintFinding:
    rule = RULES["DB00"]
    column = lines[number - 1].lower().rindex("noqa")
    return LintFinding(
        rule=rule.code,
        severity=rule.severity,
        line=number,
        column=column + 1,
        last_line=number,
        offset=sum(len(line) + 1 for line in lines[: number - 1]) + column,
        message=f"noqa of {about.rule} without a reason: {rule.remedy}",
    )
