"""Jinja templates that are compiled once and kept, as Python keeps what it compiles.

dbt compiles the templates of its macros and of the project's models anew in every process, which
is a quarter of a short build. Jinja keeps compiled templates that were loaded from files, but not
those that were made from a text, as dbt's are: here they are kept by their text.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
import sys
import tempfile
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any, Self

import jinja2

_SEAL_BYTES = 32
_MOST = 10_000
_Key = tuple[str, str]  # the kind of Jinja's environment, and the text


class KeptTemplates:
    """What was compiled by one version of Python, Jinja and dbt, in a file.

    A file that was cut off, or is of other versions, counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._codes: dict[_Key, CodeType] = {}
        self._is_changed = False
        self._load()

    def install(self) -> Self:
        """Let every template of this process that is made from a text be taken from here."""
        compile_text = jinja2.Environment.compile

        def compiled(
            environment: jinja2.Environment,
            source: Any,
            name: str | None = None,
            filename: str | None = None,
            *rest: Any,
            **more: Any,
        ) -> Any:
            # What has a name or a file is told apart by more than its text.
            if rest or more or name is not None or filename is not None:
                return compile_text(environment, source, name, filename, *rest, **more)
            key = type(environment).__qualname__, str(source)
            if key not in self._codes:
                self._codes[key] = compile_text(environment, source)
                self._is_changed = True
            return self._codes[key]

        jinja2.Environment.compile = compiled  # type: ignore[assignment,method-assign]
        return self

    def save(self) -> None:
        """Keep what was compiled since it was read; that it cannot be kept is no harm."""
        if not self._is_changed:
            return
        kept = marshal.dumps(self._codes)
        with contextlib.suppress(OSError):
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
                codes = marshal.loads(kept)  # noqa: S302 - sealed by ourselves
                # Texts that are edited leave what they were behind: now and then begin anew.
                self._codes = codes if len(codes) < _MOST else {}

    def _seal(self, kept: bytes) -> bytes:
        """A digest: nothing but what was written whole by these versions may be unmarshalled."""
        return hashlib.sha256(self._versions + kept).digest()

    @cached_property
    def _versions(self) -> bytes:
        libraries = ("jinja2", "dbt-common", "dbt-core")
        named = [sys.version, *(f"{name} {version(name)}" for name in libraries)]
        return importlib.util.MAGIC_NUMBER + "\n".join(named).encode()
