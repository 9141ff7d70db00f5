"""The command that replays windows in a scratch copy: prove."""

from __future__ import annotations

from typing import Annotated

import typer

from runner import OpenProject
from runner.cli import inputs
from runner.cli.app import (
    HERE,
    AsOf,
    EngineOption,
    Exclude,
    Format,
    OutputFormat,
    PipelineName,
    ProjectDir,
    Select,
    app,
    show,
)
from runner.core.interrupts import Interrupted
from runner.core.proofs import ProofVerdict
from runner.render.proofs import proof_page, proof_record
from runner.workspace import EngineKind


@app.command("prove")
def prove_pipeline(
    pipeline: PipelineName,
    select: Select = None,
    exclude: Exclude = None,
    windows: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="How many consecutive windows.")
    ] = 3,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="S", help="Take windows by chance, not the newest with rows."),
    ] = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Replay windows in a scratch copy, and say which models may be run again at any time."""
    # Only here: no other command needs DuckDB, or pays for its import.
    from rich.console import Console

    from runner.proving.prove import WAITING

    project, timestamp = OpenProject(project_dir), inputs.parsed_timestamp(as_of)
    console = Console(stderr=True)

    def told(what: str) -> None:
        status.update(what)
        if not console.is_terminal and what.startswith(WAITING):
            console.print(what)

    with console.status("reading the dbt project") as status:
        try:
            report = project.prove(
                pipeline,
                select=project.chosen(pipeline, select or (), exclude or ()),
                windows=windows,
                seed=seed,
                as_of=timestamp,
                engine=engine,
                notify=told,
            )
        except (Interrupted, RuntimeError) as error:
            # DuckDB wraps what a signal raises while it works.
            interrupted = error if isinstance(error, Interrupted) else error.__cause__
            if not isinstance(interrupted, Interrupted):
                raise
            interrupted.what_is_left = "nothing was changed: the same command starts anew"
            raise interrupted from error.__cause__
    show(lambda: proof_page(report), lambda: proof_record(report), output)
    if set(report.verdicts.values()) != {ProofVerdict.PROVED}:
        raise typer.Exit(3)
