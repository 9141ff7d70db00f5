"""What an invocation brings is recorded at once or not at all. Over every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runner.core.errors import FencedOffError, LedgerError, UsageError
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.ledger import CheckFinding, IndexChange, Ledger, ModelRun, RunEnd, RunEntry, owners
from runner.ledger.records import Usage
from tests.unit.ledger_fixtures import (
    FAILED,
    NOTHING,
    NOW,
    PIPELINE,
    SUCCESS,
    UNFINISHED,
    WEEK,
    Location,
    ended,
    expire,
    finished,
    in_child,
    opened,
    span,
    started,
    starts,
    states,
)

REVENUE = ModelRun("daily_revenue", WorkResult.INCORRECT, 3, "abc", "too few rows")
FINDING = CheckFinding("daily_revenue", "rows_in_every_window", "error", "some", "none", ("id 1",))
DONE = WindowRecord(WorkResult.SUCCESS, "abc")
PAINTED = IndexChange(windows={"daily_revenue": Timeline([(span(WEEK[:2]), DONE)])})


def leftovers(ledger: Ledger) -> list[object]:
    """Whatever there is beside the runs."""
    with ledger.database.transaction(reads_only=True) as connection:
        tables = ("model_runs", "findings")
        rows = [row for table in tables for row in connection.rows(f"select * from {table}")]
    return [*rows, *ledger.windows.get_records()]


def test_an_outcome_is_kept_with_its_models_and_findings(ledger: Ledger):
    fence = started(ledger, WEEK[:2])
    bad = RunEnd(RunState.INCORRECT, 3, 2, 0.25, "too few")
    entries = {WEEK[0].start: RunEntry((REVENUE,), (FINDING,), bad), **ended(WEEK[1:2])}
    later = NOW + timedelta(minutes=1)
    ledger.results.record(PIPELINE, fence, entries, PAINTED, later)

    found = ledger.runs.get(PIPELINE, "backfill__2026-06-01")
    assert (found.state, found.row_count, found.check_count) == (RunState.INCORRECT, 3, 2)
    assert (found.seconds, found.reason, found.finished_at) == (0.25, "too few", later)
    assert ledger.results.get_models(found) == [REVENUE]
    assert ledger.results.get_findings(found) == [FINDING]
    good = ledger.runs.get(PIPELINE, "backfill__2026-06-02")
    assert (good.state, good.row_count) == (RunState.SUCCESS, 5)
    assert (ledger.results.get_models(good), ledger.results.get_findings(good)) == ([], [])
    assert ledger.windows.get_records() == PAINTED.windows


def test_a_window_recorded_again_in_its_run_replaces_what_was_said_of_its_model(ledger: Ledger):
    fence = started(ledger, WEEK[:1])
    users = ModelRun("users", WorkResult.SUCCESS, 7, "u")
    first = {WEEK[0].start: RunEntry((REVENUE, users), (FINDING,))}
    ledger.results.record(PIPELINE, fence, first, NOTHING, NOW)
    assert states(ledger) == [RunState.RETRYING]

    again = ledger.leases.claim(PIPELINE, WEEK[0].span, NOW)
    mended = replace(REVENUE, standing=WorkResult.SUCCESS, row_count=9, reason=None)
    last = {WEEK[0].start: RunEntry((mended,), (), SUCCESS)}
    ledger.results.record(PIPELINE, again, last, NOTHING, NOW)
    (run,) = ledger.runs.find(PIPELINE)
    assert run.state is RunState.SUCCESS
    assert sorted(ledger.results.get_models(run), key=lambda m: m.model) == [mended, users]


def test_a_record_that_fails_leaves_nothing_behind(ledger: Ledger):
    fence = started(ledger, WEEK[:2])
    entries = {
        WEEK[0].start: RunEntry((REVENUE,), (FINDING,), SUCCESS),
        WEEK[1].start: RunEntry((REVENUE, REVENUE), (), SUCCESS),  # twice: the key forbids it
    }
    before = ledger.runs.find(PIPELINE)
    with pytest.raises(LedgerError) as error:
        ledger.results.record(PIPELINE, fence, entries, PAINTED, NOW)
    assert "\n" not in str(error.value)
    assert ledger.runs.find(PIPELINE) == before
    assert leftovers(ledger) == []


def test_an_error_in_the_index_undoes_the_runs(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    fence = started(ledger, WEEK[:2])

    def dies(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("runner.ledger.results.apply_change", dies)
    with pytest.raises(ZeroDivisionError):
        ledger.results.record(PIPELINE, fence, ended(WEEK[:2]), PAINTED, NOW)
    assert set(states(ledger)) == {RunState.RUNNING}


def test_who_is_fenced_off_records_nothing(location: Location, ledger: Ledger):
    """The lease ran out, another process took one of two windows over: both are refused."""
    fence = started(ledger, WEEK[:2])
    expire(ledger, owners.this_process())

    def take_over() -> int:
        with opened(location) as other:
            other.leases.release_abandoned(PIPELINE, NOW)
            return started(other, WEEK[:1])

    newer = in_child(take_over)
    assert newer > fence
    before = ledger.runs.find(PIPELINE)
    entries = {w.start: RunEntry((REVENUE,), (FINDING,), SUCCESS) for w in WEEK[:2]}
    with pytest.raises(FencedOffError, match="nothing was recorded"):
        ledger.results.record(PIPELINE, fence, entries, PAINTED, NOW)
    assert ledger.runs.find(PIPELINE) == before
    assert leftovers(ledger) == []
    assert {run.run_id: run.state for run in before} == {
        "backfill__2026-06-01": RunState.FAILED,
        "backfill__2026-06-01.2": RunState.RUNNING,
        "backfill__2026-06-02": RunState.FAILED,
    }


def test_one_lost_window_keeps_the_others_from_being_recorded(ledger: Ledger):
    old = started(ledger, WEEK[:2])
    ledger.results.record(PIPELINE, old, ended(WEEK[:1], None), NOTHING, NOW)
    new = ledger.leases.claim(PIPELINE, WEEK[0].span, NOW)
    with pytest.raises(FencedOffError, match="taken over"):
        ledger.results.record(PIPELINE, old, ended(WEEK[:2]), PAINTED, NOW)
    assert set(states(ledger)) == {RunState.RUNNING}
    assert ledger.windows.get_records() == {}
    ledger.results.record(PIPELINE, new, ended(WEEK[:1]), NOTHING, NOW)
    ledger.results.record(PIPELINE, old, ended(WEEK[1:2]), NOTHING, NOW)
    assert set(states(ledger)) == {RunState.SUCCESS}


def test_an_invocation_that_nobody_knows_changes_no_index(ledger: Ledger):
    with pytest.raises(FencedOffError):
        ledger.results.record(PIPELINE, 1, {}, PAINTED, NOW)
    assert ledger.windows.get_records() == {}


# Stopped by somebody else


def test_what_another_process_cancels_is_lost_to_who_holds_it(location: Location, ledger: Ledger):
    fence = started(ledger, WEEK[:3])
    ledger.results.record(PIPELINE, fence, ended(WEEK[:1], None), NOTHING, NOW)
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[3:4], NOW)
    finished(ledger, WEEK[4:])
    assert ledger.leases.is_held(PIPELINE, fence)

    def cancel() -> int:
        with opened(location) as other:
            return other.controls.cancel_runs(PIPELINE, "cancelled by hand", NOW)

    assert in_child(cancel) == 4
    assert not ledger.leases.is_held(PIPELINE, fence)
    assert ledger.leases.get_loss_reason(PIPELINE, fence) == "cancelled by hand"
    assert states(ledger) == [RunState.CANCELLED] * 4 + [RunState.SUCCESS] * 3
    assert starts(ledger.runs.find_unsettled(PIPELINE)) == starts(WEEK[1:3])
    with pytest.raises(FencedOffError):
        ledger.results.record(PIPELINE, fence, ended(WEEK[1:3]), PAINTED, NOW)
    assert ledger.windows.get_records() == {}
    assert ledger.controls.cancel_runs(PIPELINE, "cancelled by hand", NOW) == 0


def test_the_fate_of_windows_that_went_without_a_word(ledger: Ledger):
    assert "another runner" in ledger.leases.get_loss_reason(PIPELINE, 12)


# Cut off


def test_only_what_was_asked_about_is_settled(ledger: Ledger):
    started(ledger, WEEK[:2])
    ledger.leases.give_up(PIPELINE, "stopped", NOW)
    asked = ledger.runs.find_unsettled(PIPELINE)
    assert starts(asked) == starts(WEEK[:2])
    started(ledger, WEEK[2:4])  # cut off while the markers are being asked about the others
    ledger.leases.give_up(PIPELINE, "stopped", NOW)
    ledger.results.mark_settled(asked)
    assert starts(ledger.runs.find_unsettled(PIPELINE)) == starts(WEEK[2:4])
    ledger.results.mark_settled(ledger.runs.find_unsettled(PIPELINE))
    ledger.results.mark_settled([])
    assert ledger.runs.find_unsettled(PIPELINE) == []


def test_what_the_markers_tell_is_recorded_until_it_is_settled(ledger: Ledger):
    fence = started(ledger, WEEK[:2])
    ledger.leases.give_up(PIPELINE, "stopped", NOW)
    asked = ledger.runs.find_unsettled(PIPELINE)
    ledger.results.record_from_markers(PIPELINE, fence, {}, PAINTED, NOW)
    assert ledger.windows.get_records() == PAINTED.windows
    ledger.results.mark_settled(asked)
    # Another who has asked the same comes late: the index may know better by now.
    late = IndexChange(
        windows={"daily_revenue": Timeline([(span(WEEK[:2]), WindowRecord(REVENUE.standing))])}
    )
    with pytest.raises(FencedOffError):
        ledger.results.record_from_markers(PIPELINE, fence, {}, late, NOW)
    assert ledger.windows.get_records() == PAINTED.windows


# Reading


def test_the_markers_correct_how_a_run_has_ended_unless_its_window_has_run_again(ledger: Ledger):
    fence = started(ledger, WEEK[:2])
    ledger.leases.give_up(PIPELINE, "stopped", NOW)
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
    ledger.results.record_from_markers(PIPELINE, fence, ended(WEEK[:2]), PAINTED, NOW)
    found = [(run.window_start, run.state) for run in ledger.runs.find(PIPELINE)]
    assert sorted(found) == [
        (WEEK[0].start, RunState.CANCELLED),
        (WEEK[0].start, RunState.QUEUED),
        (WEEK[1].start, RunState.SUCCESS),
    ]


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_run_cannot_end_in_a_state_that_is_not_final(state: RunState):
    with pytest.raises(ValueError, match="is no end of a run"):
        RunEnd(state, 0, 0, 0.0)


def test_in_flight_are_the_windows_of_unfinished_runs(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:6], NOW)
    fence = ledger.leases.claim(PIPELINE, span(WEEK[:5]), NOW)
    ledger.results.record(PIPELINE, fence, ended(WEEK[:2], FAILED), NOTHING, NOW)
    ledger.results.record(PIPELINE, fence, ended(WEEK[3:4], None), NOTHING, NOW)
    assert ledger.runs.get_windows_in_flight(PIPELINE) == Spans([span(WEEK[2:6])])
    assert ledger.runs.get_windows_in_flight("returns") == Spans()


def test_runs_are_listed_newest_window_first_and_filtered(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:2], NOW)
    fence = ledger.leases.claim(PIPELINE, WEEK[0].span, NOW)
    ledger.results.record(PIPELINE, fence, ended(WEEK[:1]), NOTHING, NOW)
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
    ids = ["backfill__2026-06-02", "backfill__2026-06-01.2", "backfill__2026-06-01"]
    assert [run.run_id for run in ledger.runs.find(PIPELINE)] == ids
    assert [run.run_id for run in ledger.runs.find(PIPELINE, limit=2)] == ids[:2]
    assert [run.run_id for run in ledger.runs.find(PIPELINE, state=RunState.SUCCESS)] == ids[2:]
    assert [
        run.run_id for run in ledger.runs.find(PIPELINE, limit=1, state=RunState.QUEUED)
    ] == ids[:1]


def test_an_unknown_run_is_answered_with_the_nearest(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
    with pytest.raises(UsageError, match=r"Did you mean 'backfill__2026-06-01'\?"):
        ledger.runs.get(PIPELINE, "backfil__2026-06-01")


def test_what_one_ledger_wrote_another_reads(location: Location, ledger: Ledger):
    started(ledger, WEEK)
    with opened(location) as other:
        assert other.runs.find(PIPELINE) == ledger.runs.find(PIPELINE)


def test_counts_and_fences_may_be_large(ledger: Ledger):
    """Ten billion rows, and a key beyond 32 bits."""
    finished(ledger, WEEK[:1], RunEnd(RunState.SUCCESS, 10**10, 1, 0.5))
    (run,) = ledger.runs.find(PIPELINE)
    assert (run.row_count, run.fence) == (10**10, int(NOW.timestamp() * 1000))
    with ledger.database.transaction() as connection:
        connection.change("update runs set id = 5000000000")
        connection.change(
            """
            insert into model_runs (run, model, standing, row_count, is_same)
            values (5000000000, 'm', 'success', :count, false)
            """,
            count=10**12,
        )
    (run,) = ledger.runs.find(PIPELINE)
    assert run.key == 5 * 10**9
    assert ledger.results.get_models(run) == [ModelRun("m", WorkResult.SUCCESS, 10**12, None)]


def test_the_work_on_a_model_is_told_by_window_and_run(ledger: Ledger):
    other = ModelRun("report", WorkResult.SUCCESS, None, "abc")
    for _ in range(2):
        fence = started(ledger, WEEK[:2])
        entries = {window.start: RunEntry((REVENUE, other), (), SUCCESS) for window in WEEK[:2]}
        ledger.results.record(PIPELINE, fence, entries, NOTHING, NOW)
    told = ledger.results.find_work(["daily_revenue"], WEEK[1].span)
    assert [(w.done, w.run_id, w.span, w.at, w.pipeline) for w in told] == [
        (REVENUE, "backfill__2026-06-02", WEEK[1].span, NOW, PIPELINE),
        (REVENUE, "backfill__2026-06-02.2", WEEK[1].span, NOW, PIPELINE),
    ]
    assert [
        w.run_id for w in ledger.results.find_work(["daily_revenue", "report"], span(WEEK[1:3]))
    ] == [*["backfill__2026-06-02"] * 2, *["backfill__2026-06-02.2"] * 2]
    assert ledger.results.find_work(["daily_revenue"], WEEK[2].span) == []
    (last,) = ledger.results.find_last_work(["report", "unknown"])
    assert (last.done, last.run_id) == (other, "backfill__2026-06-02.2")


def test_evidence_is_kept_whatever_characters_are_in_it(ledger: Ledger):
    """No database takes all that a warehouse's text may hold."""
    fence = started(ledger, WEEK[:1])
    odd = "Café \N{SNOWMAN} 'quoted' {{ %s %(x)s :y \0 \ud800"
    finding = replace(FINDING, expected=odd, actual=odd, sample=(odd, "id 2"))
    outcome = RunEnd(RunState.INCORRECT, 3, 1, 0.1, odd)
    entries = {WEEK[0].start: RunEntry((replace(REVENUE, reason=odd),), (finding,), outcome)}
    ledger.results.record(PIPELINE, fence, entries, NOTHING, NOW)
    (run,) = ledger.runs.find(PIPELINE)
    kept = "Café \N{SNOWMAN} 'quoted' {{ %s %(x)s :y \N{REPLACEMENT CHARACTER} ?"
    assert run.reason == kept
    found = replace(FINDING, expected=kept, actual=kept, sample=(kept, "id 2"))
    assert ledger.results.get_findings(run) == [found]
    assert ledger.results.get_models(run) == [replace(REVENUE, reason=kept)]


