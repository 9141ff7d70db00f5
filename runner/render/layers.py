"""A small layered layout: who comes in which column, and in which order within it.

Parents stand left of their readers. An edge that skips columns gets a place in each of them, so
that it runs between the boxes and not through them. Within a column everything is ordered by the
middle of its neighbours, back and forth until nothing moves (the barycentre method).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
    """The columns from left to right, each from top to bottom."""

    columns: tuple[tuple[Place, ...], ...]
    edges: tuple[tuple[str, str], ...]  # parent and child

    def route(self, parent: str, child: str) -> list[Place]:
        """Where an edge leads: its parent, its bends, its child."""
        start, end = self._column_of(parent), self._column_of(child)
        bends = [Bend(parent, child, column) for column in range(start + 1, end)]
        return [parent, *bends, child]

    def _column_of(self, node: str) -> int:
        return next(index for index, column in enumerate(self.columns) if node in column)


def layered(parents: Mapping[str, Iterable[str]]) -> Layers:
    """Lay out a graph without cycles, given by the parents of each node.

    >>> layered({"a": [], "b": ["a"], "c": ["a", "b"]}).columns
    (('a',), ('b', Bend(parent='a', child='c', column=1)), ('c',))
    """
    known = {node: [p for p in read if p in parents] for node, read in parents.items()}
    edges = tuple((parent, node) for node, read in known.items() for parent in sorted(set(read)))
    column_of = _columns(known)
    columns: list[list[Place]] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for node in known:
        columns[column_of[node]].append(node)
    links: list[tuple[Place, Place]] = []  # from a column to the next
    for parent, child in edges:
        route: list[Place] = [parent]
        for column in range(column_of[parent] + 1, column_of[child]):
            bend = Bend(parent, child, column)
            columns[column].append(bend)
            route.append(bend)
        route.append(child)
        links += pairwise(route)
    return Layers(tuple(map(tuple, _untangled(columns, links))), edges)


def _columns(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """As far left as the parents allow; what has none stands beside its first reader."""
    found: dict[str, int] = {}

    def column(node: str) -> int:
        if node not in found:
            found[node] = max((column(parent) + 1 for parent in parents[node]), default=0)
        return found[node]

    for node in parents:
        column(node)
    for root in [node for node in parents if not parents[node]]:
        readers = [found[node] for node in parents if root in parents[node]]
        found[root] = max(0, min(readers, default=1) - 1)
    return found


def _untangled(
    columns: list[list[Place]], links: Sequence[tuple[Place, Place]]
) -> list[list[Place]]:
    left: dict[Place, list[Place]] = {}
    right: dict[Place, list[Place]] = {}
    for parent, child in links:
        left.setdefault(child, []).append(parent)
        right.setdefault(parent, []).append(child)
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
