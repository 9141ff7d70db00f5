"""The commands that stop a pipeline and let it go on: pause, resume, cancel."""

from __future__ import annotations

from typing import Annotated

import typer

from runner import OpenProject
from runner.cli.app import HERE, PipelineName, ProjectDir, app
from runner.cli.output import echo
from runner.render.words import counted


@app.command()
def pause(
    pipeline: PipelineName,
    reason: Annotated[str, typer.Option(help="Shown to whoever finds it paused.")] = "by hand",
    project_dir: ProjectDir = HERE,
) -> None:
    """Start nothing more of a pipeline; what runs now ends its chunk."""
    OpenProject(project_dir).pause(pipeline, reason)
    echo(f"{pipeline} is paused ({reason}): runner resume {pipeline}")


@app.command()
def resume(pipeline: PipelineName, project_dir: ProjectDir = HERE) -> None:
    """Let a paused pipeline start again."""
    if OpenProject(project_dir).resume(pipeline):
        echo(f"{pipeline} may run again: runner plan {pipeline}")
    else:
        echo(f"{pipeline} was not paused")


@app.command()
def cancel(pipeline: PipelineName, project_dir: ProjectDir = HERE) -> None:
    """Stop what runs of a pipeline, wherever; what was published stays."""
    ended = OpenProject(project_dir).cancel(pipeline)
    if ended:
        runs = counted(ended, "run")
        echo(f"{runs} of {pipeline} cancelled; whoever runs them stops in a moment")
    else:
        echo(f"nothing of {pipeline} is in flight")
