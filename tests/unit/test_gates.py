"""Which tests cannot be gates, and which are gates of what has no windows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from runner.core.errors import ProjectError
from runner.project.declarations import LATE_ROWS, check_name
from runner.project.gates import LateGate
from runner.project.manifest import Node, _is_marked_as_gate
from runner.project.pipelines import Pipeline
from tests.unit.fake_dbt import check, shop, singular, table, view, windowed


def marked(test: Node) -> Node:
    return replace(test, is_marked_as_gate=True)


def with_gates(*tests: Node) -> Pipeline:
    """lines → seen (a view) → totals (a table); `others` is built from nothing of it."""
    ephemeral = replace(view("shortcut"), materialized="ephemeral")
    return shop(
        windowed("others"),
        ephemeral,
        windowed("lines", "shortcut"),
        view("seen", "lines"),
        table("totals", "seen"),
        *tests,
    )


def test_a_gate_may_read_its_model():
    gate = replace(marked(check("good", "lines")), is_gate=True)
    assert with_gates(gate).late_gates == ()


IMPOSSIBLE = pytest.mark.parametrize(
    ("test", "reason"),
    [
        (
            marked(check("strange", "lines", "others")),
            "the gate strange reads others, which lines may not have been built after: "
            "add '-- depends_on: {{ ref('others') }}' to the model, or take the gate mark off",
        ),
        (
            marked(check("strange", "lines", "totals")),
            "the gate strange reads totals, which lines may not have been built after",
        ),
        (
            marked(check("unseen", "lines", "shortcut")),
            "the gate unseen reads shortcut, which is ephemeral, so no relation holds its rows: "
            "materialize it as a view",
        ),
        (
            replace(marked(singular("alone", "others", "lines")), is_singular=True),
            "the gate alone is a singular test, whose query cannot be asked of the new rows "
            "alone: make it a generic test of lines, or take the gate mark off",
        ),
        (
            replace(marked(check("late", "lines")), check=LATE_ROWS),
            "the gate late looks for rows that came after windows were published, so it cannot "
            "hold one back: take the gate mark off",
        ),
    ],
)


@IMPOSSIBLE
def test_what_cannot_be_a_gate_is_refused_with_the_reason(test: Node, reason: str):
    with pytest.raises(ProjectError) as refused:
        with_gates(test)
    assert reason in str(refused.value)
    with_gates(replace(test, is_marked_as_gate=False))


def test_a_gate_of_what_has_no_windows_is_said_to_judge_it_after():
    pipeline = with_gates(marked(check("key", "totals")), marked(check("shown", "seen", "others")))
    assert pipeline.late_gates == (
        LateGate("key", "totals", "table"),
        LateGate("shown", "seen", "view"),
    )


def test_a_singular_gate_of_what_has_no_windows_is_no_gate_of_lines():
    alone = replace(marked(singular("alone", "totals")), is_singular=True)
    assert with_gates(alone).late_gates == (LateGate("alone", "totals", "table"),)


# The macros refuse the same when a model is built


class StoppedError(Exception):
    """What a macro says when it stops."""


def macro(name: str, *arguments: Any, **known: Any) -> Any:
    """What one of the macros about gates returns; StoppedError if it stops."""

    def stop(message: str) -> None:
        raise StoppedError(message)

    returned: list[Any] = []
    known |= {"daybreak": {"_stop": stop, "_check_name": check_name}, "return": returned.append}
    text = Path("macros/daybreak/macros/strategies/gates.sql").read_text()
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701
    environment.from_string(text + "{% set called = " + name + " %}").make_module(known).called(
        *arguments
    )
    return returned[0] if returned else None


def as_dbt_has_it(node: Node) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "name": node.name,
        "unique_id": node.unique_id,
        "config": {"materialized": node.materialized},
        "depends_on": {"nodes": node.parents},
    }
    return raw if node.is_singular else {**raw, "test_metadata": metadata(node.check)}


def metadata(check: str | None) -> dict[str, Any]:
    package, _, name = (check or "").rpartition(".")
    return {"name": name, "namespace": package or None}


@IMPOSSIBLE
def test_the_macros_refuse_it_in_the_same_words(test: Node, reason: str):
    pipeline = with_gates(replace(test, is_marked_as_gate=False))
    nodes = {node.unique_id: as_dbt_has_it(node) for node in pipeline.nodes}
    with pytest.raises(StoppedError) as stopped:
        macro(
            "_validate_gate",
            nodes[test.unique_id],
            nodes["model.shop.lines"],
            graph=SimpleNamespace(nodes=nodes),
        )
    # Only the runner writes the names of what is read out.
    said = re.sub(r"\bmodel\.shop\.", "", str(stopped.value))
    assert re.sub(r"ref\('\w+'\)", "ref(…)", reason) in said


@pytest.mark.parametrize("meta", [{"gate": True}, {"gate": False}, {}, None])
@pytest.mark.parametrize("severity", ["error", "ERROR", "warn"])
@pytest.mark.parametrize("name", ["unique", LATE_ROWS, None])
def test_the_macros_see_the_same_mark(meta: Any, severity: str, name: str | None):
    raw = {"resource_type": "test", "config": {"meta": meta, "severity": severity}}
    raw |= {"test_metadata": metadata(name)} if name else {}
    assert bool(macro("_is_gate", raw)) is _is_marked_as_gate(raw)
