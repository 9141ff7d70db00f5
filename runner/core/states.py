"""The kinds and states of a run, its two verdicts, and the one table of legal transitions.

::

    queued ──► running ──► success | incorrect | unchecked | failed | cancelled
      │          │  ▲
      │          ▼  │
      │        retrying ──► failed | cancelled
      ▼
    cancelled

A finished run is never reopened: a re-run is a new run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class RunKind(StrEnum):
    """The cause of a run; the first part of its id."""

    SCHEDULED = "scheduled"
    BACKFILL = "backfill"
    MANUAL = "manual"
    EVENT = "event"


class RunState(StrEnum):
    """The state of a run; the last five are final."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"  # waiting for its next attempt
    SUCCESS = "success"  # it ran and every check passed
    INCORRECT = "incorrect"  # it ran and a check failed
    UNCHECKED = "unchecked"  # it ran and nothing was checked
    FAILED = "failed"  # it did not run
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """True if the state is final."""
        return not _TRANSITIONS[self]

    @property
    def verdict(self) -> "Verdict":
        """The two verdicts behind a state; both None when unfinished or cancelled."""
        return _VERDICTS.get(self, Verdict(ran=None, correct=None))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The two answers about a run; ValueError if something that did not run was judged."""

    ran: bool | None  # did the SQL finish? None: not known yet
    correct: bool | None  # did the checks pass? None: nothing was checked

    def __post_init__(self) -> None:
        if self.correct is not None and not self.ran:
            raise ValueError(f"{self} was judged without having run: pass correct=None")

    @property
    def state(self) -> RunState:
        """The final state that these verdicts mean; ValueError while ``ran`` is None.

        >>> Verdict(ran=True, correct=None).state.value
        'unchecked'
        """
        if self.ran is None:
            raise ValueError(f"{self} means no final state: wait until the run has finished")
        return next(state for state, verdict in _VERDICTS.items() if verdict == self)


UNFINISHED = (RunState.QUEUED, RunState.RUNNING, RunState.RETRYING)
WORST_FIRST = (
    RunState.FAILED,
    RunState.CANCELLED,
    RunState.INCORRECT,
    RunState.UNCHECKED,
    RunState.SUCCESS,
)
_FINAL = frozenset(WORST_FIRST)
_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: _FINAL | {RunState.RETRYING},
    RunState.RETRYING: frozenset({RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
    **dict.fromkeys(_FINAL, frozenset()),
}
_VERDICTS = {
    RunState.SUCCESS: Verdict(ran=True, correct=True),
    RunState.INCORRECT: Verdict(ran=True, correct=False),
    RunState.UNCHECKED: Verdict(ran=True, correct=None),
    RunState.FAILED: Verdict(ran=False, correct=None),
}


def sources(new: RunState) -> frozenset[RunState]:
    """Return the states that may become ``new``: the guard of every change that the ledger makes.

    >>> sorted(sources(RunState.RUNNING))
    [<RunState.QUEUED: 'queued'>, <RunState.RETRYING: 'retrying'>]
    """
    return frozenset(old for old, allowed in _TRANSITIONS.items() if new in allowed)


def worst(states: Iterable[RunState]) -> RunState:
    """Return the state of a run from the final states of its models: the worst of them.

    ValueError when there are none, or one is not final.

    >>> worst([RunState.SUCCESS, RunState.UNCHECKED, RunState.SUCCESS]).value
    'unchecked'
    """
    found = set(states)
    if not found or not found <= _FINAL:
        raise ValueError(f"{sorted(found)} are not all final: pass the states of finished models")
    return next(state for state in WORST_FIRST if state in found)
