"""``-- noqa: DB06 one row per day``: a finding that somebody has looked at, and why it is right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.lint.findings import LintFinding
from runner.lint.rules import RULES

_COMMENT = re.compile(r"--\s*noqa\b(?P<colon>\s*:)?(?P<rest>.*)$", re.IGNORECASE)
_CODES = re.compile(
    r"\s*(?P<codes>[A-Z]{2}\d{2}(?:\s*,\s*[A-Z]{2}\d{2})*)?(?P<reason>.*)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Noqa:
    """A comment that asks for silence."""

    codes: frozenset[str]  # rules; empty: all of them
    reason: str

    @property
    def has_reason(self) -> bool:
        """Whether it says why, in at least one word."""
        return bool(self.codes) and re.search(r"\w", self.reason) is not None


def parsed_noqa(line: str) -> Noqa | None:
    """The comment of a line, if it has one.

    >>> parsed_noqa("limit 1 -- noqa: DB06 one row per day").reason
    'one row per day'
    >>> parsed_noqa("limit 1 -- noqa: DB06, LT05").has_reason
    False
    """
    comment = _COMMENT.search(line)
    if comment is None:
        return None
    found = _CODES.match(comment["rest"] if comment["colon"] else "")
    if found is None or not found["codes"]:
        return Noqa(frozenset(), "")
    codes = frozenset(code.strip().upper() for code in found["codes"].split(","))
    return Noqa(codes, found["reason"].strip())


def silenced(findings: Iterable[LintFinding], text: str) -> Iterator[LintFinding]:
    """What is left; for each comment that silences nothing, one finding that says so."""
    lines = text.split("\n")  # as lines are counted
    reported: set[int] = set()
    for finding in findings:
        about = range(finding.line, min(finding.last_line, len(lines)) + 1)
        asked = {
            number: noqa
            for number in about
            if (noqa := parsed_noqa(lines[number - 1]))
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
