"""The command that judges models by their text: lint."""

from __future__ import annotations

import typer

from runner import OpenProject
from runner.cli.app import HERE, Exclude, Format, OutputFormat, ProjectDir, Select, app, show


@app.command()
def lint(
    select: Select = None,
    exclude: Exclude = None,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """Find what makes a model unfit for replay; exits with 1 if an error is among it."""
    # Only here: the parser of SQL takes as long to import as all other commands together.
    from runner.lint.rules import Severity
    from runner.render.listings import LINT_FINDINGS, lint_page

    project = OpenProject(project_dir)
    found = project.lint(project.chosen(None, select or (), exclude or ()))
    show(lambda: lint_page(found), lambda: LINT_FINDINGS.records(found), output)
    if any(one.finding.severity is Severity.ERROR for one in found):
        raise typer.Exit(1)
