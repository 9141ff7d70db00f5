"""What a proof builds, compares and copies of a project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.core.config import PipelineConfig
from runner.core.errors import UsageError
from runner.core.windows import Calendar, Grain
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from runner.proving.scope import Relation, ReplayScope, make_scope

ZONE = ZoneInfo("UTC")
CALENDAR = Calendar(Grain.DAY, ZONE)


class Shop:
    """A small project, node by node; parents are named by dbt's unique ids."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.manifest: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}}
        self.add("source.raw", kind="source", materialized=None)
        self.add("seed.shops", kind="seed", materialized="seed")
        self.add("model.lines", ["source.raw"], materialized="view")
        self.add("model.sales", ["model.lines", "seed.shops"])
        self.add("model.cleaned", ["model.sales"], materialized="view")
        self.add("model.daily", ["model.cleaned"])
        self.add("model.best", ["model.daily"], materialized="table")

    def add(
        self,
        unique_id: str,
        parents: Iterable[str] = (),
        *,
        kind: str = "model",
        materialized: str | None = "incremental",
        strategy: str = "overwrite_window",
        database: str = "shop",
        attached_to: str | None = None,
    ) -> None:
        name = unique_id.split(".")[-1]
        is_windowed = materialized == "incremental" and strategy in ("overwrite_window", "merge")
        self.nodes.append(
            Node(
                unique_id=unique_id,
                name=name,
                kind=kind,
                materialized=materialized,
                parents=tuple(parents),
                grain=Grain.DAY if is_windowed else None,
                code_hash="h",
                attached_to=attached_to,
                is_gate=attached_to is not None,
            )
        )
        group = "sources" if kind == "source" else "nodes"
        self.manifest[group][unique_id] = {
            "database": database,
            "schema": "main",
            "name": name,
            "config": {"event_time": "sold_on", "incremental_strategy": strategy},
        }

    def scene(self, *select: str) -> ReplayScope:
        first = CALENDAR.span_of_dates(date(2026, 3, 1), date(2026, 3, 1)).start
        config = PipelineConfig(select="x")
        nodes = tuple(self.nodes)
        project = Project(ZONE, {node.unique_id: node for node in nodes}, {}, "")
        shop = Pipeline("shop", config, CALENDAR, None, nodes, first, None, project)
        return make_scope(shop, project, self.manifest, frozenset(select) or None)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def names(scene: ReplayScope) -> list[str]:
    return [target.name for target in scene.targets]


def test_every_incremental_model_is_replayed_and_what_it_reads_is_not(shop: Shop):
    scene = shop.scene()
    assert names(scene) == ["sales", "daily"]
    assert scene.upstream == {"sales": frozenset(), "daily": {"sales"}}
    assert scene.read == {
        "seed.shops": Relation("main", "shops"),
        "source.raw": Relation("main", "raw"),
    }
    assert set(scene.to_prepare) == {"seed.shops", "model.lines"}


def test_a_view_between_them_is_made_again_with_what_it_reads(shop: Shop):
    assert shop.scene().levels == (("sales", "cleaned"), ("daily",))


def test_what_a_selected_model_is_made_from_is_replayed_too(shop: Shop):
    """It would stand still, complete, and a reader of all of it would seem to be right."""
    scene = shop.scene("daily")
    assert names(scene) == ["sales", "daily"]
    assert "model.sales" not in scene.read


def test_what_lies_between_selected_models_is_replayed_too(shop: Shop):
    shop.add("model.monthly", ["model.daily"])
    assert names(shop.scene("sales", "monthly")) == ["sales", "daily", "monthly"]


def test_what_a_gate_reads_is_read(shop: Shop):
    shop.add("seed.closures", kind="seed", materialized="seed")
    parents = ["model.sales", "seed.closures"]
    shop.add("test.open", parents, kind="test", materialized=None, attached_to="model.sales")
    scene = shop.scene("sales")
    assert "seed.closures" in scene.read


def test_another_strategy_is_compared_as_a_whole(shop: Shop):
    shop.add("model.appended", ["model.lines"], strategy="append")
    found = {target.name: target.event_time for target in shop.scene().targets}
    assert found == {"appended": None, "sales": '"sold_on"', "daily": '"sold_on"'}


def test_microbatch_without_windows_is_left_out_and_said(shop: Shop):
    shop.add("model.batched", ["model.lines"], strategy="microbatch")
    shop.nodes[-1] = replace(shop.nodes[-1], is_microbatch=True)
    scene = shop.scene()
    assert names(scene) == ["sales", "daily"]
    assert list(scene.left_out) == ["batched"]
    with pytest.raises(UsageError, match=r"no incremental model to replay .*microbatch"):
        shop.scene("batched")
    # With windows it is compared by them.
    shop.nodes[-1] = replace(shop.nodes[-1], grain=Grain.DAY)
    (target,) = (one for one in shop.scene().targets if one.name == "batched")
    assert (target.event_time, target.read_as) == ('"sold_on"', "batch")
    assert target.is_microbatch


def test_models_of_two_databases_are_refused(shop: Shop):
    shop.add("model.elsewhere", ["model.daily"], database="other")
    with pytest.raises(UsageError, match="sales lies in the database shop and elsewhere in other"):
        shop.scene()
    assert names(shop.scene("daily")) == ["sales", "daily"]


def test_without_a_node_the_scope_lacks_what_is_made_from_it(shop: Shop):
    shop.add("model.lonely", ["seed.shops"])
    scene = shop.scene()
    assert names(scene.without({"cleaned"})) == ["lonely", "sales"]
    assert scene.without({"lines"}).levels == (("lonely",),)
    assert set(scene.without({"lines"}).relations) == {"lonely"}
    assert names(scene.without({"shops"})) == []
    assert scene.without(()) == scene


def test_a_table_of_another_database_is_read_where_it_is(shop: Shop):
    shop.add("source.remote", kind="source", materialized=None, database="OTHER")
    shop.add("model.joined", ["source.remote", "model.daily"], database="SHOP")
    assert "source.remote" not in shop.scene().read


def test_a_model_that_writes_a_file_is_refused(shop: Shop):
    shop.add("model.exported", ["model.daily"], materialized="external")
    shop.add("model.again", ["model.exported"])
    with pytest.raises(UsageError, match="exported writes a file outside of the warehouse"):
        shop.scene()
