"""Results with the same columns share what guesses their types: 0.1 of 2.1 seconds.

Each would make a parser of dates of its own, which knows the words of many languages.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from dbt_common.clients import agate_helper

from runner.dbt.speedups import expect


def probe() -> None:
    """Expect a tester that is made from columns and what counts as NULL."""
    expect(agate_helper.build_type_tester, "text_columns", "string_null_values")


def apply() -> None:
    """Make one tester for equal columns."""
    make = lru_cache(agate_helper.build_type_tester)

    def shared(
        text_columns: Iterable[str], string_null_values: Iterable[str] | None = ("null", "")
    ) -> Any:
        nothing = None if string_null_values is None else tuple(string_null_values)
        return make(tuple(text_columns), nothing)

    agate_helper.build_type_tester = shared
