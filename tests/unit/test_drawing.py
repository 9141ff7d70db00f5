"""The picture of a graph: who stands where, and what is written there."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from runner.core.status import WindowStatus
from runner.explain.causes import Lineage, LineageNode, WindowRange
from runner.project.manifest import Node, Project
from runner.render.dag import dag_mermaid
from runner.render.dag_svg import dag_svg
from runner.render.layers import Bend, layered
from tests.unit.fake_dbt import shop, windowed
from tests.unit.planned_nodes import WEEK

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{index}" for index in range(draw(st.integers(1, 12)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }


@given(graphs())
def test_every_edge_leads_from_column_to_column_rightwards(graph: dict[str, list[str]]):
    layers = layered(graph)
    column_of = {place: i for i, column in enumerate(layers.columns) for place in column}
    assert {place for place in column_of if isinstance(place, str)} == set(graph)
    assert len(column_of) == sum(map(len, layers.columns))
    assert set(layers.routes) == {(parent, node) for node, read in graph.items() for parent in read}
    bends = set[Bend]()
    for (parent, child), route in layers.routes.items():
        assert (route[0], route[-1]) == (parent, child)
        assert all(column_of[b] == column_of[a] + 1 for a, b in pairwise(route))
        bends |= {place for place in route if isinstance(place, Bend)}
    assert bends == {place for place in column_of if isinstance(place, Bend)}


def crossings(graph: dict[str, list[str]]) -> int:
    layers = layered(graph)
    links = [link for route in layers.routes.values() for link in pairwise(route)]
    at = {
        place: (i, j) for i, column in enumerate(layers.columns) for j, place in enumerate(column)
    }
    found = [(at[a][0], at[a][1], at[b][1]) for a, b in links]
    return sum((x[1] - y[1]) * (x[2] - y[2]) < 0 and x[0] == y[0] for x in found for y in found)


def test_edges_are_untangled():
    assert crossings({"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]}) == 0


def test_a_root_stands_beside_its_first_reader():
    layers = layered({"a": [], "b": ["a"], "c": ["b"], "late": [], "d": ["c", "late"]})
    assert "late" in layers.columns[2]


def test_a_long_chain_is_laid_out():
    chain = {f"n{index}": [f"n{index - 1}"] if index else [] for index in range(3_000)}
    assert len(layered(chain).columns) == len(chain)


def stop(
    name: str, status: WindowStatus | None, *parents: str, why: str | None = None
) -> LineageNode:
    part = (
        () if status is None else (WindowRange(WEEK[0].span, "2026-03-05", status, why, rows=1204),)
    )
    return LineageNode(name, name, "by day", parents, is_windowed=True, parts=part, remark="landed")


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 - of our own making


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in parsed(picture).iter(f"{SVG}text")]


def test_a_box_says_its_state_in_words_and_the_first_cause_is_marked():
    stops = [
        stop("files", None),
        stop("sales", WindowStatus.INCORRECT, "files", why="3 rows too few"),
        stop("daily", WindowStatus.MISSING, "sales"),
    ]
    picture = dag_svg("orders, 2026-03-05", Lineage(stops))
    assert texts(picture) == [
        "orders, 2026-03-05",
        *("files", "landed", "by day"),
        *("sales", "incorrect: ran yes, correct no", "by day, 1,204 rows", "first cause"),
        *("daily", "missing", "by day, 1,204 rows"),
    ]
    titles = [found.text for found in parsed(picture).iter(f"{SVG}title")]
    assert "sales is incorrect\n2026-03-05 incorrect: 3 rows too few" in titles


def test_every_status_has_a_box():
    stops = [stop(str(status), status) for status in WindowStatus]
    picture = parsed(dag_svg("all", Lineage(stops)))
    assert len(list(picture.iter(f"{SVG}rect"))) == len(WindowStatus)
    assert {r.get("fill") for r in picture.iter(f"{SVG}rect")} != {None}


@given(st.text(min_size=1), st.text())
def test_it_is_xml_whatever_the_names_hold(name: str, why: str):
    picture = dag_svg(name, Lineage([stop(name, WindowStatus.FAILED, why=why)]))
    kept = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", name)
    # A reader of XML makes one newline of every kind of them.
    assert texts(picture)[1] == kept.replace("\r\n", "\n").replace("\r", "\n")


def test_nothing_is_fetched_from_elsewhere():
    picture = dag_svg("<script>", Lineage([stop("a & b", WindowStatus.SUCCESS)]))
    assert {element.tag.removeprefix(SVG) for element in parsed(picture).iter()} == {
        *("svg", "title", "text", "g", "rect")
    }
    assert "href" not in picture


def test_nothing_overlaps():
    names = [f"model_{index}" for index in range(9)]
    stops = [
        stop(name, WindowStatus.SUCCESS, *names[: index // 2]) for index, name in enumerate(names)
    ]
    picture = parsed(dag_svg("wide", Lineage(stops)))
    boxes = [
        tuple(float(rect.get(side) or 0) for side in ("x", "y", "width", "height"))
        for rect in picture.iter(f"{SVG}rect")
    ]
    for index, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[index + 1 :]:
            apart = left >= x + width or x >= left + wide or top >= y + height or y >= top + high
            assert apart


def test_what_is_called_alike_and_what_mermaid_takes_for_a_word_are_nodes_of_their_own():
    tills, crm, end = (
        Node("source.shop.till.day_sales", "day_sales", "source", None, ()),
        Node("source.shop.crm.day_sales", "day_sales", "source", None, ()),
        Node(
            'model.shop.end"<b>', 'end"<b>', "model", "view",
            ("source.shop.till.day_sales", "source.shop.crm.day_sales"),
        ),
    )  # fmt: skip
    project = Project(
        ZoneInfo("UTC"), {n.unique_id: n for n in (tills, crm, end)}, {}, fingerprint=""
    )
    pipeline = replace(shop(windowed("day")), nodes=(end,))
    assert dag_mermaid(pipeline, project).splitlines() == [
        "flowchart LR",
        '    n1["day_sales<br/>source"]',
        '    n2["day_sales<br/>source"]',
        '    n3["end#34;#60;b#62;<br/>view"]',
        "    n2 --> n3",
        "    n1 --> n3",
    ]
