"""Whether what a window is made from has changed, by real files in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.core.config import PipelineConfig
from runner.core.spans import Span
from runner.core.windows import Grain
from runner.landed.sources import Landings
from runner.project.declarations import location_of
from runner.project.manifest import Node, Project
from runner.project.pipelines import make_pipeline

ZONE = ZoneInfo("America/New_York")
FIRST = "2026-03-07"
SECOND = "2026-03-08"  # a day of 23 hours


def model(name: str, *parents: str, grain: Grain | None = Grain.DAY) -> Node:
    materialized = "incremental" if grain else "view"
    begin = date(2026, 3, 1) if grain else None
    return Node(f"model.{name}", name, "model", materialized, parents, grain, begin)


def source(name: str, location: str | None) -> Node:
    return Node(f"source.{name}", name, "source", None, (), location=location)


def table(name: str, *parents: str) -> Node:
    return replace(model(name, *parents, grain=None), materialized="table")


ORDERS = model("orders", "source.orders")
LANDED = source("orders", "landing/*.parquet")


class Shop:
    """A project in a folder, and its files as whoever looks now sees them."""

    def __init__(self, folder: Path, *nodes: Node) -> None:
        self.folder = folder
        self._nodes = nodes

    def land(self, path: str, content: str = "rows", modified: int = 1) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        os.utime(target, (modified, modified))

    def looked_at(self, node: Node = ORDERS) -> Callable[[str], str | None]:
        nodes = {node.unique_id: node for node in self._nodes}
        selected = {"all": tuple(nodes)}
        project = Project(zone=ZONE, nodes=nodes, selections=selected, fingerprint="")
        pipeline = make_pipeline("shop", PipelineConfig(select="all"), project)
        inputs = Landings(project, self.folder).inputs_of(node)
        return lambda label: inputs(pipeline.calendar.labelled(label).span)

    def digest(self, label: str = FIRST, node: Node = ORDERS) -> str | None:
        return self.looked_at(node)(label)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, ORDERS, LANDED)
    shop.land(f"landing/{FIRST}.parquet")
    shop.land(f"landing/{SECOND}.parquet")
    return shop


def test_what_has_not_changed_has_the_same_digest(shop: Shop):
    before = shop.digest()
    assert before is not None
    assert shop.digest() == before


def test_two_days_have_two_digests(shop: Shop):
    assert shop.digest(FIRST) != shop.digest(SECOND)


def test_other_bytes_are_another_input(shop: Shop):
    before, other = shop.digest(), shop.digest(SECOND)
    shop.land(f"landing/{FIRST}.parquet", "rows, and one more")
    assert shop.digest() != before
    assert shop.digest(SECOND) == other


def test_the_same_size_at_another_time_is_another_input(shop: Shop):
    """Nobody reads gigabytes only to learn that they are the same."""
    before = shop.digest()
    shop.land(f"landing/{FIRST}.parquet", "cows", modified=2)
    assert shop.digest() != before


def test_the_same_bytes_landed_again_may_be_tried_again(shop: Shop):
    before = shop.digest()
    shop.land(f"landing/{FIRST}.parquet", modified=2)
    assert shop.digest() != before


def test_a_file_that_is_gone_and_one_that_came_are_another_input(shop: Shop):
    before = shop.digest()
    (shop.folder / f"landing/{FIRST}.parquet").unlink()
    gone = shop.digest()
    assert gone not in (None, before)
    shop.land(f"landing/{FIRST}.parquet")
    assert shop.digest() == before


def test_a_file_for_another_day_is_no_input(shop: Shop):
    before = shop.digest()
    shop.land("landing/2026-03-06.parquet")
    shop.land("landing/2026-03-09.parquet")
    assert shop.digest() == before


def test_a_file_that_does_not_match_is_no_input(shop: Shop):
    before = shop.digest()
    shop.land(f"landing/{FIRST}.csv")
    shop.land(f"elsewhere/{FIRST}.parquet")
    assert shop.digest() == before


@pytest.mark.parametrize("name", ["all", f"orders-{FIRST}", "2026-13-01"])
def test_a_file_without_a_date_for_a_name_counts_for_every_window(shop: Shop, name: str):
    before = shop.digest(FIRST), shop.digest(SECOND)
    shop.land(f"landing/{name}.parquet")
    after = shop.digest(FIRST), shop.digest(SECOND)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_a_compressed_file_is_still_named_by_its_date(tmp_path: Path):
    shop = Shop(tmp_path, ORDERS, source("orders", "landing/*.csv.gz"))
    before = shop.digest(FIRST), shop.digest(SECOND)
    shop.land(f"landing/{FIRST}.csv.gz")
    assert shop.digest(FIRST) != before[0]
    assert shop.digest(SECOND) == before[1]


def test_folders_below_are_looked_into_as_far_as_the_glob_does(tmp_path: Path):
    shop = Shop(tmp_path, ORDERS, source("orders", "landing/**/*.parquet"))
    before = shop.digest()
    shop.land(f"landing/berlin/north/{FIRST}.parquet")
    below = shop.digest()
    shop.land(f"landing/{FIRST}.parquet")
    assert len({before, below, shop.digest()}) == 3


def test_an_absolute_path_is_where_it_says(tmp_path: Path):
    absolute = source("orders", f"{tmp_path}/elsewhere/*.parquet")
    shop = Shop(tmp_path / "project", ORDERS, absolute)
    before = shop.digest()
    Shop(tmp_path).land(f"elsewhere/{FIRST}.parquet")
    assert shop.digest() != before


def test_a_span_of_days_has_the_files_of_all_of_them(shop: Shop):
    nodes = {node.unique_id: node for node in (ORDERS, LANDED)}
    project = Project(zone=ZONE, nodes=nodes, selections={"all": tuple(nodes)}, fingerprint="")
    pipeline = make_pipeline("shop", PipelineConfig(select="all"), project)
    both = pipeline.calendar.span_of_dates(date.fromisoformat(FIRST), date.fromisoformat(SECOND))
    week = Span(both.start, pipeline.calendar.labelled("2026-03-14").end)

    def digest(span: Span) -> str | None:
        return Landings(project, shop.folder).inputs_of(ORDERS)(span)

    before = digest(both), digest(week)
    assert before[0] == before[1]  # nothing has landed for the rest of the week
    shop.land(f"landing/{SECOND}.parquet", modified=2)
    assert digest(both) != before[0]
    shop.land("landing/2026-03-14.parquet")
    assert digest(both) != digest(week)


def test_an_hour_is_made_from_the_file_of_its_local_day(tmp_path: Path):
    hourly = replace(ORDERS, grain=Grain.HOUR)
    shop = Shop(tmp_path, hourly, LANDED)
    labels = ("2026-03-06T23", f"{FIRST}T00", f"{FIRST}T23", f"{SECOND}T00")
    before = [shop.digest(label, hourly) for label in labels]
    shop.land(f"landing/{FIRST}.parquet")
    after = [shop.digest(label, hourly) for label in labels]
    changed = [was != now for was, now in zip(before, after, strict=True)]
    assert changed == [False, True, True, False]


# What cannot be seen


def test_a_source_that_cannot_be_seen_may_have_changed(tmp_path: Path):
    two = model("orders", "source.orders", "source.customers")
    shop = Shop(tmp_path, two, LANDED, source("customers", None))
    shop.land(f"landing/{FIRST}.parquet")
    assert shop.digest(node=two) is None


def test_a_landing_without_any_file_is_seen_to_be_empty(tmp_path: Path):
    shop = Shop(tmp_path, ORDERS, LANDED)
    before = shop.digest()
    assert before is not None
    shop.land(f"landing/{FIRST}.parquet")
    assert shop.digest() != before


# What is between


def test_sources_are_found_through_views_and_tables(tmp_path: Path):
    view = model("view", "source.orders", grain=None)
    between = table("table", "model.view")
    totals = model("totals", "model.table")
    shop = Shop(tmp_path, totals, between, view, LANDED)
    before = shop.digest(node=totals)
    shop.land(f"landing/{FIRST}.parquet")
    assert shop.digest(node=totals) != before


def test_a_source_that_cannot_be_seen_through_a_view_may_have_changed(tmp_path: Path):
    view = model("view", "source.orders", grain=None)
    totals = model("totals", "model.view")
    shop = Shop(tmp_path, totals, view, source("orders", None))
    assert shop.digest(node=totals) is None


def test_what_a_windowed_model_reads_is_that_models_business(tmp_path: Path):
    """When it is published again, its readers are outdated: nobody needs its files for that."""
    totals = model("totals", "model.orders")
    shop = Shop(tmp_path, totals, ORDERS, LANDED)
    before = shop.digest(node=totals)
    shop.land(f"landing/{FIRST}.parquet")
    assert shop.digest(node=totals) == before
    assert before is not None


def test_two_ways_to_a_source_are_one_and_what_is_unknown_is_none(tmp_path: Path):
    view = model("view", "source.orders", "model.removed", grain=None)
    totals = model("totals", "model.view", "source.orders")
    shop = Shop(tmp_path, totals, view, LANDED)
    shop.land(f"landing/{FIRST}.parquet")
    direct = Shop(tmp_path, ORDERS, LANDED)
    assert shop.digest(node=totals) == direct.digest()


def test_files_are_as_they_were_when_first_asked_about(shop: Shop):
    """A plan that is made within one look does not change under its own hands."""
    digest = shop.looked_at()
    before = digest(FIRST)
    shop.land(f"landing/{FIRST}.parquet", "rows, and one more")
    assert digest(FIRST) == before
    assert shop.digest() != before


# Where they land


@pytest.mark.parametrize(
    "raw",
    [
        {"meta": {"external_location": "landing/*.csv"}},
        {"config": {"meta": {"external_location": "landing/*.csv"}}},
        {"config": {"external_location": "landing/*.csv"}},
        {"source_meta": {"external_location": "landing/*.csv"}},
        {"meta": {"external_location": "'landing/*.csv'"}},
        {"meta": {"owner": "shop"}, "source_meta": {"external_location": "landing/*.csv"}},
    ],
)
def test_a_location_is_found_wherever_dbt_lets_it_be_written(raw: dict[str, object]):
    assert location_of({"resource_type": "source", **raw}) == "landing/*.csv"


def test_a_location_in_quotes_of_its_own_may_hold_brackets_and_quotes():
    """dbt-duckdb takes a round bracket for a call, unless quotes are there."""
    raw = {"resource_type": "source", "meta": {"external_location": "'a (1)/o''clock.csv'"}}
    assert location_of(raw) == "a (1)/o'clock.csv"


@pytest.mark.parametrize(
    "location",
    [
        "s3://bucket/orders/*.parquet",
        "https://example.com/orders.csv",
        "read_csv('landing/*.csv')",
        "landing/{name}.csv",
    ],
)
def test_what_is_no_path_on_this_disk_cannot_be_seen(location: str):
    assert location_of({"resource_type": "source", "meta": {"external_location": location}}) is None


@pytest.mark.parametrize("raw", [{}, {"meta": {}}, {"meta": None, "config": None}])
def test_a_source_that_says_nothing_cannot_be_seen(raw: dict[str, object]):
    assert location_of({"resource_type": "source", **raw}) is None
