"""No schema of dbt's classes is derived that is kept: 0.25 of 0.75 seconds of an unchanged parse.

A class is known by its name, and by the age of the files that it and its parents are in.
"""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from typing import Any

from dbt_common.dataclass_schema import dbtClassMixin

from runner.dbt.cache import CacheFile
from runner.dbt.speedups import expect


def probe() -> None:
    """Expect a class method that needs nothing but the class."""
    expect(dbtClassMixin.json_schema.__func__, "cls")  # type: ignore[attr-defined]


def apply(cache: CacheFile) -> None:
    """Take the schema of a class from the cache."""
    derive = dbtClassMixin.json_schema.__func__  # type: ignore[attr-defined]

    @lru_cache
    def schema(cls: type) -> Any:
        key = "schema", cls.__module__, cls.__qualname__, *_ages(cls)
        try:
            return json.loads(cache.of(key, lambda: json.dumps(derive(cls))))
        except TypeError:  # a default that JSON has no word for
            return derive(cls)

    dbtClassMixin.json_schema = classmethod(schema)  # type: ignore[method-assign,assignment,arg-type]


def _ages(cls: type) -> list[int]:
    files = {getattr(sys.modules.get(one.__module__), "__file__", None) for one in cls.__mro__}
    return [os.stat(file).st_mtime_ns for file in sorted(filter(None, files))]  # noqa: PTH116
