"""Patches of dbt that make it faster, one file each; dbt's results are the same without them.

A patch's ``probe`` raises if dbt is not as its ``apply`` expects it. Such a patch is left out,
alone and said by name, and so is one that cannot be applied.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

SWITCH = "DAYBREAK_SPEEDUPS"  # the environment variable: `off`, or the names to leave out
NAMES = (
    "lazy_serializers",
    "debug_events",
    "type_testers",
    "batched_tests",
    "slim_manifest",
    "named_selection",
    "relation_lookup",
    "compile_cache",
    "ast_cache",
    "schema_cache",
)


class UnexpectedDbtError(Exception):
    """Something in dbt is there, and not as a patch expects it."""


def expect(function: Callable[..., Any], *parameters: str, or_more: bool = False) -> None:
    """Raise :class:`UnexpectedDbtError` unless a function of dbt takes just these parameters.

    What a patch only calls may take more, ``or_more``, if it can do without them.
    """
    found = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if name in parameters or not or_more or parameter.default is parameter.empty
    ]
    if found != list(parameters):
        raise UnexpectedDbtError(
            f"{function.__module__}.{function.__qualname__} takes ({', '.join(found)}), "
            f"not ({', '.join(parameters)})"
        )


class Speedups:
    """Applies patches by name, but for those that are switched off; says which dbt goes without."""

    def __init__(self, setting: str = "") -> None:
        self.notices: list[str] = []
        named = setting.replace(",", " ").split()
        self._off = NAMES if named == ["off"] else named
        unknown = [name for name in self._off if name not in NAMES]
        if unknown:
            known = f"`off`, or of {', '.join(NAMES)}"
            self.notices.append(f"{SWITCH} names no speedup with {', '.join(unknown)}: {known}")

    def wants(self, *names: str) -> bool:
        """Return whether any of these is not switched off."""
        return not set(names) <= set(self._off)

    def apply(self, name: str, *given: Any) -> None:
        """Apply a patch, or leave it out and say so."""
        if not self.wants(name):
            return
        try:
            patch = import_module(f"{__name__}.{name}")
            patch.probe()
            patch.apply(*given)
        except Exception as error:
            why = " ".join(str(error).split()) or type(error).__name__
            self.notices.append(
                f"dbt runs without the speedup {name}, with the same results: it does not fit "
                f"this dbt ({why}); `runner doctor` says which versions are supported"
            )
