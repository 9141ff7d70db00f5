"""The commands that only look: plan, status, list, list-runs, show-run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from runner.cli import inputs
from runner.cli.app import (
    HERE,
    AsOf,
    ChunkSize,
    EndDate,
    Force,
    Format,
    NewestFirst,
    OutputFormat,
    PipelineName,
    ProjectDir,
    ReprocessOption,
    Select,
    SomePipeline,
    StartDate,
    app,
    show,
)
from runner.core.planning import TAKEN, Plan, Reprocess
from runner.core.proofs import Proof
from runner.core.states import RunState
from runner.planner import proofs_of
from runner.project.pipelines import Pipeline, find_config, make_pipeline
from runner.render import records, tables
from runner.render.ink import Terminal
from runner.render.picture import Picture
from runner.render.proofs import standings_record
from runner.render.status import status_page
from runner.warehouse.markers import require_warehouse
from runner.workspace import Workspace


@app.command("plan")
def show_plan(
    pipeline: SomePipeline = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    chunk: ChunkSize = "auto",
    reprocess: ReprocessOption = Reprocess.FAILED,
    select: Select = None,
    newest_first: NewestFirst = False,
    force: Force = False,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Say what is missing, failed, incorrect, stale or in flight, and what would run."""
    dates, timestamp = inputs.dates(start_date, end_date), inputs.parsed_timestamp(as_of)
    size = inputs.chunk_size(chunk)
    workspace = Workspace.find(project_dir)
    found = {}
    for name in workspace.named(pipeline):
        planner = workspace.planner(name)
        now = inputs.instant_of(timestamp, planner.pipeline.calendar.zone)
        request = planner.request(
            planner.dates(*dates, now),
            TAKEN[reprocess],
            select=inputs.names(select),
            chunk=size,
            force=force,
            newest_first=newest_first,
        )
        proofs = proofs_of(planner.pipeline, workspace.ledger)
        found[name] = planner.pipeline, planner.plan(request, now), proofs
    require_warehouse(workspace.project(), workspace.ledger)
    show(
        lambda: "\n\n".join(tables.plan_page(*planned) for planned in found.values()),
        lambda: records.per_pipeline(pipeline, found, lambda planned: _plan_record(*planned)),
        output,
    )


@app.command()
def status(
    pipeline: SomePipeline = None,
    windows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show at most this many, the newest.")
    ] = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Draw what every model's windows are, a character each, and say what to do next."""
    timestamp = inputs.parsed_timestamp(as_of)
    workspace = Workspace.find(project_dir)
    pictures = {}
    for name in workspace.named(pipeline):
        planner = workspace.planner(name)
        now = inputs.instant_of(timestamp, planner.pipeline.calendar.zone)
        plan = planner.plan(planner.request(planner.pipeline.complete(now)), now)
        pictures[name] = Picture(name, plan, workspace.ledger.controls.get_pause(name))
    require_warehouse(workspace.project(), workspace.ledger)
    terminal = Terminal.behind(sys.stdout, os.environ)
    show(
        lambda: "\n\n".join(status_page(found, terminal, windows) for found in pictures.values()),
        lambda: records.per_pipeline(pipeline, pictures, records.status_record),
        output,
    )


@app.command("list")
def list_pipelines(
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """List the pipelines with schedule, next due window and last verdict."""
    workspace = Workspace.find(project_dir)
    looking_from = inputs.parsed_timestamp(as_of)
    ledger = workspace.ledger
    found_records = []
    project = workspace.project()
    for name, config in workspace.configs.items():
        found = make_pipeline(name, config, project)
        now = inputs.instant_of(looking_from, found.calendar.zone)
        newest, pause = ledger.runs.find(name, limit=1), ledger.controls.get_pause(name)
        proofs = proofs_of(found, ledger)
        found_records.append(records.pipeline_record(found, now, newest, pause, proofs))
    show(lambda: tables.pipelines_table(found_records), lambda: found_records, output)


@app.command("list-runs")
def list_runs(
    pipeline: PipelineName,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    state: Annotated[RunState | None, typer.Option(help="Only runs in this state.")] = None,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """List the runs of a pipeline, newest window first."""
    workspace = Workspace.find(project_dir)
    find_config(pipeline, workspace.configs)
    runs = workspace.ledger.runs.find(pipeline, limit, state)
    show(lambda: tables.runs_table(runs), lambda: [records.run_record(run) for run in runs], output)


@app.command("show-run")
def show_run(
    pipeline: PipelineName,
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", show_default=False)],
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """Show one run: its models, and the evidence of the checks that did not pass."""
    workspace = Workspace.find(project_dir)
    find_config(pipeline, workspace.configs)
    ledger = workspace.ledger
    shown = ledger.runs.get(pipeline, run_id)
    models, findings = ledger.results.get_models(shown), ledger.results.get_findings(shown)
    allowed = ledger.runs.get_allowances(shown)
    show(
        lambda: tables.run_page(shown, models, findings, allowed, workspace.zone),
        lambda: records.run_page_record(shown, models, findings, allowed),
        output,
    )


def _plan_record(
    pipeline: Pipeline, plan: Plan, proofs: Mapping[str, Proof | None]
) -> dict[str, object]:
    """A plan for JSON, with what is proved of its models."""
    return {**records.plan_record(pipeline, plan), "proofs": standings_record(proofs)}
