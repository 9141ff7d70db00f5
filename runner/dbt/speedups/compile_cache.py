"""What is made once of the code of dbt and of a project, and kept as Python keeps what it compiles.

dbt compiles the templates of its macros and of the project's models anew in every process, and
derives the schemas of its configuration from its classes: a quarter of a short build. Each project
has a file of its own. As most of it is the same for all of them, the first project of an
installation leaves a copy in the user's cache, from which every other begins.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
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

Key = tuple[Any, ...]  # of texts and numbers


class CompileCache:
    """Code objects, bytes and texts by their keys, in a file.

    A file that was cut off, or written by other versions, counts as empty. Without a file of the
    project's own, it begins with what is in ``cache``: a folder where the first leaves a copy.
    """

    def __init__(self, path: Path, cache: Path | None) -> None:
        self._path = path
        name = hashlib.sha256(self._versions).hexdigest()[:16]
        self._beginning = cache / f"kept_by_dbt_{name}" if cache else None
        self._values: dict[Key, Any] = {}
        self._is_changed = False
        self._is_first = False
        if not self._load(path) and self._beginning:
            self._is_changed = self._load(self._beginning)
            self._is_first = not self._is_changed

    def of(self, key: Key, make: Callable[[], Any]) -> Any:
        """What is kept under a key; made if there is nothing."""
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
            _write(self._path, self._seal(kept) + kept)
            if self._beginning and self._is_first:
                _write(self._beginning, self._seal(kept) + kept)
        self._is_changed = self._is_first = False

    def _load(self, path: Path) -> bool:
        """Whether there was something of these versions."""
        try:
            found = path.read_bytes()
        except OSError:
            return False
        seal, kept = found[:_SEAL_BYTES], found[_SEAL_BYTES:]
        if seal != self._seal(kept):
            return False
        values = marshal.loads(kept)  # noqa: S302 - sealed by ourselves
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
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)  # noqa: PTH105 - whole, or as it was
