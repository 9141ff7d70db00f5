"""Record what an invocation has brought: runs, their models, the evidence, and the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from runner.core.crash_points import reached
from runner.core.errors import FencedOffError
from runner.core.states import State
from runner.ledger.database import Database
from runner.ledger.index import apply_change
from runner.ledger.leases import FENCED_OFF
from runner.ledger.records import Entry, IndexChange, Run
from runner.ledger.schema import findings, model_runs, runs


class Recording(Database):
    """The one transaction that ends an invocation."""

    def record(
        self,
        pipeline: str,
        fence: int,
        entries: Mapping[datetime, Entry],
        change: IndexChange,
        now: datetime,
    ) -> None:
        """Record an invocation, by the UTC start of its windows, and change the index.

        A run whose entry has no outcome waits for its next invocation. Raises
        :class:`FencedOffError` and records nothing if another process holds one by now, or has
        settled the whole invocation.
        """
        with self._transaction() as connection:
            keys = _running_keys(connection, pipeline, fence)
            is_open = bool(keys) or _is_unsettled(connection, pipeline, fence)
            if not is_open or not entries.keys() <= keys.keys():
                raise FencedOffError(FENCED_OFF)
            _write_runs(connection, keys, entries, now)
            _write_models(connection, keys, entries)
            rows = list(_finding_rows(keys, entries))
            if rows:
                connection.execute(insert(findings), rows)
            apply_change(connection, change)
            reached("before-commit")

    def settle(self, asked: Iterable[Run]) -> None:
        """Remember that the markers have been asked about these runs, which were cut off."""
        rows = [{"key": run.key} for run in asked]
        with self._transaction() as connection:
            if rows:
                settled = update(runs).where(runs.c.id == bindparam("key"))
                connection.execute(settled.values(is_unsettled=False), rows)


def _running_keys(connection: Connection, pipeline: str, fence: int) -> dict[datetime, int]:
    """The runs of an invocation that goes on, by the start of their windows."""
    query = select(runs.c.window_start, runs.c.id).where(
        runs.c.pipeline == pipeline, runs.c.fence == fence, runs.c.state == State.RUNNING
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _is_unsettled(connection: Connection, pipeline: str, fence: int) -> bool:
    """Whether an invocation was cut off, and nobody has asked the markers about it since."""
    query = select(runs.c.id).where(
        runs.c.pipeline == pipeline, runs.c.fence == fence, runs.c.is_unsettled
    )
    return connection.execute(query.limit(1)).first() is not None


def _write_runs(
    connection: Connection,
    keys: Mapping[datetime, int],
    entries: Mapping[datetime, Entry],
    now: datetime,
) -> None:
    ended = [
        {
            "key": keys[start],
            "state": entry.outcome.state,
            "row_count": entry.outcome.row_count,
            "check_count": entry.outcome.check_count,
            "seconds": entry.outcome.seconds,
            "reason": entry.outcome.reason,
            "finished_at": now,
            "lease_until": None,
        }
        for start, entry in entries.items()
        if entry.outcome is not None
    ]
    waiting = [
        {"key": keys[start], "state": State.RETRYING}
        for start, entry in entries.items()
        if entry.outcome is None
    ]
    for rows in (ended, waiting):
        if rows:
            connection.execute(update(runs).where(runs.c.id == bindparam("key")), rows)


def _write_models(
    connection: Connection, keys: Mapping[datetime, int], entries: Mapping[datetime, Entry]
) -> None:
    rows = [
        {
            "run": keys[start],
            "model": model.model,
            "standing": model.standing,
            "row_count": model.row_count,
            "code_hash": model.code_hash,
            "reason": model.reason,
        }
        for start, entry in entries.items()
        for model in entry.models
    ]
    if not rows:
        return
    # A model that runs again within its run replaces what was said of it.
    again = delete(model_runs).where(
        model_runs.c.run == bindparam("of_run"), model_runs.c.model == bindparam("of_model")
    )
    connection.execute(again, [{"of_run": row["run"], "of_model": row["model"]} for row in rows])
    connection.execute(insert(model_runs), rows)


def _finding_rows(
    keys: Mapping[datetime, int], entries: Mapping[datetime, Entry]
) -> Iterator[dict[str, object]]:
    for start, entry in entries.items():
        for finding in entry.findings:
            yield {
                "run": keys[start],
                "model": finding.model,
                "check_name": finding.check,
                "severity": finding.severity,
                "expected": finding.expected,
                "actual": finding.actual,
                "sample": finding.sample or None,
            }
