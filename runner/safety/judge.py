"""Judge the text of one model; pure, so that a command line and an editor say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runner.safety.facts import Facts
from runner.safety.findings import Finding, Spot
from runner.safety.ordering import chance_among_equals
from runner.safety.silencing import silenced
from runner.safety.source import Source
from runner.safety.texts import appended, clock_or_chance, merged_blindly, own_table, unwindowed
from runner.safety.windows import closed_window, parent_without_window

_CHECKS: tuple[Callable[[Source, Facts], Iterable[Spot]], ...] = (
    clock_or_chance,
    own_table,
    appended,
    unwindowed,
    merged_blindly,
    chance_among_equals,
    closed_window,
    parent_without_window,
)


def judged(text: str, facts: Facts) -> list[Finding]:
    """What breaks a rule in a model's text, in the order of its lines.

    ``facts`` are what the project declares; a config() in the text is added to them.
    """
    source = Source(text)
    facts = facts.with_config_of(source)
    if not facts.is_judged:
        return []
    spots = (found for check in _CHECKS for found in check(source, facts))
    once = {(found.rule, found.start): found for found in spots}  # two branches may say the same
    findings = (_finding(source, found) for found in once.values())
    return sorted(silenced(findings, text), key=lambda f: (f.line, f.column, f.rule))


def _finding(source: Source, found: Spot) -> Finding:
    line, column = source.position(found.start)
    last_line, _ = source.position(max(found.start, found.end - 1))
    return Finding(found.rule, found.severity, line, column, last_line, found.start, found.message)
