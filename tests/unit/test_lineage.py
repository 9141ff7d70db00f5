"""Maps of what has really been executed: states, rows, runs, code, and the windows inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from runner.core.errors import UsageError
from runner.core.planning import Reprocess
from runner.core.spans import Span
from runner.core.status import WindowStatus
from runner.core.windows import Grain
from runner.explain.causes import Lineage, LineageNode
from runner.explain.lineage import Tracer
from runner.explain.repair import repair_commands
from runner.ledger import Ledger
from runner.planner import Planner
from runner.project.manifest import Node, Project
from runner.project.pipelines import Pipeline
from runner.render.columns import as_json
from runner.render.why import Why, why_page, why_record
from tests.unit.fake_dbt import ZONE, FakeDbt, check, gate, seed, shop, table, view, windowed
from tests.unit.running import NOW, Runner, open_ledger

FILES = Node("source.shop.files", "files", "source", None, (), location="landing/*.csv")
NODES = (
    seed("breads"),
    windowed("lines"),
    view("seen", "lines", "breads"),
    windowed("revenue", "seen"),
    table("report", "revenue"),
    gate("lines_gate", "lines"),
    check("revenue_check", "revenue"),
)
PLAIN = shop(*NODES)


def with_parent(pipeline: Pipeline, model: str, parent: Node) -> Pipeline:
    """The same pipeline, but that one of its models also reads something else."""
    nodes = (
        replace(node, parents=(*node.parents, parent.unique_id)) if node.name == model else node
        for node in pipeline.nodes
    )
    return replace(pipeline, nodes=tuple(nodes))


SHOP = with_parent(PLAIN, "lines", FILES)  # a fake dbt knows no sources


def tracer_of(
    pipelines: dict[str, Pipeline],
    ledger: Ledger,
    *more: Node,
    landed: Callable[[Node, Span], int | None] = lambda *_: 1,
) -> Tracer:
    nodes = {n.unique_id: n for p in pipelines.values() for n in p.nodes}
    nodes |= {FILES.unique_id: FILES} | {node.unique_id: node for node in more}
    project = Project(ZONE, nodes, {}, fingerprint="")
    inputs = lambda _: lambda _: "as landed"  # noqa: E731
    planners = {name: Planner(p, ledger, inputs) for name, p in pipelines.items()}
    return Tracer(project, planners, ledger, landed, NOW)


@contextmanager
def ran(count: int = 3, **dbt: Any) -> Iterator[Runner]:
    """A shop whose first days were backfilled."""
    with TemporaryDirectory() as folder:
        ledger = open_ledger(Path(folder) / "ledger.db")
        try:
            runner = Runner(PLAIN, ledger, FakeDbt(PLAIN, **dbt))
            runner.backfill(count)
            yield runner
        finally:
            ledger.close()


def traced(tracer: Tracer, model: str, label: str | None) -> tuple[Lineage, Why]:
    node, home = tracer.model(model)
    window = tracer.window(home, label)
    found = tracer.upstream(node, window.span)
    target = found.by_id[node.unique_id]
    commands = repair_commands(found, target, window.span, ZONE, {})
    return found, Why(target, window, found, commands, "runner backfill …")


def by_name(found: Lineage) -> dict[str, LineageNode]:
    return {stop.name: stop for stop in found.nodes}


def test_everything_upstream_is_on_the_map_parents_first():
    with ran() as runner:
        found, why = traced(tracer_of({"shop": SHOP}, runner.ledger), "revenue", "2017-03-02")
    assert [(stop.name, stop.kind, stop.state) for stop in found.nodes] == [
        ("breads", "seed", "success"),
        ("files", "source", "landed"),
        ("lines", "by day", "success"),
        ("seen", "view", "success"),
        ("revenue", "by day", "success"),
    ]
    (part,) = by_name(found)["revenue"].parts
    assert (part.label, part.rows, part.pipeline) == ("2017-03-02", 10, "shop")
    assert (part.run_id, part.at) == ("backfill__2017-03-02", NOW)
    assert (part.code_hash, part.is_older_code) == ("revenue as it was", False)
    assert found.causes == ()
    assert why_page(why).endswith(
        "next: nothing, it is right and so is everything that it is made from"
    )


def test_a_gate_that_held_back_is_the_cause_and_the_kept_rows_are_said():
    with ran() as runner:
        runner.dbt.bad["lines_gate"] = {"2017-03-02"}
        runner.backfill(3, reprocess=Reprocess.ALL)
        found, why = traced(tracer_of({"shop": SHOP}, runner.ledger), "revenue", "2017-03-02")
    stops = by_name(found)
    assert [stop.name for stop in found.causes] == ["lines"]
    assert (stops["lines"].status, stops["revenue"].status) == (
        WindowStatus.INCORRECT,
        WindowStatus.STALE,
    )
    assert stops["revenue"].parts[0].why == "made from lines, which is incorrect"
    (part,) = stops["lines"].parts
    assert (part.rows, part.kept_from) == (10, "backfill__2017-03-02")
    page = why_page(why)
    assert "first cause: lines 2017-03-02 is incorrect: lines_gate: expected" in page
    assert "  its 10 rows are still those of backfill__2017-03-02" in page
    assert "  evidence: runner show-run shop backfill__2017-03-02.2" in page
    assert page.splitlines()[-2:] == [
        "next: mend what lines says, in its code or in what it reads",
        "then: runner retry shop --start-date 2017-03-02 --end-date 2017-03-02",
    ]
    assert [line[:8] for line in page.splitlines() if line.startswith(">")] == ["> | lines"[:8]]


def test_what_was_never_tried_is_missing_after_its_cause():
    with ran(bad={"lines_gate": {"2017-03-02"}}) as runner:
        found, why = traced(tracer_of({"shop": SHOP}, runner.ledger), "revenue", "2017-03-02")
    assert by_name(found)["revenue"].status is WindowStatus.MISSING
    (part,) = by_name(found)["lines"].parts
    assert (part.rows, part.kept_from) == (None, None)
    assert "after it: revenue 2017-03-02 is missing" in why_page(why)


def test_older_code_is_said():
    with ran() as runner:
        changed = [replace(n, code_hash="new") if n.name == "lines" else n for n in SHOP.nodes]
        later = replace(SHOP, nodes=tuple(changed))
        found, why = traced(tracer_of({"shop": later}, runner.ledger), "lines", "2017-03-01")
    (part,) = by_name(found)["lines"].parts
    assert (part.status, part.is_older_code) == (WindowStatus.STALE, True)
    assert "lines a (older code)" in why_page(why)  # seven characters of "lines as it was"
    assert why.commands == [
        "runner backfill shop --start-date 2017-03-01 --end-date 2017-03-01 --reprocess stale"
    ]


def test_files_that_have_not_landed_are_the_cause():
    def landed(source: Node, span: Span) -> int:
        return int(source.name != "files" or span.start.day != 2)

    with ran(bad={"lines_gate": {"2017-03-02"}}) as runner:
        tracer = tracer_of({"shop": SHOP}, runner.ledger, landed=landed)
        found, why = traced(tracer, "revenue", "2017-03-02")
        right, _ = traced(tracer, "revenue", "2017-03-01")
    assert [stop.name for stop in found.causes] == ["files"]
    page = why_page(why)
    assert "first cause: files: nothing landed of landing/*.csv for this window" in page
    assert "next: land the files of files\nthen: runner retry shop" in page
    assert right.causes == ()


def test_a_source_that_cannot_be_seen_is_to_blame_for_nothing():
    with ran(bad={"lines_gate": {"2017-03-02"}}) as runner:
        tracer = tracer_of({"shop": SHOP}, runner.ledger, landed=lambda *_: None)
        found, _ = traced(tracer, "lines", "2017-03-02")
    assert by_name(found)["files"].state == "cannot be seen from here"
    assert [stop.name for stop in found.causes] == ["lines"]


def monthly(name: str, *parents: str) -> Node:
    return replace(windowed(name, *parents), grain=Grain.MONTH)


def test_a_month_shows_the_days_inside():
    month = replace(monthly("monthly"), parents=("model.shop.revenue",))
    months = shop(monthly("monthly"))
    months = replace(months, name="months", nodes=(month,))
    with ran(8, bad={"lines_gate": {"2017-03-02", "2017-03-03"}}) as runner:
        tracer = tracer_of({"shop": SHOP, "months": months}, runner.ledger)
        tracer = replace(tracer, now=datetime(2017, 4, 2, tzinfo=UTC))
        found, why = traced(tracer, "monthly", "2017-03-01")
    parts = [(part.label, str(part.status), part.rows) for part in by_name(found)["lines"].parts]
    assert parts == [
        ("2017-03-01", "success", 10),
        ("2017-03-02 … 2017-03-03", "incorrect", None),
        ("2017-03-04 … 2017-03-08", "success", 50),
        ("2017-03-09 … 2017-03-31", "missing", None),
    ]
    assert [stop.name for stop in found.causes] == ["lines"]
    assert why.commands == [
        "runner backfill shop --start-date 2017-03-02 --end-date 2017-03-31",
        "runner backfill months --start-date 2017-03-01 --end-date 2017-03-31 --reprocess stale",
    ]


def test_a_day_shows_the_month_that_it_reads():
    months = replace(shop(monthly("budget")), name="months")
    (budget,) = months.data_nodes
    reading = replace(windowed("spent"), parents=(budget.unique_id,))
    days = replace(shop(windowed("spent")), nodes=(reading,))
    with ran(1) as runner:
        tracer = tracer_of({"shop": days, "months": months}, runner.ledger)
        tracer = replace(tracer, now=datetime(2017, 5, 2, tzinfo=UTC))
        found, _ = traced(tracer, "spent", "2017-04-17")
    (part,) = by_name(found)["budget"].parts
    assert (part.label, part.status) == ("2017-04-01", WindowStatus.MISSING)


def test_what_no_pipeline_builds_is_said_to_be_so():
    stranger = view("stranger")
    reading = with_parent(SHOP, "lines", stranger)
    with ran() as runner:
        tracer = tracer_of({"shop": reading}, runner.ledger, stranger)
        found, _ = traced(tracer, "lines", "2017-03-01")
        assert by_name(found)["stranger"].state == "built by no pipeline"
        with pytest.raises(UsageError, match="no pipeline builds stranger"):
            tracer.model("stranger")


def test_unknown_names_are_refused_with_the_nearest():
    with ran(1) as runner:
        tracer = tracer_of({"shop": SHOP}, runner.ledger)
        with pytest.raises(UsageError, match=r"no model 'revenu'. Did you mean 'revenue'\?"):
            tracer.model("revenu")
        with pytest.raises(UsageError, match="first window of shop, 2017-03-01: start there"):
            tracer.window(tracer.planners["shop"], "2017-02-28")
        assert tracer.window(tracer.planners["shop"], None).label == "2018-03-14"


def test_json_holds_the_whole_map():
    with ran(bad={"lines_gate": {"2017-03-02"}}) as runner:
        _, why = traced(tracer_of({"shop": SHOP}, runner.ledger), "revenue", "2017-03-02")
    told = json.loads(as_json(why_record(why)))
    assert (told["model"], told["window"], told["state"]) == ("revenue", "2017-03-02", "missing")
    assert told["first_causes"] == ["model.shop.lines"]
    (lines,) = [node for node in told["nodes"] if node["is_first_cause"]]
    assert (lines["state"], lines["ran"], lines["correct"]) == ("incorrect", True, False)
    (window,) = lines["windows"]
    assert (window["run_id"], window["rows"]) == ("backfill__2017-03-02", None)
    assert lines["reads"] == ["source.shop.files"]
    assert told["next"] == ["runner retry shop --start-date 2017-03-02 --end-date 2017-03-02"]
