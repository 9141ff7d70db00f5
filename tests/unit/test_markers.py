"""The warehouse's markers against the ledger's index."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.dbt.protocol import Publication
from runner.project.manifest import Project
from runner.warehouse import markers
from tests.unit.fake_dbt import ZONE, windowed

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RIGHT = WindowRecord(WorkResult.SUCCESS, "code", has_rows=True)


def day(number: int, count: int = 1) -> Span:
    return Span(MIDNIGHT + number * DAY, MIDNIGHT + (number + count) * DAY)


def marker(
    model: str,
    number: int,
    verdict: str | None = "correct",
    run_id: str | None = "backfill",
    published: int = 0,
) -> Publication:
    span = day(number)
    at = MIDNIGHT + published * DAY
    code_hash = "code" if run_id else None
    return Publication(model, span.start, span.end, 5, verdict, 7, run_id, code_hash, at, at)


def undated(timeline: Timeline[WindowRecord]) -> list[tuple[Span, WindowRecord]]:
    return [(span, replace(record, published_at=None)) for span, record in timeline]


def differences(
    known: dict[str, Timeline[WindowRecord]],
    told: list[Publication],
    unsettled: Spans | None = None,
) -> markers.Differences:
    return markers.differences(known, told, ["a", "b"], unsettled or Spans())


def test_what_agrees_is_no_difference():
    known = {"a": Timeline([(day(0, 3), RIGHT)]), "a_table": Timeline([(day(2), RIGHT)])}
    told = [marker("a", number) for number in range(3)]
    assert differences(known, told) == markers.Differences({}, {}, {})


def test_a_window_without_a_marker_is_lost():
    known = {"a": Timeline([(day(0, 3), RIGHT)])}
    found = differences(known, [marker("a", 0), marker("a", 2)])
    assert found == markers.Differences({"a": Spans([day(1)])}, {}, {})


def test_what_failed_needs_no_marker():
    known = {"a": Timeline([(day(0), WindowRecord(WorkResult.FAILED))])}
    assert differences(known, []) == markers.Differences({}, {}, {})


def test_a_runners_marker_must_be_known_and_a_plain_builds_need_not():
    found = differences({}, [marker("a", 0), marker("b", 1, None, run_id=None)])
    assert found == markers.Differences({}, {"a": Spans([day(0)])}, {})


def test_a_plain_build_over_a_verdict_is_noticed():
    known = {"a": Timeline([(day(0, 2), RIGHT)])}
    found = differences(known, [marker("a", 0), marker("a", 1, None, run_id=None)])
    assert found == markers.Differences({}, {}, {"a": Spans([day(1)])})


def test_where_runs_are_open_the_ledger_may_lag():
    known = {"a": Timeline([(day(0), RIGHT)])}
    told = [marker("a", 1)]
    assert differences(known, told, Spans([day(0, 2)])) == markers.Differences({}, {}, {})


def test_an_index_from_markers_has_their_verdicts():
    verdicts = ["correct", "correct", "incorrect", "unchecked"]
    told = [marker("a", number, verdict) for number, verdict in enumerate(verdicts)]
    told.append(marker("a", 4, None, run_id=None))
    assert undated(markers.index_of(told, {})["a"]) == [
        (day(0, 2), RIGHT),
        (day(2), WindowRecord(WorkResult.INCORRECT, "code", has_rows=True)),
        (day(3), WindowRecord(WorkResult.UNCHECKED, "code", has_rows=True)),
        (
            day(4),
            WindowRecord(WorkResult.UNCHECKED, has_rows=True),
        ),  # by a plain build: nobody has verified it
    ]


def test_a_plain_build_that_says_its_code_is_to_be_judged_and_then_as_good():
    told = [
        marker("a", number, verdict, run_id=None)
        for number, verdict in enumerate([None, "correct"])
    ]
    told = [replace(found, code_hash="plain:abc") for found in told]
    index = markers.index_of(told, {})
    assert [record.standing for _, record in index["a"]] == [
        WorkResult.PUBLISHED,
        WorkResult.SUCCESS,
    ]
    node = replace(windowed("a"), plain_code="plain:abc", code_hash="code")
    project = Project(ZONE, {node.unique_id: node}, {}, "")
    assert {found.code_hash for found in markers.known_codes(told, project)} == {"code"}
    other = replace(project, nodes={node.unique_id: replace(node, plain_code="plain:def")})
    assert {found.code_hash for found in markers.known_codes(told, other)} == {"plain:abc"}


def test_what_was_published_before_its_parent_is_outdated():
    told = [marker("a", 0, published=2), marker("b", 0, published=1), marker("b", 1, published=1)]
    index = markers.index_of(told, {"a": frozenset({"b"})})
    outdated = replace(RIGHT, is_outdated=True)
    assert undated(index["a"]) == [(day(0), RIGHT)]
    assert undated(index["b"]) == [(day(0), outdated), (day(1), RIGHT)]


def test_what_was_published_again_with_the_same_rows_outdates_nothing():
    again = replace(marker("a", 0, published=2), contents_since=MIDNIGHT)
    index = markers.index_of([again, marker("b", 0, published=1)], {"a": frozenset({"b"})})
    assert undated(index["b"]) == [(day(0), RIGHT)]


def test_of_markers_that_overlap_the_later_counts():
    old, new = marker("a", 0, "correct"), marker("a", 0, "incorrect", published=1)
    assert undated(markers.index_of([new, old], {})["a"]) == [
        (day(0), WindowRecord(WorkResult.INCORRECT, "code", has_rows=True))
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(0, 9),
            st.sampled_from([None, "correct", "unchecked"]),
        ),
        unique_by=lambda found: found[:2],
    )
)
def test_an_index_made_from_markers_differs_from_them_in_nothing(
    found: list[tuple[str, int, str | None]],
):
    told = [marker(*one) for one in found]
    index = markers.index_of(told, {"a": frozenset({"b"})})
    assert differences(index, told) == markers.Differences({}, {}, {})
