"""Who holds which window: queue it, start it, keep it, give it back.

A process holds the windows that it queued until their runs end, and proves that it lives by
extending its lease. Each invocation has a fence, larger than every earlier one, and only who
still runs under that fence can record anything. Every change goes from the states that
:mod:`runner.core.states` allows, so that an illegal one matches no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, insert, literal, select, update

from runner.core.errors import FencedOffError
from runner.core.spans import Span, Spans
from runner.core.states import State, sources
from runner.core.windows import Window
from runner.ledger import owners
from runner.ledger.database import Database
from runner.ledger.records import Kind, Run
from runner.ledger.run_ids import last_numbers, run_id
from runner.ledger.schema import (
    UNFINISHED,
    Instant,
    allowances,
    database_now,
    ledger_version,
    runs,
)
from runner.safety.refusals import Allowance

LEASE_SECONDS = 60

FENCED_OFF = (
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
        self,
        pipeline: str,
        kind: Kind,
        windows: Iterable[Window],
        now: datetime,
        allowed: Sequence[Allowance] = (),
    ) -> list[Run]:
        """Queue a run for each window that nobody holds, and hold it; returns those queued.

        ``allowed`` is kept with each of them: what a person let unsafe models do.
        """
        owner = owners.this_process()
        with self._transaction() as connection:
            held = _held_windows(connection, pipeline)
            last = last_numbers(connection, pipeline, kind)
            rows = [
                {
                    "pipeline": pipeline,
                    "run_id": run_id(kind, window, last.get(window.label, 0)),
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
            new = [Run.from_row(row) for row in found if row.window_start in queued]
            kept = [
                {"run": run.key, "model": one.model, "reason": one.reason}
                for run in new
                for one in allowed
            ]
            if kept:
                connection.execute(insert(allowances), kept)
            return new

    def claim(self, pipeline: str, span: Span, now: datetime) -> int:
        """Start the runs that this process holds in ``span``; returns the invocation's fence.

        A fence is larger than every earlier one, those of a lost ledger included: it is never
        below the clock's milliseconds. Raises :class:`FencedOffError` and starts nothing unless
        this process holds every window of ``span``: an invocation publishes all of them.
        """
        ready = (
            *_held_by(owners.this_process(), pipeline, sources(State.RUNNING)),
            *_within(span),
        )
        with self._transaction() as connection:
            held = connection.execute(select(runs).where(*ready))
            if Spans(Span(row.window_start, row.window_end) for row in held) != Spans([span]):
                raise FencedOffError(_why_gone(connection, pipeline, span))
            fence = _next_fence(connection, now)
            connection.execute(
                update(runs)
                .where(*ready)
                .values(
                    state=State.RUNNING,
                    fence=fence,
                    started_at=func.coalesce(runs.c.started_at, literal(now, Instant)),
                    lease_until=database_now(LEASE_SECONDS),
                )
            )
        return fence

    def keep_alive(self, pipeline: str) -> None:
        """Extend the lease of everything this process holds in a pipeline."""
        mine = _held_by(owners.this_process(), pipeline, UNFINISHED)
        self._change(mine, lease_until=database_now(LEASE_SECONDS))

    def holds(self, pipeline: str, fence: int) -> bool:
        """Whether the invocation with ``fence`` still runs, as far as the ledger knows."""
        running = select(runs.c.id).where(*_under(fence, pipeline, (State.RUNNING,)))
        with self._transaction(reads_only=True) as connection:
            return connection.execute(running.limit(1)).first() is not None

    def fate(self, pipeline: str, fence: int) -> str:
        """What has become of an invocation whose windows this process no longer holds."""
        mine = runs.c.pipeline == pipeline, runs.c.fence == fence
        query = select(runs.c.reason).where(*mine, runs.c.reason.is_not(None))
        with self._transaction(reads_only=True) as connection:
            reason = connection.execute(query.limit(1)).scalar()
        return reason or "another runner has taken them over"

    def give_up(self, pipeline: str, reason: str, now: datetime, fence: int | None = None) -> None:
        """End everything this process holds in a pipeline: it was told to stop, or cannot go on.

        What it was in the middle of stays unsettled: the markers will say what was published.
        ``fence`` is that of the invocation that was cut off. Whoever took its windows over
        meanwhile may have asked the markers before it published, so they will be asked again.
        """
        me = owners.this_process()
        ended = update(runs).where(*_held_by(me, pipeline, UNFINISHED))
        cut_off = (runs.c.pipeline == pipeline, runs.c.owner == me, runs.c.fence == fence)
        with self._transaction() as connection:
            connection.execute(
                ended.values(
                    state=State.CANCELLED,
                    reason=reason,
                    finished_at=now,
                    lease_until=None,
                    is_unsettled=runs.c.state == State.RUNNING,
                )
            )
            if fence is not None:
                connection.execute(update(runs).where(*cut_off).values(is_unsettled=True))

    def put_back(
        self, pipeline: str, windows: Iterable[Window], reason: str, now: datetime
    ) -> None:
        """End runs that this process has queued and not started: somebody else did them."""
        queued = _held_by(owners.this_process(), pipeline, (State.QUEUED,))
        values = {"state": State.CANCELLED, "reason": reason, "finished_at": now}
        ended = update(runs).where(*queued).values(**values, lease_until=None)
        with self._transaction() as connection:
            for window in windows:
                connection.execute(ended.where(runs.c.window_start == window.start))

    def release_abandoned(self, pipeline: str, now: datetime) -> None:
        """End the runs of processes that died: theirs failed if started, else are cancelled."""
        with self._transaction() as connection:
            for owner in _gone(connection, pipeline):
                _release(connection, owner, pipeline, now)

    def abandoned(self, pipeline: str) -> list[Run]:
        """The unfinished runs whose process has died, or has let its lease expire."""
        query = select(runs).where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
        with self._transaction(reads_only=True) as connection:
            gone = _gone(connection, pipeline)
            found = connection.execute(query.order_by(runs.c.window_start))
            return [Run.from_row(row) for row in found if row.owner in gone]

    def _change(self, conditions: Sequence[ColumnElement[bool]], **values: object) -> None:
        with self._transaction() as connection:
            connection.execute(update(runs).where(*conditions).values(**values))


def _why_gone(connection: Connection, pipeline: str, span: Span) -> str:
    """Why this process no longer holds some windows: in the words of who ended its runs."""
    ended = select(runs.c.reason).where(
        runs.c.pipeline == pipeline,
        runs.c.owner == owners.this_process(),
        runs.c.state.not_in(UNFINISHED),
        runs.c.reason.is_not(None),
        *_within(span),
    )
    reason = connection.execute(ended.order_by(runs.c.id.desc()).limit(1)).scalar()
    if reason is None:
        return FENCED_OFF
    return f"these windows are no longer this runner's ({reason}): see runner list-runs {pipeline}"


def _next_fence(connection: Connection, now: datetime) -> int:
    highest = connection.execute(select(ledger_version.c.highest_fence)).scalar() or 0
    fence: int = max(highest + 1, int(now.timestamp() * 1000))
    connection.execute(update(ledger_version).values(highest_fence=fence))
    return fence


def _gone(connection: Connection, pipeline: str) -> frozenset[str]:
    """The owners of unfinished runs who have died, or have let their leases expire.

    A lease that ends later than any lease can was given before the clock was set back: whoever
    lives on this machine gives itself another soon, of the others nobody knows.
    """
    latest = func.max(runs.c.lease_until)
    query = (
        select(
            runs.c.owner,
            (latest < database_now()).label("is_expired"),
            (latest > database_now(2 * LEASE_SECONDS)).label("is_impossible"),
        )
        .where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
        .group_by(runs.c.owner)
    )
    return frozenset(
        holder.owner
        for holder in connection.execute(query).all()
        if holder.is_expired
        or owners.is_dead(holder.owner)
        or (holder.is_impossible and not owners.is_here(holder.owner))
    )


def _release(connection: Connection, owner: str, pipeline: str, now: datetime) -> None:
    what = "died" if owners.is_dead(owner) else "gave no sign of life"
    for old, new in _ABANDONED.items():
        connection.execute(
            update(runs)
            .where(*_held_by(owner, pipeline, (old,)))
            .values(
                state=new,
                reason=f"its runner {what}; run the same command again",
                finished_at=now,
                lease_until=None,
                is_unsettled=old is State.RUNNING,
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
