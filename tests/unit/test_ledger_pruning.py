"""What a ledger forgets, and what it never does. Over every database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from runner.core.refusals import Allowance
from runner.core.spans import Span
from runner.core.states import RunKind, RunState
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Window
from runner.ledger import CheckFinding, IndexChange, Ledger, ModelRun, Run, RunEntry
from tests.unit.ledger_fixtures import (
    FAILED,
    NOTHING,
    NOW,
    PIPELINE,
    SUCCESS,
    WEEK,
    change_index,
    finished,
    opened,
    span,
    started,
)

LATER = NOW + timedelta(days=500)
KEPT = LATER - timedelta(days=400)
FINDING = CheckFinding("a", "unique_a", "error", None, None)


def ids(ledger: Ledger) -> list[str]:
    return sorted(run.run_id for run in ledger.runs.find(PIPELINE))


def worked(ledger: Ledger, windows: list[Window], *models: ModelRun) -> Run:
    """A run of each window that worked on some models; the last of them."""
    fence = started(ledger, windows)
    entry = RunEntry(models, (FINDING,), SUCCESS)
    ledger.results.record(PIPELINE, fence, {w.start: entry for w in windows}, NOTHING, NOW)
    return ledger.runs.find(PIPELINE, limit=1)[0]


def rows(ledger: Ledger, table: str) -> int:
    with ledger.database.transaction(reads_only=True) as connection:
        return int(connection.value(f"select count(*) from {table}"))


def published(model: str) -> ModelRun:
    return ModelRun(model, WorkResult.SUCCESS, 5, "code")


def failed(model: str) -> ModelRun:
    return ModelRun(model, WorkResult.FAILED, None, "code", "no file")


# What goes


def test_of_each_window_the_newest_run_stays(ledger: Ledger):
    for _ in range(3):
        finished(ledger, WEEK[:2])
    assert ledger.maintenance.count_prunable(KEPT) == {"runs": 4, "messages": 0}
    assert len(ids(ledger)) == 6
    assert ledger.maintenance.prune(KEPT) == {"runs": 4, "messages": 0}
    assert ids(ledger) == ["backfill__2026-06-01.3", "backfill__2026-06-02.3"]
    assert ledger.maintenance.prune(KEPT) == {"runs": 0, "messages": 0}


def test_what_belongs_to_a_run_goes_with_it(ledger: Ledger):
    window = WEEK[:1]
    for _ in range(2):
        ledger.leases.queue(PIPELINE, RunKind.BACKFILL, window, NOW, [Allowance("a", "by hand")])
        fence = ledger.leases.claim(PIPELINE, span(window), NOW)
        entry = RunEntry((published("a"),), (FINDING,), SUCCESS)
        ledger.results.record(PIPELINE, fence, {window[0].start: entry}, NOTHING, NOW)
    ledger.maintenance.prune(KEPT)
    tables = ("runs", "model_runs", "findings", "allowances")
    assert [rows(ledger, table) for table in tables] == [1] * 4


def test_what_is_not_old_stays(ledger: Ledger):
    finished(ledger, WEEK[:1])
    finished(ledger, WEEK[:1])
    assert ledger.maintenance.prune(NOW) == {
        "runs": 0,
        "messages": 0,
    }  # over at that very instant, not before
    assert ledger.maintenance.prune(NOW + timedelta(seconds=1))["runs"] == 1


def test_messages_go_that_were_sent(ledger: Ledger):
    written = """
        insert into outbox (pipeline, tone, title, body, attempts, created_at, sent_at)
        values ('p', 'bad', 't', 'b', 0, :now, :sent)
    """
    with ledger.database.transaction() as connection:
        connection.change_each(written, [{"now": NOW, "sent": sent} for sent in (None, NOW, LATER)])
    assert ledger.maintenance.prune(KEPT) == {"runs": 0, "messages": 1}
    assert rows(ledger, "outbox") == 2


def test_a_batch_at_a_time_forgets_as_much(ledger: Ledger):
    for _ in range(3):
        finished(ledger, WEEK)
    with mock.patch("runner.ledger.maintenance._BATCH", 4):
        assert ledger.maintenance.prune(KEPT)["runs"] == 14
    assert len(ids(ledger)) == 7


# What stays


def test_what_is_unfinished_or_unsettled_stays(ledger: Ledger):
    fence = started(ledger, WEEK[:1])
    ledger.leases.give_up(PIPELINE, "told to stop", NOW, fence)  # unsettled
    finished(ledger, WEEK[:1])
    ledger.leases.queue(PIPELINE, RunKind.MANUAL, WEEK[1:2], NOW)
    assert ledger.maintenance.prune(KEPT)["runs"] == 0
    assert len(ledger.runs.find_unsettled(PIPELINE)) == 1
    assert len(ids(ledger)) == 3


def test_a_run_that_becomes_unsettled_meanwhile_stays(ledger: Ledger):
    for _ in range(2):
        finished(ledger, WEEK[:1])
    old = ledger.runs.get(PIPELINE, "backfill__2026-06-01")

    with ledger.database.transaction() as connection:
        connection.change("update runs set is_unsettled = true where id = :key", key=old.key)

    with mock.patch("runner.ledger.maintenance._keys", return_value=[old.key]):
        assert ledger.maintenance.prune(KEPT)["runs"] == 0
    assert len(ids(ledger)) == 2


def test_what_why_tells_of_a_window_stays(ledger: Ledger):
    window = WEEK[:1]
    worked(ledger, window, published("a"), published("b"))  # forgotten: others did both since
    holds_a = worked(ledger, window, published("a"), published("b"))
    failed_a = worked(ledger, window, failed("a"))
    last_b = worked(ledger, window, published("b"))
    before = ledger.results.find_work(["a", "b"], span(window))
    last = ledger.results.find_last_work(["a", "b"])
    assert ledger.maintenance.prune(KEPT)["runs"] == 1
    kept = [holds_a.run_id, failed_a.run_id, last_b.run_id]
    assert ids(ledger) == sorted(kept)
    assert [work for work in before if work.run_id in kept] == ledger.results.find_work(
        ["a", "b"], span(window)
    )
    assert ledger.results.find_last_work(["a", "b"]) == last
    assert [run.run_id for run in ledger.runs.find(PIPELINE, limit=1)] == [last_b.run_id]


def test_what_is_known_of_windows_pauses_and_fences_stay(ledger: Ledger):
    known = {"a": Timeline([(span(WEEK), WindowRecord(WorkResult.SUCCESS, "code"))])}
    change_index(ledger, IndexChange(windows=known))
    ledger.windows.accept_change("a", ["old"], "new", NOW)
    ledger.controls.pause(PIPELINE, "by hand", NOW)
    finished(ledger, WEEK)
    finished(ledger, WEEK, FAILED)
    assert ledger.maintenance.prune(KEPT)["runs"] == 7
    assert ledger.windows.get_records() == known
    assert ledger.windows.get_accepted_changes() == {"a": [("old", "new")]}
    assert ledger.controls.get_pause(PIPELINE) is not None
    newest = ledger.runs.find(PIPELINE, limit=1)[0]
    assert newest.fence is not None
    assert started(ledger, WEEK[:1]) > newest.fence


def test_another_pipelines_runs_of_the_same_window_are_its_own(ledger: Ledger):
    finished(ledger, WEEK[:1])
    ledger.leases.queue("other", RunKind.BACKFILL, WEEK[:1], NOW)
    ledger.controls.cancel_runs("other", "by hand", NOW)
    assert ledger.maintenance.prune(KEPT)["runs"] == 0


# Ids


def test_no_id_is_given_twice_after_earlier_runs_are_forgotten(ledger: Ledger):
    for _ in range(3):
        finished(ledger, WEEK[:1])
    ledger.maintenance.prune(KEPT)
    assert ids(ledger) == ["backfill__2026-06-01.3"]
    for number in range(4, 12):
        (run,) = ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
        assert run.run_id == f"backfill__2026-06-01.{number}"
        ledger.controls.cancel_runs(PIPELINE, "by hand", NOW)
    (other,) = ledger.leases.queue(PIPELINE, RunKind.MANUAL, WEEK[:1], NOW)
    assert other.run_id == "manual__2026-06-01"


# Room on the disk


def test_a_file_that_is_much_smaller_gives_its_room_back(tmp_path: Path):
    with opened(tmp_path / "ledger.db") as ledger:
        evidence = tuple(FINDING for _ in range(500))
        for _ in range(10):
            fence = started(ledger, WEEK)
            entries = {w.start: RunEntry((), evidence, SUCCESS) for w in WEEK}
            ledger.results.record(PIPELINE, fence, entries, NOTHING, NOW)
        ledger.maintenance.prune(KEPT)
        size = ledger.maintenance.compact()
        assert size is not None
        assert size.after < size.before / 2
        assert size.after == (tmp_path / "ledger.db").stat().st_size
        assert (tmp_path / "ledger.db-wal").stat().st_size == 0
        assert len(ids(ledger)) == 7
        again = ledger.maintenance.compact()
        assert again is not None
        assert again.before == again.after


def test_a_server_sees_to_its_own_disk(ledger: Ledger):
    is_file = ledger.database.dialect.file is not None
    assert (ledger.maintenance.compact() is not None) == is_file


@pytest.mark.parametrize("state", [s for s in RunState if not s.finished])
def test_no_age_makes_an_unfinished_run_forgotten(ledger: Ledger, state: RunState):
    finished(ledger, WEEK[:1])
    finished(ledger, WEEK[:1])
    with ledger.database.transaction() as connection:
        oldest = "select min(id) from runs"
        connection.change(f"update runs set state = :state where id = ({oldest})", state=state)
    assert ledger.maintenance.prune(KEPT)["runs"] == 0
    assert Span(WEEK[0].start, WEEK[0].end) in ledger.runs.get_windows_in_flight(PIPELINE)
