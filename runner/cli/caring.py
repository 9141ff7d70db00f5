"""The command for when something is broken: doctor."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from runner.cli import inputs
from runner.cli.app import HERE, EngineOption, Format, OutputFormat, ProjectDir, app, show
from runner.doctor.checks import Health
from runner.doctor.examine import examine
from runner.doctor.rebuild import rebuild as rebuild_ledger
from runner.render.doctor import doctor_page, doctor_record, rebuilt_page, rebuilt_record
from runner.render.ink import Terminal
from runner.workspace import EngineKind, Workspace


@app.command("doctor")
def see_doctor(
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Make the ledger anew from the warehouse's markers; the old file is kept aside.",
        ),
    ] = False,
    output: OutputFormat = Format.TABLE,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Look whether ledger, warehouse, versions and disks are sound, and say what to do."""
    workspace = Workspace.find(project_dir)
    if rebuild:
        done = rebuild_ledger(workspace, engine, inputs.now(), _asking)
        show(lambda: rebuilt_page(done), lambda: rebuilt_record(done), output)
        return
    found = examine(workspace, engine, _asking)
    terminal = Terminal.behind(sys.stdout, os.environ)
    show(lambda: doctor_page(found, terminal), lambda: doctor_record(found), output)
    if any(line.verdict is Health.WRONG for line in found):
        raise typer.Exit(1)


def _asking() -> None:
    """Say why nothing happens for some seconds, to a person who waits."""
    if sys.stderr.isatty():
        typer.echo("reading the warehouse's markers", err=True)
