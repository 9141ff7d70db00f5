"""Record what an invocation has brought: runs, their models, the evidence, and the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from runner.core.crash_points import reached
from runner.core.errors import FencedOffError
from runner.ledger.connection import Connection
from runner.ledger.database import Database
from runner.ledger.index import apply_change
from runner.ledger.leases import FENCED_OFF
from runner.ledger.records import IndexChange, Run, RunEntry
from runner.ledger.values import as_lines, instant

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
_RUNNING = """
    select window_start, id from runs
    where pipeline = :pipeline and fence = :fence and state = 'running'
"""
_CUT_OFF = """
    select window_start, id from runs
    where pipeline = :pipeline and fence = :fence and (state = 'running' or is_unsettled)
"""
_LAST_WORDS = (
    _CUT_OFF
    + """
    and not exists (
        select 1 from runs as later
        where later.pipeline = :pipeline
            and later.window_start = runs.window_start
            and later.id > runs.id
    )
"""
)
_INSERT_MODEL = """
    insert into model_runs (run, model, standing, row_count, code_hash, reason)
    values (:run, :model, :standing, :row_count, :code_hash, :reason)
"""
_INSERT_FINDING = """
    insert into findings (run, model, check_name, severity, expected, actual, sample)
    values (:run, :model, :check_name, :severity, :expected, :actual, :sample)
"""


class Recording(Database):
    """The one transaction that ends an invocation."""

    def record(
        self,
        pipeline: str,
        fence: int,
        entries: Mapping[datetime, RunEntry],
        change: IndexChange,
        now: datetime,
    ) -> None:
        """Record an invocation, by the UTC start of its windows, and change the index.

        A run whose entry has no outcome waits for its next invocation. Raises
        :class:`FencedOffError` and records nothing if another process holds one by now.
        """
        with self._transaction() as connection:
            keys = _keys(connection, _RUNNING, pipeline, fence)
            if not keys or not entries.keys() <= keys.keys():
                raise FencedOffError(FENCED_OFF)
            _write(connection, keys, entries, change, now)

    def testify(
        self,
        pipeline: str,
        fence: int,
        entries: Mapping[datetime, RunEntry],
        change: IndexChange,
        now: datetime,
    ) -> None:
        """Record what the markers tell of an invocation that was cut off.

        It may correct how a run has ended since, unless its window has run again. Raises
        :class:`FencedOffError` and records nothing if another has settled the invocation.
        """
        with self._transaction() as connection:
            if not _keys(connection, _CUT_OFF, pipeline, fence):
                raise FencedOffError(FENCED_OFF)
            keys = _keys(connection, _LAST_WORDS, pipeline, fence)
            told = {start: entry for start, entry in entries.items() if start in keys}
            _write(connection, keys, told, change, now)

    def settle(self, asked: Iterable[Run]) -> None:
        """Remember that the markers have been asked about these runs, which were cut off."""
        with self._transaction() as connection:
            connection.change_each(
                "update runs set is_unsettled = false where id = :key",
                [{"key": run.key} for run in asked],
            )


def _keys(connection: Connection, query: str, pipeline: str, fence: int) -> dict[datetime, int]:
    """Some of the runs of an invocation, by the start of their windows."""
    rows = connection.rows(query, pipeline=pipeline, fence=fence)
    return {instant(row["window_start"]): row["id"] for row in rows}


def _write(
    connection: Connection,
    keys: Mapping[datetime, int],
    entries: Mapping[datetime, RunEntry],
    change: IndexChange,
    now: datetime,
) -> None:
    _write_runs(connection, keys, entries, now)
    _write_models(connection, keys, entries)
    connection.change_each(_INSERT_FINDING, _finding_rows(keys, entries))
    apply_change(connection, change)
    reached("before-commit")


def _write_runs(
    connection: Connection,
    keys: Mapping[datetime, int],
    entries: Mapping[datetime, RunEntry],
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
            "now": now,
        }
        for start, entry in entries.items()
        if entry.outcome is not None
    ]
    waiting = [{"key": keys[start]} for start, entry in entries.items() if entry.outcome is None]
    connection.change_each(_END, ended)
    connection.change_each("update runs set state = 'retrying' where id = :key", waiting)


def _write_models(
    connection: Connection, keys: Mapping[datetime, int], entries: Mapping[datetime, RunEntry]
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
    # A model that runs again within its run replaces what was said of it.
    again = "delete from model_runs where run = :run and model = :model"
    connection.change_each(again, [{"run": row["run"], "model": row["model"]} for row in rows])
    connection.change_each(_INSERT_MODEL, rows)


def _finding_rows(
    keys: Mapping[datetime, int], entries: Mapping[datetime, RunEntry]
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
                "sample": as_lines(finding.sample) if finding.sample else None,
            }
