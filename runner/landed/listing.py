"""List the files that a glob matches, as DuckDB's ``glob`` does.

`**` does not follow links to folders: one to ``.`` would lead around for ever, and two of them
around in more ways than can be counted. Any other part of a pattern is as deep as it says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from functools import lru_cache
from pathlib import Path

_MAGIC = re.compile(r"[*?\[]")
_EVERYWHERE = "**"


def is_pattern(location: str) -> bool:
    """Return True if a location may match several files."""
    return bool(_MAGIC.search(location))


def listed(folder: Path, pattern: str) -> list[str]:
    """List the absolute paths that match a glob, which may be relative to a folder.

    The folder's own name is no glob, whatever is in it.
    """
    root = "/" if pattern.startswith("/") else f"{folder}/"
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    return sorted(set(_below(root, parts)))


def _below(folder: str, parts: list[str]) -> Iterator[str]:
    """Yield what matches the parts of a pattern in a folder, whose name ends with a slash."""
    if not parts:
        return
    part, *rest = parts
    if part == _EVERYWHERE:
        # Any number of folders, none included; as the last part, all files in them.
        for inner in _tree(folder):
            yield from _below(inner, rest or ["*"])
        return
    names = _matching(folder, part) if is_pattern(part) else [part]
    for name in names:
        if rest:
            yield from _below(f"{folder}{name}/", rest)
        elif is_pattern(part) or os.path.lexists(folder + name):
            yield folder + name


def _tree(folder: str) -> Iterator[str]:
    """Yield a folder and all below it, as far as no link leads."""
    pending = [folder]
    while pending:
        yield (found := pending.pop())
        try:
            with os.scandir(found) as entries:
                pending += [
                    f"{found}{entry.name}/"
                    for entry in entries
                    if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            continue  # gone meanwhile, or not ours to see


def _matching(folder: str, part: str) -> Iterator[str]:
    """Yield the names in a folder that a part matches; hidden ones only if it is hidden too."""
    fits = _matcher(part)
    try:
        names = os.listdir(folder)  # noqa: PTH208 - of thousands a Path each takes longer
    except OSError:
        return
    for name in names:
        if fits(name) and (part.startswith(".") or not name.startswith(".")):
            yield name


@lru_cache(256)
def _matcher(part: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(translate(part)).match
