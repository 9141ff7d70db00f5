"""Read and write the ledger, each operation one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from runner.errors import LedgerError, UsageError, nearest
from runner.ledger import owners
from runner.ledger.records import Finding, Kind, ModelRun, Outcome, Run
from runner.ledger.schema import (
    UNFINISHED,
    VERSION,
    database_now,
    findings,
    ledger_version,
    metadata,
    model_runs,
    runs,
)
from runner.spans import Span, Spans
from runner.states import State, sources
from runner.windows import Window

LEASE_SECONDS = 60


class Ledger:
    """Runs, leases and evidence, in SQLite or another database by URL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, location: Path | str) -> Self:
        """Open the ledger, and create it if there is none.

        ``location`` is the path of an SQLite file or a database URL. Raises
        :class:`LedgerError` if it cannot be opened or comes from a newer Daybreak.
        """
        if isinstance(location, Path):
            location.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{location}" if isinstance(location, Path) else location)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_immediate)
        ledger = cls(engine)
        ledger._create()
        return ledger

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def history(self, pipeline: str, span: Span) -> dict[State, Spans]:
        """The state of the newest run of every window in ``span``, as ranges by state."""
        newest = (
            select(func.max(runs.c.id))
            .where(runs.c.pipeline == pipeline)
            .where(runs.c.window_start >= span.start, runs.c.window_start < span.end)
            .group_by(runs.c.window_start)
        )
        found: dict[State, list[Span]] = {}
        with self._transaction(reads_only=True) as connection:
            for row in connection.execute(
                select(runs.c.state, runs.c.window_start, runs.c.window_end)
                .where(runs.c.id.in_(newest))
                .order_by(runs.c.window_start)
            ):
                found.setdefault(State(row.state), []).append(
                    Span(row.window_start, row.window_end)
                )
        return {state: Spans(spans) for state, spans in found.items()}

    def queue(
        self, pipeline: str, kind: Kind, windows: Iterable[Window], now: datetime
    ) -> list[Run]:
        """Queue a run for each window that nobody holds, and hold it; returns those queued."""
        owner = owners.this_process()
        with self._transaction() as connection:
            held = _held_windows(connection, pipeline)
            earlier = _run_counts(connection, pipeline, kind)
            rows = [
                {
                    "pipeline": pipeline,
                    "run_id": _run_id(kind, window, earlier.get(window.start, 0)),
                    "kind": kind,
                    "window_start": window.start,
                    "window_end": window.end,
                    "label": window.label,
                    "state": State.QUEUED,
                    "owner": owner,
                    "queued_at": now,
                }
                for window in windows
                if window.start not in held
            ]
            if rows:
                connection.execute(
                    insert(runs).values(lease_until=database_now(LEASE_SECONDS)), rows
                )
            mine = _held_by(owner, pipeline, (State.QUEUED,))
            return _select(connection, select(runs).where(*mine).order_by(runs.c.window_start))

    def claim(self, pipeline: str, span: Span, now: datetime) -> int:
        """Start the runs that this process holds in ``span``; returns the fence of the invocation.

        A fence is larger than every earlier one, those of a lost ledger included: it is never
        below the clock's milliseconds. Raises :class:`LedgerError` if there is none to start.
        """
        mine = _held_by(owners.this_process(), pipeline, sources(State.RUNNING))
        with self._transaction() as connection:
            highest = connection.execute(select(func.max(runs.c.fence))).scalar() or 0
            fence: int = max(highest + 1, int(now.timestamp() * 1000))
            taken = connection.execute(
                update(runs)
                .where(*mine, runs.c.window_start >= span.start, runs.c.window_start < span.end)
                .values(
                    state=State.RUNNING,
                    fence=fence,
                    started_at=func.coalesce(runs.c.started_at, now),
                    lease_until=database_now(LEASE_SECONDS),
                )
            ).rowcount
        if not taken:
            raise LedgerError(_FENCED_OFF)
        return fence

    def finish(
        self, pipeline: str, fence: int, outcomes: Mapping[datetime, Outcome], now: datetime
    ) -> None:
        """Record how runs ended, by the UTC start of their window.

        Raises :class:`LedgerError` and records nothing if another process holds one by now.
        """
        if not outcomes:
            return
        with self._transaction() as connection:
            keys = _running_keys(connection, pipeline, fence)
            if not outcomes.keys() <= keys.keys():
                raise LedgerError(_FENCED_OFF)
            connection.execute(
                update(runs).where(runs.c.id == bindparam("key")),
                [
                    {
                        "key": keys[start],
                        "state": outcome.state,
                        "row_count": outcome.row_count,
                        "check_count": outcome.check_count,
                        "seconds": outcome.seconds,
                        "reason": outcome.reason,
                        "finished_at": now,
                        "lease_until": None,
                    }
                    for start, outcome in outcomes.items()
                ],
            )
            for table, rows in (
                (model_runs, list(_model_rows(keys, outcomes))),
                (findings, list(_finding_rows(keys, outcomes))),
            ):
                if rows:
                    connection.execute(insert(table), rows)

    def retry(self, pipeline: str, fence: int, span: Span) -> None:
        """Mark the runs of an invocation that run again within ``span``."""
        self._change(
            [
                runs.c.pipeline == pipeline,
                runs.c.fence == fence,
                runs.c.state.in_(sources(State.RETRYING)),
                runs.c.window_start >= span.start,
                runs.c.window_start < span.end,
            ],
            state=State.RETRYING,
        )

    def keep_alive(self, pipeline: str) -> None:
        """Extend the lease of everything this process holds in a pipeline."""
        self._change(
            _held_by(owners.this_process(), pipeline, UNFINISHED),
            lease_until=database_now(LEASE_SECONDS),
        )

    def cancel(self, pipeline: str, reason: str, now: datetime) -> None:
        """End everything this process holds in a pipeline: it was told to stop."""
        mine = _held_by(owners.this_process(), pipeline, sources(State.CANCELLED))
        self._change(mine, state=State.CANCELLED, reason=reason, finished_at=now, lease_until=None)

    def release_abandoned(self, pipeline: str, now: datetime) -> None:
        """End the runs of processes that died: theirs failed if started, else are cancelled."""
        with self._transaction() as connection:
            holders: Sequence[Any] = connection.execute(
                select(
                    runs.c.owner,
                    func.max(runs.c.lease_until) < database_now(),
                )
                .where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
                .group_by(runs.c.owner)
            ).all()
            for owner, expired in holders:
                if not expired and not owners.is_dead(owner):
                    continue
                for old, new in _ABANDONED.items():
                    connection.execute(
                        update(runs)
                        .where(*_held_by(owner, pipeline, (old,)))
                        .values(
                            state=new,
                            reason="its runner died; run the same command again",
                            finished_at=now,
                            lease_until=None,
                        )
                    )

    def runs(
        self, pipeline: str, limit: int | None = None, state: State | None = None
    ) -> list[Run]:
        """The runs of a pipeline, newest window first, its newest run first."""
        query = (
            select(runs)
            .where(runs.c.pipeline == pipeline)
            .order_by(runs.c.window_start.desc(), runs.c.id.desc())
            .limit(limit)
        )
        if state is not None:
            query = query.where(runs.c.state == state)
        with self._transaction(reads_only=True) as connection:
            return _select(connection, query)

    def run(self, pipeline: str, run_id: str) -> Run:
        """One run; :class:`UsageError` with the nearest id if there is none."""
        with self._transaction(reads_only=True) as connection:
            mine = select(runs).where(runs.c.pipeline == pipeline)
            found = _select(connection, mine.where(runs.c.run_id == run_id))
            if not found:
                ids = connection.execute(select(runs.c.run_id).where(runs.c.pipeline == pipeline))
                hint = nearest(run_id, ids.scalars())
                raise UsageError(
                    f"{pipeline} has no run {run_id!r}.{hint} See: runner list-runs {pipeline}"
                )
        return found[0]

    def model_runs(self, run: Run) -> list[ModelRun]:
        """How the models of a run ended."""
        query = select(model_runs).where(model_runs.c.run == run.key)
        with self._transaction(reads_only=True) as connection:
            return [ModelRun.from_row(row) for row in connection.execute(query)]

    def findings(self, run: Run) -> list[Finding]:
        """What the checks of a run found, those that passed left out."""
        query = select(findings).where(findings.c.run == run.key)
        with self._transaction(reads_only=True) as connection:
            return [Finding.from_row(row) for row in connection.execute(query)]

    def _change(self, conditions: Sequence[ColumnElement[bool]], **values: object) -> None:
        with self._transaction() as connection:
            connection.execute(update(runs).where(*conditions).values(**values))

    @contextmanager
    def _transaction(self, *, reads_only: bool = False) -> Iterator[Connection]:
        try:
            engine = self._engine.execution_options(daybreak_reads_only=reads_only)
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise LedgerError(
                f"the ledger {self._engine.url.database} cannot be used ({error.orig}): "
                "look at its file and disk, then run the same command again"
            ) from error

    def _create(self) -> None:
        with self._transaction() as connection:
            metadata.create_all(connection)
            version = connection.execute(select(ledger_version.c.version)).scalar()
            if version is None:
                connection.execute(insert(ledger_version).values(version=VERSION))
            elif version != VERSION:
                raise LedgerError(
                    f"the ledger {self._engine.url.database} has version {version}, "
                    f"this Daybreak knows {VERSION}: upgrade Daybreak"
                )


