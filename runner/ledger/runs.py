"""Read what ran: runs by id, state and window, what they took, and what a person allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.errors import UsageError, nearest
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.ledger.database import Database
from runner.ledger.records import IN_FLIGHT, UNFINISHED, Run, Usage, record_of

NEWEST = 366  # runs that tell what a window takes
_EVERY = 2**62  # no ledger has as many rows: SQLite knows no limit of null
_NEWEST_SUCCESSES = """
    select id from runs
    where pipeline = :pipeline and state = 'success'
    order by id desc
    limit :newest
"""


@dataclass(frozen=True)
class RunStatistics:
    """The runs of a pipeline that the ledger remembers, counted."""

    runs: Mapping[RunState, int]  # every state, also those that none is in
    timed: int  # finished runs of which it is known what they took
    seconds: float  # that those took, all together
    newest_seconds: float | None  # that the one took that finished last; None: none has
    last_success: datetime | None  # UTC; when a run last ended as a success; None: none has
    retries: int  # invocations, ever, that came after a failure that might pass by itself


@dataclass
class Runs:
    """The runs that the ledger remembers."""

    database: Database

    def get(self, pipeline: str, run_id: str) -> Run:
        """Return one run; :class:`UsageError` with the nearest id if there is none."""
        query = "select * from runs where pipeline = :pipeline and run_id = :run_id"
        ids = "select run_id from runs where pipeline = :pipeline"
        with self.database.transaction(reads_only=True) as connection:
            row = connection.row(query, pipeline=pipeline, run_id=run_id)
            if row is None:
                hint = nearest(run_id, connection.column(ids, pipeline=pipeline))
                raise UsageError(
                    f"{pipeline} has no run {run_id!r}.{hint} See: runner list-runs {pipeline}"
                )
            return record_of(Run, row)

    def find(
        self, pipeline: str, limit: int | None = None, state: RunState | None = None
    ) -> list[Run]:
        """Return the runs of a pipeline, newest window first, its newest run first."""
        most = _EVERY if limit is None else limit
        where = "pipeline = :pipeline and state = coalesce(:state, state)"
        order = "window_start desc, id desc limit :limit"
        return self._find(where, order, pipeline=pipeline, state=state, limit=most)

    def find_unfinished(self, pipeline: str) -> list[Run]:
        """Return the runs of a pipeline that have not ended, oldest window first."""
        return self._find(IN_FLIGHT, pipeline=pipeline)

    def find_unsettled(self, pipeline: str) -> list[Run]:
        """Return the ended runs that were cut off in an invocation and not asked after since."""
        where = f"pipeline = :pipeline and is_unsettled and state not in {UNFINISHED}"
        return self._find(where, pipeline=pipeline)

    def find_open(self) -> list[Run]:
        """Return the runs of all pipelines that are unfinished or unsettled."""
        return self._find(f"state in {UNFINISHED} or is_unsettled", "pipeline, window_start")

    def _find(self, where: str, order: str = "window_start", **values: object) -> list[Run]:
        query = f"select * from runs where {where} order by {order}"
        return self.database.select(Run, query, **values)

    def get_windows_in_flight(self, pipeline: str) -> Spans:
        """Return the windows of unfinished runs, whoever holds them."""
        query = f"select window_start, window_end from runs where {IN_FLIGHT}"
        return Spans(self.database.select(Span, query, pipeline=pipeline))

    def get_failed_windows(self, pipeline: str, since: datetime) -> Spans:
        """Return the windows whose runs ended badly since an instant, by what was found in them.

        A run that was cut off, by a crash or by hand, has not been tried: nothing came of it.
        """
        query = """
            select window_start, window_end from runs
            where pipeline = :pipeline
                and state in ('failed', 'incorrect')
                and seconds is not null
                and finished_at >= :since
        """
        return Spans(self.database.select(Span, query, pipeline=pipeline, since=since))

    def get_first_failure(self, pipeline: str, span: Span) -> datetime | None:
        """Return when windows first ended badly after they were last a success (UTC)."""
        query = """
            with mine as (
                select * from runs
                where pipeline = :pipeline and window_start >= :start and window_start < :end
            )
            select min(finished_at) from mine
            where state in ('failed', 'incorrect')
                and id > coalesce((select max(id) from mine where state = 'success'), 0)
        """
        return self.database.instant(query, pipeline=pipeline, start=span.start, end=span.end)

    def get_usage(self, pipeline: str, models: Collection[str]) -> Usage | None:
        """Return what a window of some models took, on the average of the newest; None: unknown."""
        row_count = f"""
            with per_model as (
                select avg(row_count) as row_count
                from model_runs
                where run in ({_NEWEST_SUCCESSES}) and model in :models
                group by model
            )
            select sum(row_count) from per_model
        """
        seconds = f"select avg(seconds) from runs where id in ({_NEWEST_SUCCESSES})"
        newest: dict[str, object] = {"pipeline": pipeline, "newest": NEWEST}
        with self.database.transaction(reads_only=True) as connection:
            rows = connection.value(row_count, models=list(models), **newest)
            took = connection.value(seconds, **newest)
        return None if rows is None or took is None else Usage(float(rows), float(took))

    def get_statistics(self, pipeline: str) -> RunStatistics:
        """Return the runs of a pipeline, counted; zeros for one that never ran."""
        states = "select state, count(*) as n from runs where pipeline = :pipeline group by state"
        figures = f"""
            with mine as (select * from runs where pipeline = :pipeline),
                timed as (
                    select * from mine where state not in {UNFINISHED} and seconds is not null
                )
            select
                (select count(*) from timed) as timed,
                (select coalesce(sum(seconds), 0.0) from timed) as seconds,
                (select seconds from timed order by finished_at desc limit 1) as newest_seconds,
                (select max(finished_at) from mine where state = 'success') as last_success,
                coalesce((select count from retries where pipeline = :pipeline), 0) as retries
        """
        with self.database.transaction(reads_only=True) as connection:
            rows = connection.rows(states, pipeline=pipeline)
            found = {row["state"]: row["n"] for row in rows}
            counts = {state: found.get(state, 0) for state in RunState}
            (row,) = connection.rows(figures, pipeline=pipeline)
            return record_of(RunStatistics, {**row, "runs": counts})

    def count_retry(self, pipeline: str) -> None:
        """Count that something of a pipeline is tried again."""
        again = "update retries set count = count + 1 where pipeline = :pipeline"
        with self.database.transaction() as connection:
            if not connection.change(again, pipeline=pipeline):
                connection.insert("retries", [{"pipeline": pipeline, "count": 1}])

    def get_allowances(self, run: Run) -> list[Allowance]:
        """Return what a person let unsafe models of a run do."""
        query = "select model, reason from allowances where run = :run"
        return self.database.select(Allowance, query, run=run.key)
