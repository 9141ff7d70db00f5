"""What is left of a plan, as chunks."""

from __future__ import annotations

from runner.core.chunks import Chunk
from runner.core.spans import Span, Spans
from runner.core.status import WorkResult
from runner.execution.pending import PendingWork
from runner.execution.verdicts import WindowJudgement
from runner.ledger import ModelRun
from tests.unit.fake_dbt import check, days, shop, windowed

SHOP = shop(
    windowed("lines"),
    windowed("revenue", "lines"),
    windowed("visits"),
    check("lines_check", "lines"),
    check("revenue_check", "revenue"),
)
ALL = frozenset({"lines", "revenue", "visits"})
DAY = list(SHOP.calendar.windows(days(SHOP, 5)))
BOTH = ("lines", "revenue")


def told(
    *runs: tuple[str, WorkResult],
    to_build: tuple[str, ...] = (),
    to_check: tuple[str, ...] = (),
    held: tuple[str, ...] = (),
) -> WindowJudgement:
    models = tuple(ModelRun(name, standing, 1, None) for name, standing in runs)
    return WindowJudgement(models, (), to_build, to_check, held)


def test_nothing_told_is_the_plan_itself():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 5), BOTH)])
    assert list(agenda.chunks(ALL)) == [Chunk(days(SHOP, 5), BOTH)]
    assert agenda.windows == DAY
    assert agenda.spans == Spans([days(SHOP, 5)])


def test_models_are_in_the_order_of_the_graph_whatever_the_plan_says():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 1), ("revenue", "lines"))])
    assert agenda.left(DAY[0]) == BOTH


def test_windows_that_need_other_models_are_other_chunks():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 5), BOTH)])
    agenda.told(DAY[2], told(("lines", WorkResult.SUCCESS), to_build=("revenue",)))
    assert list(agenda.chunks(ALL)) == [
        Chunk(days(SHOP, 2), BOTH),
        Chunk(days(SHOP, 1, 2), ("revenue",)),
        Chunk(days(SHOP, 2, 3), BOTH),
    ]


def test_what_is_published_and_not_judged_is_only_checked():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 1), BOTH)])
    agenda.told(
        DAY[0], told(("lines", WorkResult.PUBLISHED), to_build=("revenue",), to_check=("lines",))
    )
    assert list(agenda.chunks(ALL)) == [Chunk(days(SHOP, 1), ("revenue",), ("lines",))]


def test_what_was_to_be_judged_and_must_be_built_has_its_readers_built_again():
    """They were built in the same invocation, on rows that are about to be replaced."""
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 1), ("revenue", "visits"), ("lines",))])
    done = (("revenue", WorkResult.SUCCESS), ("visits", WorkResult.SUCCESS))
    agenda.told(DAY[0], told(*done, to_build=("lines",)))
    assert list(agenda.chunks(ALL)) == [Chunk(days(SHOP, 1), BOTH)]


def test_what_is_held_back_is_nobodys_work():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 1), BOTH)])
    agenda.told(DAY[0], told(("lines", WorkResult.INCORRECT), held=("revenue",)))
    assert agenda.left(DAY[0]) == ()


def test_what_no_test_judges_can_only_be_built_again():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 1), (), ("lines", "visits"))])
    assert list(agenda.chunks(ALL)) == [Chunk(days(SHOP, 1), ("visits",), ("lines",))]


def test_a_window_that_is_struck_is_no_more():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 3), BOTH)])
    agenda.strike(DAY[1])
    assert [chunk.span for chunk in agenda.chunks(ALL)] == [DAY[0].span, DAY[2].span]
    assert agenda.windows == [DAY[0], DAY[2]]


def test_only_the_models_and_windows_asked_for_are_given():
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 5), BOTH)])
    within = Span(DAY[1].start, DAY[2].end)
    assert list(agenda.chunks(frozenset({"revenue"}), within)) == [Chunk(within, ("revenue",))]
    assert list(agenda.chunks(frozenset({"visits"}))) == []


def test_a_window_of_which_no_model_runs_still_has_its_turn():
    # A table without windows has failed: it is built again in the name of a window.
    agenda = PendingWork(SHOP, [Chunk(days(SHOP, 1), ("report",))])
    assert list(agenda.chunks(ALL)) == [Chunk(days(SHOP, 1), ())]
