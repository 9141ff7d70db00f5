"""The commands that run something: backfill, run, retry."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, NoReturn

import typer

from runner.cli import exits, inputs
from runner.cli.app import (
    HERE,
    AllowUnsafe,
    AsOf,
    ChunkSize,
    EndDate,
    EngineOption,
    Force,
    Format,
    NewestFirst,
    OutputFormat,
    PipelineName,
    ProjectDir,
    ReprocessOption,
    Select,
    StartDate,
    app,
    show,
)
from runner.cli.wishes import Wish, wish_for_dates
from runner.core.errors import UsageError
from runner.core.requests import RETRIED, TAKEN, Reprocess
from runner.core.spans import Span
from runner.ledger import Kind
from runner.project.pipelines import Pipeline, find_config
from runner.render import records, tables
from runner.run import Order, allowances, require_running, run_pipeline
from runner.workspace import EngineKind, Workspace


@app.command()
def backfill(
    pipeline: PipelineName,
    start_date: StartDate = None,
    end_date: EndDate = None,
    chunk: ChunkSize = "auto",
    reprocess: ReprocessOption = Reprocess.FAILED,
    select: Select = None,
    newest_first: NewestFirst = False,
    force: Force = False,
    allow_unsafe: AllowUnsafe = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Replay a range of dates; without dates, whatever is missing or not right."""
    wish = replace(
        wish_for_dates(start_date, end_date, TAKEN[reprocess], as_of),
        select=tuple(select or ()),
        force=force,
        newest_first=newest_first,
        chunk=inputs.chunk_size(chunk),
        allow_unsafe=tuple(allow_unsafe or ()),
    )
    workspace = Workspace.find(project_dir)
    if dry_run:
        planner = workspace.planner(pipeline)
        plan, found = wish.planned(planner), planner.pipeline
        allowances(workspace, planner, plan, wish.allow_unsafe)
        show(
            lambda: tables.plan_table(found, plan), lambda: records.plan_record(found, plan), output
        )
    else:
        _execute(workspace, pipeline, engine, wish, Kind.BACKFILL, output)


@app.command()
def run(
    pipeline: PipelineName,
    window: Annotated[
        str | None, typer.Option(metavar="LABEL", help="One window, done or not: 2026-06-19.")
    ] = None,
    allow_unsafe: AllowUnsafe = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run what is due and not done, or one window by its label."""

    def span_of(found: Pipeline, now: datetime) -> Span | None:
        if window is not None:
            return found.window(window, now).span
        if found.schedule is None:
            hint = "name a window with --window, or use runner backfill"
            raise UsageError(f"{pipeline} has no schedule, so nothing of it is ever due: {hint}")
        return found.due(now)

    wish = Wish(
        span_of=span_of,
        takes=TAKEN[Reprocess.FAILED if window is None else Reprocess.ALL],
        as_of=inputs.parsed_timestamp(as_of),
        allow_unsafe=tuple(allow_unsafe or ()),
    )
    _execute(Workspace.find(project_dir), pipeline, engine, wish, Kind.MANUAL, output)


@app.command()
def retry(
    pipeline: PipelineName,
    start_date: StartDate = None,
    end_date: EndDate = None,
    allow_unsafe: AllowUnsafe = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Try again what failed or is incorrect, and only that; also what nothing has changed of."""
    wish = wish_for_dates(start_date, end_date, RETRIED, as_of)
    wish = replace(wish, allow_unsafe=tuple(allow_unsafe or ()))
    _execute(Workspace.find(project_dir), pipeline, engine, wish, Kind.MANUAL, output)


def _execute(
    workspace: Workspace,
    name: str,
    engine: EngineKind,
    wish: Wish,
    kind: Kind,
    output: Format,
) -> NoReturn:
    """Plan and run, show it as it goes or as one JSON document, exit by the worst window."""
    # Only here: a fifth of the time of a command that only looks.
    from rich.console import Console

    from runner.render.progress import ProgressDisplay

    find_config(name, workspace.configs)  # a wrong name is said before dbt is started
    require_running(workspace, name)
    order = Order(kind, wish.planned, wish.allow_unsafe)
    # In JSON mode the lines for people go where they do not spoil the document.
    console = Console(stderr=output is Format.JSON)
    with workspace.start_engine(engine) as running:
        with console.status("reading the dbt project"):
            planner = workspace.planner(name, running)
        pipeline = planner.pipeline
        word = "backfill" if kind is Kind.BACKFILL else "run"
        with ProgressDisplay(console, word, pipeline) as progress:
            plan, done = run_pipeline(
                workspace, running, planner, order, inputs.the_world(), progress
            )
    if output is Format.JSON:
        typer.echo(records.as_json(records.done_record(pipeline, plan, done)))
    raise typer.Exit(exits.of_windows(plan, done))
