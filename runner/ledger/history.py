"""Read the ledger: what ran, how it ended, and on what evidence."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, func, select

from runner.core.errors import UsageError, nearest
from runner.core.spans import Span, Spans
from runner.core.states import State
from runner.ledger.database import Database
from runner.ledger.records import Finding, ModelRun, Run, Usage
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

    def unsettled(self, pipeline: str) -> list[Run]:
        """The ended runs that were cut off in an invocation and not asked after since."""
        query = select(runs).where(runs.c.pipeline == pipeline, runs.c.is_unsettled)
        query = query.where(runs.c.state.not_in(UNFINISHED)).order_by(runs.c.window_start)
        with self._transaction(reads_only=True) as connection:
            return _select(connection, query)

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


def _select(connection: Connection, query: Select[Any]) -> list[Run]:
    return [Run.from_row(row) for row in connection.execute(query)]
