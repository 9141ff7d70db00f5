"""The commands for whoever keeps it going: doctor, verify, prune, metrics."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from runner import OpenProject
from runner.cli import exits, inputs
from runner.cli.app import (
    HERE,
    AsOf,
    EndDate,
    EngineOption,
    Format,
    OutputFormat,
    PipelineName,
    ProjectDir,
    StartDate,
    app,
    show,
)
from runner.cli.output import echo
from runner.core.errors import UsageError
from runner.doctor.checks import Health
from runner.doctor.rebuild import rebuild as rebuild_ledger
from runner.execution.context import Observer
from runner.render.doctor import (
    REBUILT,
    doctor_page,
    doctor_record,
    pruned_page,
    pruned_record,
    rebuilt_page,
    verification_page,
    verification_record,
)
from runner.render.metrics import metrics_text
from runner.render.terminal import Terminal
from runner.warehouse.lock import Holder
from runner.workspace import EngineKind


@app.command("doctor")
def see_doctor(
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Make the ledger anew from the warehouse's markers; the old file is kept aside.",
        ),
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare the contents of rows too, not only how many.")
    ] = False,
    output: OutputFormat = Format.TABLE,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Look whether ledger, warehouse, versions and disks are sound, and say what to do."""
    project = OpenProject(project_dir)
    if rebuild:
        now = project.environment.now()
        done = rebuild_ledger(project.workspace, engine, now, _asking)
        show(lambda: rebuilt_page(done), lambda: REBUILT.record(done), output)
        return
    found = project.doctor(engine, _asking, deep=deep)
    terminal = Terminal.behind(sys.stdout, os.environ)
    show(lambda: doctor_page(found, terminal), lambda: doctor_record(found), output)
    if any(line.verdict is Health.WRONG for line in found):
        raise typer.Exit(1)


@app.command("verify")
def verify_rows(
    pipeline: PipelineName,
    start_date: StartDate = None,
    end_date: EndDate = None,
    output: OutputFormat = Format.TABLE,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Compare the rows that stand there with those that were published, window by window."""
    dates = inputs.dates(start_date, end_date)
    found = OpenProject(project_dir).verify(pipeline, *dates, engine=engine, observer=_Telling())
    show(lambda: verification_page(found), lambda: verification_record(found), output)
    if found.different or found.changed:
        raise typer.Exit(exits.UNVERIFIED)


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
    project = OpenProject(project_dir)
    try:
        before = project.environment.now() - age
    except OverflowError as error:
        raise UsageError(f"--keep {keep} is longer than there are years: try 400d") from error
    maintenance = project.workspace.ledger.maintenance
    rows = maintenance.count_prunable(before) if dry_run else maintenance.prune(before)
    size = None if dry_run else maintenance.compact()
    show(
        lambda: pruned_page(rows, before, size, is_dry=dry_run),
        lambda: pruned_record(rows, before, size, is_dry=dry_run),
        output,
    )


@app.command()
def metrics(as_of: AsOf = None, project_dir: ProjectDir = HERE) -> None:
    """Print figures of every pipeline in Prometheus' text format."""
    timestamp = inputs.parsed_timestamp(as_of)
    found = OpenProject(project_dir).metrics(timestamp)
    echo(metrics_text(found))
    for name, one in found.pipelines.items():
        if one.error is not None:
            echo(f"runner: {name}: {one.error}", err=True)


class _Telling(Observer):
    """Tells a person what was found on the way."""

    def adopted(self, windows: int) -> None:
        if windows:
            echo(f"the ledger knew nothing: {windows:,} windows taken over", err=True)

    def noticed(self, line: str) -> None:
        echo(f"the warehouse was changed: {line}", err=True)

    def waiting(self, holder: Holder) -> None:
        echo(f"waiting for {holder}, who holds the warehouse", err=True)


def _asking() -> None:
    """Say why nothing happens for some seconds, to a person who waits."""
    if sys.stderr.isatty():
        echo("reading the warehouse's markers", err=True)
