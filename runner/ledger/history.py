"""Read the ledger: what ran, how it ended, and on what evidence."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from runner.core.errors import UsageError, nearest
from runner.core.refusals import Allowance
from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.records import CheckFinding, ModelRun, ModelWork, Run, Usage, span_of
from runner.ledger.values import maybe_instant

NEWEST = 366  # runs that tell what a window takes
_EVERY = 2**62  # no ledger has as many rows: SQLite knows no limit of null
_NEWEST_SUCCESSES = """
    select id from runs
    where pipeline = :pipeline and state = 'success'
    order by id desc
    limit :newest
"""
_WORK = """
    select model_runs.*, runs.pipeline, runs.run_id, runs.window_start, runs.window_end,
        runs.finished_at
    from model_runs
    join runs on runs.id = model_runs.run
"""


class History(Database):
    """The questions that a ledger answers."""

    def in_flight(self, pipeline: str) -> Spans:
        """The windows of unfinished runs, whoever holds them."""
        query = """
            select window_start, window_end from runs
            where pipeline = :pipeline and state in ('queued', 'running', 'retrying')
        """
        with self._transaction(reads_only=True) as connection:
            return Spans(map(span_of, connection.rows(query, pipeline=pipeline)))

    def unfinished(self, pipeline: str) -> list[Run]:
        """The runs of a pipeline that have not ended, oldest window first."""
        query = """
            select * from runs
            where pipeline = :pipeline and state in ('queued', 'running', 'retrying')
            order by window_start
        """
        with self._transaction(reads_only=True) as connection:
            return _runs(connection, query, pipeline=pipeline)

    def unsettled(self, pipeline: str) -> list[Run]:
        """The ended runs that were cut off in an invocation and not asked after since."""
        query = """
            select * from runs
            where pipeline = :pipeline
                and is_unsettled
                and state not in ('queued', 'running', 'retrying')
            order by window_start
        """
        with self._transaction(reads_only=True) as connection:
            return _runs(connection, query, pipeline=pipeline)

    def tried_since(self, pipeline: str, since: datetime) -> Spans:
        """The windows whose runs ended badly at or after an instant, by what was found in them.

        A run that was cut off, by a crash or by hand, has not been tried: nothing came of it.
        """
        query = """
            select window_start, window_end from runs
            where pipeline = :pipeline
                and state in ('failed', 'incorrect')
                and seconds is not null
                and finished_at >= :since
        """
        with self._transaction(reads_only=True) as connection:
            return Spans(map(span_of, connection.rows(query, pipeline=pipeline, since=since)))

    def failing_since(self, pipeline: str, span: Span) -> datetime | None:
        """When the windows of a span first ended badly after they were last a success (UTC)."""
        query = """
            with mine as (
                select * from runs
                where pipeline = :pipeline and window_start >= :start and window_start < :end
            )
            select min(finished_at) from mine
            where state in ('failed', 'incorrect')
                and id > coalesce((select max(id) from mine where state = 'success'), 0)
        """
        values = {"pipeline": pipeline, "start": span.start, "end": span.end}
        with self._transaction(reads_only=True) as connection:
            return maybe_instant(connection.value(query, **values))

    def usage(self, pipeline: str, models: Collection[str]) -> Usage | None:
        """What a window of some models took, on the average of the newest; None: unknown."""
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
        with self._transaction(reads_only=True) as connection:
            rows = connection.value(row_count, models=list(models), **newest)
            took = connection.value(seconds, **newest)
        return None if rows is None or took is None else Usage(float(rows), float(took))

    def runs(
        self, pipeline: str, limit: int | None = None, state: RunState | None = None
    ) -> list[Run]:
        """The runs of a pipeline, newest window first, its newest run first."""
        query = """
            select * from runs
            where pipeline = :pipeline and state = coalesce(:state, state)
            order by window_start desc, id desc
            limit :limit
        """
        with self._transaction(reads_only=True) as connection:
            return _runs(
                connection,
                query,
                pipeline=pipeline,
                state=state,
                limit=_EVERY if limit is None else limit,
            )

    def run(self, pipeline: str, run_id: str) -> Run:
        """One run; :class:`UsageError` with the nearest id if there is none."""
        query = "select * from runs where pipeline = :pipeline and run_id = :run_id"
        ids = "select run_id from runs where pipeline = :pipeline"
        with self._transaction(reads_only=True) as connection:
            found = _runs(connection, query, pipeline=pipeline, run_id=run_id)
            if not found:
                hint = nearest(run_id, connection.column(ids, pipeline=pipeline))
                raise UsageError(
                    f"{pipeline} has no run {run_id!r}.{hint} See: runner list-runs {pipeline}"
                )
        return found[0]

    def model_runs(self, run: Run) -> list[ModelRun]:
        """How the models of a run ended."""
        query = "select * from model_runs where run = :run"
        with self._transaction(reads_only=True) as connection:
            return [ModelRun.from_row(row) for row in connection.rows(query, run=run.key)]

    def work_on(self, models: Collection[str], span: Span) -> list[ModelWork]:
        """What was done to some models in windows that touch a span, the oldest run first."""
        query = f"""
            {_WORK}
            where model_runs.model in :models
                and runs.window_start < :end
                and runs.window_end > :start
            order by runs.id
        """
        with self._transaction(reads_only=True) as connection:
            rows = connection.rows(query, models=list(models), start=span.start, end=span.end)
            return [ModelWork.from_row(row) for row in rows]

    def last_work_on(self, models: Collection[str]) -> list[ModelWork]:
        """What was done last to each of some models, in whichever window's name."""
        query = f"""
            {_WORK}
            join (
                select model, max(run) as run
                from model_runs
                where model in :models
                group by model
            ) as newest
                on newest.model = model_runs.model and newest.run = model_runs.run
            order by runs.id
        """
        with self._transaction(reads_only=True) as connection:
            return [ModelWork.from_row(row) for row in connection.rows(query, models=list(models))]

    def findings(self, run: Run) -> list[CheckFinding]:
        """What the checks of a run found, those that passed left out."""
        query = "select * from findings where run = :run"
        with self._transaction(reads_only=True) as connection:
            return [CheckFinding.from_row(row) for row in connection.rows(query, run=run.key)]

    def allowances(self, run: Run) -> list[Allowance]:
        """What a person let unsafe models of a run do."""
        query = "select model, reason from allowances where run = :run"
        with self._transaction(reads_only=True) as connection:
            rows = connection.rows(query, run=run.key)
            return [Allowance(row["model"], row["reason"]) for row in rows]


def _runs(connection: Connection, query: str, **values: object) -> list[Run]:
    return [Run.from_row(row) for row in connection.rows(query, **values)]
