from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runner.config import PipelineConfig
from runner.dbt.protocol import (
    Evidence,
    InvocationResult,
    NodeResult,
    Publication,
    WindowEvidence,
)
from runner.dbt.reports import killed
from runner.judge import judge
from runner.ledger import Finding, ModelRun
from runner.pipelines import Pipeline
from runner.project import Node
from runner.spans import Span, Spans
from runner.states import State
from runner.windows import Calendar, Grain

DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
DAY = list(DAYS.windows(DAYS.span_of_dates(date(2026, 3, 5), date(2026, 3, 8))))
SPAN = Span(DAY[0].start, DAY[-1].end)
HASHES = {"lines": "aaaa", "revenue": "bbbb"}

CLOSURES = Node("seed.shop.closures", "closures", "seed", "seed", ())
LINES = Node("model.shop.lines", "lines", "model", "incremental", (CLOSURES.unique_id,), Grain.DAY)
REVENUE = Node(
    "model.shop.revenue",
    "revenue",
    "model",
    "incremental",
    (LINES.unique_id,),
    Grain.DAY,
    reads_windows=True,
)
GATE = Node(
    "test.shop.lines_reconcile.1",
    "lines_reconcile",
    "test",
    None,
    (LINES.unique_id,),
    attached_to=LINES.unique_id,
    is_gate=True,
    reads_windows=True,
)
CHECK = Node(
    "test.shop.revenue_volume.2",
    "revenue_volume",
    "test",
    None,
    (REVENUE.unique_id,),
    attached_to=REVENUE.unique_id,
    reads_windows=True,
)
SINGULAR = Node(
    "test.shop.revenue_is_positive",
    "revenue_is_positive",
    "test",
    None,
    (REVENUE.unique_id,),
    reads_windows=True,
)
SEED_TEST = Node(
    "test.shop.unique_closures.3",
    "unique_closures",
    "test",
    None,
    (CLOSURES.unique_id,),
    attached_to=CLOSURES.unique_id,
)
NODES = (CLOSURES, LINES, REVENUE, GATE, CHECK, SINGULAR, SEED_TEST)
PIPELINE = Pipeline(
    "orders", PipelineConfig(select="+revenue"), DAYS, None, NODES, DAY[0].start, None
)
# One more check, on the first model: what it fails skips the second.
LINES_CHECK = Node(
    "test.shop.lines_volume.4",
    "lines_volume",
    "test",
    None,
    (LINES.unique_id,),
    attached_to=LINES.unique_id,
    reads_windows=True,
)
WITH_LINES_CHECK = replace(PIPELINE, nodes=(*NODES, LINES_CHECK))
GOOD = {CLOSURES: "success", SEED_TEST: "pass", LINES: "success", REVENUE: "success"} | {
    CHECK: "pass",
    SINGULAR: "pass",
}


def published(
    models: tuple[str, ...] = ("lines", "revenue"),
    verdict: str | None = "correct",
    bad: dict[tuple[str, int], str | None] | None = None,
) -> tuple[Publication, ...]:
    """Markers of every day; ``bad`` gives single ones another verdict."""
    return tuple(
        Publication(model, window.start, 10 * (index + 1), (bad or {}).get((model, index), verdict))
        for model in models
        for index, window in enumerate(DAY)
    )


def evidence(
    model: str | None, check: str, *days: int, severity: str = "error", sample: str = ""
) -> Evidence:
    windows = tuple(WindowEvidence(DAY[day].start, "5 rows", "no rows") for day in days)
    samples = (sample,) if sample else ()
    return Evidence(model, check, severity, len(days) or 1, windows, samples)


def result(
    changed: dict[Node, str] | None = None,
    publications: tuple[Publication, ...] | None = None,
    found: tuple[Evidence, ...] = (),
    error: str | None = None,
    messages: dict[Node, str] | None = None,
) -> InvocationResult:
    """Everything went well, but for what is given."""
    statuses = GOOD | (changed or {})
    return InvocationResult(
        nodes=tuple(
            NodeResult(node.unique_id, status, (messages or {}).get(node, ""), 0.1)
            for node, status in statuses.items()
        ),
        publications=published() if publications is None else publications,
        evidence=found,
        error=error,
        seconds=4.0,
    )


def by_day(judgement_outcomes: object) -> list[str | None]:
    """States in the order of the days; None is not settled."""
    assert isinstance(judgement_outcomes, dict)
    return [
        judgement_outcomes[window.start].state if window.start in judgement_outcomes else None
        for window in DAY
    ]


def rest_of(*days: int) -> Spans:
    return Spans(DAY[day].span for day in days)


def test_all_published_and_judged_is_success_window_by_window():
    judgement = judge(PIPELINE, SPAN, result(), HASHES)
    assert (by_day(judgement.outcomes), judgement.rest) == (["success"] * 4, Spans())
    assert judgement.failure is None
    second = judgement.outcomes[DAY[1].start]
    assert second.models == (
        ModelRun("lines", State.SUCCESS, 20, "aaaa"),
        ModelRun("revenue", State.SUCCESS, 20, "bbbb"),
    )
    assert (second.row_count, second.seconds) == (40, 1.0)
    assert (second.reason, second.findings) == (None, ())
    # The gate that let the rows through, the check and the singular test; not the seed's.
    assert second.check_count == 3


