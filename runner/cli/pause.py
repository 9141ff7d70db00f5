"""The commands that stop a pipeline and let it go on: pause, resume, cancel."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import inputs
from runner.cli.app import HERE, PipelineName, ProjectDir, app
from runner.project.pipelines import find_config
from runner.render.words import counted
from runner.workspace import Workspace


@app.command()
def pause(
    pipeline: PipelineName,
    reason: Annotated[str, typer.Option(help="Shown to whoever finds it paused.")] = "by hand",
    project_dir: ProjectDir = HERE,
) -> None:
    """Start nothing more of a pipeline; what runs now ends its chunk."""
    workspace = Workspace.find(project_dir)
    find_config(pipeline, workspace.configs)
    workspace.ledger.controls.pause(pipeline, reason, inputs.now())
    typer.echo(f"{pipeline} is paused ({reason}): runner resume {pipeline}")


@app.command()
def resume(pipeline: PipelineName, project_dir: ProjectDir = HERE) -> None:
    """Let a paused pipeline start again."""
    workspace = Workspace.find(project_dir)
    find_config(pipeline, workspace.configs)
    if workspace.ledger.controls.resume(pipeline):
        typer.echo(f"{pipeline} may run again: runner plan {pipeline}")
    else:
        typer.echo(f"{pipeline} was not paused")


@app.command()
def cancel(pipeline: PipelineName, project_dir: ProjectDir = HERE) -> None:
    """Stop what runs of a pipeline, wherever; what was published stays."""
    workspace = Workspace.find(project_dir)
    find_config(pipeline, workspace.configs)
    ended = workspace.ledger.controls.cancel_runs(pipeline, "cancelled by hand", inputs.now())
    if ended:
        runs = counted(ended, "run")
        typer.echo(f"{runs} of {pipeline} cancelled; whoever runs them stops in a moment")
    else:
        typer.echo(f"nothing of {pipeline} is in flight")
