"""Who holds which window: queue it, start it, record how it ended.

A process holds the windows that it queued until their runs end, and proves that it lives by
extending its lease. Each invocation has a fence, larger than every earlier one, and only who
still runs under that fence can record anything. Every change goes from the states that
:mod:`runner.states` allows, so that an illegal one matches no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from runner.errors import LedgerError
from runner.ledger import owners
from runner.ledger.database import Database
from runner.ledger.records import Kind, Outcome, Run
from runner.ledger.schema import UNFINISHED, database_now, findings, model_runs, runs
from runner.spans import Span, Spans
from runner.states import State, sources
from runner.windows import Window

LEASE_SECONDS = 60

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


class Leases(Database):
    """The changes a run goes through, each one transaction."""

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
                    "run_id": _run_id(kind, window, earlier.get(window.label, 0)),
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
                leased = insert(runs).values(lease_until=database_now(LEASE_SECONDS))
                connection.execute(leased, rows)
            queued = {row["window_start"] for row in rows}
            mine = select(runs).where(*_held_by(owner, pipeline, (State.QUEUED,)))
            found = connection.execute(mine.order_by(runs.c.window_start))
            return [Run.from_row(row) for row in found if row.window_start in queued]

    def claim(self, pipeline: str, span: Span, now: datetime) -> int:
        """Start the runs that this process holds in ``span``; returns the invocation's fence.

        A fence is larger than every earlier one, those of a lost ledger included: it is never
        below the clock's milliseconds. Raises :class:`LedgerError` and starts nothing unless
        this process holds every window of ``span``: an invocation publishes all of them.
        """
        ready = (
            *_held_by(owners.this_process(), pipeline, sources(State.RUNNING)),
            *_within(span),
        )
        with self._transaction() as connection:
            held = connection.execute(select(runs).where(*ready))
            if Spans(Span(row.window_start, row.window_end) for row in held) != Spans([span]):
                raise LedgerError(_FENCED_OFF)
            highest = connection.execute(select(func.max(runs.c.fence))).scalar() or 0
            fence: int = max(highest + 1, int(now.timestamp() * 1000))
            connection.execute(
                update(runs)
                .where(*ready)
                .values(
                    state=State.RUNNING,
                    fence=fence,
                    started_at=func.coalesce(runs.c.started_at, now),
                    lease_until=database_now(LEASE_SECONDS),
                )
            )
        return fence

    def finish(
        self, pipeline: str, fence: int, outcomes: Mapping[datetime, Outcome], now: datetime
    ) -> None:
        """Record how runs of an invocation ended, by the UTC start of their window.

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
                list(_run_rows(keys, outcomes, now)),
            )
            for table, rows in (
                (model_runs, list(_model_rows(keys, outcomes))),
                (findings, list(_finding_rows(keys, outcomes))),
            ):
                if rows:
                    connection.execute(insert(table), rows)

    def retry(self, pipeline: str, fence: int, span: Span) -> None:
        """Mark the runs of an invocation that run again within ``span``."""
        again = (*_under(fence, pipeline, sources(State.RETRYING)), *_within(span))
        self._change(again, state=State.RETRYING)

    def keep_alive(self, pipeline: str) -> None:
        """Extend the lease of everything this process holds in a pipeline."""
        mine = _held_by(owners.this_process(), pipeline, UNFINISHED)
        self._change(mine, lease_until=database_now(LEASE_SECONDS))

    def cancel(self, pipeline: str, reason: str, now: datetime) -> None:
        """End everything this process holds in a pipeline: it was told to stop."""
        mine = _held_by(owners.this_process(), pipeline, sources(State.CANCELLED))
        self._change(mine, state=State.CANCELLED, reason=reason, finished_at=now, lease_until=None)

    def release_abandoned(self, pipeline: str, now: datetime) -> None:
        """End the runs of processes that died: theirs failed if started, else are cancelled."""
        holders = (
            select(
                runs.c.owner, (func.max(runs.c.lease_until) < database_now()).label("is_expired")
            )
            .where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
            .group_by(runs.c.owner)
        )
        with self._transaction() as connection:
            for holder in connection.execute(holders).all():
                if holder.is_expired or owners.is_dead(holder.owner):
                    _release(connection, holder.owner, pipeline, now)

    def _change(self, conditions: Sequence[ColumnElement[bool]], **values: object) -> None:
        with self._transaction() as connection:
            connection.execute(update(runs).where(*conditions).values(**values))


def _release(connection: Connection, owner: str, pipeline: str, now: datetime) -> None:
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


def _held_by(owner: str, pipeline: str, states: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    return runs.c.pipeline == pipeline, runs.c.owner == owner, runs.c.state.in_(list(states))


def _under(fence: int, pipeline: str, states: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    return runs.c.pipeline == pipeline, runs.c.fence == fence, runs.c.state.in_(list(states))


def _within(span: Span) -> tuple[ColumnElement[bool], ...]:
    return runs.c.window_start >= span.start, runs.c.window_start < span.end


def _held_windows(connection: Connection, pipeline: str) -> frozenset[datetime]:
    query = select(runs.c.window_start)
    query = query.where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
    return frozenset(connection.execute(query).scalars())


def _run_counts(connection: Connection, pipeline: str, kind: Kind) -> dict[str, int]:
    """How many runs of a kind each window has had, by the label that their ids carry."""
    query = (
        select(runs.c.label, func.count())
        .where(runs.c.pipeline == pipeline, runs.c.kind == kind)
        .group_by(runs.c.label)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _run_id(kind: Kind, window: Window, earlier: int) -> str:
    return f"{kind}__{window.label}" + (f".{earlier + 1}" if earlier else "")


def _running_keys(connection: Connection, pipeline: str, fence: int) -> dict[datetime, int]:
    """The runs of an invocation, locked where a database locks rows (SQLite locks all of it)."""
    query = select(runs.c.window_start, runs.c.id)
    query = query.where(*_under(fence, pipeline, (State.RUNNING,))).with_for_update()
    return {row[0]: row[1] for row in connection.execute(query)}


def _run_rows(
    keys: Mapping[datetime, int], outcomes: Mapping[datetime, Outcome], now: datetime
) -> Iterator[dict[str, object]]:
    for start, outcome in outcomes.items():
        yield {
            "key": keys[start],
            "state": outcome.state,
            "row_count": outcome.row_count,
            "check_count": outcome.check_count,
            "seconds": outcome.seconds,
            "reason": outcome.reason,
            "finished_at": now,
            "lease_until": None,
        }


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
