"""Judge the text of one model; pure, so that a command line and an editor say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from runner.lint import (
    chunks,
    clocks,
    declared,
    filters,
    hooks,
    inexact,
    ordering,
    own_table,
    storage,
    windows,
)
from runner.lint.facts import Facts
from runner.lint.rules import RULES, LintFinding, Severity, Spot
from runner.lint.source import Source

# A comment that asks for silence: `-- noqa: DB06 one row per day`. Without codes it means all.
_NOQA = re.compile(
    r"--[^\S\n]*(?P<word>noqa)\b"
    r"(?:[^\S\n]*:[^\S\n]*(?P<codes>[A-Z]{2}\d{2}(?:[^\S\n]*,[^\S\n]*[A-Z]{2}\d{2})*)(?P<why>.*))?"
    r".*",
    re.IGNORECASE,
)

_Check = Callable[[Source, Facts], Iterable[Spot]]
_OF_QUERIES: tuple[_Check, ...] = (
    clocks.clock_or_chance,
    ordering.chance_among_equals,
    declared.not_understood,
    storage.place_of_a_row,
    inexact.inexact_aggregate,
)
_ALL: tuple[_Check, ...] = (
    *_OF_QUERIES,
    own_table.own_table,
    declared.appended,
    filters.unwindowed,
    declared.merged_blindly,
    windows.closed_window,
    windows.parent_without_window,
    hooks.hook_outside,
    chunks.windows_together,
    hooks.hook_of_other_windows,
    windows.coarse_event_time,
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
    return sorted(_silence(findings, source), key=lambda f: (f.line, f.column, f.rule))


def not_judged(what: str) -> LintFinding:
    """Return the one finding of a file that nobody judges, for what it is."""
    return _finding(Source(""), Spot("DB09", 0, 0, what), Facts("incremental"))


def _finding(source: Source, found: Spot, facts: Facts) -> LintFinding:
    rule, what = RULES[found.rule], found.what
    if not facts.is_replaced:
        first, *others = facts.readers
        what += f", read by {first}" + (f" and {len(others)} more" if others else "")
        if found.rule == "DB06":  # which rows it picks, its reader may well say again
            found = replace(found, severity=Severity.WARN)
    return _placed(source, found, f"{what}: {rule.why}; {rule.remedy}")


def _placed(source: Source, found: Spot, message: str) -> LintFinding:
    severity = found.severity or RULES[found.rule].severity
    line, column = source.position(found.start)
    last_line, _ = source.position(max(found.start, found.end - 1))
    return LintFinding(found.rule, severity, line, column, last_line, found.start, message)


def _silence(findings: Iterable[LintFinding], source: Source) -> Iterator[LintFinding]:
    """Leave out what somebody has looked at; a comment without a reason is a finding itself."""
    comments = {source.position(noqa.start())[0]: noqa for noqa in _NOQA.finditer(source.text)}
    reported: set[re.Match[str]] = set()
    for finding in findings:
        lines = range(finding.line, finding.last_line + 1)
        about = [comments[line] for line in lines if line in comments]
        asked = [noqa for noqa in about if finding.rule in (noqa["codes"] or finding.rule).upper()]
        if any(re.search(r"\w", noqa["why"] or "") for noqa in asked):
            continue
        yield finding
        for noqa in asked:
            if noqa not in reported:
                reported.add(noqa)
                what = f"noqa of {finding.rule} without a reason"
                without = Spot("DB00", *noqa.span("word"), what)
                yield _placed(source, without, f"{what}: {RULES['DB00'].remedy}")
