"""Who holds which window: queue, claim, keep, give back. Over every database."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from runner.core.errors import FencedOffError, LedgerError
from runner.core.spans import Spans
from runner.core.states import RunKind, RunState, sources
from runner.core.windows import Calendar, Grain
from runner.ledger import Ledger, Run, owners
from runner.ledger.leases import LEASE_SECONDS
from tests.unit.ledger_fixtures import (
    FAILED,
    NOTHING,
    NOW,
    PIPELINE,
    SUCCESS,
    WEEK,
    Location,
    acting,
    ended,
    expire,
    finished,
    in_child,
    lease_ends,
    living_holder,
    oldest_first,
    opened,
    span,
    started,
    starts,
    states,
    wait_until,
)

# Queue


def test_a_run_is_queued_with_everything_that_is_known_of_it(ledger: Ledger):
    (run,) = ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
    assert run == Run(
        key=run.key,
        pipeline=PIPELINE,
        run_id="backfill__2026-06-01",
        kind=RunKind.BACKFILL,
        window_start=WEEK[0].start,
        window_end=WEEK[0].end,
        label="2026-06-01",
        state=RunState.QUEUED,
        fence=None,
        row_count=None,
        check_count=None,
        seconds=None,
        reason=None,
        queued_at=NOW,
        started_at=None,
        finished_at=None,
        is_unsettled=False,
    )
    assert ledger.runs.find(PIPELINE) == [run]


def test_a_window_in_flight_is_not_queued_again(ledger: Ledger):
    first = ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:3], NOW)
    second = ledger.leases.queue(PIPELINE, RunKind.MANUAL, WEEK, NOW)
    assert starts(first) == starts(WEEK[:3])
    assert starts(second) == starts(WEEK[3:])
    assert ledger.leases.queue(PIPELINE, RunKind.MANUAL, WEEK, NOW) == []


def test_another_pipeline_has_windows_of_its_own(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
    assert len(ledger.leases.queue("returns", RunKind.BACKFILL, WEEK, NOW)) == 7
    fence = ledger.leases.claim("returns", span(WEEK), NOW)
    assert (ledger.leases.is_held("returns", fence), ledger.leases.is_held(PIPELINE, fence)) == (
        True,
        False,
    )
    ledger.leases.give_up("returns", "stopped", NOW)
    assert set(states(ledger)) == {RunState.QUEUED}


def test_what_was_cut_off_is_asked_about_again_whoever_has_ended_it(ledger: Ledger):
    """They may have asked the markers a moment before it published."""
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:2], NOW)
    fence = ledger.leases.claim(PIPELINE, span(WEEK[:2]), NOW)
    ledger.controls.cancel_runs(PIPELINE, "by hand", NOW)
    ledger.results.mark_settled(ledger.runs.find_unsettled(PIPELINE))
    ledger.leases.give_up(PIPELINE, "stopped", NOW)
    assert ledger.runs.find_unsettled(PIPELINE) == []
    ledger.leases.give_up(PIPELINE, "stopped", NOW, fence)
    assert starts(ledger.runs.find_unsettled(PIPELINE)) == starts(WEEK[:2])


def test_run_ids_count_the_runs_of_a_kind_and_window(ledger: Ledger):
    for expected in ("backfill__2026-06-01", "backfill__2026-06-01.2", "backfill__2026-06-01.3"):
        (run,) = ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
        assert run.run_id == expected
        ledger.leases.give_up(PIPELINE, "stopped", NOW)
    (run,) = ledger.leases.queue(PIPELINE, RunKind.MANUAL, WEEK[:1], NOW)
    assert run.run_id == "manual__2026-06-01"


def test_a_window_of_another_zone_with_the_same_label_gets_an_id_of_its_own(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
    utc = Calendar(Grain.DAY, ZoneInfo("UTC")).labelled("2026-06-01")
    (run,) = ledger.leases.queue(PIPELINE, RunKind.BACKFILL, [utc], NOW)
    assert run.run_id == "backfill__2026-06-01.2"


# Claim


def test_a_claim_starts_the_windows_of_a_span_under_one_fence(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
    fence = ledger.leases.claim(PIPELINE, span(WEEK[:3]), NOW)
    found = oldest_first(ledger)
    assert [run.state for run in found] == [RunState.RUNNING] * 3 + [RunState.QUEUED] * 4
    assert [run.fence for run in found] == [fence] * 3 + [None] * 4
    assert [run.started_at for run in found] == [NOW] * 3 + [None] * 4
    assert ledger.leases.is_held(PIPELINE, fence)
    assert not ledger.leases.is_held(PIPELINE, fence + 1)


def test_an_instant_of_another_zone_is_the_same_instant(ledger: Ledger):
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-4)))
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], elsewhere)
    ledger.leases.claim(PIPELINE, WEEK[0].span, elsewhere)
    (run,) = ledger.runs.find(PIPELINE)
    assert (run.queued_at, run.started_at) == (NOW, NOW)


def test_fences_increase_whatever_the_clock_does(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
    hours = timedelta(hours=6)
    times = (NOW, NOW, NOW - hours, NOW + hours, NOW)
    fences = [
        ledger.leases.claim(PIPELINE, w.span, now) for w, now in zip(WEEK[:5], times, strict=True)
    ]
    assert fences == sorted(set(fences))


def test_fences_increase_across_pipelines_that_may_share_a_table(ledger: Ledger):
    ledger.leases.queue("returns", RunKind.BACKFILL, WEEK, NOW)
    assert ledger.leases.claim("returns", span(WEEK), NOW) < started(ledger, WEEK)


def test_fences_increase_across_a_lost_ledger(
    location: Location, forget: Callable[[Location], None]
):
    fences = []
    for minutes in range(3):
        with opened(location) as ledger:
            ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
            now = NOW + timedelta(minutes=minutes)
            fences += [ledger.leases.claim(PIPELINE, window.span, now) for window in WEEK]
        forget(location)
    assert fences == sorted(set(fences))


def test_fences_increase_across_runs_that_were_deleted(ledger: Ledger):
    fence = started(ledger, WEEK)
    with ledger.database.transaction() as connection:
        connection.change("delete from runs")
    assert started(ledger, WEEK) > fence


def test_a_span_is_claimed_whole_or_not_at_all(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:3] + WEEK[4:], NOW)
    for part in (span(WEEK), WEEK[3].span):
        with pytest.raises(FencedOffError, match="taken over"):
            ledger.leases.claim(PIPELINE, part, NOW)
    assert set(states(ledger)) == {RunState.QUEUED}


def test_what_another_process_queued_cannot_be_claimed(location: Location, ledger: Ledger):
    with living_holder(location, WEEK, claims=False), pytest.raises(FencedOffError):
        ledger.leases.claim(PIPELINE, span(WEEK), NOW)


# Transitions


def test_a_run_waits_and_is_claimed_again_under_a_new_fence(ledger: Ledger):
    fence = started(ledger, WEEK)
    for attempt in range(1, 4):
        ledger.results.record(PIPELINE, fence, ended(WEEK[2:4], None), NOTHING, NOW)
        assert [run.label for run in ledger.runs.find(PIPELINE, state=RunState.RETRYING)] == [
            "2026-06-04",
            "2026-06-03",
        ]
        newer = ledger.leases.claim(PIPELINE, span(WEEK[2:4]), NOW + timedelta(minutes=attempt))
        assert newer > fence
        fence = newer
    ledger.results.record(PIPELINE, fence, ended(WEEK[2:4]), NOTHING, NOW)
    run = ledger.runs.get(PIPELINE, "backfill__2026-06-03")
    assert (run.state, run.started_at) == (RunState.SUCCESS, NOW)  # its first start


def reach(ledger: Ledger, state: RunState) -> int:
    """Bring the first window's run into a state; returns its last fence."""
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:1], NOW)
    if state is RunState.QUEUED:
        return 0
    fence = ledger.leases.claim(PIPELINE, WEEK[0].span, NOW)
    if state is RunState.RETRYING:
        ledger.results.record(PIPELINE, fence, ended(WEEK[:1], None), NOTHING, NOW)
    elif state is RunState.CANCELLED:
        ledger.leases.give_up(PIPELINE, "stopped", NOW)
        ledger.results.mark_settled(ledger.runs.find_unsettled(PIPELINE))
    elif state.finished:
        outcome = SUCCESS if state is RunState.SUCCESS else type(SUCCESS)(state, 0, 0, 0.0)
        ledger.results.record(PIPELINE, fence, ended(WEEK[:1], outcome), NOTHING, NOW)
    return fence


