"""Small graphs of models over a few days, written as strings: one letter per day.

>>> marked(planned("orders", "s.f").records.where(lambda known: True))
'x.x....'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from runner.core.planning import TAKEN, ModelPlan, Plan, Reprocess, RunRequest, make_plan
from runner.core.spans import Span, Spans
from runner.core.status import PlannedNode, WindowRecord, WindowStatus, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain, Window

DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
# A Thursday to a Wednesday, with a day of 23 hours between.
WEEK = list(DAYS.windows(DAYS.span_of_dates(date(2026, 3, 5), date(2026, 3, 11))))
NOW = "now"  # the code hash of every model
SAME = "same"  # the digest of what every model reads
NONE = Spans()

# What a letter says was recorded of a day; a dot: nothing; a blank: the day is not desired.
LETTERS = {
    "s": WindowRecord(WorkResult.SUCCESS, NOW),
    "u": WindowRecord(WorkResult.UNCHECKED, NOW),
    "i": WindowRecord(WorkResult.INCORRECT, NOW, reason="a check says no"),
    "f": WindowRecord(WorkResult.FAILED, NOW, reason="no such column", inputs="other than now"),
    "b": WindowRecord(WorkResult.FAILED, NOW, reason="no such column", inputs=SAME),
    "p": WindowRecord(WorkResult.PUBLISHED, NOW),
    "c": WindowRecord(WorkResult.SUCCESS, "before"),
    "o": WindowRecord(WorkResult.SUCCESS, NOW, is_outdated=True),
}
STATUS_OF = {
    ".": WindowStatus.MISSING,
    "s": WindowStatus.SUCCESS,
    "u": WindowStatus.UNCHECKED,
    "i": WindowStatus.INCORRECT,
    "f": WindowStatus.FAILED,
    "b": WindowStatus.BLOCKED,
    "p": WindowStatus.PUBLISHED,
    "c": WindowStatus.STALE,
    "o": WindowStatus.STALE,
}


def planned(name: str, days: str = "", reads: str = "", start: int = 0) -> PlannedNode:
    """A windowed model; ``reads`` are its parents, with blanks between."""
    letters = list(zip(days, WEEK[start:], strict=False))
    return PlannedNode(
        name=name,
        parents=tuple(reads.split()),
        desired=Spans(window.span for letter, window in letters if letter != " "),
        code_hashes=frozenset({NOW}),
        records=Timeline(
            (window.span, LETTERS[letter]) for letter, window in letters if letter in LETTERS
        ),
        inputs=lambda _: SAME,
    )


def without_windows(name: str, days: str = "", reads: str = "") -> PlannedNode:
    """A view or a table: it knows no windows."""
    return replace(planned(name, days, reads), desired=None)


def following(name: str, days: str, reads: str) -> PlannedNode:
    """A table made from windows, built in the name of the last day."""
    return replace(without_windows(name, days, reads), follows=True, newest=day(7))


def spans(marks: str) -> Spans:
    """The days that are marked with anything but a dot."""
    return Spans(w.span for mark, w in zip(marks, WEEK, strict=False) if mark != ".")


def marked(spans: Spans) -> str:
    """The opposite of :func:`spans`."""
    return "".join("x" if window.span in spans else "." for window in WEEK)


def day(number: int) -> Span:
    """The first day of the week is 1."""
    return WEEK[number - 1].span


def from_to(first: int, last: int) -> Span:
    """From one day to another, both inclusive."""
    return Span(WEEK[first - 1].start, WEEK[last - 1].end)


def plan_of(
    subjects: Sequence[PlannedNode],
    policy: Reprocess | frozenset[WindowStatus] = Reprocess.FAILED,
    *,
    in_flight: str = "",
    request: RunRequest | None = None,
) -> Plan:
    """The plan for the whole week, unless ``request`` says otherwise."""
    takes = TAKEN[policy] if isinstance(policy, Reprocess) else policy
    asked = request or RunRequest(Spans([from_to(1, 7)]))
    return make_plan(DAYS, subjects, spans(in_flight), replace(asked, takes=takes))


def model(plan: Plan, name: str) -> ModelPlan:
    """One model of a plan."""
    (found,) = (model for model in plan.models if model.node.name == name)
    return found


def runs(plan: Plan) -> dict[str, str]:
    """Which days of which models are built; models without any are left out."""
    return {m.node.name: marked(m.runs) for m in plan.models if m.runs}


def checks(plan: Plan) -> dict[str, str]:
    """Which days of which models are only judged."""
    return {m.node.name: marked(m.checks) for m in plan.models if m.checks}


def held(plan: Plan) -> dict[str, list[tuple[str, str, str]]]:
    """Which days of which models are held back: by which parent, and what is wrong with it."""
    return {
        m.node.name: [(marked(Spans([h.span])), h.parent, str(h.status)) for h in m.held]
        for m in plan.models
        if m.held
    }


def skipped(plan: Plan) -> list[tuple[str, str]]:
    """Which days are left alone, and why."""
    return [(marked(Spans([skip.span])), skip.reason) for skip in plan.skipped]


def labels(windows: Iterable[Window]) -> list[str]:
    """The names of windows."""
    return [window.label for window in windows]
