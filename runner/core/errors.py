"""Everything Daybreak raises on purpose.

Every message is one line that says what is wrong and what to do next. Which exit code an
error becomes is known only to the command line.

::

    DaybreakError
    ├── UsageError              a person's input: dates, names, windows, a selection
    │   ├── ConfigError         pipelines.yml; begins "pipelines.yml:12: " when a line is known
    │   └── ProjectError        the dbt project: it does not parse, a selection is empty, …
    ├── EngineError             dbt could not be run
    │   └── WarehouseLockedError  somebody else holds the warehouse's file, for too long
    ├── PausedError             somebody has paused the pipeline
    └── LedgerError             the ledger cannot be read or written, or forbids a change
        └── FencedOffError      another process has taken these windows over

A broken promise between functions (a naive datetime, a span that is not aligned) is a plain
``ValueError``: it is our bug, not a person's mistake.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)


class DaybreakError(Exception):
    """The base of the tree; catch it to catch everything Daybreak raises on purpose."""

    def __init__(self, message: str) -> None:
        """Keep ``message``: one line, what is wrong and what to do next."""
        super().__init__(message)


class UsageError(DaybreakError):
    """A person's input cannot be used: a date, a pipeline, a window, a run."""


class ConfigError(UsageError):
    """``pipelines.yml`` cannot be used; nothing runs until it is repaired.

    >>> print(ConfigError("no such key.", source="pipelines.yml", line=12))
    pipelines.yml:12: no such key.
    """

    def __init__(self, message: str, source: str | None = None, line: int | None = None) -> None:
        """Put ``source`` and the 1-based ``line`` before ``message``, as far as known."""
        place = "".join(f"{part}:" for part in (source, line) if part is not None)
        super().__init__(f"{place} {message}" if place else message)


class ProjectError(UsageError):
    """The dbt project does not parse, or contradicts the pipeline that selects it."""


class EngineError(DaybreakError):
    """dbt could not be run: it did not start, died, or answered nothing readable."""


class WarehouseLockedError(EngineError):
    """Somebody else has held the warehouse's file for longer than we may wait."""


class PausedError(DaybreakError):
    """The pipeline starts nothing until somebody resumes it."""


class LedgerError(DaybreakError):
    """The ledger cannot be read or written, or refuses a change of state."""


class FencedOffError(LedgerError):
    """Another process has taken these windows over; nothing was recorded."""


def one_of(kind: type[E], value: str) -> E:
    """Return the member of an enumeration that a text names; :class:`UsageError` if none.

    >>> from runner.core.states import RunState
    >>> one_of(RunState, "failed").value
    'failed'
    """
    try:
        return kind(value)
    except ValueError as error:
        raise UsageError(f"{value!r} is none of {', '.join(map(str, kind))}") from error


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return a hint to append to a message, or '' when nothing is close to ``name``.

    >>> "No pipeline 'ordres'." + nearest("ordres", ["orders", "returns"])
    "No pipeline 'ordres'. Did you mean 'orders'?"
    >>> nearest("zebra", ["orders", "returns"])
    ''
    """
    from difflib import get_close_matches  # only for who has mistyped

    matches = get_close_matches(name, list(candidates), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""
