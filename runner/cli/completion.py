"""What the shell offers while a command is typed: names of pipelines, models, windows and runs.

Only what is remembered is read, never parsed or asked of a warehouse: somebody waits with a finger
on the key. What cannot be read offers nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from runner.core.errors import DaybreakError
from runner.workspace import Workspace

if TYPE_CHECKING:
    from runner.ledger.records import Run

COMPLETE = "_RUNNER_COMPLETE"  # set by the shell's function that `--install-completion` writes
_NEWEST = 100  # of a pipeline's windows and runs


def typed_words(environment: Mapping[str, str]) -> list[str]:
    """Return the words of the line that is being completed, without the program's name.

    >>> typed_words({"COMP_WORDS": "runner plan ord"})
    ['plan', 'ord']
    >>> typed_words({"_TYPER_COMPLETE_ARGS": "runner why 'unfinished"})
    ['why', "'unfinished"]
    """
    line = environment.get("COMP_WORDS") or environment.get("_TYPER_COMPLETE_ARGS") or ""
    try:
        return shlex.split(line)[1:]
    except ValueError:  # a quote that is still open
        return line.split()[1:]


def pipelines(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the names in ``pipelines.yml``."""
    return _offered(ctx, incomplete, lambda workspace: workspace.names)


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer what the last parse knew: models, seeds and snapshots."""
    return _offered(ctx, incomplete, _names)


def windows(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the newest windows that have run, of one pipeline or of all."""
    return _offered(ctx, incomplete, lambda workspace: (run.label for run in _runs(ctx, workspace)))


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the newest runs of a pipeline."""
    return _offered(
        ctx, incomplete, lambda workspace: (run.run_id for run in _runs(ctx, workspace))
    )


def _offered(
    ctx: typer.Context, incomplete: str, known: Callable[[Workspace], Iterable[str]]
) -> list[str]:
    given = ctx.params.get("project_dir") or os.environ.get("DBT_PROJECT_DIR") or "."
    with suppress(DaybreakError, OSError):
        workspace = Workspace.find(given)
        return [name for name in dict.fromkeys(known(workspace)) if name.startswith(incomplete)]
    return []


def _names(workspace: Workspace) -> list[str]:
    project = workspace.last_parse
    return sorted(node.name for node in project.data_nodes) if project is not None else []


def _runs(ctx: typer.Context, workspace: Workspace) -> list[Run]:
    if not workspace.is_parsed:  # which target, and so which ledger, is not known without
        return []
    named = workspace.named(ctx.params.get("pipeline"))
    return [run for name in named for run in workspace.ledger.runs.find(name, _NEWEST, None)]
