"""Hold windows: queue them, start them, keep them, give them back, free those that nobody holds.

A process holds the windows that it queued until their runs end, and proves that it lives by
extending its lease. Each invocation has a fence, larger than every earlier one, and only who
still runs under that fence can record anything. Every change goes from the states that
:mod:`runner.core.states` allows, so that an illegal one matches no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from runner.core.errors import FencedOffError
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import RunKind, RunState, sources
from runner.core.windows import Window
from runner.ledger import owners
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.records import IN_FLIGHT, UNFINISHED, Run, columns_of, record_of, span_of
from runner.ledger.values import instant

LEASE_SECONDS = 60

FENCED_OFF = (
    "another process has taken over these windows; nothing was recorded: "
    "look at `runner list-runs`, then run the same command again"
)
_HELD = f"{IN_FLIGHT} and owner = :owner"
_INVOCATION = "pipeline = :pipeline and fence = :fence"
_WITHIN = "window_start >= :start and window_start < :end"
_RENEW = f"update runs set lease_until = ledger_now(:seconds) where {_HELD}"
# What becomes of the runs of a process that died.
_ABANDONED = {
    RunState.QUEUED: RunState.CANCELLED,
    RunState.RUNNING: RunState.FAILED,
    RunState.RETRYING: RunState.FAILED,
}


@dataclass
class Leases:
    """The changes that a run goes through until it has ended, each one transaction."""

    database: Database

    def queue(
        self,
        pipeline: str,
        kind: RunKind,
        windows: Iterable[Window],
        now: datetime,
        allowed: Sequence[Allowance] = (),
    ) -> list[Run]:
        """Queue a run for each window that nobody holds, and hold it; returns those queued.

        ``allowed`` is kept with each of them: what a person let unsafe models do.
        """
        mine = _mine(pipeline)
        query = "select * from runs where pipeline = :pipeline and run_id in :ids"
        new = {**mine, "kind": kind, "state": RunState.QUEUED, "queued_at": now}
        with self.database.transaction() as connection:
            rows = _new_runs(connection, pipeline, kind, windows)
            connection.insert("runs", [{**new, **row, "is_unsettled": False} for row in rows])
            connection.change(_RENEW, **mine, seconds=LEASE_SECONDS)
            ids = [row["run_id"] for row in rows]
            found = connection.rows(f"{query} order by window_start", pipeline=pipeline, ids=ids)
            runs = [record_of(Run, row) for row in found]
            allowances = [{"run": run.key, **asdict(one)} for run in runs for one in allowed]
            connection.insert("allowances", allowances)
            return runs

    def claim(self, pipeline: str, span: Span, now: datetime) -> int:
        """Start the runs that this process holds in ``span``; returns the invocation's fence.

        A fence is larger than every earlier one, those of a lost ledger included: it is never
        below the clock's milliseconds. Raises :class:`FencedOffError` and starts nothing unless
        this process holds every window of ``span``: an invocation publishes all of them.
        """
        startable = f"pipeline = :pipeline and owner = :owner and state in :states and {_WITHIN}"
        within = {**_mine(pipeline), "start": span.start, "end": span.end}
        mine = {**within, "states": list(sources(RunState.RUNNING))}
        started = f"""
            update runs
            set state = 'running',
                fence = :fence,
                started_at = coalesce(started_at, :now),
                lease_until = ledger_now(:seconds)
            where {startable}
        """
        held = f"select window_start, window_end from runs where {startable}"
        with self.database.transaction() as connection:
            if Spans(map(span_of, connection.rows(held, **mine))) != Spans([span]):
                raise FencedOffError(_why_gone(connection, within))
            fence = _next_fence(connection, now)
            connection.change(started, fence=fence, now=now, seconds=LEASE_SECONDS, **mine)
        return fence

    def renew(self, pipeline: str) -> None:
        """Extend the lease of everything this process holds in a pipeline."""
        self.database.change(_RENEW, **_mine(pipeline), seconds=LEASE_SECONDS)

    def is_held(self, pipeline: str, fence: int) -> bool:
        """Return whether the invocation with ``fence`` still runs, as far as the ledger knows."""
        running = f"select id from runs where {_INVOCATION} and state = 'running' limit 1"
        return self.database.value(running, pipeline=pipeline, fence=fence) is not None

    def get_loss_reason(self, pipeline: str, fence: int) -> str:
        """Return why this process no longer holds the windows of an invocation, in words."""
        query = f"select reason from runs where {_INVOCATION} and reason is not null limit 1"
        reason = self.database.value(query, pipeline=pipeline, fence=fence)
        return reason or "another runner has taken them over"

    def give_up(self, pipeline: str, reason: str, now: datetime, fence: int | None = None) -> None:
        """End everything this process holds in a pipeline: it was told to stop, or cannot go on.

        ``fence`` is that of the invocation that was cut off. Whoever took its windows over
        meanwhile may have asked the markers before it published, so they will be asked again.
        """
        cut_off = f"update runs set is_unsettled = true where {_INVOCATION} and owner = :owner"
        mine = _mine(pipeline)
        with self.database.transaction() as connection:
            end_runs(connection, _HELD, RunState.CANCELLED, reason=reason, now=now, **mine)
            if fence is not None:
                connection.change(cut_off, **mine, fence=fence)

    def cancel_queued(
        self, pipeline: str, windows: Iterable[Window], reason: str, now: datetime
    ) -> None:
        """End runs that this process has queued and not started: somebody else did them."""
        queued = f"{_HELD} and state = 'queued' and window_start = :start"
        mine = {**_mine(pipeline), "reason": reason, "now": now}
        with self.database.transaction() as connection:
            for window in windows:
                end_runs(connection, queued, RunState.CANCELLED, **mine, start=window.start)

    def find_abandoned(self, pipeline: str) -> list[Run]:
        """Return the unfinished runs whose process has died, or has let its lease expire."""
        query = f"select * from runs where {IN_FLIGHT} order by window_start"
        with self.database.transaction(reads_only=True) as connection:
            gone = _gone(connection, pipeline)
            found = connection.rows(query, pipeline=pipeline)
            return [record_of(Run, row) for row in found if row["owner"] in gone]

    def release_abandoned(self, pipeline: str, now: datetime) -> None:
        """End the runs of processes that died: theirs failed if started, else are cancelled."""
        with self.database.transaction() as connection:
            for owner in _gone(connection, pipeline):
                what = "died" if owners.is_dead(owner) else "gave no sign of life"
                reason = f"its runner {what}; run the same command again"
                theirs = {"pipeline": pipeline, "owner": owner, "reason": reason, "now": now}
                for old, new in _ABANDONED.items():
                    end_runs(connection, f"{_HELD} and state = :old", new, **theirs, old=old)


def _mine(pipeline: str) -> dict[str, object]:
    """Return the values of a condition that is about what this process holds in a pipeline."""
    return {"pipeline": pipeline, "owner": owners.this_process()}


def end_runs(connection: Connection, where: str, state: RunState, **values: object) -> int:
    """End the runs, none of them finished, that a condition names; returns how many.

    ``values`` are those of the condition, and ``reason`` and ``now``.

    What an invocation was in the middle of stays unsettled: the markers will say what it published.
    """
    ended = f"""
        update runs
        set state = :new,
            reason = :reason,
            finished_at = :now,
            lease_until = null,
            is_unsettled = (state = 'running')
        where {where}
    """
    return connection.change(ended, new=state, **values)


def _gone(connection: Connection, pipeline: str) -> frozenset[str]:
    """Return the owners of unfinished runs who have died, or have let their leases expire.

    A lease that ends later than any lease can was given before the clock was set back: whoever
    lives on this machine gives itself another soon, of the others nobody knows.
    """
    query = f"""
        select
            owner,
            max(lease_until) < ledger_now(:no_time) as is_expired,
            max(lease_until) > ledger_now(:too_long) as is_impossible
        from runs
        where {IN_FLIGHT}
        group by owner
    """
    holders = connection.rows(query, pipeline=pipeline, no_time=0, too_long=2 * LEASE_SECONDS)
    return frozenset(
        holder["owner"]
        for holder in holders
        if holder["is_expired"]
        or owners.is_dead(holder["owner"])
        or (holder["is_impossible"] and not owners.is_here(holder["owner"]))
    )


def _why_gone(connection: Connection, within: Mapping[str, object]) -> str:
    """Say why this process no longer holds some windows: in the words of who ended its runs."""
    ended = f"""
        select reason from runs
        where pipeline = :pipeline
            and owner = :owner
            and state not in {UNFINISHED}
            and reason is not null
            and {_WITHIN}
        order by id desc
        limit 1
    """
    reason = connection.value(ended, **within)
    if reason is None:
        return FENCED_OFF
    see = f"see runner list-runs {within['pipeline']}"
    return f"these windows are no longer this runner's ({reason}): {see}"


def _next_fence(connection: Connection, now: datetime) -> int:
    highest = connection.value("select highest_fence from ledger_version") or 0
    fence: int = max(highest + 1, int(now.timestamp() * 1000))
    connection.change("update ledger_version set highest_fence = :fence", fence=fence)
    return fence


def _new_runs(
    connection: Connection, pipeline: str, kind: RunKind, windows: Iterable[Window]
) -> list[dict[str, object]]:
    """Return the columns that windows' runs differ in, for each window that nobody holds."""
    query = f"select window_start from runs where {IN_FLIGHT}"
    held = frozenset(map(instant, connection.column(query, pipeline=pipeline)))
    last = _last_numbers(connection, pipeline, kind)
    return [
        {
            "run_id": _run_id(kind, window, last.get(window.label, 0)),
            "label": window.label,
            **columns_of(window.span),
        }
        for window in windows
        if window.start not in held
    ]


def _last_numbers(connection: Connection, pipeline: str, kind: RunKind) -> dict[str, int]:
    """Return the number of each window's last run of a kind, by the label that their ids carry.

    Read from the ids: earlier runs may have been forgotten, and no id is given twice.
    """
    number = "cast(nullif(substr(run_id, length(label) + :after), '') as integer)"
    query = f"""
        select label, max(coalesce({number}, 1)) as number
        from runs
        where pipeline = :pipeline and kind = :kind
        group by label
    """
    after = len(f"{kind}__.") + 1
    rows = connection.rows(query, after=after, pipeline=pipeline, kind=kind)
    return {row["label"]: row["number"] for row in rows}


def _run_id(kind: RunKind, window: Window, last: int) -> str:
    """Return ``<kind>__<label>``, with ``.2``, ``.3`` after the first; ``last``: 0 for none."""
    return f"{kind}__{window.label}" + (f".{last + 1}" if last else "")
