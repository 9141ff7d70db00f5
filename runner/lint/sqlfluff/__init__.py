"""The plugin that sqlfluff finds by its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlfluff.core.plugin import hookimpl

if TYPE_CHECKING:
    from sqlfluff.core.rules import BaseRule


@hookimpl
def get_rules() -> list[type[BaseRule]]:
    """What sqlfluff asks a plugin for."""
    from runner.lint.sqlfluff.rules import rule_classes  # sqlfluff wants rules made only when asked

    return rule_classes()
