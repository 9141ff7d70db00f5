"""Refuse tests that are marked as gates and cannot be; find those that are judged later.

A gate is asked inside the transaction that would publish a window, so it must be able to speak of
the new rows alone, from what is there before them. The macros refuse the same when a model is
built (macros/daybreak/macros/strategies/gates.sql); here it is said before anything runs. A unit
test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.core.errors import ProjectError
from runner.project.declarations import LATE_ROWS
from runner.project.manifest import Node


@dataclass(frozen=True)
class LateGate:
    """A test marked as a gate of something that has no windows: it runs after, like any test."""

    check: str
    node: str  # what it judges
    kind: str  # what that is: table, view, seed, snapshot, source


def refuse_impossible_gates(models: Iterable[Node], nodes: Mapping[str, Node]) -> None:
    """Raise :class:`ProjectError` for the first test marked as a gate that cannot be one.

    ``models`` are those whose windows are to be judged, ``nodes`` the project's by unique id.
    """
    windowed = {model.unique_id: model for model in models if model.is_windowed}
    for test in nodes.values():
        if not test.is_marked_as_gate:
            continue
        if test.is_singular:
            read = next((windowed[p] for p in reversed(test.parents) if p in windowed), None)
            if read is not None:
                raise ProjectError(
                    f"the gate {test.name} is a singular test, whose query cannot be asked of the "
                    f"new rows alone: make it a generic test of {read.name}, or take the gate mark "
                    "off"
                )
        elif test.check == LATE_ROWS:
            raise ProjectError(
                f"the gate {test.name} looks for rows that came after windows were published, so "
                "it cannot hold one back: take the gate mark off"
            )
        elif test.attached_to in windowed:
            _refuse_strangers(test, windowed[test.attached_to], nodes)


def late_gates(chosen: Iterable[Node], nodes: Mapping[str, Node]) -> Iterator[LateGate]:
    """Yield the marked tests among ``chosen`` that judge what has no windows, in their order."""
    for test in chosen:
        if not test.is_marked_as_gate or test.is_gate:
            continue
        # dbt attaches no test to a source; one of a source reads it alone.
        judged = nodes.get(test.attached_to or next(iter(test.parents), ""))
        if judged is not None and not judged.is_windowed:
            yield LateGate(test.name, judged.name, judged.shown_kind)


def _refuse_strangers(gate: Node, model: Node, nodes: Mapping[str, Node]) -> None:
    for unique_id in gate.parents:
        read = nodes.get(unique_id)
        if read is None or read.kind == "source" or unique_id == model.unique_id:
            continue
        if unique_id not in model.parents:
            raise ProjectError(
                f"the gate {gate.name} reads {read.name}, which {model.name} may not have been "
                f"built after: add '-- depends_on: {{{{ ref('{read.name}') }}}}' to the model, or "
                "take the gate mark off the test"
            )
        if read.materialized == "ephemeral":
            raise ProjectError(
                f"the gate {gate.name} reads {read.name}, which is ephemeral, so no relation holds "
                "its rows: materialize it as a view"
            )
