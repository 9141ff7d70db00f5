"""The status of a model's windows today, from what is known of them.

A :class:`WindowRecord` is what was recorded when a window was last worked on. A
:class:`WindowStatus` is what that means now: published by code that has since changed, it is
stale; failed for a reason that still holds, it is blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.states import RunState, Verdict
from runner.core.timelines import Timeline
from runner.core.windows import Calendar

# What the code hash of a plain `dbt build` begins with: it knows its code by another digest.
PLAIN = "plain:"


class WorkResult(StrEnum):
    """The end of the last work on a model's window."""

    SUCCESS = "success"  # published, every check passed
    UNCHECKED = "unchecked"  # published, there is no check
    INCORRECT = "incorrect"  # a check failed; if it was a gate, nothing was published
    FAILED = "failed"  # nothing was published
    PUBLISHED = "published"  # published, its checks have not been run to their end

    @property
    def is_published(self) -> bool:
        """True if the work ended with rows that stand, whatever is known of them."""
        return self in (WorkResult.SUCCESS, WorkResult.UNCHECKED, WorkResult.PUBLISHED)

    @property
    def state(self) -> RunState:
        """The state of a run that ended so; published but never judged is unchecked."""
        return RunState.UNCHECKED if self is WorkResult.PUBLISHED else RunState(self.value)


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """The record of a model's last work on some windows."""

    standing: WorkResult
    code_hash: str | None = None  # of the code that ran; None: nobody knows
    is_outdated: bool = False  # something that it reads was published again later
    reason: str | None = None  # why it failed, or what has come too late for it, in one line
    inputs: str | None = None  # what it failed on; None: trying again may help
    has_rows: bool = False  # rows of this work are there to be read: published
    # UTC; since when the marker that stands says what it says; None: nobody knows.
    published_at: datetime | None = None
    checks_hash: str | None = None  # of the checks that gave the verdict; None: nobody knows

    @property
    def is_plain(self) -> bool:
        """True if a plain `dbt build` has published it."""
        return self.code_hash is not None and self.code_hash.startswith(PLAIN)


class WindowStatus(StrEnum):
    """The state of a model's window now; of several that are true of it, the first is said."""

    IN_FLIGHT = "in flight"
    BLOCKED = "blocked"  # failed, and would fail again: same code, same inputs
    FAILED = "failed"
    INCORRECT = "incorrect"
    PUBLISHED = "published"  # not judged by the checks of today
    STALE = "stale"  # published by other code, or before something that it reads
    UNCHECKED = "unchecked"
    SUCCESS = "success"
    MISSING = "missing"  # never published, nor tried

    @property
    def verdict(self) -> Verdict:
        """The two verdicts behind it; ``correct`` is None where nothing speaks for today's code."""
        return _VERDICTS.get(self, Verdict(ran=True, correct=None))


_NOT_RUN = Verdict(ran=False, correct=None)
_NOBODY_KNOWS = Verdict(ran=None, correct=None)
_VERDICTS = {
    WindowStatus.SUCCESS: Verdict(ran=True, correct=True),
    WindowStatus.INCORRECT: Verdict(ran=True, correct=False),
    WindowStatus.FAILED: _NOT_RUN,
    WindowStatus.BLOCKED: _NOT_RUN,
    WindowStatus.MISSING: _NOBODY_KNOWS,
    WindowStatus.IN_FLIGHT: _NOBODY_KNOWS,
}
# Of several models, or of several windows that are drawn as one, the worst is said.
WORST_FIRST = (
    WindowStatus.FAILED,
    WindowStatus.BLOCKED,
    WindowStatus.INCORRECT,
    WindowStatus.MISSING,
    WindowStatus.PUBLISHED,
    WindowStatus.STALE,
    WindowStatus.UNCHECKED,
    WindowStatus.IN_FLIGHT,
    WindowStatus.SUCCESS,
)
# What is made from it may not be right: by today's code, or by what it should have read.
_UNSOUND = (WindowStatus.FAILED, WindowStatus.BLOCKED, WindowStatus.INCORRECT, WindowStatus.STALE)
# Others may build on it.
GOOD = frozenset({WindowStatus.SUCCESS, WindowStatus.UNCHECKED, WindowStatus.STALE})
_SELF_EXPLAINING = (WindowStatus.SUCCESS, WindowStatus.UNCHECKED, WindowStatus.IN_FLIGHT)
_UNKNOWN_CODE = "a plain dbt build has published it, of code that nobody knows"
_OTHER_CHECKS = "its checks have changed since they judged it"
_UNKNOWN_CHECKS = "nobody knows which checks have judged it"
_MOST_REASONS = 3  # that are told of one range, or of one window
InputsOf = Callable[[Span], str | None]  # a digest of what a model reads for a window
Statuses = Mapping[WindowStatus, Spans]  # of a model's windows, each in exactly one


