"""What an invocation's result tells of every model's window."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runner.core.chunks import Chunk
from runner.core.status import WorkResult
from runner.core.timelines import Timeline
from runner.dbt.protocol import Evidence, InvocationResult, NodeResult, Publication, WindowEvidence
from runner.dbt.reports import killed
from runner.execution.verdicts import Judgement, WindowJudgement, judge
from runner.ledger import CheckFinding, ModelRun
from tests.unit.fake_dbt import check, days, gate, seed, shop, singular, view, windowed

PIPELINE = shop(
    seed("closures"),
    windowed("lines", "closures"),
    windowed("revenue", "lines"),
    view("recent", "revenue"),
    gate("lines_reconcile", "lines"),
    check("lines_volume", "lines"),
    check("revenue_volume", "revenue"),
    singular("revenue_is_positive", "revenue"),
    check("closures_unique", "closures"),
)
SPAN = days(PIPELINE, 4)
DAY = list(PIPELINE.calendar.windows(SPAN))
CHUNK = Chunk(SPAN, ("lines", "revenue"))
IDS = {node.name: node.unique_id for node in PIPELINE.nodes}
GOOD = {
    "closures": "success",
    "closures_unique": "pass",
    "lines": "success",
    "lines_volume": "pass",
    "revenue": "success",
    "recent": "success",
    "revenue_volume": "pass",
    "revenue_is_positive": "pass",
}
BELOW_LINES = dict.fromkeys(
    ("lines_volume", "revenue", "recent", "revenue_volume", "revenue_is_positive"), "skipped"
)
BELOW_CHECK = {name: "skipped" for name in BELOW_LINES if name != "lines_volume"}
AT = datetime(2026, 1, 1, tzinfo=UTC)
GOOD_LINES = ModelRun("lines", WorkResult.SUCCESS, 10, "lines as it was", published_at=AT)
LINES_PUBLISHED = ModelRun("lines", WorkResult.PUBLISHED, 10, "lines as it was", published_at=AT)


def published(
    models: tuple[str, ...] = ("lines", "revenue"),
    verdict: str | None = "correct",
    bad: dict[tuple[str, int], str | None] | None = None,
) -> tuple[Publication, ...]:
    """Markers of every day; ``bad`` gives single ones another verdict."""
    return tuple(
        Publication(
            model=model,
            window_start=window.start,
            window_end=window.end,
            row_count=10 * (index + 1),
            verdict=(bad or {}).get((model, index), verdict),
            fence=1,
            run_id="backfill",
            code_hash=f"{model} as it was",
            published_at=AT,
            contents_since=AT,
        )
        for model in models
        for index, window in enumerate(DAY)
    )


def evidence(
    model: str | None, found_by: str, *indexes: int, severity: str = "error", sample: str = ""
) -> Evidence:
    windows = tuple(WindowEvidence(DAY[index].start, "5 rows", "no rows") for index in indexes)
    samples = (sample,) if sample else ()
    return Evidence(
        model, IDS.get(found_by, found_by), found_by, severity, len(indexes) or 1, windows, samples
    )


def result(
    changed: dict[str, str] | None = None,
    publications: tuple[Publication, ...] | None = None,
    found: tuple[Evidence, ...] = (),
    error: str | None = None,
    messages: dict[str, str] | None = None,
) -> InvocationResult:
    """Everything went well, but for what is given."""
    statuses = GOOD | (changed or {})
    return InvocationResult(
        nodes=tuple(
            NodeResult(IDS[name], status, (messages or {}).get(name, ""), 0.1)
            for name, status in statuses.items()
        ),
        publications=published() if publications is None else publications,
        evidence=found,
        error=error,
        seconds=4.0,
    )


def judged(told: InvocationResult, chunk: Chunk = CHUNK) -> Judgement:
    return judge(PIPELINE, chunk, told)


def by_day(judgement: Judgement) -> list[WindowJudgement]:
    return [judgement.windows[window] for window in DAY]


def standings(judgement: Judgement, model: str) -> list[WorkResult | None]:
    """Of a model, in the order of the days; None is nothing known."""
    return [
        next((run.standing for run in day.models if run.model == model), None)
        for day in by_day(judgement)
    ]


def settled(judgement: Judgement) -> list[bool]:
    return [not day.to_build and not day.to_check for day in by_day(judgement)]


def test_all_published_and_judged_is_settled_window_by_window():
    judgement = judged(result())
    assert settled(judgement) == [True] * 4
    assert judgement.failure is None
    second = by_day(judgement)[1]
    assert second == WindowJudgement(
        models=(
            ModelRun("lines", WorkResult.SUCCESS, 20, "lines as it was", published_at=AT),
            ModelRun("revenue", WorkResult.SUCCESS, 20, "revenue as it was", published_at=AT),
        ),
        findings=(),
        to_build=(),
        to_check=(),
        held=(),
    )
    # The gate that let the rows through, three tests of the windows; not the seed's.
    names = ("lines_reconcile", "lines_volume", "revenue_volume", "revenue_is_positive")
    assert judgement.checks == {IDS[name] for name in names}
    assert [(run.model, run.standing) for run in judgement.unwindowed] == [
        ("closures", WorkResult.SUCCESS),
        ("recent", WorkResult.SUCCESS),
    ]
    assert judgement.seconds == 4.0


def test_a_gate_condemns_the_windows_it_names_and_the_others_are_to_be_built():
    found = (evidence("lines", "lines_reconcile", 1, 2),)
    judgement = judged(result({"lines": "error", **BELOW_LINES}, (), found))
    assert standings(judgement, "lines") == [None, *[WorkResult.INCORRECT] * 2, None]
    assert [day.to_build for day in by_day(judgement)] == [
        ("lines", "revenue"),
        (),
        (),
        ("lines", "revenue"),
    ]
    assert [day.held for day in by_day(judgement)] == [(), ("revenue",), ("revenue",), ()]
    assert judgement.failure is None  # the rest is innocent until it has run
    bad = by_day(judgement)[1]
    why = "lines_reconcile: expected 5 rows; actual no rows"
    assert bad.models == (ModelRun("lines", WorkResult.INCORRECT, None, "lines as it was", why),)
    assert bad.condemned == bad.models
    assert bad.findings == (CheckFinding("lines", "lines_reconcile", "error", "5 rows", "no rows"),)


def test_a_check_that_names_a_window_leaves_the_others_correct():
    found = (evidence("revenue", "revenue_volume", 2),)
    publications = published(bad={("revenue", 2): "incorrect"})
    judgement = judged(result({"revenue_volume": "fail"}, publications, found))
    good, bad = WorkResult.SUCCESS, WorkResult.INCORRECT
    assert standings(judgement, "revenue") == [good, good, bad, good]
    assert standings(judgement, "lines") == [good] * 4
    assert settled(judgement) == [True] * 4
    assert judgement.failure is None
    # Published, and incorrect: that is a check's difference to a gate.
    assert by_day(judgement)[2].condemned[0].row_count == 30


def test_downstream_of_a_failed_check_is_built_for_the_good_windows_only():
    found = (evidence("lines", "lines_volume", 0),)
    changed = {"lines_volume": "fail", **BELOW_CHECK}
    publications = published(models=("lines",), bad={("lines", 0): "incorrect"})
    judgement = judged(result(changed, publications, found))
    assert standings(judgement, "lines") == [WorkResult.INCORRECT, *[WorkResult.SUCCESS] * 3]
    assert [day.to_build for day in by_day(judgement)] == [(), *[("revenue",)] * 3]
    assert by_day(judgement)[0].held == ("revenue",)
    assert judgement.failure is None


def test_a_marker_that_says_incorrect_is_believed_without_evidence():
    judgement = judged(result(publications=published(bad={("revenue", 3): "incorrect"})))
    assert standings(judgement, "revenue")[3] is WorkResult.INCORRECT
    assert settled(judgement) == [True] * 4


def test_a_warning_condemns_nothing_and_is_kept_as_evidence():
    found = (
        evidence("revenue", "revenue_volume", 1, severity="warn"),
        evidence(None, "revenue_is_positive", severity="warn", sample="sale_date 2017-03-01"),
    )
    judgement = judged(
        result({"revenue_volume": "warn", "revenue_is_positive": "warn"}, found=found)
    )
    assert standings(judgement, "revenue") == [WorkResult.SUCCESS] * 4
    sample = ("sale_date 2017-03-01",)
    general = CheckFinding(None, "revenue_is_positive", "warn", None, "1 row", sample)
    named = CheckFinding("revenue", "revenue_volume", "warn", "5 rows", "no rows")
    assert by_day(judgement)[0].findings == (general,)
    assert by_day(judgement)[1].findings == (named, general)


def test_a_failed_check_without_names_leaves_what_it_judges_to_be_checked():
    found = (evidence(None, "revenue_is_positive", sample="revenue -1"),)
    publications = published(bad={("revenue", day): None for day in range(4)})
    judgement = judged(result({"revenue_is_positive": "fail"}, publications, found))
    assert [day.to_check for day in by_day(judgement)] == [("revenue",)] * 4
    assert [day.to_build for day in by_day(judgement)] == [()] * 4
    assert standings(judgement, "lines") == [WorkResult.SUCCESS] * 4
    failure = judgement.failure
    assert failure is not None
    assert (failure.standing, failure.is_systematic) == (WorkResult.INCORRECT, False)
    assert (failure.blamed, failure.reason) == ("revenue", "revenue_is_positive: fail")
    assert [(f.actual, f.sample) for f in failure.findings] == [("1 row", ("revenue -1",))]


def test_of_a_single_window_a_nameless_check_speaks_as_if_it_named_it():
    found = (evidence(None, "revenue_is_positive", sample="revenue -1"),)
    one = Chunk(DAY[0].span, ("lines", "revenue"))
    publications = published(bad={("revenue", 0): "incorrect"})
    judgement = judged(result({"revenue_is_positive": "fail"}, publications, found), one)
    (window,) = judgement.windows.values()
    assert (window.to_build, window.to_check) == ((), ())
    assert window.condemned[0].reason == "revenue_is_positive: fail"
    assert [(f.actual, f.sample) for f in window.findings] == [("1 row", ("revenue -1",))]
    assert judgement.failure is None


def test_a_nameless_check_of_a_parent_leaves_its_readers_to_be_built():
    found = (evidence("lines", "lines_volume", sample="line_id 7"),)
    publications = published(models=("lines",), verdict=None)
    judgement = judged(result({"lines_volume": "fail", **BELOW_CHECK}, publications, found))
    assert [(day.to_check, day.to_build) for day in by_day(judgement)] == [
        (("lines",), ("revenue",))
    ] * 4
    assert judgement.failure is not None
    assert judgement.failure.standing is WorkResult.INCORRECT  # it is published


def test_a_model_that_errors_without_names_is_to_be_built_with_what_reads_it():
    message = (
        "Runtime Error in model lines (models/lines.sql)\n"
        "  Conversion Error: Could not convert string 'x1' to INT32\n  \n"
        "  LINE 11: select cast('x' || 1 as integer) as one\n                  ^"
    )
    judgement = judged(result({"lines": "error", **BELOW_LINES}, (), messages={"lines": message}))
    assert [day.to_build for day in by_day(judgement)] == [("lines", "revenue")] * 4
    failure = judgement.failure
    assert failure is not None
    assert failure.reason == "lines: Conversion Error: Could not convert string 'x1' to INT32"
    assert (failure.standing, failure.is_systematic) == (WorkResult.FAILED, False)
    assert failure.message == message


@pytest.mark.parametrize(
    ("name", "status", "standing"),
    [
        ("closures", "error", WorkResult.FAILED),
        ("closures_unique", "fail", WorkResult.INCORRECT),
        ("closures_unique", "error", WorkResult.FAILED),
    ],
)
def test_what_knows_no_window_fails_all_that_read_it(name: str, status: str, standing: WorkResult):
    judgement = judged(result({"lines": "skipped", **BELOW_LINES, name: status}, ()))
    assert settled(judgement) == [False] * 4
    assert judgement.failure is not None
    assert (judgement.failure.standing, judgement.failure.is_systematic) == (standing, True)
    assert judgement.failure.blamed == "closures"
    assert judgement.unwindowed[0].standing is standing


def test_what_nobody_reads_fails_alone():
    judgement = judged(result({"recent": "error"}))
    assert settled(judgement) == [True] * 4
    assert judgement.failure is None
    assert {run.model: run.standing for run in judgement.unwindowed}["recent"] is WorkResult.FAILED


@pytest.mark.parametrize(
    ("error", "is_systematic"),
    [
        ("timed out after 1:00:00 and was killed: raise `timeout`", False),
        (killed(-9), False),
        ("the project does not parse", True),
    ],
)
def test_an_invocation_without_a_result(error: str, *, is_systematic: bool):
    judgement = judged(InvocationResult((), error=error, seconds=2.0))
    assert [day.to_build for day in by_day(judgement)] == [("lines", "revenue")] * 4
    failure = judgement.failure
    assert failure is not None
    assert (failure.reason, failure.standing) == (error, WorkResult.FAILED)
    assert failure.is_systematic is is_systematic


def test_an_invocation_that_died_after_it_had_published_settles_what_is_judged():
    judgement = judged(result(error=killed(-9)))
    assert settled(judgement) == [True] * 4
    assert judgement.failure is None


def test_an_invocation_that_died_before_the_end_leaves_the_rest_with_its_reason():
    told = InvocationResult((), published(("lines",), None), error=killed(-9))
    judgement = judged(told)
    assert [(d.to_check, d.to_build) for d in by_day(judgement)] == [(("lines",), ("revenue",))] * 4
    assert judgement.failure is not None
    assert judgement.failure.reason == killed(-9)


def test_nothing_checked_is_unchecked():
    publications = published(bad={("revenue", day): "unchecked" for day in range(4)})
    judgement = judged(result(publications=publications))
    assert standings(judgement, "revenue") == [WorkResult.UNCHECKED] * 4
    assert judgement.failure is None


def test_a_model_that_publishes_nothing_is_never_success():
    judgement = judged(result(publications=published(models=("lines",))))
    assert [day.to_build for day in by_day(judgement)] == [("revenue",)] * 4
    failure = judgement.failure
    assert failure is not None
    assert failure.reason.startswith("revenue published nothing: ")
    assert (failure.standing, failure.is_systematic) == (WorkResult.FAILED, True)


def test_the_window_that_lacks_a_marker_is_never_success():
    publications = tuple(p for p in published() if p.window_start != DAY[2].start)
    judgement = judged(result(publications=publications))
    assert settled(judgement) == [True, True, False, True]
    assert judgement.failure is not None


def test_published_but_not_judged_is_never_success():
    judgement = judged(result(publications=published(bad={("lines", 0): None})))
    assert settled(judgement) == [False, True, True, True]
    assert by_day(judgement)[0].models[0] == LINES_PUBLISHED
    assert judgement.failure is not None
    assert judgement.failure.reason.startswith("lines is published, but not all of its checks ran")


def test_evidence_of_another_day_settles_nothing_here():
    elsewhere = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=5)
    found = Evidence("lines", "c", "c", "error", 1, (WindowEvidence(elsewhere, "a", "b"),), ())
    judgement = judged(result({"lines": "error", **BELOW_LINES}, (), (found,)))
    assert settled(judgement) == [False] * 4
    assert judgement.failure is not None


def test_a_singular_test_condemns_the_last_model_that_it_reads():
    found = (evidence(None, "revenue_is_positive", 1),)
    judgement = judged(result({"revenue_is_positive": "fail"}, found=found))
    bad = by_day(judgement)[1]
    assert [run.model for run in bad.condemned] == ["revenue"]
    assert by_day(judgement)[0].models[0] == GOOD_LINES


def test_a_systematic_failure_is_said_even_where_a_check_has_named_a_window():
    found = (evidence("lines", "lines_volume", 0),)
    changed = {"closures_unique": "fail", "lines_volume": "fail", **BELOW_CHECK}
    publications = published(models=("lines",), bad={("lines", 0): "incorrect"})
    judgement = judged(result(changed, publications, found))
    assert judgement.failure is not None
    assert judgement.failure.is_systematic


def test_only_the_models_of_the_chunk_are_judged():
    only = replace(CHUNK, models=("revenue",))
    judgement = judged(result(publications=published(("revenue",))), only)
    assert standings(judgement, "lines") == [None] * 4
    assert settled(judgement) == [True] * 4


@pytest.mark.parametrize(
    ("reason", "day", "mentioned"),
    [
        ("a/2017-03-01.parquet was cut off", 0, True),
        ("a/2017-03-01.parquet was cut off", 1, False),
        ("a/12017-03-01.parquet was cut off", 0, False),
        ("2017-03-01 has 7 rows outside its window", 0, False),
    ],
)
def test_a_failure_mentions_a_window_by_its_label(reason: str, day: int, *, mentioned: bool):
    failure = judged(InvocationResult((), error=reason)).failure
    assert failure is not None
    assert failure.mentions(DAY[day]) is mentioned


def test_windows_that_miss_late_rows_are_told_whichever_they_are():
    before = PIPELINE.calendar.preceding(DAY[0])
    late = replace(
        evidence("lines", "lines_late", severity="warn"),
        windows=(
            WindowEvidence(before.start, "no row", "late rows: 17"),
            WindowEvidence(DAY[1].start, "no row", "late rows: 2"),
        ),
        makes_stale=True,
    )
    judgement = judged(result(found=(late, replace(late, model="nobody"))))
    assert judgement.late == {
        "lines": Timeline([(before.span, "late rows: 17"), (DAY[1].span, "late rows: 2")])
    }
    assert judgement.failure is None
    assert set(standings(judgement, "lines")) == {WorkResult.SUCCESS}
    expected = f"{before.label}: no row"
    assert judgement.unwindowed_findings[0] == CheckFinding(
        "lines", "lines_late", "warn", expected, "late rows: 17"
    )
    # Another warning makes nothing stale.
    assert judged(result(found=(replace(late, makes_stale=False),))).late == {}


def test_a_hook_of_the_run_that_failed_is_a_failure_although_all_is_published_and_judged():
    told = judged(result(error="hook shop.on-run-end.1 failed: no rates"))
    assert told.failure is not None
    assert told.failure.reason == "hook shop.on-run-end.1 failed: no rates"
    assert told.failure.is_systematic
    assert standings(told, "lines") == [WorkResult.SUCCESS] * 4
