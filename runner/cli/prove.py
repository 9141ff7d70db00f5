"""The command that replays windows in a scratch copy: prove."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import inputs
from runner.cli.app import (
    HERE,
    AsOf,
    EngineOption,
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
from runner.project.files import profiles_file
from runner.project.pipelines import find_config, make_pipeline
from runner.render.proofs import proof_page, proof_record
from runner.workspace import EngineKind, Workspace


@app.command("prove")
def prove_pipeline(
    pipeline: PipelineName,
    select: Select = None,
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

    from runner.proving.prove import WAITING, ProofRequest, prove

    workspace = Workspace.find(project_dir)
    config = find_config(pipeline, workspace.configs)
    looking_from = inputs.parsed_timestamp(as_of)
    console = Console(stderr=True)

    def told(what: str) -> None:
        status.update(what)
        if not console.is_terminal and what.startswith(WAITING):
            console.print(what)

    with console.status("reading the dbt project") as status:
        project = workspace.project()
        found = make_pipeline(pipeline, config, project)
        now = inputs.instant_of(looking_from, found.calendar.zone)
        request = ProofRequest(
            pipeline=found,
            project=project,
            select=inputs.models_to_prove(found, select or ()),
            window_count=windows,
            seed=seed,
            now=now,
            home=workspace.home,
            profiles=profiles_file(workspace.project_dir),
            start_engine=lambda environment: workspace.start_engine(engine, environment),
            environment=inputs.environment(),
            notify=told,
        )
        try:
            report = prove(request)
        except (Interrupted, RuntimeError) as error:
            # DuckDB wraps what a signal raises while it works.
            interrupted = error if isinstance(error, Interrupted) else error.__cause__
            if not isinstance(interrupted, Interrupted):
                raise
            interrupted.what_is_left = "nothing was changed: the same command starts anew"
            raise interrupted from error.__cause__
    workspace.ledger.proofs.save(report.decided(inputs.now()))
    show(lambda: proof_page(report), lambda: proof_record(report), output)
    if set(report.verdicts.values()) != {ProofVerdict.PROVED}:
        raise typer.Exit(3)
