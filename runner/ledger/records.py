"""The immutable records that the ledger takes and gives, and the one way from a row to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from datetime import datetime, timedelta
from enum import EnumType
from functools import cache, partial
from operator import itemgetter
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from runner.core.proofs import Property
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import RunKind, RunState
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger.connection import Connection, Row
from runner.ledger.values import instant

T = TypeVar("T")

# In SQL: the states of runs that have not ended, and the runs of a pipeline that are in them.
UNFINISHED = f"({', '.join(repr(state.value) for state in RunState if not state.finished)})"
IN_FLIGHT = f"pipeline = :pipeline and state in {UNFINISHED}"


@dataclass(frozen=True)
class Run:
    """One window of one pipeline being executed, or having been."""

    key: int  # the ledger's own key
    pipeline: str
    run_id: str  # <kind>__<window label>[.N]
    kind: RunKind
    window_start: datetime  # UTC
    window_end: datetime  # UTC
    label: str  # local start of the window
    state: RunState
    fence: int | None  # of the invocation that took it last
    row_count: int | None  # rows that its window holds, all models
    check_count: int | None  # checks that judged it
    seconds: float | None  # its share of its invocation
    reason: str | None  # why it is not success, in one line
    queued_at: datetime  # UTC
    started_at: datetime | None  # UTC
    finished_at: datetime | None  # UTC
    is_unsettled: bool  # cut off in an invocation: ask the markers what that published

    @property
    def span(self) -> Span:
        """Return its window as a span."""
        return Span(self.window_start, self.window_end)


@dataclass(frozen=True)
class ModelRun:
    """The end of the work on one model's window within a run."""

    model: str
    standing: WorkResult
    row_count: int | None  # rows that the window holds; None if nothing was published
    code_hash: str | None  # of the code that ran
    reason: str | None = None  # why it failed, in one line
    published_at: datetime | None = None  # UTC; of the marker of its rows; None: nobody knows
    is_same: bool = False  # published with the rows that the window had before
    checks_hash: str | None = None  # of the checks that gave the verdict; None: nobody knows


@dataclass(frozen=True)
class ModelWork:
    """The work of one run on one model, as far as the ledger remembers."""

    done: ModelRun
    pipeline: str
    run_id: str
    span: Span  # the window of the run
    at: datetime | None  # UTC; when the run ended, None if it goes on


@dataclass(frozen=True)
class CheckFinding:
    """A check that did not pass: what it expected of a window, and what it found."""

    model: str | None
    check: str
    severity: str  # error or warn
    expected: str | None  # None if the check names no window
    actual: str | None
    sample: tuple[str, ...] = ()  # up to five rows in words


@dataclass(frozen=True)
class RunEnd:
    """The end of a run; ValueError for a state that is not final."""

    state: RunState
    row_count: int | None  # rows that its models' windows hold; None if nothing was published
    check_count: int
    seconds: float
    reason: str | None = None

    def __post_init__(self) -> None:
        if not self.state.finished:
            raise ValueError(f"{self.state} is no end of a run: pass a final state")


@dataclass(frozen=True)
class RunEntry:
    """An invocation's part of a run."""

    models: tuple[ModelRun, ...] = ()
    findings: tuple[CheckFinding, ...] = ()
    outcome: RunEnd | None = None  # None: the run goes on


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file as it was before it was read."""

    path: str  # relative to the project
    size: int
    mtime_ns: int
    digest: str  # of its bytes


FilesRead = Mapping[str, Mapping[Span, tuple[InputFile, ...]]]  # by model and window: all there was


@dataclass(frozen=True)
class IndexChange:
    """A change of the index of model windows."""

    windows: Mapping[str, Timeline[WindowRecord]] = field(default_factory=dict)  # painted, by model
    whole: Mapping[str, tuple[Span, WindowRecord]] = field(default_factory=dict)  # all there is
    outdated: Mapping[str, Spans] = field(default_factory=dict)  # read what was published again
    late: Mapping[str, Timeline[str]] = field(default_factory=dict)  # have late rows; in words
    # Of other windows, which have lost rows to a merge; since when (UTC).
    touched: Mapping[str, Timeline[datetime]] = field(default_factory=dict)
    inputs: FilesRead = field(default_factory=dict)  # of the windows that were worked on
    relations: Mapping[str, str] = field(default_factory=dict)  # that models have published


@dataclass(frozen=True)
class Usage:
    """The size of a window, and the time it took, on the average."""

    rows: float  # all models together
    seconds: float


@dataclass(frozen=True)
class RunDetails:
    """One run with all that is known of it."""

    run: Run
    models: Sequence[ModelRun]
    findings: Sequence[CheckFinding]
    allowed: Sequence[Allowance]  # what unsafe models may do in it


@dataclass(frozen=True)
class Pause:
    """A pipeline that starts nothing until somebody resumes it."""

    reason: str
    paused_at: datetime  # UTC


# The columns that are not named as the fields that they fill.
_COLUMNS = {
    "key": "id",
    "start": "window_start",
    "end": "window_end",
    "check": "check_name",
    "at": "finished_at",
    "interval": "interval_seconds",
}
# How a column becomes a value of a type; a value of any other type is in its column as it is.
_CONVERSIONS: Mapping[object, Callable[[Any], object]] = {
    datetime: instant,
    timedelta: lambda seconds: timedelta(seconds=seconds),
    bool: bool,
    tuple[str, ...]: lambda text: tuple(json.loads(text or "[]")),
    tuple[Property, ...]: lambda text: tuple(Property(name) for name in text.split(",") if name),
}


def record_of(record: Callable[..., T], row: Row) -> T:
    """Convert a row: each field of the record is read from its column, by the field's type."""
    return record(**{name: read(row) for name, read in _readers(record).items()})


@cache
def _readers(record: Callable[..., object]) -> Mapping[str, Callable[[Row], object]]:
    """Return the functions that read the fields of a record from a row."""
    hints = get_type_hints(record)
    return {name: _reader(_COLUMNS.get(name, name), hint) for name, hint in hints.items()}


def _reader(column: str, hint: Any) -> Callable[[Row], object]:
    if isinstance(hint, type) and is_dataclass(hint):  # its fields are columns of the same row
        return partial(record_of, hint)
    is_optional = NoneType in get_args(hint)
    kind = get_args(hint)[0] if is_optional else hint
    convert = kind if isinstance(kind, EnumType) else _CONVERSIONS.get(kind)
    if convert is None:
        return itemgetter(column)
    return lambda row: None if is_optional and row[column] is None else convert(row[column])


def span_of(row: Row) -> Span:
    """Return the window that a row is about; faster than :func:`record_of`, for large indexes."""
    return Span(instant(row["window_start"]), instant(row["window_end"]))


def columns_of(span: Span) -> dict[str, object]:
    """Return the columns of a row that is about a window."""
    return {"window_start": span.start, "window_end": span.end}


def take_ranges(connection: Connection, table: str, model: str, spans: Spans) -> list[Row]:
    """Take out of a table what lies in the range of ``spans``, its neighbours included."""
    where = "where model = :model and window_start <= :last and window_end >= :first"
    bounds = list(spans)
    if not bounds:
        return []
    touching = {"model": model, "first": bounds[0].start, "last": bounds[-1].end}
    found = connection.rows(f"select * from {table} {where}", **touching)
    connection.change(f"delete from {table} {where}", **touching)
    return found


def total_rows(models: Iterable[ModelRun]) -> int | None:
    """Add up the rows of a run's models; None if none of them published any window."""
    counts = [model.row_count for model in models if model.row_count is not None]
    return sum(counts) if counts else None
