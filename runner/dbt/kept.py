"""What is made once of the code of dbt and of a project, and kept as Python keeps what it compiles.

dbt compiles the templates of its macros and of the project's models anew in every process, and
derives the schemas of its configuration from its classes: a quarter of a short build.
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


class Kept:
    """Code objects and texts by their keys, in a file.

    A file that was cut off, or written by other versions, counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[Key, Any] = {}
        self._is_changed = False
        self._load()

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
        with contextlib.suppress(OSError, ValueError):  # ValueError: marshal knows no such value
            kept = marshal.dumps(self._values)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
                file.write(self._seal(kept) + kept)
            os.replace(file.name, self._path)  # noqa: PTH105 - whole, or as it was
        self._is_changed = False

    def _load(self) -> None:
        with contextlib.suppress(OSError):
            found = self._path.read_bytes()
            seal, kept = found[:_SEAL_BYTES], found[_SEAL_BYTES:]
            if seal == self._seal(kept):
                values = marshal.loads(kept)  # noqa: S302 - sealed by ourselves
                # Texts that are edited leave what they were behind: now and then begin anew.
                self._values = values if len(values) < _MOST else {}

    def _seal(self, kept: bytes) -> bytes:
        """A digest: nothing but what was written whole by these versions may be unmarshalled."""
        return hashlib.sha256(self._versions + kept).digest()

    @cached_property
    def _versions(self) -> bytes:
        named = [sys.version, *(f"{name} {version(name)}" for name in _MADE_BY)]
        return importlib.util.MAGIC_NUMBER + "\n".join(named).encode()