_FENCED_OFF = (
    "another process has taken over these windows; nothing was recorded: "
    "look at `runner list-runs`, then run the same command again"
)
# What becomes of the runs of a process that died.
_ABANDONED = {
    State.QUEUED: State.CANCELLED,
    State.RUNNING: State.FAILED,
    State.RETRYING: State.FAILED,
}


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Survive a power loss (FULL), and let readers read while one writes (WAL)."""
    connection.isolation_level = None  # SQLAlchemy's begin below is the only one
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that has read could not always upgrade."""
    reads_only = connection.get_execution_options().get("daybreak_reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _held_by(owner: str, pipeline: str, states: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        runs.c.pipeline == pipeline,
        runs.c.owner == owner,
        runs.c.state.in_(list(states)),
    )


def _held_windows(connection: Connection, pipeline: str) -> frozenset[datetime]:
    query = select(runs.c.window_start)
    query = query.where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
    return frozenset(connection.execute(query).scalars())


def _run_counts(connection: Connection, pipeline: str, kind: Kind) -> dict[datetime, int]:
    """How many runs of a kind each window has had."""
    query = (
        select(runs.c.window_start, func.count())
        .where(runs.c.pipeline == pipeline, runs.c.kind == kind)
        .group_by(runs.c.window_start)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _run_id(kind: Kind, window: Window, earlier: int) -> str:
    return f"{kind}__{window.label}" + (f".{earlier + 1}" if earlier else "")


def _running_keys(connection: Connection, pipeline: str, fence: int) -> dict[datetime, int]:
    query = select(runs.c.window_start, runs.c.id).where(
        runs.c.pipeline == pipeline, runs.c.fence == fence, runs.c.state == State.RUNNING
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _select(connection: Connection, query: Select[Any]) -> list[Run]:
    return [Run.from_row(row) for row in connection.execute(query)]


def _model_rows(
    keys: Mapping[datetime, int], outcomes: Mapping[datetime, Outcome]
) -> Iterator[dict[str, object]]:
    for start, outcome in outcomes.items():
        for model in outcome.models:
            yield {
                "run": keys[start],
                "model": model.model,
                "state": model.state,
                "row_count": model.row_count,
                "code_hash": model.code_hash,
            }


def _finding_rows(
    keys: Mapping[datetime, int], outcomes: Mapping[datetime, Outcome]
) -> Iterator[dict[str, object]]:
    for start, outcome in outcomes.items():
        for finding in outcome.findings:
            yield {
                "run": keys[start],
                "model": finding.model,
                "check_name": finding.check,
                "severity": finding.severity,
                "expected": finding.expected,
                "actual": finding.actual,
            }
