"""Read the ledger: what ran, how it ended, and on what evidence."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, not_, select

from runner.errors import UsageError, nearest
from runner.ledger import owners
from runner.ledger.database import Database
from runner.ledger.records import Finding, ModelRun, Run
from runner.ledger.schema import UNFINISHED, database_now, findings, model_runs, runs
from runner.spans import Span, Spans
from runner.states import State


class History(Database):
    """The questions that a ledger answers."""

    def history(self, pipeline: str, span: Span) -> dict[State, Spans]:
        """The state of the newest run of every window in ``span``, as ranges by state.

        A run that was cancelled before it started says nothing about its window.
        """
        never_started = (runs.c.state == State.CANCELLED) & runs.c.started_at.is_(None)
        newest = (
            select(func.max(runs.c.id))
            .where(runs.c.pipeline == pipeline, not_(never_started))
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

    def abandoned(self, pipeline: str) -> list[Run]:
        """The unfinished runs whose process has died, or has let its lease expire."""
        unfinished = select(runs, (runs.c.lease_until < database_now()).label("is_expired"))
        unfinished = unfinished.where(
            runs.c.pipeline == pipeline, runs.c.state.in_(UNFINISHED)
        ).order_by(runs.c.window_start)
        with self._transaction(reads_only=True) as connection:
            found = connection.execute(unfinished).all()
        dead = {owner for owner in {row.owner for row in found} if owners.is_dead(owner)}
        return [Run.from_row(row) for row in found if row.is_expired or row.owner in dead]

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


def _select(connection: Connection, query: Select[Any]) -> list[Run]:
    return [Run.from_row(row) for row in connection.execute(query)]
