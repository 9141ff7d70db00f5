"""Our dbt package: its name, where its files are, and which version they say they are."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = "daybreak"  # as dbt knows it: `daybreak.in_window`
_HERE = Path(__file__).parent / "macros"  # where a wheel carries it
_CHECKOUT = Path(__file__).parents[2] / "macros" / PACKAGE
_VERSION = re.compile(r"""(?m)^version:\s*["']?([^"'\s#]+)""")


def package_folder() -> Path:
    """Return the folder of the package that belongs to this runner, with its dbt_project.yml."""
    return _HERE if _HERE.is_dir() else _CHECKOUT


def package_version(folder: Path) -> str | None:
    """Return the version that a copy of the package says; None if there is no copy."""
    try:
        found = _VERSION.search((folder / "dbt_project.yml").read_text(encoding="utf-8"))
    except OSError:
        return None
    return found[1] if found else None
