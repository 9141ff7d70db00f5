"""Read YAML as plain values, every one with its line, for errors that say where they are.

Values are strings, integers, floats, true and false, null, dates, lists and keys with values,
nothing else (``no`` and ``12:30`` are strings).
"""

import re
from datetime import date

import yaml

from runner.core.errors import ConfigError

_DEEPEST = 50


class _Loader(yaml.SafeLoader):
    """SafeLoader with the plain scalars of YAML 1.2 and dates, and no other surprises."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Read a node and all below it, as deep as anybody writes by hand."""
        self._depth += 1
        if self._depth > _DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _wrong(f"this is nested more than {_DEEPEST} deep: write it flatter.", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:  # noqa: ARG002
        """Make the value of a node, always whole: so an alias of what it is in is found."""
        if node in self.recursive_objects:
            raise _wrong("this alias refers to itself: write the value out.", node.start_mark)
        try:
            return super().construct_object(node, deep=True)
        except (ValueError, yaml.YAMLError) as error:
            reason = getattr(error, "problem", None) or error
            message = f"{shown(node.value)} is not a value ({reason}): correct it, or quote it."
            raise _wrong(message, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, object]:  # type: ignore[override]  # noqa: ARG002
        """Make keys and values; a key is a word, and stands once."""
        lines: dict[str, int] = {}
        found = {}
        for key, value in node.value:
            name, mark = key.value, key.start_mark
            if not isinstance(name, str):
                raise _wrong("a key must be a word: write `name: value`.", mark)
            if name in lines:
                raise _wrong(f"{name!r} is already on line {lines[name]}: keep one.", mark)
            lines[name] = mark.line + 1
            found[name] = self.construct_object(value)
        return found


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


class YamlText:
    """A YAML text, parsed: its value, and the line of every key and item."""

    def __init__(self, text: str, source: str) -> None:
        """Parse a text; ConfigError, with its line, for what is not YAML."""
        try:
            self._loader = _Loader(text)
            self._loader.name = source
            self._node = self._loader.get_single_node()
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            message = f"the character U+{error.character:04X} is not allowed: remove it."
            raise ConfigError(message, source, line) from error
        except yaml.MarkedYAMLError as error:
            quoted = (error.context or "").startswith("while scanning a quoted")
            mark = error.context_mark if quoted else error.problem_mark  # where the quote opens
            problem = error.problem or error.context
            message = f"this is not YAML ({problem}): check the indentation and the quotes here."
            raise ConfigError(message, source, mark.line + 1 if mark else 1) from error

    def value(self) -> object:
        """Return dicts, lists and scalars; None if there is nothing in the text.

        Raises ConfigError, with its line, for a key that stands twice, a scalar that is no value
        and an alias that refers to itself.
        """
        return None if self._node is None else self._loader.construct_document(self._node)

    def line(self, path: tuple[str | int, ...]) -> int:
        """Return the 1-based line of ``path``, or of its nearest ancestor in the text."""
        line, node = 1, self._node
        for part in path:
            if isinstance(node, yaml.MappingNode):
                places = {key.value: (key, value) for key, value in node.value}
            else:
                items = node.value if node is not None else ()
                places = {index: (item, item) for index, item in enumerate(items)}
            if part not in places:
                break
            place, node = places[part]
            line = place.start_mark.line + 1
        return line


def _wrong(message: str, mark: yaml.Mark) -> ConfigError:
    return ConfigError(message, mark.name, mark.line + 1)


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
