"""Edit a person's YAML by its text: a key or an item is added, and every other character stays.

An edit may be written in several ways; the first that parses to the old value with what was added
is taken. If none does, the person is told what to write.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from runner.core.errors import UsageError

Path = tuple[str | int, ...]  # keys, and places in lists, from the document down


def with_key(text: str, path: Path, key: str, value: object, *, comment: str = "") -> str:
    """Return a text in whose mapping at ``path`` a key is added that it lacks.

    An empty path is the whole document; a mapping that is not there is added too. Raises
    :class:`UsageError` with what to write by hand if it cannot be done.
    """
    root = _compose(text)
    node = _at(root, path)
    if node is None and path:
        return with_key(text, path[:-1], str(path[-1]), {key: value}, comment=comment)
    expected = _loaded(text) or {}
    there = _value_at(expected, path)
    if isinstance(there, dict):
        there[key] = copy.deepcopy(value)
    elif there is None:
        _value_at(expected, path[:-1])[path[-1]] = {key: value}
    else:
        raise UsageError(f"{path[-1]} holds no keys: write `{path[-1]}: {{{key}: {_flow(value)}}}`")
    return _first_right(_keys(text, node, key, value, comment), expected, f"{key}: {_flow(value)}")


def with_item(text: str, path: Path, item: object, *, before: object = None) -> str:
    """Return a text in whose list at ``path`` an item is added, last or before another one.

    A single value that stands in the place of a list becomes one. Raises :class:`UsageError` with
    what to write by hand if it cannot be done.
    """
    node, expected = _at(_compose(text), path), _loaded(text)
    holder, last = _value_at(expected, path[:-1]), path[-1]
    found = holder[last]
    items = list(found) if isinstance(found, list) else [] if found is None else [found]
    place = items.index(before) if before in items else len(items)
    holder[last] = [*items[:place], item, *items[place:]]
    if isinstance(node, yaml.SequenceNode) and items:
        written = _items(text, node, item, place)
    else:
        written = _replaced(text, node, holder[last])
    return _first_right(written, expected, f"{last}: {_flow(holder[last])}")


def loaded(text: str) -> dict[str, Any]:
    """Return what a YAML document of keys and values says; :class:`UsageError` if it is none."""
    found = _loaded(text)
    if found is not None and not isinstance(found, dict):
        raise UsageError("it holds no keys and values: mend it")
    return found or {}


def _keys(
    text: str, node: yaml.Node | None, key: str, value: object, comment: str
) -> Iterator[str]:
    """Yield the ways to write a key into a mapping."""
    newline = _newline(text)
    if node is None:
        yield _appended(text, _block(key, value, comment, 0), newline)
        return
    if not isinstance(node, yaml.MappingNode):
        yield from _replaced(text, node, {key: value})
        return
    if node.flow_style:
        more = ", " if node.value else ""
        yield _inserted(text, node.start_mark.index + 1, f"{key}: {_flow(value)}{more}")
        return
    column = node.start_mark.column
    block = _block(key, value, comment, column)
    if _is_root(text, node):
        yield _appended(text, block, newline)
    else:  # after the others: a comment above the first would seem to speak of this one
        end = text.find("\n", _last_leaf(node).end_mark.index)
        whole = text if end >= 0 else text + newline
        yield _inserted(whole, end + 1 or len(whole), newline.join([*block, ""]))
    line = text.rfind("\n", 0, node.start_mark.index) + 1
    yield _inserted(text, line, newline.join([*block, ""]))


def _items(text: str, node: yaml.SequenceNode, item: object, place: int) -> Iterator[str]:
    """Yield the ways to write an item into a list that has some."""
    if node.flow_style:
        if place < len(node.value):
            yield _inserted(text, node.value[place].start_mark.index, f"{_flow(item)}, ")
        else:
            yield _inserted(text, node.value[-1].end_mark.index, f", {_flow(item)}")
        return
    newline = _newline(text)
    line = " " * node.start_mark.column + "- " + _inline(item)
    if place == len(node.value):
        end = text.find("\n", _last_leaf(node).end_mark.index)
        if end < 0:
            yield text + newline + line + newline
        else:
            yield _inserted(text, end + 1, line + newline)
    start = node.value[min(place, len(node.value) - 1)].start_mark.index
    yield _inserted(text, text.rfind("\n", 0, start) + 1, line + newline)


def _replaced(text: str, node: yaml.Node | None, value: object) -> Iterator[str]:
    """Yield the way to write a value in the place of a scalar or of nothing."""
    if node is not None:
        start, end = node.start_mark.index, node.end_mark.index
        space = " " if text[start - 1 : start] == ":" else ""
        yield text[:start] + space + _flow(value) + text[end:]


def _first_right(written: Iterable[str], expected: object, by_hand: str) -> str:
    for one in written:
        try:
            if yaml.safe_load(one) == expected:
                return one
        except (yaml.YAMLError, ValueError):
            continue
    raise UsageError(f"it cannot be edited without changing more of it: write `{by_hand}` yourself")


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"it is no YAML ({' '.join(str(error).split())}): mend it") from error


def _loaded(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"it is no YAML ({' '.join(str(error).split())}): mend it") from error


def _at(node: yaml.Node | None, path: Path) -> yaml.Node | None:
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        else:
            return None
    return node


def _value_at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        value = value[step]
    return value


def _is_root(text: str, node: yaml.Node) -> bool:
    root = _compose(text)
    return root is None or root.start_mark.index == node.start_mark.index


def _last_leaf(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return _last_leaf(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _last_leaf(node.value[-1])
    return node


def _block(key: str, value: object, comment: str, column: int) -> list[str]:
    """Return the lines of a key in block style; a list of mappings is a line for each key."""
    lines = [f"# {line}" for line in comment.splitlines()]
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        lines.append(f"{key}:")
        for one in value:
            pairs = [f"{name}: {_flow(inner)}" for name, inner in one.items()]
            lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
    elif isinstance(value, dict) and value:
        lines = [f"{key}:", *(f"  {line}" for line in lines)]
        lines += [f"  {name}: {_flow(inner)}" for name, inner in value.items()]
    else:
        lines.append(f"{key}: {_flow(value)}")
    return [" " * column + line for line in lines]


def _inline(item: object) -> str:
    if isinstance(item, dict) and len(item) == 1:
        ((key, value),) = item.items()
        return f"{key}: {_flow(value)}"
    return _flow(item)


def _flow(value: object) -> str:
    """Write a value in a line.

    >>> _flow({"search_order": ["shop", "daybreak"]}), _flow("a/b")
    ('{search_order: [shop, daybreak]}', 'a/b')
    """
    written = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return written.strip().removesuffix("...").strip()


def _appended(text: str, lines: Sequence[str], newline: str) -> str:
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + newline.join([*lines, ""])


def _inserted(text: str, index: int, more: str) -> str:
    return text[:index] + more + text[index:]


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
