"""Read YAML as plain values, every one with its line, for errors that say where they are.

The text is composed into YAML nodes first, so that every key keeps its line, and only then
made into values: strings, integers, floats, true and false, null and dates, nothing else
(``no`` and ``12:30`` are strings).
"""

import re
from collections.abc import Callable, Hashable, Iterator
from datetime import date

import yaml

from runner.core.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """SafeLoader with the plain scalars of YAML 1.2 and dates, and no other surprises."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _firsts in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?[0-9]+\.[0-9]*", list("-+0123456789")),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", list("0123456789")),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _firsts
    )


class YamlReader:
    """Reads one YAML text as plain values, and remembers the line of every key and item."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines: dict[tuple[Hashable, ...], int] = {(): 1}
        self._parents: list[yaml.Node] = []
        self._constructor = _Loader("")

    def line(self, path: tuple[Hashable, ...]) -> int:
        """Return the 1-based line of ``path``, or of its nearest ancestor in the text."""
        return next(
            self._lines[path[:size]]
            for size in range(len(path), -1, -1)
            if path[:size] in self._lines
        )

    def read(self, text: str) -> object:
        """Return the text's value: dicts, lists and scalars; None if there is nothing in it.

        Raises ConfigError, with its line, for what is not YAML, a key that stands twice, a
        scalar that is no value and an alias that refers to itself.
        """
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            message = f"the character U+{error.character:04X} is not allowed: remove it."
            raise ConfigError(message, self._source, line) from error
        except yaml.MarkedYAMLError as error:
            quoted = (error.context or "").startswith("while scanning a quoted")
            mark = error.context_mark if quoted else error.problem_mark  # where the quote opens
            problem = error.problem or error.context
            message = f"this is not YAML ({problem}): check the indentation and the quotes here."
            line = mark.line + 1 if mark else 1
            raise ConfigError(message, self._source, line) from error
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return None
        return self._value(node, ())

    def _error(self, message: str, node: yaml.Node) -> ConfigError:
        return ConfigError(message, self._source, node.start_mark.line + 1)

    def _value(self, node: yaml.Node, path: tuple[Hashable, ...]) -> object:
        if node in self._parents:
            raise self._error("this alias refers to itself: write the value out.", node)
        readers: dict[str, Callable[[], object]] = {
            "tag:yaml.org,2002:map": lambda: dict(self._items(node, path)),
            "tag:yaml.org,2002:seq": lambda: list(self._elements(node, path)),
        }
        self._parents.append(node)
        try:
            return readers.get(node.tag, lambda: self._scalar(node))()
        finally:
            self._parents.pop()

    def _items(self, node: yaml.Node, path: tuple[Hashable, ...]) -> Iterator[tuple[str, object]]:
        for key, value in node.value:
            name = key.value
            if not isinstance(name, str):
                raise self._error("a key must be a word: write `name: value`.", key)
            if (here := (*path, name)) in self._lines:
                first = self._lines[here]
                raise self._error(f"{name!r} is already on line {first}: keep one.", key)
            self._lines[here] = key.start_mark.line + 1
            yield name, self._value(value, here)

    def _elements(self, node: yaml.Node, path: tuple[Hashable, ...]) -> Iterator[object]:
        for index, element in enumerate(node.value):
            here = (*path, index)
            self._lines[here] = element.start_mark.line + 1
            yield self._value(element, here)

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._constructor.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            reason = getattr(error, "problem", None) or error
            message = f"{shown(node.value)} is not a value ({reason}): correct it, or quote it."
            raise self._error(message, node) from error


def shown(value: object) -> str:
    """Show a value in a message: on one line, and not all of a long one.

    >>> shown("05:00"), shown(None), shown([1])
    ("'05:00'", 'nothing', 'a list')
    """
    if value is None:
        return "nothing"
    if value in ([], {}):
        return "empty"
    if not isinstance(value, str | int | float | date):
        return "a list" if isinstance(value, list) else "keys and values"
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
