"""The commands that only look: status, plan, list, list-runs, show-run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer

from runner import OpenProject
from runner.cli import completion, exits, inputs
from runner.cli.app import (
    HERE,
    AsOf,
    ChunkSize,
    EndDate,
    Exclude,
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
from runner.cli.output import echo
from runner.core.errors import DaybreakError, UsageError
from runner.core.planning import Reprocess
from runner.core.states import RunState
from runner.overview.target import TargetInUse
from runner.planner import proofs_of
from runner.render.excerpt import Page, Room, pages
from runner.render.listings import PIPELINES, pipelines_page
from runner.render.plan import plan_page, plan_record
from runner.render.runs import RUNS, run_page, run_record
from runner.render.status import status_page, status_record
from runner.render.target import TARGET, target_line
from runner.render.terminal import Terminal
from runner.warehouse.markers import require_warehouse
from runner.workspace import Workspace

T = TypeVar("T")
ShowAll = Annotated[
    bool, typer.Option("--all", help="However long it is; else what needs attention.")
]


@app.command("plan")
def show_plan(
    pipeline: SomePipeline = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    chunk: ChunkSize = "auto",
    reprocess: ReprocessOption = Reprocess.FAILED,
    select: Select = None,
    exclude: Exclude = None,
    newest_first: NewestFirst = False,
    force: Force = False,
    show_all: ShowAll = False,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Say what is missing, failed, incorrect, stale or in flight, and what would run."""
    dates, timestamp = inputs.dates(start_date, end_date), inputs.parsed_timestamp(as_of)
    size = inputs.chunk_size(chunk)
    opened = OpenProject(project_dir)
    workspace, found = opened.workspace, {}
    for name in workspace.named(pipeline):
        planner, now = opened.planner(name, timestamp)
        request = planner.request_backfill(
            dates,
            now,
            reprocess,
            select=opened.chosen(name, select or (), exclude or ()),
            chunk=size,
            newest_first=newest_first,
            force=force,
        )
        proofs = proofs_of(planner.pipeline, workspace.ledger)
        found[name] = planner.pipeline, planner.plan(request, now), proofs
    require_warehouse(workspace.project(), workspace.ledger)
    target = opened.target()
    show(
        lambda: _below(
            target, [plan_page(*planned, is_all=show_all) for planned in found.values()], show_all
        ),
        lambda: _per_pipeline(pipeline, found, lambda planned: plan_record(*planned), target),
        output,
    )


@app.command()
def status(
    pipeline: SomePipeline = None,
    windows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show at most this many, the newest.")
    ] = None,
    show_all: ShowAll = False,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Draw what every model's windows are, a character each, and say what to do next."""
    timestamp = inputs.parsed_timestamp(as_of)
    opened = OpenProject(project_dir)
    workspace = opened.workspace
    found, errors = _each(workspace, pipeline, lambda name: opened.status(name, timestamp))
    require_warehouse(workspace.project(), workspace.ledger)
    terminal, target = Terminal.behind(sys.stdout, os.environ), opened.target()

    def text() -> str:
        drawn = [status_page(one, terminal, windows, is_all=show_all) for one in found.values()]
        return _below(target, drawn, show_all)

    show(text, lambda: _per_pipeline(pipeline, found, status_record, target), output)
    _tell(errors)


@app.command("list")
def list_pipelines(
    show_all: ShowAll = False,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """List the pipelines with schedule, next due window and last verdict."""
    opened = OpenProject(project_dir)
    timestamp = inputs.parsed_timestamp(as_of)
    found, errors = _each(opened.workspace, None, lambda name: opened.summary(name, timestamp))
    listed = list(found.values())
    show(
        lambda: _below(opened.target(), [pipelines_page(listed, is_all=show_all)], show_all),
        lambda: PIPELINES.records(listed),
        output,
    )
    _tell(errors)


@app.command("list-runs")
def list_runs(
    pipeline: PipelineName,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    state: Annotated[RunState | None, typer.Option(help="Only runs in this state.")] = None,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """List the runs of a pipeline, newest window first."""
    runs = OpenProject(project_dir).runs(pipeline, limit, state)
    show(lambda: RUNS.text(runs), lambda: RUNS.records(runs), output)


@app.command("show-run")
def show_run(
    pipeline: PipelineName,
    run_id: Annotated[
        str, typer.Argument(metavar="RUN_ID", show_default=False, autocompletion=completion.runs)
    ],
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """Show one run: its models, and the evidence of the checks that did not pass."""
    opened = OpenProject(project_dir)
    shown = opened.show_run(pipeline, run_id)
    zone = opened.workspace.zone
    show(lambda: run_page(shown, zone), lambda: run_record(shown), output)


def _each(
    workspace: Workspace, asked: str | None, read: Callable[[str], T]
) -> tuple[dict[str, T], dict[str, DaybreakError]]:
    """Read a pipeline, or all: then what is wrong with one keeps no other from being shown."""
    if asked is not None:
        return {asked: read(asked)}, {}
    workspace.project()  # what is wrong with that is wrong with all
    found: dict[str, T] = {}
    errors: dict[str, DaybreakError] = {}
    for name in workspace.names:
        try:
            found[name] = read(name)
        except UsageError as error:
            errors[name] = error
    return found, errors


def _tell(errors: Mapping[str, DaybreakError]) -> None:
    """Name the pipelines that could not be shown, and exit with the code for it."""
    for name, error in errors.items():
        echo(f"runner: {name}: {error}", err=True)
    if errors:
        raise typer.Exit(exits.worst([exits.of_error(error) for error in errors.values()]))


def _below(target: TargetInUse, found: Sequence[Page], show_all: bool) -> str:
    """Put pages under the line that says which warehouse they are about, and cut what is long."""
    above = target_line(target)
    room = Room.of(Terminal.behind(sys.stdout, os.environ)).below(above)
    return f"{above}\n\n{pages(found, None if show_all else room)}"


def _per_pipeline(
    asked: str | None,
    found: Mapping[str, T],
    record: Callable[[T], dict[str, Any]],
    target: TargetInUse,
) -> object:
    """Return one record for the pipeline that was asked for; by name if it was all of them."""
    about = {"target": TARGET.record(target)}
    if asked is not None:
        return record(found[asked]) | about
    return {name: record(value) | about for name, value in found.items()}
