"""The commands that show what a window is made from: why, dag."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from runner.cli import inputs
from runner.cli.app import HERE, AsOf, PipelineName, ProjectDir, app
from runner.core.errors import UsageError
from runner.explain.repair import repair_commands
from runner.project.pipelines import find_config, make_pipeline
from runner.render.columns import as_json
from runner.render.dag import dag_mermaid, dag_text, drawn_nodes
from runner.render.dag_svg import dag_svg
from runner.render.why import Why, why_page, why_record
from runner.workspace import Workspace

WindowLabel = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="The window: 2026-06-19; the newest complete one without."),
]


class WhyFormat(StrEnum):
    """The ways to print a map."""

    TEXT = "text"
    JSON = "json"


class DagFormat(StrEnum):
    """The ways to print a graph."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


@app.command()
def why(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    window: WindowLabel = None,
    output: Annotated[
        WhyFormat, typer.Option("--format", help="How to print the map.")
    ] = WhyFormat.TEXT,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Say why a window is what it is: all that it is made from, the first cause, the repair."""
    workspace = Workspace.find(project_dir)
    ledger = workspace.ledger
    tracer = workspace.tracer(inputs.instant_of(inputs.parsed_timestamp(as_of), workspace.zone))
    node, home = tracer.model(model)
    asked = tracer.window(home, window)
    found = tracer.upstream(node, asked.span)
    target = found.by_id[node.unique_id]
    pauses = {
        name: pause for name in workspace.configs if (pause := ledger.controls.get_pause(name))
    }
    commands = repair_commands(found, target, asked.span, workspace.zone, pauses)
    told = Why(target, asked, found, commands)
    typer.echo(as_json(why_record(told)) if output is WhyFormat.JSON else why_page(told))


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
    workspace = Workspace.find(project_dir)
    config = find_config(pipeline, workspace.configs)
    if output is not DagFormat.SVG:
        if window is not None:
            raise UsageError("only the picture shows a window: add --format svg")
        project = workspace.project()
        draw = dag_mermaid if output is DagFormat.MERMAID else dag_text
        typer.echo(draw(make_pipeline(pipeline, config, project), project))
        return
    tracer = workspace.tracer(inputs.instant_of(inputs.parsed_timestamp(as_of), workspace.zone))
    home = tracer.planners[pipeline]
    asked = tracer.window(home, window)
    nodes = drawn_nodes(home.pipeline, tracer.project)
    typer.echo(dag_svg(f"{pipeline}, {asked.label}", tracer.lineage_of(nodes, asked.span)))
