"""Who may not run, and what a run keeps of who may all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.cli import inputs
from runner.core.config import PipelineConfig
from runner.core.errors import UsageError
from runner.core.proofs import Proof, ProofVerdict, Property
from runner.core.refusals import Allowance, Objection, disproved, refuse_unsafe, require_known
from runner.core.states import RunKind
from runner.core.windows import Calendar, Grain
from runner.ledger import Ledger
from runner.lint.facts import Parent
from runner.lint.models import ModelFinding, allow, known_parents, lint
from runner.project.declarations import Declared
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from tests.unit.planned_nodes import DAYS, day, plan_of, planned

NOW = datetime(2026, 3, 12, tzinfo=UTC)
CLOCK = Objection("orders", "DB01 clock or chance", "models/orders.sql:7: now: mend it")
APPEND = Objection("lines", "DB03 append", "models/lines.sql:1: append: mend it")
DISPROVED = Objection("orders", "disproved", "it does not commute: see runner prove")


def test_what_nobody_objects_to_may_run():
    assert refuse_unsafe({"orders", "lines"}, [], allowed=()) == ()


def test_an_objection_to_a_model_of_another_plan_is_none():
    assert refuse_unsafe({"lines"}, [CLOCK], allowed=()) == ()


def test_the_first_objection_is_said_in_one_line_and_the_other_models_are_named():
    with pytest.raises(UsageError) as refused:
        refuse_unsafe({"orders", "lines"}, [CLOCK, DISPROVED, APPEND], allowed=())
    assert str(refused.value) == (
        "orders is not safe to replay, DB01 clock or chance, models/orders.sql:7: now: mend it "
        "(and lines: see runner lint and runner plan); or run it all the same with "
        "--allow-unsafe orders"
    )


def test_who_is_allowed_is_kept_with_every_reason():
    found = refuse_unsafe({"orders"}, [CLOCK, DISPROVED, CLOCK, APPEND], allowed=("orders",))
    assert found == (Allowance("orders", "DB01 clock or chance"), Allowance("orders", "disproved"))


def test_what_is_disproved_is_objected_to():
    wrong = Proof(
        model="orders",
        code_hash="abc",
        verdict=ProofVerdict.DISPROVED,
        failed=(Property.IDEMPOTENT, Property.COMMUTES),
        windows="2026-03-04 … 2026-03-06",
        proved_at=NOW,
    )
    right = replace(wrong, verdict=ProofVerdict.PROVED, failed=())
    assert disproved("shop", {"lines": None, "orders": wrong, "days": right}) == [
        Objection(
            "orders",
            "disproved by replaying it",
            "idempotent, commutes failed over 2026-03-04 … 2026-03-06: mend it and run "
            "runner prove shop --select orders",
        )
    ]


def test_an_allowance_for_one_is_none_for_another():
    with pytest.raises(UsageError, match="lines is not safe"):
        refuse_unsafe({"orders", "lines"}, [CLOCK, APPEND], allowed=("orders",))


def test_only_models_can_be_allowed():
    require_known(("orders",), {"orders", "lines"}, "shop")
    with pytest.raises(UsageError, match="Did you mean 'orders'"):
        require_known(("ordres",), {"orders", "lines"}, "shop")


def test_several_that_are_allowed_may_share_a_word():
    asked = inputs.names(("orders,lines", "stores days"))
    assert asked == ("orders", "lines", "stores", "days")
    assert inputs.names(asked) == asked


def test_each_run_keeps_what_was_allowed(tmp_path: Path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    calendar = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
    days = list(calendar.windows(calendar.span_of_dates(date(2026, 3, 1), date(2026, 3, 2))))
    allowed = (Allowance("orders", "DB01 clock or chance"), Allowance("orders", "disproved"))
    runs = ledger.leases.queue("shop", RunKind.BACKFILL, days, NOW, allowed)
    (other,) = ledger.leases.queue("returns", RunKind.BACKFILL, days[:1], NOW)
    assert [ledger.runs.get_allowances(run) for run in runs] == [list(allowed), list(allowed)]
    assert ledger.runs.get_allowances(other) == []
    ledger.close()


# Through views

IN_WINDOW = "{{ daybreak.in_window('sold_on') }}"
TEXTS = {  # by model: how it is stored, what it reads, its text
    "tills": ("view", "", "select now() as at, sold_on from till_lines"),
    "open_tills": ("ephemeral", "tills", "select * from {{ ref('tills') }} limit 3"),
    "sales": ("incremental", "open_tills", f"select * from open_tills where {IN_WINDOW}"),
    "stores": ("table", "tills", "select * from {{ ref('tills') }}"),
    "traffic": ("incremental", "stores", f"select * from stores where {IN_WINDOW}"),
    "unread": ("view", "", "select now() as at"),
}


def a_project(folder: Path, suffix: str = ".sql") -> Project:
    """A project of the texts above, written to a folder."""
    for name, (_, _, text) in TEXTS.items():
        (folder / f"{name}{suffix}").write_text(text)
    nodes = [
        Node(
            unique_id=f"model.{name}",
            name=name,
            kind="model",
            materialized=materialized,
            parents=tuple(f"model.{parent}" for parent in reads.split()),
            grain=Grain.DAY if materialized == "incremental" else None,
            declared=Declared(
                path=f"{name}{suffix}",
                strategy="overwrite_window",
                event_time="sold_on",
                unique_key=(),
                version_column=None,
                reaches_in_window=True,
            ),
        )
        for name, (materialized, reads, _) in TEXTS.items()
    ]
    return Project(ZoneInfo("UTC"), {node.unique_id: node for node in nodes}, {}, "")


def told(found: tuple[ModelFinding, ...]) -> list[tuple[str, str, str]]:
    return [(one.model, one.finding.rule, str(one.finding.severity)) for one in found]


def test_a_view_is_judged_for_the_windows_that_read_it_and_a_table_ends_that(tmp_path: Path):
    project = a_project(tmp_path)
    of_sales = [("open_tills", "DB06", "warn"), ("tills", "DB01", "error")]
    assert told(lint(project, tmp_path)) == of_sales
    assert told(lint(project, tmp_path, ["sales"])) == of_sales
    assert told(lint(project, tmp_path, ["tills"])) == of_sales[1:]
    assert told(lint(project, tmp_path, ["traffic", "unread", "stores"])) == []
    (clock,) = lint(project, tmp_path, ["tills"])
    assert clock.readers == ("sales",)


def test_a_clock_in_a_view_stops_who_reads_it_with_its_windows(tmp_path: Path):
    project = a_project(tmp_path)
    pipeline = Pipeline(
        name="shop",
        config=PipelineConfig(select="sales"),
        calendar=DAYS,
        schedule=None,
        nodes=tuple(project.nodes.values()),
        first=day(1).start,
        last=None,
        project=project,
    )
    both = plan_of([planned("traffic", "..."), planned("sales", "...", "traffic")])
    with pytest.raises(UsageError) as refused:
        allow(both, pipeline, project, tmp_path, ())
    assert str(refused.value).startswith(
        "sales is not safe to replay, DB01 clock or chance, through the view tills, tills.sql:1: "
        "now, read by sales: a replay gives other rows than the first run; take the time"
    )
    assert str(refused.value).endswith("--allow-unsafe sales")
    with pytest.raises(UsageError, match="--allow-unsafe sales"):
        allow(both, pipeline, project, tmp_path, ("tills",))
    assert allow(both, pipeline, project, tmp_path, ("sales",)) == (
        Allowance("sales", "DB01 clock or chance"),
    )
    assert allow(plan_of([planned("traffic", "...")]), pipeline, project, tmp_path, ()) == ()


def test_what_grows_at_each_run_is_only_refused_to_who_names_it(tmp_path: Path):
    project = a_project(tmp_path)
    nodes = [
        replace(node, grain=None) if node.name == "sales" else node
        for node in project.nodes.values()
    ]
    pipeline = Pipeline(
        name="shop",
        config=PipelineConfig(select="sales"),
        calendar=DAYS,
        schedule=None,
        nodes=tuple(nodes),
        first=day(1).start,
        last=None,
        project=project,
    )
    assert [node.name for node in pipeline.not_replayable] == ["sales"]
    both = plan_of([planned("traffic", "..."), planned("sales", "...", "traffic")])
    assert allow(both, pipeline, project, tmp_path, ()) == ()
    named = replace(both, request=replace(both.request, select=frozenset({"sales", "traffic"})))
    with pytest.raises(UsageError, match="--allow-unsafe sales"):
        allow(named, pipeline, project, tmp_path, ())


def test_of_models_in_python_it_is_said_that_nobody_judges_them(tmp_path: Path):
    project = a_project(tmp_path, ".py")
    found = lint(project, tmp_path)
    assert told(found) == [("sales", "DB09", "warn"), ("traffic", "DB09", "warn")]
    assert found[0].finding.line == 1
    assert found[0].finding.message.startswith("a model in Python: what makes it unfit")


def test_a_model_knows_the_keys_of_what_it_reads(tmp_path: Path):
    """By the names it reads them by: a `unique_key` counts where windows are held to it."""
    project = a_project(tmp_path)
    source = Node("source.shop.till.lines", "lines", "source", None, (), keys=(("line_id",),))
    nodes = {
        **{i: replace(node, keys=(("at",),)) for i, node in project.nodes.items()},
        source.unique_id: source,
    }
    sales, stores = nodes["model.sales"], nodes["model.stores"]
    for node in (sales, stores):
        assert node.declared is not None
        declared = replace(node.declared, unique_key=("sale_id",))
        nodes[node.unique_id] = replace(node, declared=declared, inexact=("amount",))
    known = known_parents(replace(project, nodes=nodes))
    assert known["sales"] == Parent((("at",), ("sale_id",)), ("amount",))
    assert known["stores"].keys == (("at",),)  # a table: dbt holds nobody to it
    assert known["till.lines"].keys == (("line_id",),)
