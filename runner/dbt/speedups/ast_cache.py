"""No template is parsed whose syntax tree is kept: 0.9 of 2.5 seconds of a first parse.

dbt parses every macro twice to know its name and what it calls, before it is ever compiled. A tree
that comes back equals the one that was parsed, and is a new one every time: Jinja folds constants
of a tree in place when it compiles it.
"""

from __future__ import annotations

import marshal
from typing import Any

from dbt_common.clients.jinja import MacroFuzzEnvironment
from jinja2 import Environment, nodes

from runner.dbt.cache import CacheFile
from runner.dbt.speedups import UnexpectedDbtError, expect

_KINDS: dict[str, type[nodes.Node]] = {
    kind.__name__: kind
    for kind in vars(nodes).values()
    if isinstance(kind, type) and issubclass(kind, nodes.Node)
}
_TUPLE = "()"  # no kind of node
_SAMPLE = "{% macro m(a, b=(1, none)) %}{{ a[1:] ~ caller(x=b) | trim }}{% endmacro %}"


def probe() -> None:
    """Expect dbt's door to Jinja's parser, and trees that come back as they were."""
    expect(MacroFuzzEnvironment._parse, "self", "source", "name", "filename")  # noqa: SLF001
    environment = Environment(autoescape=True)
    tree = environment.parse(_SAMPLE)
    if from_bytes(to_bytes(tree), environment) != tree:
        raise UnexpectedDbtError("a tree of Jinja's does not come back as it was")


def apply(cache: CacheFile) -> None:
    """Take the tree of a text from the cache."""
    parse = MacroFuzzEnvironment._parse  # noqa: SLF001

    def parsed(
        environment: MacroFuzzEnvironment, source: str, name: str | None, filename: str | None
    ) -> Any:
        made = []

        def make() -> bytes:
            made.append(parse(environment, source, name, filename))
            return to_bytes(made[0])

        key = "tree", type(environment).__qualname__, str(source)
        try:
            found = cache.of(key, make)
        except ValueError:  # a constant that has no bytes
            found = None
        return made[0] if made else from_bytes(found, environment)

    MacroFuzzEnvironment._parse = parsed  # type: ignore[method-assign,assignment]  # noqa: SLF001


def to_bytes(tree: nodes.Template) -> bytes:
    """A tree without its environment. Raises :class:`ValueError` if it holds what has no bytes."""
    return marshal.dumps(_plain(tree))


def from_bytes(kept: bytes, environment: Environment) -> nodes.Template:
    """The tree again, as one that ``environment`` has parsed."""
    return _tree(marshal.loads(kept), environment)  # type: ignore[no-any-return]  # noqa: S302


def _plain(value: Any) -> Any:
    if isinstance(value, nodes.Node):
        return (type(value).__name__, value.lineno, *map(_plain, _fields_of(value)))
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple):
        return (_TUPLE, *(_plain(one) for one in value))
    return value


def _fields_of(node: nodes.Node) -> list[Any]:
    fields = [value for _, value in node.iter_fields()]
    if len(fields) < len(node.fields):
        raise ValueError(f"{node} lacks a field")
    return fields


def _tree(value: Any, environment: Environment) -> Any:
    if type(value) is list:
        return [_tree(one, environment) for one in value]
    if type(value) is not tuple:
        return value
    name, *rest = value
    if name == _TUPLE:
        return tuple(_tree(one, environment) for one in rest)
    lineno, *fields = rest
    return _KINDS[name](
        *(_tree(one, environment) for one in fields), lineno=lineno, environment=environment
    )
