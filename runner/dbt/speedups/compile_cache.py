"""No template is compiled whose code is kept: 1.0 of the 4.1 seconds of a short build.

Jinja itself keeps the code of templates that were loaded from files, but not of those that were
made from a text, as dbt's are.
"""

from __future__ import annotations

from typing import Any

import jinja2

from runner.dbt.cache import CacheFile
from runner.dbt.speedups import expect


def probe() -> None:
    """Expect the parameters by which Jinja tells a text from a file."""
    known = ("self", "source", "name", "filename", "raw", "defer_init")
    expect(jinja2.Environment.compile, *known)


def apply(cache: CacheFile) -> None:
    """Take the code of a text from the cache."""
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
        key = "template", type(environment).__qualname__, str(source)
        return cache.of(key, lambda: compile_text(environment, source))

    jinja2.Environment.compile = compiled  # type: ignore[assignment,method-assign]