CHANGES: dict[str, tuple[RunState, Callable[[Ledger, int], object]]] = {
    "claim": (RunState.RUNNING, lambda ledger, _: ledger.leases.claim(PIPELINE, WEEK[0].span, NOW)),
    "end": (
        RunState.SUCCESS,
        lambda ledger, fence: ledger.results.record(PIPELINE, fence, ended(WEEK[:1]), NOTHING, NOW),
    ),
    "wait": (
        RunState.RETRYING,
        lambda ledger, fence: ledger.results.record(
            PIPELINE, fence, ended(WEEK[:1], None), NOTHING, NOW
        ),
    ),
    "give up": (
        RunState.CANCELLED,
        lambda ledger, _: ledger.leases.give_up(PIPELINE, "stopped", NOW),
    ),
    "cancel all": (
        RunState.CANCELLED,
        lambda ledger, _: ledger.controls.cancel_runs(PIPELINE, "no", NOW),
    ),
}


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("change", CHANGES)
def test_no_change_leaves_the_table_of_transitions(ledger: Ledger, state: RunState, change: str):
    fence = reach(ledger, state)
    before = ledger.runs.find(PIPELINE)
    assert [run.state for run in before] == [state]
    new, act = CHANGES[change]
    if state in sources(new):
        act(ledger, fence)
        assert states(ledger) == [new]
        return
    if new is not RunState.CANCELLED:
        with pytest.raises(FencedOffError):
            act(ledger, fence)
    else:
        act(ledger, fence)
    assert ledger.runs.find(PIPELINE) == before