@dataclass(frozen=True)
class PlannedNode:
    """A node of a pipeline, as far as planning is concerned."""

    name: str
    parents: tuple[str, ...]  # names of the pipeline's nodes that it reads, directly
    desired: Spans | None  # every window it should have; None: it knows no windows
    code_hashes: frozenset[str]  # of its code now, and of code accepted as equal to it
    records: Timeline[WindowRecord]
    inputs: InputsOf
    checks_hash: str | None = None  # of its checks; empty: it has none; None: nobody asks for them
    newest: Span | None = None  # of what knows no windows: the window in whose name it is built
    follows: bool = False  # a table made from windows: built once all that run are done
    is_due: bool = False  # without windows, and yet to be built in each of its pipeline's
    changes: Mapping[str, str] = field(default_factory=dict)  # since earlier codes, in words
    behind: Timeline[str] = field(default_factory=Timeline)  # made from what is not right, in words
    # What it is made from and is not built as it is now, although it has no windows.
    unready: Mapping[str, WindowStatus] = field(default_factory=dict)

    @property
    def is_windowed(self) -> bool:
        """True if it is replaced window by window."""
        return self.desired is not None

    @cached_property
    def recorded(self) -> Mapping[WindowStatus, Spans]:
        """The spans of which something is recorded, by what it means for the node alone."""
        found = grouped((_status(self, span, known), span) for span, known in self.records)
        return {status: Spans(spans) for status, spans in found.items()}

    @cached_property
    def unsound(self) -> Timeline[str]:
        """The spans whose rows are not right, its own fault or not: which node's, in words."""
        # What is left of windows that it no longer has, cut in another zone, is nobody's.
        own = self.desired or Spans(span for span, _ in self.records)
        return self.behind.painted(
            (span, f"{self.name}, which is {status}")
            for status in _UNSOUND
            for span in self.recorded.get(status, Spans()) & own
        )

    @property
    def lag(self) -> WindowStatus | None:
        """Why something without windows does not stand as its code says; None: it does."""
        if any(known.standing.state not in _BUILT for _, known in self.records):
            return WindowStatus.FAILED
        return WindowStatus.STALE if _lags(self) else None

    def outdated(self, calendar: Calendar) -> Spans:
        """The windows that something has happened to since they were worked on: not to the code."""
        found = self.records.where(lambda known: known.is_outdated)
        if found and not self.is_windowed and self.newest is not None:
            found |= Spans([self.newest])  # it is built as a whole, in the name of this one
        return _touched_windows(calendar, found)

    def stale_itself(self, calendar: Calendar) -> Spans:
        """The stale windows that are to be made anew: not only what they are made from."""
        found = self.recorded.get(WindowStatus.STALE, Spans())
        if not self.is_windowed and self.newest is not None and _lags(self):
            found |= Spans([self.newest])
        return _touched_windows(calendar, found)


def unsound_parents(parents: Iterable[PlannedNode]) -> Timeline[str]:
    """Return where some windowed models are not right, so that nothing made from them is."""
    found: Timeline[str] = Timeline()
    for parent in parents:
        found = parent.unsound.painted(found)
    return found


def explained(node: PlannedNode, status: WindowStatus, span: Span) -> str | None:
    """Explain the status of the windows at the start of ``span``, if there is more to say."""
    if status is WindowStatus.STALE:
        return _why_all_stale(node, span)
    known = node.records.at(span.start)
    if status is WindowStatus.UNCHECKED and known is not None and node.checks_hash:
        return _UNKNOWN_CODE if known.code_hash is None else None
    if known is None or status in _SELF_EXPLAINING:
        return None
    if status is WindowStatus.PUBLISHED and known.standing is not WorkResult.PUBLISHED:
        return _OTHER_CHECKS if known.checks_hash is not None else _UNKNOWN_CHECKS
    return known.reason


def _why_all_stale(node: PlannedNode, span: Span) -> str | None:
    records = node.records.touching(span) if node.is_windowed else iter(node.records)
    reasons = [_why_stale(node, known) for _, known in records if _is_stale(node, known)]
    behind = node.behind.touching(span) if node.is_windowed else iter(node.behind)
    reasons += [f"made from {words}" for _, words in behind if not reasons]
    return in_short(list(dict.fromkeys(reasons))) or None


def in_short(reasons: Sequence[str]) -> str:
    """Say the first few of some reasons, and how many more there are."""
    more = len(reasons) - _MOST_REASONS
    return "; ".join([*reasons[:_MOST_REASONS], *([f"{more} more"] if more > 0 else [])])


def _why_stale(node: PlannedNode, known: WindowRecord) -> str:
    if known.is_outdated:
        return known.reason or "something that it reads was published again"
    if known.is_plain:
        return "published by a dbt build of other code"
    return node.changes.get(known.code_hash or "", "its code has changed")


