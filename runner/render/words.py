"""How the face says things: ranges, verdicts, counts, instants, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from runner.core.planning import Held
from runner.core.spans import Span
from runner.core.states import Verdict
from runner.core.windows import Calendar
from runner.project.gates import LateGate


def span_in_words(calendar: Calendar, span: Span) -> str:
    """A range by the labels of its first and last window: ``2026-03-01 … 2026-05-31``."""
    first = calendar.window_at(span.start)
    last = calendar.before(span.end)
    return first.label if first == last else f"{first.label} … {last.label}"


def held_in_words(held: Held) -> str:
    """Why windows are held back."""
    return f"{held.parent} is {held.status}"


def late_gate_in_words(late: LateGate) -> str:
    """That a test marked as a gate holds nothing back, and why."""
    article = "an" if late.kind[0] in "aeiou" else "a"
    return (
        f"gate {late.check} judges {late.node} after it is built: {article} {late.kind} has no "
        "window to hold back"
    )


def yes_no(verdict: bool | None) -> str:
    """A verdict as a word; a dash while nobody knows."""
    return {True: "yes", False: "no", None: "-"}[verdict]


def verdict_in_words(verdict: Verdict) -> tuple[str, str]:
    """Whether it ran, and whether it is correct: two answers, never one."""
    return yes_no(verdict.ran), yes_no(verdict.correct)


def counted(count: int, noun: str) -> str:
    """``1 run``, ``92 runs``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def minute(instant: datetime) -> str:
    """An instant to the minute, in its own zone."""
    return instant.strftime("%Y-%m-%d %H:%M")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns separated by bars, as psql draws them.

    >>> print(table(["run", "rows"], [["a", "1"], ["bcd", "20"]]))
    run | rows
    ====+=====
    a   | 1
    bcd | 20
    """
    lines = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]

    def drawn(line: Sequence[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        return " | ".join(cells).rstrip()

    rule = "=+=".join("=" * width for width in widths)
    return "\n".join([drawn(lines[0]), rule, *map(drawn, lines[1:])])
