"""What was recorded of a model's windows, and what it amounts to today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.spans import Span, Spans
from runner.core.states import RunState
from runner.core.status import (
    PLAIN,
    PlannedNode,
    WindowRecord,
    WindowStatus,
    WorkResult,
    assess,
    explained,
)
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain
from runner.project.acceptance import equal_hashes
from tests.unit.planned_nodes import (
    DAYS,
    LETTERS,
    NONE,
    NOW,
    SAME,
    STATUS_OF,
    WEEK,
    day,
    following,
    from_to,
    marked,
    planned,
    spans,
    without_windows,
)

WEEKS = Calendar(Grain.WEEK, ZoneInfo("America/New_York"))
TWO_WEEKS = Span(WEEKS.floor(day(1).start), WEEKS.ceiling(day(7).end))
DAYS_OF_TWO_WEEKS = list(DAYS.windows(TWO_WEEKS))


def statuses(node: PlannedNode, in_flight: str = "") -> dict[str, str]:
    found = assess(node, DAYS, spans(in_flight))
    return {str(status): marked(windows) for status, windows in found.items()}


def known_as(known: WindowRecord) -> PlannedNode:
    """A model with one day of which something is known."""
    return replace(planned("orders", "."), records=Timeline([(day(1), known)]))


def status_of(known: WindowRecord) -> WindowStatus:
    ((status, windows),) = assess(known_as(known), DAYS, NONE).items()
    assert marked(windows) == "x......"
    return status


# Desired and done


def test_what_is_desired_and_unknown_is_missing():
    assert statuses(planned("orders", ".......")) == {"missing": "xxxxxxx"}
    assert statuses(planned("orders", "s..s...")) == {"success": "x..x...", "missing": ".xx.xxx"}


def test_what_is_not_desired_has_no_status_whatever_is_known_of_it():
    trimmed = replace(planned("orders", "sfcsssf"), desired=spans("..x"))
    assert statuses(trimmed) == {"stale": "..x...."}
    assert statuses(replace(trimmed, desired=NONE)) == {}


def test_what_is_in_flight_is_nothing_else():
    assert statuses(planned("orders", ".sfibpc"), "xxxxxx.") == {
        "in flight": "xxxxxx.",
        "stale": "......x",
    }


@pytest.mark.parametrize("letter", sorted(STATUS_OF))
def test_each_record_has_its_status(letter: str):
    assert statuses(planned("orders", letter)) == {str(STATUS_OF[letter]): "x......"}


@given(st.text("." + "".join(LETTERS), min_size=7, max_size=7), st.text(".x", max_size=7))
def test_every_window_has_exactly_one_status(days: str, in_flight: str):
    found = assess(planned("orders", days), DAYS, spans(in_flight))
    expected: dict[WindowStatus, set[str]] = {}
    for letter, busy, window in zip(days, in_flight.ljust(7, "."), WEEK, strict=True):
        status = WindowStatus.IN_FLIGHT if busy == "x" else STATUS_OF[letter]
        expected.setdefault(status, set()).add(window.label)
    named = {
        status: {w.label for span in windows for w in DAYS.windows(span)}
        for status, windows in found.items()
    }
    assert named == expected


# Code


@pytest.mark.parametrize("standing", [WorkResult.SUCCESS, WorkResult.UNCHECKED])
def test_what_other_code_published_is_stale(standing: WorkResult):
    assert status_of(WindowRecord(standing, "before")) is WindowStatus.STALE
    assert status_of(WindowRecord(standing, NOW)).value == standing.value


def test_a_changed_code_hash_makes_everything_published_before_stale_and_nothing_else():
    changed = replace(planned("orders", "su.ifbp"), code_hashes=frozenset({"after"}))
    assert statuses(changed) == {
        "stale": "xx.....",
        "missing": "..x....",
        "incorrect": "...x...",
        "failed": "....xxx",  # the fifth and the sixth, and what was not judged in time
    }


def test_accepted_code_is_as_good_as_todays_also_through_a_chain():
    accepted = [("first", "second"), ("second", "third"), ("elsewhere", "nowhere")]
    model = replace(
        planned("orders", "...."),
        code_hashes=equal_hashes("third", accepted),
        records=Timeline(
            (day(number), WindowRecord(WorkResult.SUCCESS, code_hash))
            for number, code_hash in enumerate(("first", "second", "third", "elsewhere"), start=1)
        ),
    )
    assert statuses(model) == {"success": "xxx....", "stale": "...x..."}


def test_an_acceptance_has_a_direction():
    """The newer code may do what the older did; nobody has said that of the older."""
    assert equal_hashes("first", [("first", "second")]) == {"first"}


def test_acceptances_in_a_circle_are_one_set():
    circle = [("first", "second"), ("second", "first")]
    assert equal_hashes("first", circle) == equal_hashes("second", circle) == {"first", "second"}


@pytest.mark.parametrize("standing", WorkResult)
def test_code_that_nobody_knows_is_not_other_code(standing: WorkResult):
    known = WindowRecord(standing, code_hash=None, inputs=SAME)
    expected = (
        WindowStatus.BLOCKED if standing is WorkResult.FAILED else WindowStatus(standing.value)
    )
    assert status_of(known) is expected


def test_of_what_is_wrong_the_code_says_nothing():
    """An incorrect window is incorrect by whatever code: its readers must not build on it."""
    assert status_of(WindowRecord(WorkResult.INCORRECT, "before")) is WindowStatus.INCORRECT


# Upstream


def test_what_was_published_before_what_it_reads_is_stale_and_nothing_else_is():
    assert statuses(planned("orders", "sos.ou.")) == {
        "stale": ".x..x..",
        "success": "x.x....",
        "unchecked": ".....x.",
        "missing": "...x..x",
    }


def test_what_would_be_replaced_is_not_judged_but_built_again():
    published = WindowRecord(WorkResult.PUBLISHED, NOW)
    assert status_of(published) is WindowStatus.PUBLISHED
    assert status_of(replace(published, is_outdated=True)) is WindowStatus.FAILED
    assert status_of(replace(published, code_hash="before")) is WindowStatus.FAILED


# Blocked

BLOCKED = LETTERS["b"]


@pytest.mark.parametrize(
    "changed",
    [
        replace(BLOCKED, code_hash="before"),
        replace(BLOCKED, is_outdated=True),
        replace(BLOCKED, inputs="other"),
        replace(BLOCKED, inputs=None),  # it failed for a reason that may pass by itself
    ],
    ids=["code", "upstream", "inputs", "transient"],
)
def test_what_failed_is_blocked_until_something_changes(changed: WindowRecord):
    assert status_of(BLOCKED) is WindowStatus.BLOCKED
    assert status_of(changed) is WindowStatus.FAILED


def test_inputs_that_can_no_longer_be_seen_may_have_changed():
    model = replace(known_as(BLOCKED), inputs=lambda _: None)
    assert statuses(model) == {"failed": "x......"}
    never_seen = replace(known_as(replace(BLOCKED, inputs=None)), inputs=lambda _: None)
    assert statuses(never_seen) == {"failed": "x......"}


def test_each_range_that_failed_is_asked_for_its_own_inputs():
    asked: list[Span] = []

    def inputs(span: Span) -> str:
        asked.append(span)
        return SAME if span == from_to(1, 2) else "mended"

    known = Timeline([(from_to(1, 2), BLOCKED), (from_to(4, 5), BLOCKED), (day(6), LETTERS["s"])])
    model = replace(planned("orders", "......"), records=known, inputs=inputs)
    assert statuses(model) == {
        "blocked": "xx.....",
        "failed": "...xx..",
        "success": ".....x.",
        "missing": "..x....",
    }
    assert asked == [from_to(1, 2), from_to(4, 5)]  # and nobody looks for those that are right


# Other checks than today's


def judged_by(known: WindowRecord, today: str | None) -> WindowStatus:
    node = replace(known_as(known), checks_hash=today)
    ((status, _),) = assess(node, DAYS, NONE).items()
    return status


@pytest.mark.parametrize("letter", "sui")
def test_what_other_checks_have_judged_is_published_and_not_judged(letter: str):
    known = replace(LETTERS[letter], has_rows=True, checks_hash="checks")
    assert judged_by(known, "checks") is STATUS_OF[letter]
    assert judged_by(known, None) is STATUS_OF[letter]
    assert judged_by(known, "others") is WindowStatus.PUBLISHED
    # No check is left that could speak for it, or against it.
    assert judged_by(known, "") is WindowStatus.UNCHECKED
    node = replace(known_as(known), checks_hash="others")
    why = explained(node, WindowStatus.PUBLISHED, day(1))
    assert why == "its checks have changed since they judged it"


@pytest.mark.parametrize(
    ("letter", "status"),
    [("s", WindowStatus.PUBLISHED), ("i", WindowStatus.PUBLISHED), ("u", WindowStatus.UNCHECKED)],
)
def test_by_whom_it_was_judged_nobody_may_know(letter: str, status: WindowStatus):
    known = replace(LETTERS[letter], has_rows=True)
    assert judged_by(known, "checks") is status
    node = replace(known_as(known), checks_hash="checks")
    why = explained(node, WindowStatus.PUBLISHED, day(1))
    assert why == "nobody knows which checks have judged it"


@pytest.mark.parametrize("letter", "fbipco")
def test_other_checks_change_nothing_of_what_is_not_there_or_will_be_replaced(letter: str):
    known = replace(LETTERS[letter], checks_hash="checks")
    assert judged_by(known, "others") is STATUS_OF[letter]


# Without windows


def test_what_knows_no_windows_is_never_missing_or_stale():
    assert statuses(without_windows("total")) == {}
    assert statuses(without_windows("total", "s")) == {}
    assert statuses(without_windows("total", "c")) == {}
    assert statuses(without_windows("total", "o")) == {}


def test_what_knows_no_windows_and_no_check_is_unchecked_as_a_whole():
    total = following("total", ".u", "")
    assert statuses(total) == {WindowStatus.UNCHECKED: "......x"}
    assert statuses(replace(total, code_hashes=frozenset({"new"}))) == {
        WindowStatus.STALE: "......x"
    }


@pytest.mark.parametrize("letter", "fbi")
def test_what_knows_no_windows_may_have_failed(letter: str):
    found = statuses(without_windows("total", "." + letter))
    assert found == {str(STATUS_OF[letter]): ".x....."}


def test_a_day_of_a_table_is_a_week_to_a_weekly_pipeline():
    """The same table may belong to pipelines of different grains."""
    found = assess(without_windows("total", "f"), WEEKS, NONE)
    assert found == {WindowStatus.FAILED: Spans([WEEKS.window_at(day(1).start).span])}


# A grain that was changed


def weekly(letters: str) -> dict[str, list[str]]:
    """Two weeks of which something is known day by day."""
    recorded = zip(letters, DAYS_OF_TWO_WEEKS, strict=True)
    model = replace(
        planned("orders"),
        desired=Spans([TWO_WEEKS]),
        records=Timeline((w.span, LETTERS[letter]) for letter, w in recorded if letter in LETTERS),
    )
    return {
        str(status): [w.label for span in windows for w in WEEKS.windows(span)]
        for status, windows in assess(model, WEEKS, NONE).items()
    }


@pytest.mark.parametrize("letter", "supco")
def test_a_week_is_done_only_if_its_days_are_to_the_last(letter: str):
    status = str(STATUS_OF[letter])
    assert weekly(letter * 14) == {status: ["2026-03-02", "2026-03-09"]}
    assert weekly(letter * 13 + ".") == {status: ["2026-03-02"], "missing": ["2026-03-09"]}
    assert weekly("." + letter * 13) == {status: ["2026-03-09"], "missing": ["2026-03-02"]}


@pytest.mark.parametrize("letter", "fbi")
def test_a_week_is_as_wrong_as_the_worst_of_its_days(letter: str):
    status = str(STATUS_OF[letter])
    assert weekly("sss" + letter + "sss" + "s" * 7) == {
        status: ["2026-03-02"],
        "success": ["2026-03-09"],
    }
    assert weekly("..." + letter + "..." + "s" * 7)[status] == ["2026-03-02"]


@pytest.mark.parametrize(("some", "worse"), ["su", "sc", "so", "uo", "up", "cp", "sp"])
def test_a_week_that_is_done_is_the_worst_of_its_days(some: str, worse: str):
    days = some * 6 + worse + worse + some * 6
    assert weekly(days) == {str(STATUS_OF[worse]): ["2026-03-02", "2026-03-09"]}


def test_an_hour_is_what_its_day_was():
    hours = Calendar(Grain.HOUR, DAYS.zone)
    found = assess(planned("orders", "sf"), hours, NONE)
    assert found == {WindowStatus.SUCCESS: Spans([day(1)]), WindowStatus.FAILED: Spans([day(2)])}


def test_what_a_plain_build_published_is_judged_if_its_code_is_the_present_one():
    plain = WindowRecord(WorkResult.PUBLISHED, f"{PLAIN}abc", has_rows=True)
    model = replace(planned("orders", "."), records=Timeline([(day(1), plain)]))
    known = replace(model, code_hashes=model.code_hashes | {f"{PLAIN}abc"})
    assert assess(known, DAYS, NONE)[WindowStatus.PUBLISHED] == Spans([day(1)])
    # Of other code it is as any other that is stale.
    assert assess(model, DAYS, NONE)[WindowStatus.STALE] == Spans([day(1)])
    said = "published by a dbt build of other code"
    assert explained(model, WindowStatus.STALE, day(1)) == said


# In words


def test_a_status_is_explained_if_there_is_more_to_say():
    model = planned("orders", "suipbfco.")
    found = {
        letter: explained(model, STATUS_OF[letter], day(number))
        for number, letter in enumerate("suipbfc", start=1)
    }
    assert found == {
        "s": None,
        "u": None,
        "i": "a check says no",
        "p": None,
        "b": "no such column",
        "f": "no such column",
        "c": "its code has changed",
    }


def test_what_is_outdated_says_so_even_if_the_code_has_changed_too():
    model = planned("orders", "o")
    said = "something that it reads was published again"
    assert explained(model, WindowStatus.STALE, day(1)) == said
    both = replace(model, code_hashes=frozenset({"after"}))
    assert explained(both, WindowStatus.STALE, day(1)) == said


def test_a_range_tells_all_that_its_windows_are_stale_for():
    outdated = planned("orders", "o").records.at(day(1).start)
    assert outdated is not None
    whys = [*(f"late rows: {n}" for n in (17, 3, 3, 1, 2)), None]
    model = replace(
        planned("orders", "o"),
        records=Timeline((day(n), replace(outdated, reason=why)) for n, why in enumerate(whys, 1)),
    )

    def told(first: int, last: int) -> str | None:
        return explained(model, WindowStatus.STALE, Span(day(first).start, day(last).end))

    assert told(1, 3) == "late rows: 17; late rows: 3"
    assert told(1, 5) == "late rows: 17; late rows: 3; late rows: 1; 1 more"
    assert told(5, 6) == "late rows: 2; something that it reads was published again"


def test_what_is_missing_or_in_flight_has_no_history_to_tell():
    assert explained(planned("orders", "."), WindowStatus.MISSING, day(1)) is None
    assert explained(planned("orders", "f"), WindowStatus.IN_FLIGHT, day(1)) is None


def test_a_run_ends_as_its_models_stand_and_what_was_not_judged_is_unchecked():
    states: Mapping[WorkResult, RunState] = {standing: standing.state for standing in WorkResult}
    assert states == {
        WorkResult.SUCCESS: RunState.SUCCESS,
        WorkResult.UNCHECKED: RunState.UNCHECKED,
        WorkResult.INCORRECT: RunState.INCORRECT,
        WorkResult.FAILED: RunState.FAILED,
        WorkResult.PUBLISHED: RunState.UNCHECKED,
    }