# Usage


def test_usage_is_what_a_window_took_on_the_average(ledger: Ledger):
    assert ledger.runs.get_usage(PIPELINE, ["lines", "revenue"]) is None
    for day, (lines, revenue, seconds) in enumerate([(100, 1, 1.0), (300, 3, 3.0)]):
        fence = started(ledger, WEEK[day : day + 1])
        models = (
            ModelRun("lines", WorkResult.SUCCESS, lines, "a"),
            ModelRun("revenue", WorkResult.SUCCESS, revenue, "b"),
        )
        outcome = RunEnd(RunState.SUCCESS, lines + revenue, 1, seconds)
        entries = {WEEK[day].start: RunEntry(models, (), outcome)}
        ledger.results.record(PIPELINE, fence, entries, NOTHING, NOW)
    finished(ledger, WEEK[2:], FAILED)  # says nothing about what a window takes
    assert ledger.runs.get_usage(PIPELINE, ["lines", "revenue"]) == Usage(rows=202.0, seconds=2.0)
    assert ledger.runs.get_usage(PIPELINE, ["lines"]) == Usage(rows=200.0, seconds=2.0)
    assert ledger.runs.get_usage(PIPELINE, ["others"]) is None
    assert ledger.runs.get_usage("returns", ["lines"]) is None


