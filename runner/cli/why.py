"""The commands that show what a window is made from: why, diff, dag."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from runner import OpenProject
from runner.cli import completion, inputs
from runner.cli.app import HERE, AsOf, ModelName, PipelineName, ProjectDir, app
from runner.cli.output import echo
from runner.core.errors import UsageError
from runner.project.pipelines import make_pipeline
from runner.render.code import code_page, code_record
from runner.render.columns import as_json
from runner.render.dag import dag_mermaid, dag_text, drawn_nodes
from runner.render.dag_svg import dag_svg
from runner.render.why import why_page, why_record

WindowLabel = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL",
        help="The window: 2026-06-19; the newest complete one without.",
        autocompletion=completion.windows,
    ),
]


class TextFormat(StrEnum):
    """The ways to print what is no table."""

    TEXT = "text"
    JSON = "json"


class DagFormat(StrEnum):
    """The ways to print a graph."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


@app.command()
def why(
    model: ModelName,
    window: WindowLabel = None,
    output: Annotated[
        TextFormat, typer.Option("--format", help="How to print the map.")
    ] = TextFormat.TEXT,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Say why a window is what it is: all that it is made from, the first cause, the repair."""
    found = OpenProject(project_dir).why(model, window, inputs.parsed_timestamp(as_of))
    echo(as_json(why_record(found)) if output is TextFormat.JSON else why_page(found))


@app.command()
def diff(
    model: ModelName,
    output: Annotated[
        TextFormat, typer.Option("--format", help="How to print the difference.")
    ] = TextFormat.TEXT,
    project_dir: ProjectDir = HERE,
) -> None:
    """Show what has changed of a model's code, and of what it reads, since it last ran."""
    found = OpenProject(project_dir).diff(model)
    echo(as_json(code_record(found)) if output is TextFormat.JSON else code_page(found))


@app.command()
def dag(
    pipeline: PipelineName,
    output: Annotated[
        DagFormat, typer.Option("--format", help="How to print the graph.")
    ] = DagFormat.TEXT,
    window: WindowLabel = None,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Print the graph of a pipeline, parents first; as SVG with the state of a window."""
    opened = OpenProject(project_dir)
    workspace = opened.workspace
    config = workspace.config(pipeline)
    if output is not DagFormat.SVG:
        if window is not None:
            raise UsageError("only the picture shows a window: add --format svg")
        project = workspace.project()
        draw = dag_mermaid if output is DagFormat.MERMAID else dag_text
        echo(draw(make_pipeline(pipeline, config, project), project))
        return
    now = opened.environment.instant(inputs.parsed_timestamp(as_of), workspace.zone)
    tracer = workspace.tracer(now, opened.environment.now())
    home = tracer.planners[pipeline]
    asked = tracer.window(home, window)
    nodes = drawn_nodes(home.pipeline, tracer.project)
    echo(dag_svg(f"{pipeline}, {asked.label}", tracer.lineage_of(nodes, asked.span)))
