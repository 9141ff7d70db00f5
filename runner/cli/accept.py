"""The commands that accept a change: accept, schema show, schema accept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from runner import OpenProject
from runner.cli.app import (
    HERE,
    EngineOption,
    Format,
    ModelName,
    OutputFormat,
    ProjectDir,
    app,
    show,
)
from runner.cli.output import echo
from runner.core.errors import UsageError, nearest
from runner.dbt.protocol import Engine, SourceSchema
from runner.project.manifest import Project
from runner.render.schema import SCHEMA, accepted_page, schema_page
from runner.workspace import EngineKind, Workspace

_PATIENCE = timedelta(minutes=5)
schema_app = typer.Typer(
    help="Look at the columns of a source, and accept that they have changed.", no_args_is_help=True
)
app.add_typer(schema_app, name="schema")

SourceName = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Such as landing.transactions.", show_default=False)
]


@app.command()
def accept(model: ModelName, project_dir: ProjectDir = HERE) -> None:
    """Say that a change of a model is cosmetic: what it published before is as good."""
    if not OpenProject(project_dir).accept(model):
        echo(f"{model}: nothing was published by other code than its present one")
    else:
        echo(f"{model}: what was published by earlier code is no longer stale")


@schema_app.command("show")
def show_schema(
    source: SourceName,
    output: OutputFormat = Format.TABLE,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Show the columns of a source beside those that were recorded last."""
    found = _look(source, engine, project_dir, accept=False)
    show(lambda: schema_page(found), lambda: SCHEMA.record(found), output)


@schema_app.command("accept")
def accept_schema(
    source: SourceName,
    output: OutputFormat = Format.TABLE,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Say that a source is right as it is now; columns_match compares with that from now on."""
    found = _look(source, engine, project_dir, accept=True)
    show(lambda: accepted_page(found), lambda: SCHEMA.record(found), output)


def _look(source: str, kind: EngineKind, project_dir: Path, *, accept: bool) -> SourceSchema:
    workspace = Workspace.find(project_dir)
    with workspace.start_engine(kind) as engine:
        return look(source, workspace.project(engine), engine, accept=accept)


def look(source: str, project: Project, engine: Engine, *, accept: bool = False) -> SourceSchema:
    """Return how a source has changed since it was recorded; ``accept`` records it as it is now.

    Raises :class:`UsageError` for a name that is no source's, and
    :class:`runner.core.errors.EngineError` if the source cannot be looked at.
    """
    known = project.sources
    if source not in known:
        hint = nearest(source, known) or f" Known: {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f"the project has no source {source!r}.{hint}")
    return engine.schema(source, _PATIENCE, accept=accept)
