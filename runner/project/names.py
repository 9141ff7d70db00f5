"""Name every node so that no two are named alike, and find what selects it and nothing else.

A model, seed or snapshot goes by its name. One that has versions goes by ``orders.v2``; one of a
package whose name another has too by ``package.orders``, while the project's own keeps its name, as
``ref`` finds that one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.core.graph import grouped

_NAMED = ("model", "seed", "snapshot")
# What dbt would not take for a name: a path, a file, a method, a graph operator, a wildcard.
_NO_NAME = tuple("/\\:+@,*?[] ")
_FILES = (".sql", ".py", ".csv")


def unique_names(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of models, seeds and snapshots by unique id; no two are the same.

    >>> raw = {"resource_type": "model", "name": "orders"}
    >>> nodes = {f"model.{p}.orders": {**raw, "package_name": p} for p in ("shop", "crm")}
    >>> list(unique_names({"metadata": {"project_name": "shop"}, "nodes": nodes}).values())
    ['orders', 'crm.orders']
    """
    own = manifest["metadata"]["project_name"]
    named = {i: raw for i, raw in manifest["nodes"].items() if raw["resource_type"] in _NAMED}
    alike = grouped((_versioned(raw), unique_id) for unique_id, raw in named.items())
    found = {}
    for name, unique_ids in alike.items():
        for unique_id in unique_ids:
            package = named[unique_id]["package_name"]
            is_plain = len(unique_ids) == 1 or package == own
            found[unique_id] = name if is_plain else f"{package}.{name}"
    taken = grouped((name, unique_id) for unique_id, name in found.items())
    return {i: name if len(taken[name]) == 1 else i for i, name in found.items()}


def exact_selectors(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return, by unique id, what selects a node alone where its name would select others too.

    dbt takes a name for that of every node called so, in whatever package, and for a package or
    the first folder in one; so a name says too little of a model named like one of those.
    """
    nodes = manifest["nodes"]
    index = _Index(nodes)
    return {
        unique_id: index.selector(unique_id, raw)
        for unique_id, raw in nodes.items()
        if not index.is_found_by_name(unique_id, raw)
    }


class _Index:
    """The places of all nodes, as dbt's selection by name looks at them."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        places = [(unique_id, place_of(raw)) for unique_id, raw in nodes.items()]
        self._called = grouped(
            (name, unique_id)
            for unique_id, place in places
            for name in _names_at_end(place, nodes[unique_id])
        )
        # A selector is compared with the whole place, and with the place within the package.
        whole = ((tuple(_flat(place[skip:])), i) for i, place in places for skip in (0, 1))
        self._whole = grouped(whole)
        self._beginnings = grouped(
            (tuple(_flat(place[skip:])[:length]), unique_id)
            for unique_id, place in places
            for skip in (0, 1)
            for length in (1, 2)
        )

    def is_found_by_name(self, unique_id: str, raw: Mapping[str, Any]) -> bool:
        """Return whether a node's name selects it and nothing else."""
        name = _versioned(raw)
        parts = tuple(name.split("."))
        if name.endswith(_FILES) or any(mark in name for mark in _NO_NAME) or len(parts) > 2:
            return False
        ending = "_".join(parts) if raw.get("version") is not None else name
        others = {*self._called.get(ending, ()), *self._beginnings.get(parts, ())}
        return others == {unique_id}

    def selector(self, unique_id: str, raw: Mapping[str, Any]) -> str:
        """Return what selects a node by its place.

        The last word is written as a pattern, ``[o]rders``: a word alone would also select what
        lies in a folder of that name.
        """
        *folders, last = _flat(place_of(raw))
        found = "fqn:" + ".".join([*folders, f"[{last[0]}]{last[1:]}"])
        if self._whole[(*folders, last)] == [unique_id]:
            return found
        return f"package:{raw['package_name']},resource_type:{raw['resource_type']},{found}"


def place_of(raw: Mapping[str, Any]) -> Sequence[str]:
    """Return where a node is: its package, its folders, its name and version."""
    return raw.get("fqn") or [raw["package_name"], raw["name"]]


def _versioned(raw: Mapping[str, Any]) -> str:
    version = raw.get("version")
    return str(raw["name"]) if version is None else f"{raw['name']}.v{version}"


def _names_at_end(place: Sequence[str], raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what dbt takes for the name of a node at the end of its place."""
    if raw.get("version") is None:
        yield place[-1]
    else:
        yield from (place[-2], "_".join(place[-2:]))


def _flat(place: Sequence[str]) -> list[str]:
    return [word for part in place for word in part.split(".")]
