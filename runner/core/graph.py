"""Walk graphs whose nodes have names, and put them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter


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
    sorter = TopologicalSorter(
        {name: [parent for parent in above if parent in parents] for name, above in parents.items()}
    )
    sorter.prepare()
    found: dict[str, int] = {}
    depth = 0
    while ready := sorter.get_ready():
        found |= dict.fromkeys(ready, depth)
        sorter.done(*ready)
        depth += 1
    return found
