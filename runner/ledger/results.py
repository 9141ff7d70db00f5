"""Record how invocations ended, and read it again: runs, their models, the evidence, the index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.crash_points import reached
from runner.core.errors import FencedOffError
from runner.core.spans import Span
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.leases import FENCED_OFF
from runner.ledger.records import CheckFinding, IndexChange, ModelRun, ModelWork, Run, RunEntry
from runner.ledger.values import bindable, instant
from runner.ledger.windows import apply_change

_END = """
    update runs
    set state = :state,
        row_count = :row_count,
        check_count = :check_count,
        seconds = :seconds,
        reason = :reason,
        finished_at = :now,
        lease_until = null
    where id = :key
"""
_INVOCATION = "select window_start, id from runs where pipeline = :pipeline and fence = :fence"
_RUNNING = f"{_INVOCATION} and state = 'running'"
_CUT_OFF = f"{_INVOCATION} and (state = 'running' or is_unsettled)"
_LAST_WORDS = f"""
    {_CUT_OFF}
    and not exists (
        select 1 from runs as later
        where later.pipeline = :pipeline
            and later.window_start = runs.window_start
            and later.id > runs.id
    )
"""
_WORK = """
    select model_runs.*, runs.pipeline, runs.run_id, runs.window_start, runs.window_end,
        runs.finished_at
    from model_runs
    join runs on runs.id = model_runs.run
"""

Entries = Mapping[datetime, RunEntry]  # by the UTC start of their windows


@dataclass
class Results:
    """The ends of runs, of their models and of their checks."""

    database: Database

    def record(
        self, pipeline: str, fence: int, entries: Entries, change: IndexChange, now: datetime
    ) -> None:
        """Record an invocation, and change the index, in one transaction.

        A run whose entry has no outcome waits for its next invocation. Raises
        :class:`FencedOffError` and records nothing if another process holds one by now.
        """
        with self.database.transaction() as connection:
            keys = _keys(connection, _RUNNING, pipeline, fence)
            if not keys or not entries.keys() <= keys.keys():
                raise FencedOffError(FENCED_OFF)
            _write(connection, keys, entries, change, now)

    def record_from_markers(
        self, pipeline: str, fence: int, entries: Entries, change: IndexChange, now: datetime
    ) -> None:
        """Record what the markers tell of an invocation that was cut off.

        It may correct how a run has ended since, unless its window has run again. Raises
        :class:`FencedOffError` and records nothing if another has settled the invocation.
        """
        with self.database.transaction() as connection:
            if not _keys(connection, _CUT_OFF, pipeline, fence):
                raise FencedOffError(FENCED_OFF)
            keys = _keys(connection, _LAST_WORDS, pipeline, fence)
            told = {start: entry for start, entry in entries.items() if start in keys}
            _write(connection, keys, told, change, now)

    def mark_settled(self, asked: Iterable[Run]) -> None:
        """Remember that the markers have been asked about these runs, which were cut off."""
        settled = "update runs set is_unsettled = false where id in :keys"
        self.database.change(settled, keys=[run.key for run in asked])

    def get_models(self, run: Run) -> list[ModelRun]:
        """Return how the models of a run ended."""
        query = "select * from model_runs where run = :run"
        return self.database.select(ModelRun, query, run=run.key)

    def get_findings(self, run: Run) -> list[CheckFinding]:
        """Return what the checks of a run found, those that passed left out."""
        query = "select * from findings where run = :run"
        return self.database.select(CheckFinding, query, run=run.key)

    def find_work(self, models: Collection[str], span: Span) -> list[ModelWork]:
        """Return what was done to some models in windows that touch a span, oldest run first."""
        query = f"""
            {_WORK}
            where model_runs.model in :models
                and runs.window_start < :end
                and runs.window_end > :start
            order by runs.id
        """
        touching = {"models": list(models), "start": span.start, "end": span.end}
        return self.database.select(ModelWork, query, **touching)

    def find_last_work(self, models: Collection[str]) -> list[ModelWork]:
        """Return what was done last to each of some models, in whichever window's name."""
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
        return self.database.select(ModelWork, query, models=list(models))


def _keys(connection: Connection, query: str, pipeline: str, fence: int) -> dict[datetime, int]:
    """Return some of the runs of an invocation, by the start of their windows."""
    rows = connection.rows(query, pipeline=pipeline, fence=fence)
    return {instant(row["window_start"]): row["id"] for row in rows}


def _write(
    connection: Connection,
    keys: Mapping[datetime, int],
    entries: Entries,
    change: IndexChange,
    now: datetime,
) -> None:
    """Write entries to the runs with some keys, and change the index."""
    runs = [(keys[start], entry) for start, entry in entries.items()]
    ended = [{"key": key, "now": now, **vars(e.outcome)} for key, e in runs if e.outcome]
    waiting = [{"key": key} for key, entry in runs if not entry.outcome]
    connection.change_each(_END, ended)
    connection.change_each("update runs set state = 'retrying' where id = :key", waiting)
    models = [{"run": key, **vars(model)} for key, entry in runs for model in entry.models]
    # A model that runs again within its run replaces what was said of it.
    again = "delete from model_runs where run = :run and model = :model"
    connection.change_each(again, [{"run": row["run"], "model": row["model"]} for row in models])
    connection.insert("model_runs", models)
    connection.insert("findings", [_finding(key, f) for key, e in runs for f in e.findings])
    apply_change(connection, change)
    reached("before-commit")


def _finding(key: int, finding: CheckFinding) -> dict[str, object]:
    row = {"run": key, **vars(finding)}
    row["check_name"] = row.pop("check")
    row["sample"] = json.dumps(bindable(list(finding.sample))) if finding.sample else None
    return row
