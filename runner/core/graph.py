"""Walk graphs whose nodes have names, put them in order, and group what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")


def walk(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Yield what is among ``start`` or can be reached from it, each once, in no certain order.

    ``onward`` says which names come next to one; none where the walk is to end.

    >>> parents = {"report": ["orders", "stores"], "orders": ["lines"], "stores": ["lines"]}
    >>> sorted(walk(["report"], lambda name: parents.get(name, ())))
    ['lines', 'orders', 'report', 'stores']
    """
    seen: set[str] = set()
    ahead = list(start)
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            yield name
            ahead.extend(onward(name))


def depths(parents: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return how many steps each name lies below those without parents, parents first.

    Parents that are no keys themselves count for nothing. :class:`graphlib.CycleError` if a name
    is above itself.

    >>> depths({"report": ["orders", "stores"], "orders": ["lines"], "lines": [], "stores": []})
    {'stores': 0, 'lines': 0, 'orders': 1, 'report': 2}
    """
    known = {name: [one for one in above if one in parents] for name, above in parents.items()}
    found: dict[str, int] = {}
    for name in TopologicalSorter(known).static_order():
        found[name] = max((found[parent] + 1 for parent in known[name]), default=0)
    return found


def grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    """Return the values of each key, in their order."""
    found: dict[K, list[T]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
