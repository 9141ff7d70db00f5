"""The commands for whoever keeps it going: prune, metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import inputs
from runner.cli.app import HERE, AsOf, Format, OutputFormat, ProjectDir, app, show
from runner.core.errors import UsageError
from runner.overview.metrics import measure
from runner.render.metrics import metrics_text
from runner.render.pruning import pruned_page, pruned_record
from runner.workspace import Workspace


@app.command()
def prune(
    keep: Annotated[
        str, typer.Option(metavar="DURATION", help="How much of the past to keep, such as 400d.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """Remove old runs and sent messages; each window keeps the runs that tell what it is."""
    age = inputs.duration(keep, "--keep")
    try:
        before = inputs.now() - age
    except OverflowError as error:
        raise UsageError(f"--keep {keep} is longer than there are years: try 400d") from error
    ledger = Workspace.find(project_dir).ledger
    rows = (
        ledger.maintenance.count_prunable(before) if dry_run else ledger.maintenance.prune(before)
    )
    size = None if dry_run else ledger.maintenance.compact()
    show(
        lambda: pruned_page(rows, before, size, is_dry=dry_run),
        lambda: pruned_record(rows, before, size, is_dry=dry_run),
        output,
    )


@app.command()
def metrics(as_of: AsOf = None, project_dir: ProjectDir = HERE) -> None:
    """Print figures of every pipeline in Prometheus' text format."""
    timestamp = inputs.parsed_timestamp(as_of)
    workspace = Workspace.find(project_dir)
    found = measure(workspace, inputs.instant_of(timestamp, workspace.zone))
    typer.echo(metrics_text(found))
    for name, one in found.pipelines.items():
        if one.error is not None:
            typer.echo(f"runner: {name}: {one.error}", err=True)
