"""Words for counts, verdicts and instants, as every page says them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.core.planning import Held
from runner.project.gates import LateGate

_MOST_NAMES = 10


def in_words(value: object) -> str:
    """Return the plain text of a value; nothing for None.

    >>> in_words(1204), in_words("a"), in_words(None)
    ('1,204', 'a', '')
    """
    if isinstance(value, datetime):
        return minute(value)
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def yes_no(verdict: bool | None) -> str:
    """Return a verdict as a word; a dash while nobody knows."""
    return {True: "yes", False: "no", None: "-"}[verdict]


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 run``, ``92 runs``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def minute(instant: datetime) -> str:
    """Return an instant to the minute, in its own zone."""
    return instant.strftime("%Y-%m-%d %H:%M")


def held_in_words(held: Held) -> str:
    """Say why windows are held back."""
    return f"{held.parent} is {held.status}"


def late_gate_in_words(late: LateGate) -> str:
    """Say that a test marked as a gate holds nothing back, and why."""
    article = "an" if late.kind[0] in "aeiou" else "a"
    return (
        f"gate {late.check} judges {late.node} after it is built: {article} {late.kind} has no "
        "window to hold back"
    )


def not_replayable_in_words(names: Sequence[str], *, is_all: bool = True) -> str:
    """Say which models grow by what is new at each run, and what that means for them."""
    named = some_names(names, is_all=is_all)
    return f"not replayable, so built like a table, once per run: {named}"


def some_names(names: Sequence[str], *, is_all: bool = False) -> str:
    """Name the first few of many, and how many more there are; or all.

    >>> some_names([f"day_{number}" for number in range(12)])
    'day_0, day_1, day_2, day_3, day_4, day_5, day_6, day_7, day_8, day_9 and 2 more'
    """
    if is_all or len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES:,} more"
