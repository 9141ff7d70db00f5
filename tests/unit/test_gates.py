"""Which tests cannot be gates, and which are gates of what has no windows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.core.errors import ProjectError
from runner.project.gates import LateGate
from runner.project.manifest import Node
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


@pytest.mark.parametrize(
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
    ],
)
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