def assess(node: PlannedNode, calendar: Calendar, in_flight: Spans) -> Statuses:
    """Give every window of a node its status, exactly one.

    Windows cut by an earlier grain: what is wrong with a part of a window is wrong with all of
    it, and it is published only if the whole of it is.
    """
    known = dict(node.recorded)
    right = known.get(WindowStatus.SUCCESS, Spans()) | known.get(WindowStatus.UNCHECKED, Spans())
    if behind := node.behind.covered & right:
        known[WindowStatus.STALE] = known.get(WindowStatus.STALE, Spans()) | behind
    known[WindowStatus.IN_FLIGHT] = in_flight
    if node.desired is not None:
        left = node.desired
        covered = _whole_windows(calendar, node.records.covered)
    else:  # without windows: it has failed in the name of one, or is right as a whole
        wrong = node.records.where(lambda known: known.standing.state not in _BUILT)
        left = covered = _touched_windows(calendar, wrong)
        if in_flight and node.follows:  # whoever works on windows builds it after the last
            known[WindowStatus.IN_FLIGHT] = covered
    found: dict[WindowStatus, Spans] = {}
    for status in WindowStatus:
        spans = left & _touched_windows(calendar, known.get(status, Spans()))
        if status in _PUBLISHED:
            spans &= covered
        left -= spans
        found[status] = spans
    if node.is_windowed:
        found[WindowStatus.MISSING] = left
    elif not covered and node.newest is not None and not in_flight:
        found |= _as_a_whole(node, node.newest)
    return {status: spans for status, spans in found.items() if spans}


def _as_a_whole(node: PlannedNode, newest: Span) -> dict[WindowStatus, Spans]:
    """Assess something without windows that has not failed: never built, outdated, unchecked.

    What is right has no status, unless it is due in each window.
    """
    known = [value for _, value in node.records]
    if not known:
        return {WindowStatus.MISSING: Spans([newest])}
    if _lags(node) or node.behind.covered:
        return {WindowStatus.STALE: Spans([newest])}
    if any(value.standing is WorkResult.UNCHECKED for value in known):
        return {WindowStatus.UNCHECKED: Spans([newest])}
    return {WindowStatus.SUCCESS: Spans([newest])} if node.is_due else {}


_BUILT = (RunState.SUCCESS, RunState.UNCHECKED)
_PUBLISHED = frozenset(
    {WindowStatus.PUBLISHED, WindowStatus.STALE, WindowStatus.UNCHECKED, WindowStatus.SUCCESS}
)


def _lags(node: PlannedNode) -> bool:
    """Tell whether something without windows was built by other code, or before what it reads."""
    return any(_is_stale(node, known) for _, known in node.records)


def _is_stale(node: PlannedNode, known: WindowRecord) -> bool:
    is_other_code = known.code_hash is not None and known.code_hash not in node.code_hashes
    return is_other_code or known.is_outdated


def _status(node: PlannedNode, span: Span, known: WindowRecord) -> WindowStatus:
    is_stale = _is_stale(node, known)
    if known.standing is WorkResult.FAILED:
        is_same = not is_stale and known.inputs is not None and node.inputs(span) == known.inputs
        return WindowStatus.BLOCKED if is_same else WindowStatus.FAILED
    if is_stale and known.standing is WorkResult.PUBLISHED:
        # To judge what will be replaced is in vain; a plain build's gates have judged it.
        return WindowStatus.STALE if known.is_plain else WindowStatus.FAILED
    if is_stale and node.is_windowed and known.standing is not WorkResult.INCORRECT:
        return WindowStatus.STALE
    if not is_stale and _is_judged_by_others(node, known):
        return WindowStatus.PUBLISHED if node.checks_hash else WindowStatus.UNCHECKED
    return WindowStatus(known.standing.value)


def _is_judged_by_others(node: PlannedNode, known: WindowRecord) -> bool:
    """Return True if other checks than those of today have judged rows that are published.

    What is unchecked, nobody knows by which checks, no check has judged.
    """
    is_verdict = known.standing in (WorkResult.SUCCESS, WorkResult.UNCHECKED)
    is_verdict |= known.standing is WorkResult.INCORRECT and known.has_rows
    if node.checks_hash is None or not is_verdict:
        return False
    if known.checks_hash is None:
        return known.standing is not WorkResult.UNCHECKED
    return known.checks_hash != node.checks_hash


def _whole_windows(calendar: Calendar, spans: Spans) -> Spans:
    inner = ((calendar.ceiling(span.start), calendar.floor(span.end)) for span in spans)
    return Spans(Span(start, end) for start, end in inner if start < end)


def _touched_windows(calendar: Calendar, spans: Spans) -> Spans:
    return Spans(calendar.covering(span) for span in spans)
