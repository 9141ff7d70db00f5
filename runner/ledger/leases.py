"""Who holds which window: queue it, start it, keep it, give it back.

A process holds the windows that it queued until their runs end, and proves that it lives by
extending its lease. Each invocation has a fence, larger than every earlier one, and only who
still runs under that fence can record anything. Every change goes from the states that
:mod:`runner.core.states` allows, so that an illegal one matches no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from runner.core.errors import FencedOffError
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import Kind, RunState, sources
from runner.core.windows import Window
from runner.ledger import owners
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.records import Run, span_of
from runner.ledger.run_ids import last_numbers, run_id
from runner.ledger.values import instant

LEASE_SECONDS = 60

FENCED_OFF = (
    "another process has taken over these windows; nothing was recorded: "
    "look at `runner list-runs`, then run the same command again"
)
_QUEUE = """
    insert into runs (
        pipeline, run_id, kind, window_start, window_end, label, state, owner, queued_at,
        lease_until, is_unsettled
    )
    values (
        :pipeline, :run_id, :kind, :window_start, :window_end, :label, 'queued', :owner, :now,
        ledger_now(:seconds), false
    )
"""
_QUEUED = """
    select * from runs
    where pipeline = :pipeline and owner = :owner and state = 'queued'
    order by window_start
"""
# What this process holds in a span, and may start.
_READY = """
    where pipeline = :pipeline
        and owner = :owner
        and state in :states
        and window_start >= :start
        and window_start < :end
"""


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
                    "owner": owner,
                    "now": now,
                    "seconds": LEASE_SECONDS,
                }
                for window in windows
                if window.start not in held
            ]
            connection.change_each(_QUEUE, rows)
            queued = {row["window_start"] for row in rows}
            found = connection.rows(_QUEUED, pipeline=pipeline, owner=owner)
            new = [run for run in map(Run.from_row, found) if run.window_start in queued]
            connection.change_each(
                "insert into allowances (run, model, reason) values (:run, :model, :reason)",
                [
                    {"run": run.key, "model": one.model, "reason": one.reason}
                    for run in new
                    for one in allowed
                ],
            )
            return new

    def claim(self, pipeline: str, span: Span, now: datetime) -> int:
        """Start the runs that this process holds in ``span``; returns the invocation's fence.

        A fence is larger than every earlier one, those of a lost ledger included: it is never
        below the clock's milliseconds. Raises :class:`FencedOffError` and starts nothing unless
        this process holds every window of ``span``: an invocation publishes all of them.
        """
        ready: dict[str, object] = {
            "pipeline": pipeline,
            "owner": owners.this_process(),
            "states": list(sources(RunState.RUNNING)),
            "start": span.start,
            "end": span.end,
        }
        with self._transaction() as connection:
            held = connection.rows(f"select window_start, window_end from runs {_READY}", **ready)
            if Spans(map(span_of, held)) != Spans([span]):
                raise FencedOffError(_why_gone(connection, pipeline, span))
            fence = _next_fence(connection, now)
            connection.change(
                f"""
                update runs
                set state = 'running',
                    fence = :fence,
                    started_at = coalesce(started_at, :now),
                    lease_until = ledger_now(:seconds)
                {_READY}
                """,
                fence=fence,
                now=now,
                seconds=LEASE_SECONDS,
                **ready,
            )
        return fence

    def keep_alive(self, pipeline: str) -> None:
        """Extend the lease of everything this process holds in a pipeline."""
        extended = """
            update runs
            set lease_until = ledger_now(:seconds)
            where pipeline = :pipeline
                and owner = :owner
                and state in ('queued', 'running', 'retrying')
        """
        me = owners.this_process()
        with self._transaction() as connection:
            connection.change(extended, pipeline=pipeline, owner=me, seconds=LEASE_SECONDS)

    def holds(self, pipeline: str, fence: int) -> bool:
        """Whether the invocation with ``fence`` still runs, as far as the ledger knows."""
        running = """
            select id from runs
            where pipeline = :pipeline and fence = :fence and state = 'running'
            limit 1
        """
        with self._transaction(reads_only=True) as connection:
            return connection.row(running, pipeline=pipeline, fence=fence) is not None

    def fate(self, pipeline: str, fence: int) -> str:
        """What has become of an invocation whose windows this process no longer holds."""
        query = """
            select reason from runs
            where pipeline = :pipeline and fence = :fence and reason is not null
            limit 1
        """
        with self._transaction(reads_only=True) as connection:
            reason = connection.value(query, pipeline=pipeline, fence=fence)
        return reason or "another runner has taken them over"

    def give_up(self, pipeline: str, reason: str, now: datetime, fence: int | None = None) -> None:
        """End everything this process holds in a pipeline: it was told to stop, or cannot go on.

        What it was in the middle of stays unsettled: the markers will say what was published.
        ``fence`` is that of the invocation that was cut off. Whoever took its windows over
        meanwhile may have asked the markers before it published, so they will be asked again.
        """
        ended = """
            update runs
            set state = 'cancelled',
                reason = :reason,
                finished_at = :now,
                lease_until = null,
                is_unsettled = (state = 'running')
            where pipeline = :pipeline
                and owner = :owner
                and state in ('queued', 'running', 'retrying')
        """
        cut_off = """
            update runs
            set is_unsettled = true
            where pipeline = :pipeline and owner = :owner and fence = :fence
        """
        me = owners.this_process()
        with self._transaction() as connection:
            connection.change(ended, pipeline=pipeline, owner=me, reason=reason, now=now)
            if fence is not None:
                connection.change(cut_off, pipeline=pipeline, owner=me, fence=fence)

    def put_back(
        self, pipeline: str, windows: Iterable[Window], reason: str, now: datetime
    ) -> None:
        """End runs that this process has queued and not started: somebody else did them."""
        ended = """
            update runs
            set state = 'cancelled', reason = :reason, finished_at = :now, lease_until = null
            where pipeline = :pipeline
                and owner = :owner
                and state = 'queued'
                and window_start = :start
        """
        common = {
            "pipeline": pipeline,
            "owner": owners.this_process(),
            "reason": reason,
            "now": now,
        }
        with self._transaction() as connection:
            connection.change_each(ended, [{**common, "start": w.start} for w in windows])


def _why_gone(connection: Connection, pipeline: str, span: Span) -> str:
    """Why this process no longer holds some windows: in the words of who ended its runs."""
    ended = """
        select reason from runs
        where pipeline = :pipeline
            and owner = :owner
            and state not in ('queued', 'running', 'retrying')
            and reason is not null
            and window_start >= :start
            and window_start < :end
        order by id desc
        limit 1
    """
    me = owners.this_process()
    reason = connection.value(ended, pipeline=pipeline, owner=me, start=span.start, end=span.end)
    if reason is None:
        return FENCED_OFF
    return f"these windows are no longer this runner's ({reason}): see runner list-runs {pipeline}"


def _next_fence(connection: Connection, now: datetime) -> int:
    highest = connection.value("select highest_fence from ledger_version") or 0
    fence: int = max(highest + 1, int(now.timestamp() * 1000))
    connection.change("update ledger_version set highest_fence = :fence", fence=fence)
    return fence


def _held_windows(connection: Connection, pipeline: str) -> frozenset[datetime]:
    query = """
        select window_start from runs
        where pipeline = :pipeline and state in ('queued', 'running', 'retrying')
    """
    return frozenset(map(instant, connection.column(query, pipeline=pipeline)))
