"""Read the ledger: what ran, how it ended, and on what evidence."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from runner.core.errors import UsageError, nearest
from runner.core.spans import Span, Spans
from runner.core.states import State
from runner.ledger.database import Database
from runner.ledger.records import Finding, ModelRun, Run, Usage, Work
from runner.ledger.schema import UNFINISHED, allowances, findings, model_runs, runs
from runner.safety.refusals import Allowance

NEWEST = 366  # runs that tell what a window takes


class History(Database):
    """The questions that a ledger answers."""

    def in_flight(self, pipeline: str) -> Spans:
        """The windows of unfinished runs, whoever holds them."""
        query = select(runs.c.window_start, runs.c.window_end).where(
            runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED)
        )
        with self._transaction(reads_only=True) as connection:
            return Spans(
                Span(row.window_start, row.window_end) for row in connection.execute(query)
            )

    def unfinished(self, pipeline: str) -> list[Run]:
        """The runs of a pipeline that have not ended, oldest window first."""
        query = select(runs).where(runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED))
        with self._transaction(reads_only=True) as connection:
            return _select(connection, query.order_by(runs.c.window_start))

    def unsettled(self, pipeline: str) -> list[Run]:
        """The ended runs that were cut off in an invocation and not asked after since."""
        query = select(runs).where(runs.c.pipeline == pipeline, runs.c.is_unsettled)
        query = query.where(runs.c.state.not_in(UNFINISHED)).order_by(runs.c.window_start)
        with self._transaction(reads_only=True) as connection:
            return _select(connection, query)

    def tried_since(self, pipeline: str, since: datetime) -> Spans:
        """The windows whose runs ended badly at or after an instant, by what was found in them.

        A run that was cut off, by a crash or by hand, has not been tried: nothing came of it.
        """
        query = select(runs.c.window_start, runs.c.window_end).where(
            runs.c.pipeline == pipeline,
            runs.c.state.in_((State.FAILED, State.INCORRECT)),
            runs.c.seconds.is_not(None),
            runs.c.finished_at >= since,
        )
        with self._transaction(reads_only=True) as connection:
            return Spans(Span(row[0], row[1]) for row in connection.execute(query))

    def failing_since(self, pipeline: str, span: Span) -> datetime | None:
        """When the windows of a span first ended badly after they were last a success (UTC)."""
        mine = (
            runs.c.pipeline == pipeline,
            runs.c.window_start >= span.start,
            runs.c.window_start < span.end,
        )
        good = select(func.max(runs.c.id)).where(*mine, runs.c.state == State.SUCCESS)
        bad = select(func.min(runs.c.finished_at)).where(
            *mine,
            runs.c.state.in_((State.FAILED, State.INCORRECT)),
            runs.c.id > func.coalesce(good.scalar_subquery(), 0),
        )
        with self._transaction(reads_only=True) as connection:
            found: datetime | None = connection.execute(bad).scalar()
        return found

    def usage(self, pipeline: str, models: Collection[str]) -> Usage | None:
        """What a window of some models took, on the average of the newest; None: unknown."""
        newest = (
            select(runs.c.id)
            .where(runs.c.pipeline == pipeline, runs.c.state == State.SUCCESS)
            .order_by(runs.c.id.desc())
            .limit(NEWEST)
        )
        per_model = (
            select(func.avg(model_runs.c.row_count).label("row_count"))
            .where(model_runs.c.run.in_(newest), model_runs.c.model.in_(models))
            .group_by(model_runs.c.model)
            .subquery()
        )
        seconds = select(func.avg(runs.c.seconds)).where(runs.c.id.in_(newest))
        with self._transaction(reads_only=True) as connection:
            rows = connection.execute(select(func.sum(per_model.c.row_count))).scalar()
            took = connection.execute(seconds).scalar()
        return None if rows is None or took is None else Usage(float(rows), float(took))

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

    def work_on(self, models: Collection[str], span: Span) -> list[Work]:
        """What was done to some models in windows that touch a span, the oldest run first."""
        query = _work().where(
            model_runs.c.model.in_(models),
            runs.c.window_start < span.end,
            runs.c.window_end > span.start,
        )
        with self._transaction(reads_only=True) as connection:
            return [Work.from_row(row) for row in connection.execute(query)]

    def last_work_on(self, models: Collection[str]) -> list[Work]:
        """What was done last to each of some models, in whichever window's name."""
        newest = (
            select(model_runs.c.model.label("model"), func.max(model_runs.c.run).label("run"))
            .where(model_runs.c.model.in_(models))
            .group_by(model_runs.c.model)
            .subquery()
        )
        is_newest = and_(model_runs.c.model == newest.c.model, model_runs.c.run == newest.c.run)
        query = _work().join(newest, is_newest)
        with self._transaction(reads_only=True) as connection:
            return [Work.from_row(row) for row in connection.execute(query)]

    def findings(self, run: Run) -> list[Finding]:
        """What the checks of a run found, those that passed left out."""
        query = select(findings).where(findings.c.run == run.key)
        with self._transaction(reads_only=True) as connection:
            return [Finding.from_row(row) for row in connection.execute(query)]

    def allowances(self, run: Run) -> list[Allowance]:
        """What a person let unsafe models of a run do."""
        query = select(allowances.c.model, allowances.c.reason)
        query = query.where(allowances.c.run == run.key)
        with self._transaction(reads_only=True) as connection:
            return [Allowance(row.model, row.reason) for row in connection.execute(query)]


def _work() -> Select[Any]:
    facts = (runs.c.pipeline, runs.c.run_id, runs.c.window_start, runs.c.window_end)
    columns = [column for column in model_runs.c if column.name != "run"]
    joined = select(*columns, *facts, runs.c.finished_at).join(runs, runs.c.id == model_runs.c.run)
    return joined.order_by(runs.c.id)


def _select(connection: Connection, query: Select[Any]) -> list[Run]:
    return [Run.from_row(row) for row in connection.execute(query)]
