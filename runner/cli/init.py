"""The command that takes a dbt project on: init."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from runner import OpenProject
from runner.adopt.adoption import convert_model, examine_project
from runner.adopt.changes import write_changes
from runner.adopt.new import new_project
from runner.cli.app import HERE, EngineOption, ProjectDir, app
from runner.cli.output import echo
from runner.core.errors import UsageError
from runner.doctor.checks import Health
from runner.render.doctor import doctor_page
from runner.render.init import adoption_page, conversion_page, new_project_page, written_line
from runner.render.terminal import Terminal
from runner.workspace import EngineKind


@app.command("init")
def init_project(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be written.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Lay the macros anew where they are old or edited.")
    ] = False,
    convert: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Show this incremental model as a windowed one."),
    ] = None,
    new: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Make a small new project in this folder.")
    ] = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Write what a dbt project lacks to be run, shown first; safe to type again."""
    if new is not None and (dry_run or convert or upgrade):
        raise UsageError("--new stands alone: leave out the other options")
    if new is not None:
        name, written = new_project(new)
        echo(new_project_page(new, name, written))
    elif convert is not None:
        found = convert_model(project_dir, engine, convert)
        is_written = yes and not dry_run
        if is_written:
            write_changes(found.changes, project_dir)
        echo(conversion_page(found, is_written=is_written))
    else:
        _adopt(project_dir, engine, is_dry=dry_run, is_agreed=yes, upgrade=upgrade)


def _adopt(
    project_dir: Path, engine: EngineKind, *, is_dry: bool, is_agreed: bool, upgrade: bool
) -> None:
    """Show every change, write what a person agrees to, and let the doctor look."""
    found = examine_project(project_dir, engine, upgrade=upgrade)
    echo(adoption_page(found))
    if is_dry:
        return
    if found.changes:
        if not is_agreed and not sys.stdin.isatty():
            raise UsageError("nothing is written, as nobody can be asked: say --yes, or --dry-run")
        if not is_agreed and not typer.confirm("\nWrite this?"):
            raise UsageError("nothing is written")
        write_changes(found.changes, found.project_dir)
        echo(f"\n{written_line(found.changes)}")
    if found.problem is not None:  # it may parse now, and be read
        _adopt(project_dir, engine, is_dry=False, is_agreed=is_agreed, upgrade=False)
        return
    diagnoses = OpenProject(project_dir).doctor(engine)
    echo(f"\n{doctor_page(diagnoses, Terminal.behind(sys.stdout, os.environ))}")
    if any(line.verdict is Health.WRONG for line in diagnoses):
        raise typer.Exit(1)