# Give up, put back


def test_giving_up_ends_what_this_process_holds_and_nothing_else(
    location: Location, ledger: Ledger
):
    with living_holder(location, WEEK[5:], claims=True):
        ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:5], NOW)
        fence = ledger.leases.claim(PIPELINE, span(WEEK[:4]), NOW)
        ledger.results.record(PIPELINE, fence, ended(WEEK[:1]), NOTHING, NOW)
        ledger.results.record(PIPELINE, fence, ended(WEEK[1:2], None), NOTHING, NOW)
        later = NOW + timedelta(minutes=1)
        ledger.leases.give_up(PIPELINE, "stopped by hand", later)
        found = oldest_first(ledger)
    ends = [RunState.SUCCESS] + [RunState.CANCELLED] * 4 + [RunState.RUNNING] * 2
    assert [run.state for run in found] == ends
    assert [run.reason for run in found] == [None] + ["stopped by hand"] * 4 + [None] * 2
    assert [run.finished_at for run in found] == [NOW] + [later] * 4 + [None] * 2
    # Only the two in the middle of an invocation may have published what nobody recorded.
    assert starts(ledger.runs.find_unsettled(PIPELINE)) == starts(WEEK[2:4])
    with pytest.raises(LedgerError, match="nothing was recorded"):
        ledger.results.record(PIPELINE, fence, ended(WEEK[2:3]), NOTHING, NOW)


def test_what_others_did_meanwhile_is_put_back(location: Location, ledger: Ledger):
    with living_holder(location, WEEK[5:], claims=False):
        ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:5], NOW)
        ledger.leases.claim(PIPELINE, WEEK[0].span, NOW)
        ledger.leases.cancel_queued(
            PIPELINE, [WEEK[0], *WEEK[2:4], *WEEK[5:]], "done meanwhile", NOW
        )
        found = oldest_first(ledger)
    # Neither what has started nor what another process holds.
    queued, cancelled = RunState.QUEUED, RunState.CANCELLED
    expected = [RunState.RUNNING, queued, cancelled, cancelled, queued, queued, queued]
    assert [run.state for run in found] == expected
    assert {run.reason for run in found if run.state is cancelled} == {"done meanwhile"}
    assert ledger.runs.find_unsettled(PIPELINE) == []
    assert starts(ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)) == starts(WEEK[2:4])


def test_nothing_is_put_back(ledger: Ledger):
    ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)
    ledger.leases.cancel_queued(PIPELINE, [], "done meanwhile", NOW)
    assert set(states(ledger)) == {RunState.QUEUED}


# Abandoned


