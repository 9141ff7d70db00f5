"""A small layered layout: the column of every node, and its place within it.

Parents stand left of their readers. An edge that skips columns gets a place in each of them, so
that it runs between the boxes and not through them. Within a column everything is ordered by the
middle of its neighbours, back and forth until nothing moves (the barycentre method).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.core.graph import depths, grouped

_SWEEPS = 12  # at most; a graph of a hundred nodes is still after four or five


@dataclass(frozen=True)
class Bend:
    """The place of an edge in a column that it passes."""

    parent: str
    child: str
    column: int


Place = str | Bend


@dataclass(frozen=True)
class Layers:
    """The columns from left to right, each from top to bottom, and the way of every edge."""

    columns: tuple[tuple[Place, ...], ...]
    routes: Mapping[tuple[str, str], tuple[Place, ...]]  # by parent and child, from one to other


def layered(parents: Mapping[str, Iterable[str]]) -> Layers:
    """Lay out a graph without cycles, given by the parents of each node.

    >>> layered({"a": [], "b": ["a"], "c": ["a", "b"]}).columns
    (('a',), ('b', Bend(parent='a', child='c', column=1)), ('c',))
    """
    known = {node: sorted({p for p in read if p in parents}) for node, read in parents.items()}
    column_of = _columns(known)
    columns: list[list[Place]] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for node in known:
        columns[column_of[node]].append(node)
    routes: dict[tuple[str, str], tuple[Place, ...]] = {}
    for child, read in known.items():
        for parent in read:
            between = range(column_of[parent] + 1, column_of[child])
            bends = [Bend(parent, child, column) for column in between]
            for bend in bends:
                columns[bend.column].append(bend)
            routes[parent, child] = (parent, *bends, child)
    return Layers(tuple(map(tuple, _untangled(columns, routes.values()))), routes)


def _columns(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Place nodes as far left as their parents allow; roots stand beside their first reader."""
    found = depths(parents)
    nearest: dict[str, int] = {}  # the column of the first reader
    for node, read in parents.items():
        for parent in read:
            nearest[parent] = min(nearest.get(parent, found[node]), found[node])
    return {
        node: column if parents[node] else max(0, nearest.get(node, 1) - 1)
        for node, column in found.items()
    }


def _untangled(columns: list[list[Place]], routes: Iterable[Sequence[Place]]) -> list[list[Place]]:
    """Order the columns back and forth until nothing moves."""
    steps = [step for route in routes for step in pairwise(route)]  # from a column to the next
    left, right = grouped((child, parent) for parent, child in steps), grouped(steps)
    for sweep in range(_SWEEPS):
        before = [list(column) for column in columns]
        forth = sweep % 2 == 0
        ahead = range(1, len(columns)) if forth else range(len(columns) - 2, -1, -1)
        for index in ahead:
            beside = columns[index - 1 if forth else index + 1]
            _sort(columns[index], beside, left if forth else right)
        if columns == before and sweep > 0:
            break
    return columns


def _sort(
    column: list[Place], beside: Sequence[Place], neighbours: Mapping[Place, Sequence[Place]]
) -> None:
    """Order a column by the middle of its neighbours; without any, a place stays."""
    position = {place: index / max(1, len(beside) - 1) for index, place in enumerate(beside)}
    own = {place: index / max(1, len(column) - 1) for index, place in enumerate(column)}

    def middle(place: Place) -> float:
        found = [position[other] for other in neighbours.get(place, ())]
        return sum(found) / len(found) if found else own[place]

    column.sort(key=middle)
