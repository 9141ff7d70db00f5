"""A name is looked up, not compared with every node: 19 of 26 s where a thousand are selected.

What cannot be in question is left out, by a first look at names and folders; of the rest dbt itself
says what is selected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dbt.graph.selector_methods import QualifiedNameSelectorMethod

from runner.dbt.speedups import expect

_WILDCARDS = frozenset("*?[]")


class _Everything(set[Any]):
    """Holds whatever one asks for."""

    def __contains__(self, _: object) -> bool:
        return True


class _Index:
    """The nodes of a manifest by what a name may have in common with their place."""

    def __init__(self, method: QualifiedNameSelectorMethod) -> None:
        self.manifest = method.manifest  # another has another index
        self._found: dict[str, dict[str, Any]] = {}
        for unique_id, node in method.non_source_nodes(_Everything()):
            for word in _words(node.fqn):
                self._found.setdefault(word, {})[unique_id] = node

    def candidates(self, name: str) -> dict[str, Any]:
        """Return the nodes of which one may be called so, or lie in a folder called so."""
        parts = name.split(".")
        words = {name, parts[0], "_".join(parts), "_".join(parts[-2:])}
        found: dict[str, Any] = {}
        for word in words:
            found |= self._found.get(word, {})
        return found


def _words(place: list[str]) -> set[str]:
    """Return how a node may be called, and the first word of its place in its package and in all.

    >>> sorted(_words(["shop", "staging", "orders", "v2"]))
    ['orders', 'orders_v2', 'shop', 'staging', 'v2']
    """
    beginnings = {segment.split(".")[0] for segment in place[:2]}
    inside = place[0].split(".")[1:2]  # a package whose name has a dot in it
    return {*place[-2:], "_".join(place[-2:]), *beginnings, *inside}


def probe() -> None:
    """Expect a search for a name, what it looks through, and what says yes or no of a node."""
    expect(QualifiedNameSelectorMethod.search, "self", "included_nodes", "selector")
    expect(QualifiedNameSelectorMethod.non_source_nodes, "self", "included_nodes")
    expect(
        QualifiedNameSelectorMethod.node_is_match, "self", "qualified_name", "fqn", "is_versioned"
    )


def apply() -> None:
    """Compare a name only with those nodes that may be meant."""
    search = QualifiedNameSelectorMethod.search
    kept: list[_Index] = []  # of the manifest that was searched last

    def look_up(
        self: QualifiedNameSelectorMethod, included_nodes: set[Any], selector: str
    ) -> Iterator[Any]:
        if not _WILDCARDS.isdisjoint(selector):
            yield from search(self, included_nodes, selector)
            return
        if not kept or kept[0].manifest is not self.manifest:
            kept[:] = [_Index(self)]
        for unique_id, node in kept[0].candidates(selector).items():
            if unique_id in included_nodes and self.node_is_match(
                selector, node.fqn, node.is_versioned
            ):
                yield unique_id

    QualifiedNameSelectorMethod.search = look_up  # type: ignore[method-assign]
