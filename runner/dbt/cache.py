"""A file of what is made once from the code of dbt and of a project, as Python has its own.

dbt compiles the templates of its macros and of the project's models anew in every process, and
derives the schemas of its configuration from its classes: a quarter of a short build. Each project
has a file of its own. As most of it is the same for all of them, the first project of an
installation leaves a copy in the user's cache, from which every other begins.

What is read back is executed: a file counts only where nobody but its user can have written it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

_SEAL_BYTES = 32
_MOST = 10_000
_MADE_BY = ("jinja2", "dbt-common", "dbt-core", "mashumaro")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

Key = tuple[Any, ...]  # of texts and numbers


class CacheFile:
    """Code objects, bytes and texts by their keys, in a file.

    A file that was cut off, or written by other versions, counts as empty. Without a file of the
    project's own, it begins with what is in ``shared``: a folder where the first leaves a copy.
    ``notices`` say which folders are not used, and why.
    """

    def __init__(self, path: Path, shared: Path | None) -> None:
        self.notices: list[str] = []
        self._path = self._trusted(path)
        name = hashlib.sha256(self._versions).hexdigest()[:16]
        self._beginning = self._trusted(shared / f"kept_by_dbt_{name}") if shared else None
        self._values: dict[Key, Any] = {}
        self._is_changed = False
        self._is_first = False
        if not self._load(self._path) and self._beginning:
            self._is_changed = self._load(self._beginning)
            self._is_first = not self._is_changed

    def of(self, key: Key, make: Callable[[], Any]) -> Any:
        """Return what is kept under a key; made if there is nothing."""
        if key not in self._values:
            self._values[key] = make()
            self._is_changed = True
        return self._values[key]

    def save(self) -> None:
        """Write what was made since it was read; that it cannot be kept is no harm."""
        if not self._is_changed:
            return
        with contextlib.suppress(ValueError):  # marshal knows no such value
            kept = marshal.dumps(self._values)
            for path in (self._path, self._beginning if self._is_first else None):
                if path:
                    _write(path, self._seal(kept) + kept)
        self._is_changed = self._is_first = False

    def _trusted(self, path: Path) -> Path | None:
        """Return the path, or None if somebody else can write it or its folder."""
        for place in (path.parent, path):
            with contextlib.suppress(OSError):  # it is not there, or cannot be read either
                found = place.stat()
                if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
                    self.notices.append(
                        f"{place} is not used, so dbt compiles anew: somebody else owns it or "
                        "may write to it, and what is kept there is executed; remove it"
                    )
                    return None
        return path

    def _load(self, path: Path | None) -> bool:
        """Read a file; false if there is nothing of these versions."""
        try:
            found = path.read_bytes() if path else b""
        except OSError:
            return False
        seal, kept = found[:_SEAL_BYTES], found[_SEAL_BYTES:]
        if seal != self._seal(kept):
            return False
        values = marshal.loads(kept)  # noqa: S302 - sealed by ourselves, in a folder of our own
        # Texts that are edited leave what they were behind: now and then begin anew.
        self._values = values if len(values) < _MOST else {}
        return True

    def _seal(self, kept: bytes) -> bytes:
        """A digest: nothing but what was written whole by these versions may be unmarshalled."""
        return hashlib.sha256(self._versions + kept).digest()

    @cached_property
    def _versions(self) -> bytes:
        named = [sys.version, *(f"{name} {version(name)}" for name in _MADE_BY)]
        return importlib.util.MAGIC_NUMBER + "\n".join(named).encode()


def _write(path: Path, content: bytes) -> None:
    """Write a file for its owner alone: whole, or not at all and no part of it."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in path.parent.glob(f"{path.name}.*.partial"):  # by a process that was killed
            left.unlink(missing_ok=True)
        descriptor, partial = tempfile.mkstemp(".partial", f"{path.name}.", path.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(content)
            os.replace(partial, path)  # noqa: PTH105 - whole, or as it was
        finally:
            Path(partial).unlink(missing_ok=True)
