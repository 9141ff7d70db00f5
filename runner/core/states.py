"""The states of a run, its two verdicts, and the one table of legal transitions.

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


class State(StrEnum):
    """Where a run is; the last five are final."""

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
        """Whether the state is final."""
        return not _TRANSITIONS[self]

    @property
    def verdict(self) -> "Verdict":
        """The two verdicts behind a state; both None when unfinished or cancelled."""
        return _VERDICTS.get(self, Verdict(ran=None, correct=None))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two questions, never one; ValueError if something that did not run was judged."""

    ran: bool | None  # did the SQL finish? None: not known yet
    correct: bool | None  # did the checks pass? None: nothing was checked

    def __post_init__(self) -> None:
        if self.correct is not None and not self.ran:
            raise ValueError(f"{self} was judged without having run: pass correct=None")

    @property
    def state(self) -> State:
        """The final state that these verdicts mean; ValueError while ``ran`` is None.

        >>> Verdict(ran=True, correct=None).state.value
        'unchecked'
        """
        if self.ran is None:
            raise ValueError(f"{self} means no final state: wait until the run has finished")
        return next(state for state, verdict in _VERDICTS.items() if verdict == self)


_FINAL = frozenset({State.SUCCESS, State.INCORRECT, State.UNCHECKED, State.FAILED, State.CANCELLED})
_TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: _FINAL | {State.RETRYING},
    State.RETRYING: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    **dict.fromkeys(_FINAL, frozenset()),
}
_VERDICTS = {
    State.SUCCESS: Verdict(ran=True, correct=True),
    State.INCORRECT: Verdict(ran=True, correct=False),
    State.UNCHECKED: Verdict(ran=True, correct=None),
    State.FAILED: Verdict(ran=False, correct=None),
}
_WORST_FIRST = (
    State.FAILED,
    State.CANCELLED,
    State.INCORRECT,
    State.UNCHECKED,
    State.SUCCESS,
)


def sources(new: State) -> frozenset[State]:
    """The states that may become ``new``: the guard of every change that the ledger makes.

    >>> sorted(sources(State.RUNNING))
    [<State.QUEUED: 'queued'>, <State.RETRYING: 'retrying'>]
    """
    return frozenset(old for old, allowed in _TRANSITIONS.items() if new in allowed)


def worst(states: Iterable[State]) -> State:
    """Return the state of a run from the final states of its models: the worst of them.

    ValueError when there are none, or one is not final.

    >>> worst([State.SUCCESS, State.UNCHECKED, State.SUCCESS]).value
    'unchecked'
    """
    found = set(states)
    if not found or not found <= _FINAL:
        raise ValueError(f"{sorted(found)} are not all final: pass the states of finished models")
    return next(state for state in _WORST_FIRST if state in found)