def test_a_gate_that_names_windows_condemns_them_and_the_rest_runs_again():
    found = (evidence("lines", "lines_reconcile", 1, 2),)
    changed = {LINES: "error", REVENUE: "skipped", CHECK: "skipped", SINGULAR: "skipped"}
    judgement = judge(PIPELINE, SPAN, result(changed, (), found), HASHES)
    assert by_day(judgement.outcomes) == [None, "incorrect", "incorrect", None]
    assert judgement.rest == rest_of(0, 3)
    assert judgement.failure is None  # the rest is innocent until it has run
    bad = judgement.outcomes[DAY[1].start]
    assert bad.reason == "lines_reconcile: expected 5 rows; actual no rows"
    assert bad.findings == (Finding("lines", "lines_reconcile", "error", "5 rows", "no rows"),)
    assert bad.models == (ModelRun("lines", State.INCORRECT, None, "aaaa"),)
    assert bad.row_count is None  # nothing was published


def test_a_check_that_names_a_window_leaves_the_others_correct():
    found = (evidence("revenue", "revenue_volume", 2),)
    publications = published(bad={("revenue", 2): "incorrect"})
    judgement = judge(PIPELINE, SPAN, result({CHECK: "fail"}, publications, found), HASHES)
    assert by_day(judgement.outcomes) == ["success", "success", "incorrect", "success"]
    assert (judgement.rest, judgement.failure) == (Spans(), None)
    bad = judgement.outcomes[DAY[2].start]
    assert [(model.model, model.state) for model in bad.models] == [
        ("lines", "success"),
        ("revenue", "incorrect"),
    ]
    assert bad.row_count == 60  # published, and incorrect: that is a check's difference to a gate


def test_downstream_that_a_failed_check_skipped_runs_again_for_the_good_windows():
    found = (evidence("lines", "lines_volume", 0),)
    changed = {LINES_CHECK: "fail", REVENUE: "skipped", CHECK: "skipped", SINGULAR: "skipped"}
    publications = published(models=("lines",), bad={("lines", 0): "incorrect"})
    judgement = judge(WITH_LINES_CHECK, SPAN, result(changed, publications, found), HASHES)
    assert by_day(judgement.outcomes) == ["incorrect", None, None, None]
    assert judgement.rest == rest_of(1, 2, 3)
    assert judgement.failure is None


def test_a_marker_that_says_incorrect_is_believed_without_evidence():
    publications = published(bad={("revenue", 3): "incorrect"})
    judgement = judge(PIPELINE, SPAN, result(publications=publications), HASHES)
    assert by_day(judgement.outcomes) == ["success", "success", "success", "incorrect"]


def test_a_warning_condemns_nothing_and_is_kept_as_evidence():
    found = (
        evidence("revenue", "revenue_volume", 1, severity="warn"),
        evidence(None, "revenue_is_positive", severity="warn", sample="sale_date 2026-03-05"),
    )
    changed = {CHECK: "warn", SINGULAR: "warn"}
    judgement = judge(PIPELINE, SPAN, result(changed, found=found), HASHES)
    assert by_day(judgement.outcomes) == ["success"] * 4
    general = Finding(None, "revenue_is_positive", "warn", None, "1 rows: sale_date 2026-03-05")
    named = Finding("revenue", "revenue_volume", "warn", "5 rows", "no rows")
    assert judgement.outcomes[DAY[0].start].findings == (general,)
    assert judgement.outcomes[DAY[1].start].findings == (named, general)
    assert {outcome.check_count for outcome in judgement.outcomes.values()} == {3}