def test_usage_asks_the_newest_runs(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.ledger.runs.NEWEST", 2)
    for rows in (1_000_000, 10, 20):
        fence = started(ledger, WEEK[:1])
        models = (ModelRun("lines", WorkResult.SUCCESS, rows, "a"),)
        entries = {
            WEEK[0].start: RunEntry(models, (), RunEnd(RunState.SUCCESS, rows, 1, rows / 10))
        }
        ledger.results.record(PIPELINE, fence, entries, NOTHING, NOW)
    assert ledger.runs.get_usage(PIPELINE, ["lines"]) == Usage(rows=15.0, seconds=1.5)


# Pauses


def test_a_pipeline_is_paused_until_it_is_resumed(location: Location, ledger: Ledger):
    assert ledger.controls.get_pause(PIPELINE) is None
    ledger.controls.pause(PIPELINE, "the disk is full", NOW)
    later = NOW + timedelta(hours=1)
    ledger.controls.pause(PIPELINE, "moving house", later)
    with opened(location) as other:
        pause = other.controls.get_pause(PIPELINE)
        assert pause is not None
        assert (pause.reason, pause.paused_at) == ("moving house", later)
        assert other.controls.get_pause("returns") is None
        assert not other.controls.resume("returns")
        assert other.controls.resume(PIPELINE)
    assert ledger.controls.get_pause(PIPELINE) is None
    assert not ledger.controls.resume(PIPELINE)
