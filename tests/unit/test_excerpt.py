"""Long pages: at most sixty lines, what needs attention first, and what is left out is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.core.planning import Plan
from runner.overview.pipeline import PipelineStatus, PipelineSummary
from runner.render.excerpt import MOST_LINES, Page, Room, Rows, pages
from runner.render.listings import pipelines_page
from runner.render.plan import plan_page
from runner.render.status import status_page
from runner.render.terminal import Terminal
from tests.unit.fake_dbt import shop, windowed
from tests.unit.planned_nodes import plan_of, planned
from tests.unit.test_render_runs import NOW, RunState, run_in

ROOM = Room()


def large() -> Plan:
    """Three hundred models as they should be, and then one of each that is not."""
    good = [planned(f"good_{number:03}", "sssssss") for number in range(300)]
    stale = [planned(f"stale_{number:03}", "ssccsss") for number in range(90)]
    return plan_of([*good, *stale, planned("missing", "sssss.."), planned("failed", "sssfsss")])


def plan_of_large(*, is_all: bool = False) -> Page:
    pipeline = shop(windowed("orders"))
    return plan_page(pipeline, large(), dict.fromkeys(map(str, range(30))), is_all=is_all)


def status_of_large(name: str = "large") -> Page:
    return status_page(PipelineStatus(name, large()), Terminal())


@pytest.mark.parametrize("page", [plan_of_large(), status_of_large()])
def test_a_page_of_hundreds_of_models_has_sixty_lines_and_begins_with_the_worst(page: Page):
    text = pages([page], ROOM)
    assert len(text.splitlines()) == MOST_LINES
    places = [text.index(name) for name in ("failed ", "missing ", "stale_000")]
    assert places == sorted(places)
    assert len(pages([page], None).splitlines()) > MOST_LINES
    assert "--all" not in pages([page], None)


def test_what_is_left_out_of_a_page_is_counted_by_what_it_is():
    text = pages([status_of_large()], ROOM)
    assert "good_000" not in text
    shown = text.count("stale_0") - text.split(". success")[1].count("stale_0")
    rest = f"… and {390 - shown} more ({90 - shown} stale, 300 success): --all shows them"
    assert rest in text.splitlines()
    only = Rows(range(100), lambda some: [*map(str, some)], state=lambda _: "success")
    assert pages([Page([[only]])], ROOM).endswith("… and 41 more, all success: --all shows them")


def test_a_page_that_fits_is_as_it_comes():
    plan = plan_of([planned("stale", "ccccccc"), planned("failed", "fffffff")])
    page = plan_page(shop(windowed("orders")), plan, {})
    assert pages([page], ROOM) == page.text()
    assert page.text().index("stale ") < page.text().index("failed ")


def test_ten_names_are_enough_unless_all_are_asked_for():
    assert "6, 7, 8, 9 and 20 more unproved" in plan_of_large().text()
    assert "27, 28, 29 unproved" in plan_of_large(is_all=True).text()


def test_pipelines_share_the_lines_and_those_that_are_fine_make_room():
    two = pages([status_of_large("one"), status_of_large("two")], ROOM)
    assert len(two.splitlines()) <= MOST_LINES
    assert two.count("(") == two.count("more (") == 2  # of each as many are left out
    good = PipelineStatus("fine", plan_of([planned("good", "sssssss")]))
    fine = [status_page(good, Terminal())] * 20
    text = pages([*fine, status_of_large("bad")], ROOM)
    assert len(text.splitlines()) <= MOST_LINES
    assert text.startswith("bad: 7 days")
    assert text.splitlines()[-1].endswith(" more pipelines: --all shows them")


def test_of_a_hundred_pipelines_those_that_went_wrong_are_listed_first():
    pipeline = shop(windowed("orders"))
    states = [RunState.SUCCESS] * 99 + [RunState.FAILED]
    listed = [
        PipelineSummary(replace(pipeline, name=f"p{number}"), NOW, run_in(state), None, {})
        for number, state in enumerate(states)
    ]
    lines = pages([pipelines_page(listed)], ROOM).splitlines()
    assert len(lines) == MOST_LINES
    assert lines[2].startswith("p99 ")
    assert lines[-1] == "… and 43 more, all success: --all shows them"


def test_a_line_that_goes_on_below_takes_as_many_lines():
    page = Page([[Rows(["x" * 100] * 40, list)]])
    assert len(pages([page], ROOM).splitlines()) == 40
    lines = pages([page], replace(ROOM, width=80)).splitlines()
    assert sum(1 + (len(line) > 80) for line in lines) <= MOST_LINES
    colored = Page([[Rows(["\x1b[1;31m" + "x" * 80 + "\x1b[0m"] * 40, list)]])
    assert len(pages([colored], replace(ROOM, width=80)).splitlines()) == 40