def test_the_runs_of_a_dead_process_are_released(location: Location, ledger: Ledger):
    def work() -> None:
        with opened(location) as other:
            other.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[:4], NOW)
            fence = other.leases.claim(PIPELINE, span(WEEK[:3]), NOW)
            other.results.record(PIPELINE, fence, ended(WEEK[:1]), NOTHING, NOW)
            other.results.record(PIPELINE, fence, ended(WEEK[1:2], None), NOTHING, NOW)

    in_child(work)
    assert starts(ledger.leases.find_abandoned(PIPELINE)) == starts(WEEK[1:4])
    ledger.leases.release_abandoned(PIPELINE, NOW)
    found = oldest_first(ledger)
    expected = [RunState.SUCCESS, RunState.FAILED, RunState.FAILED, RunState.CANCELLED]
    assert [run.state for run in found] == expected
    assert found[1].reason == "its runner died; run the same command again"
    assert starts(ledger.runs.find_unsettled(PIPELINE)) == starts(WEEK[2:3])
    assert ledger.leases.find_abandoned(PIPELINE) == []
    assert starts(ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[1:2], NOW)) == starts(
        WEEK[1:2]
    )


def test_a_killed_process_is_dead_before_anybody_waits_for_it(location: Location, ledger: Ledger):
    with living_holder(location, WEEK, claims=True) as (owner, fence):
        assert ledger.leases.find_abandoned(PIPELINE) == []
        os.kill(int(owner.split(":")[1]), signal.SIGKILL)
        wait_until(lambda: owners.is_dead(owner))
        assert len(ledger.leases.find_abandoned(PIPELINE)) == 7
        ledger.leases.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger)) == {RunState.FAILED}
        assert not ledger.leases.is_held(PIPELINE, fence)


def test_a_living_process_keeps_its_runs_until_its_lease_runs_out(
    location: Location, ledger: Ledger
):
    with living_holder(location, WEEK, claims=True) as (owner, fence):
        ledger.leases.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger)) == {RunState.RUNNING}
        expire(ledger, owner)
        ledger.leases.release_abandoned("returns", NOW)
        assert set(states(ledger)) == {RunState.RUNNING}
        ledger.leases.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger)) == {RunState.FAILED}
        assert "gave no sign of life" in ledger.leases.get_loss_reason(PIPELINE, fence)


def test_a_heartbeat_extends_the_lease_of_this_process_alone(location: Location, ledger: Ledger):
    with living_holder(location, WEEK[:3], claims=True) as (owner, _):
        ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK[3:], NOW)
        expire(ledger, owner)
        expire(ledger, owners.this_process())
        ledger.leases.renew(PIPELINE)
        ledger.leases.release_abandoned(PIPELINE, NOW)
        assert states(ledger) == [RunState.FAILED] * 3 + [RunState.QUEUED] * 4
        assert ledger.runs.get_windows_in_flight(PIPELINE) == Spans([span(WEEK[3:])])


@pytest.mark.parametrize(("seconds", "is_gone"), [(LEASE_SECONDS, False), (6 * 3600, True)])
def test_a_lease_from_the_future_proves_nothing_of_who_is_elsewhere(
    ledger: Ledger, seconds: int, is_gone: bool
):
    """The clock was set back: a lease ends later than any that could be given now."""
    with acting("elsewhere:1:1"):
        started(ledger, WEEK)
    lease_ends(ledger, "elsewhere:1:1", seconds)
    assert bool(ledger.leases.find_abandoned(PIPELINE)) == is_gone
    ledger.leases.release_abandoned(PIPELINE, NOW)
    assert set(states(ledger)) == {RunState.FAILED if is_gone else RunState.RUNNING}


def test_a_lease_from_the_future_takes_nothing_from_who_lives_here(
    location: Location, ledger: Ledger
):
    with living_holder(location, WEEK, claims=True) as (owner, _):
        lease_ends(ledger, owner, 6 * 3600)
        assert ledger.leases.find_abandoned(PIPELINE) == []
        ledger.leases.release_abandoned(PIPELINE, NOW)
        assert set(states(ledger)) == {RunState.RUNNING}


def test_a_process_is_not_taken_for_one_that_had_its_number():
    host, pid, begun = owners.this_process().rsplit(":", 2)
    assert not owners.is_dead(f"{host}:{pid}:{begun}")
    assert owners.is_dead(f"{host}:{pid}:{int(begun) - 1}")
    assert not owners.is_dead(f"elsewhere:{pid}:{int(begun) - 1}")


def test_a_failed_window_may_be_queued_again(ledger: Ledger):
    finished(ledger, WEEK, FAILED)
    assert ledger.runs.get_windows_in_flight(PIPELINE) == Spans()
    assert len(ledger.leases.queue(PIPELINE, RunKind.BACKFILL, WEEK, NOW)) == 7
