"""Make a small new project: landed files, a view, a windowed model with a gate, a table."""

from __future__ import annotations

import re
from pathlib import Path

from runner.adopt.changes import Change, FileChange, write_changes
from runner.adopt.install import missing_pieces, refuse_name
from runner.core.errors import UsageError

_TEMPLATE = Path(__file__).parent / "template"
_PLACEHOLDER = "my_project"
_HIDDEN = {"gitignore": ".gitignore"}  # which would speak of the template itself


def new_project(folder: Path) -> tuple[str, list[Change]]:
    """Write a new project, named as its folder is, and return its name and what was written.

    Raises :class:`UsageError` if something is in the folder already, or if it is named as our
    package is.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a new folder, or leave out --new")
    name = re.sub(r"[^a-z0-9_]+", "_", folder.resolve().name.lower()).strip("_")
    name = name if name[:1].isalpha() else f"p_{name}".rstrip("_")
    refuse_name(name)
    files: list[Change] = [
        FileChange(
            _HIDDEN.get(path.name, path.relative_to(_TEMPLATE).as_posix()),
            None,
            path.read_text(encoding="utf-8").replace(_PLACEHOLDER, name),
        )
        for path in sorted(_TEMPLATE.rglob("*"))
        if path.is_file()
    ]
    write_changes(files, folder)
    pieces = missing_pieces(folder, None)
    write_changes(pieces, folder)
    return name, [*files, *pieces]