def test_a_failed_check_without_names_leaves_all_windows_to_be_narrowed_down():
    found = (evidence(None, "revenue_is_positive", sample="revenue -1"),)
    publications = published(bad={("revenue", day): None for day in range(4)})
    judgement = judge(PIPELINE, SPAN, result({SINGULAR: "fail"}, publications, found), HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None
    assert judgement.failure.state is State.INCORRECT  # everything ran
    assert not judgement.failure.is_systematic
    assert judgement.failure.reason.startswith("revenue_is_positive: ")
    assert list(judgement.unsettled) == [window.start for window in DAY]
    outcome = judgement.unsettled[DAY[0].start]
    assert (outcome.state, outcome.seconds) == (State.INCORRECT, 1.0)
    # What is published is not hidden: its rows count, and it is said to be unjudged.
    unjudged = [model.model for model in outcome.models if model.state is State.UNCHECKED]
    assert unjudged == ["revenue"]
    assert outcome.row_count is not None
    assert [finding.actual for finding in outcome.findings] == ["1 rows: revenue -1"]


def test_a_failed_check_whose_models_did_not_all_run_is_a_failure_to_run():
    found = (evidence("lines", "lines_volume", sample="line_id 7"),)
    changed = {LINES_CHECK: "fail", REVENUE: "skipped", CHECK: "skipped", SINGULAR: "skipped"}
    publications = published(models=("lines",), verdict=None)
    judgement = judge(WITH_LINES_CHECK, SPAN, result(changed, publications, found), HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None
    assert judgement.failure.state is State.FAILED


def test_a_model_that_errors_without_names_is_halved():
    message = (
        "Runtime Error in model lines (models/lines.sql)\n"
        "  Conversion Error: Could not convert string 'x1' to INT32\n  \n"
        "  LINE 11: select cast('x' || 1 as integer) as one\n                  ^"
    )
    changed = {LINES: "error", REVENUE: "skipped", CHECK: "skipped", SINGULAR: "skipped"}
    judgement = judge(PIPELINE, SPAN, result(changed, (), messages={LINES: message}), HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None
    assert judgement.failure.reason == (
        "lines: Conversion Error: Could not convert string 'x1' to INT32"
    )
    assert (judgement.failure.state, judgement.failure.is_systematic) == (State.FAILED, False)


@pytest.mark.parametrize(
    ("node", "status", "state"),
    [(CLOSURES, "error", State.FAILED), (SEED_TEST, "fail", State.INCORRECT)],
)
def test_what_knows_no_window_fails_all_of_them_at_once(node: Node, status: str, state: State):
    below = dict.fromkeys((LINES, REVENUE, CHECK, SINGULAR), "skipped")
    changed = {**below, node: status}
    judgement = judge(PIPELINE, SPAN, result(changed, ()), HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None
    assert (judgement.failure.state, judgement.failure.is_systematic) == (state, True)


@pytest.mark.parametrize(
    ("error", "is_systematic"),
    [
        ("timed out after 1:00:00 and was killed: raise `timeout`", False),
        (killed(-9), False),
        ("the project does not parse", True),
    ],
)
def test_an_invocation_without_a_result(error: str, *, is_systematic: bool):
    died = InvocationResult((), error=error, seconds=2.0)
    judgement = judge(PIPELINE, SPAN, died, HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None
    assert judgement.failure.reason == error
    assert judgement.failure.state is State.FAILED
    assert judgement.failure.is_systematic is is_systematic


def test_an_invocation_that_died_after_it_had_published_settles_what_is_judged():
    judgement = judge(PIPELINE, SPAN, result(error=killed(-9)), HASHES)
    assert by_day(judgement.outcomes) == ["success"] * 4
    assert judgement.failure is None


def test_nothing_checked_is_unchecked():
    publications = published(bad={("revenue", day): "unchecked" for day in range(4)})
    judgement = judge(PIPELINE, SPAN, result(publications=publications), HASHES)
    assert by_day(judgement.outcomes) == ["unchecked"] * 4
    assert judgement.failure is None


def test_a_model_that_publishes_nothing_is_never_success():
    judgement = judge(PIPELINE, SPAN, result(publications=published(models=("lines",))), HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None
    assert judgement.failure.reason.startswith("revenue published nothing: ")
    assert (judgement.failure.state, judgement.failure.is_systematic) == (State.FAILED, True)


def test_the_window_that_lacks_a_marker_is_never_success():
    publications = tuple(p for p in published() if p.window_start != DAY[2].start)
    judgement = judge(PIPELINE, SPAN, result(publications=publications), HASHES)
    assert DAY[2].start not in judgement.outcomes
    assert DAY[2].span in judgement.rest
    assert judgement.failure is not None


def test_published_but_not_judged_is_never_success():
    publications = published(bad={("lines", 0): None})
    judgement = judge(PIPELINE, SPAN, result(publications=publications), HASHES)
    assert by_day(judgement.outcomes) == [None, "success", "success", "success"]
    assert judgement.rest == rest_of(0)


def test_evidence_of_another_day_settles_nothing_here():
    elsewhere = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=5)
    found = Evidence("lines", "c", "error", 1, (WindowEvidence(elsewhere, "a", "b"),), ())
    changed = {LINES: "error", REVENUE: "skipped", CHECK: "skipped", SINGULAR: "skipped"}
    judgement = judge(PIPELINE, SPAN, result(changed, (), (found,)), HASHES)
    assert (judgement.outcomes, judgement.rest) == ({}, Spans([SPAN]))
    assert judgement.failure is not None


@pytest.mark.parametrize(
    ("reason", "day", "mentioned"),
    [
        ("a/2026-03-05.parquet was cut off", 0, True),
        ("a/2026-03-05.parquet was cut off", 1, False),
        ("a/12026-03-05.parquet was cut off", 0, False),
    ],
)
def test_a_failure_mentions_a_window_by_its_label(reason: str, day: int, *, mentioned: bool):
    judgement = judge(PIPELINE, SPAN, InvocationResult((), error=reason), HASHES)
    assert judgement.failure is not None
    assert judgement.failure.mentions(DAY[day]) is mentioned
