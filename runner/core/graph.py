"""Walk a graph whose nodes have names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


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
