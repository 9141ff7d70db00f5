"""The commands that run something: backfill, run, retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

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
from runner.core.errors import UsageError
from runner.core.planning import RETRIED, TAKEN, Reprocess, RunRequest
from runner.core.states import RunKind
from runner.dbt.protocol import Engine
from runner.planner import Planner
from runner.project.pipelines import find_config
from runner.render.columns import as_json
from runner.render.plan import plan_record, plan_text
from runner.render.runs import done_record
from runner.run import allowances, require_running, run_pipeline
from runner.workspace import EngineKind, Workspace

if TYPE_CHECKING:
    from rich.console import Console


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
    dates, timestamp = inputs.dates(start_date, end_date), inputs.parsed_timestamp(as_of)
    size = inputs.chunk_size(chunk)
    workspace = Workspace.find(project_dir)
    with _opened(workspace, pipeline, None if dry_run else engine, timestamp, output) as session:
        planner = session.planner
        request = planner.request(
            planner.dates(*dates, session.now),
            TAKEN[reprocess],
            kind=RunKind.BACKFILL,
            select=inputs.names(select),
            chunk=size,
            force=force,
            newest_first=newest_first,
            allow_unsafe=inputs.names(allow_unsafe),
        )
        _carry_out(session, request)


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
    timestamp = inputs.parsed_timestamp(as_of)
    with _opened(Workspace.find(project_dir), pipeline, engine, timestamp, output) as session:
        planner, found = session.planner, session.planner.pipeline
        if window is None and found.schedule is None:
            hint = "name a window with --window, or use runner backfill"
            raise UsageError(f"{pipeline} has no schedule, so nothing of it is ever due: {hint}")
        request = planner.request(
            found.due(session.now) if window is None else found.window(window, session.now).span,
            TAKEN[Reprocess.FAILED if window is None else Reprocess.ALL],
            kind=RunKind.MANUAL,
            allow_unsafe=inputs.names(allow_unsafe),
        )
        _carry_out(session, request)


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
    dates, timestamp = inputs.dates(start_date, end_date), inputs.parsed_timestamp(as_of)
    with _opened(Workspace.find(project_dir), pipeline, engine, timestamp, output) as session:
        request = session.planner.request(
            session.planner.dates(*dates, session.now),
            RETRIED,
            kind=RunKind.MANUAL,
            allow_unsafe=inputs.names(allow_unsafe),
        )
        _carry_out(session, request)


@dataclass(frozen=True)
class _Session:
    """A pipeline that a command is about, and what runs it."""

    workspace: Workspace
    planner: Planner
    now: datetime  # the time to look from, UTC
    output: Format
    running: tuple[Engine, Console] | None  # None: the plan is only shown


@contextmanager
def _opened(
    workspace: Workspace,
    name: str,
    engine: EngineKind | None,
    timestamp: datetime | None,
    output: Format,
) -> Iterator[_Session]:
    """Open a pipeline and start an engine, if one is named, until the block is left."""
    if engine is None:
        planner = workspace.planner(name)
        now = inputs.instant_of(timestamp, planner.pipeline.calendar.zone)
        yield _Session(workspace, planner, now, output, None)
        return
    # Only here: a fifth of the time of a command that only looks.
    from rich.console import Console

    find_config(name, workspace.configs)  # a wrong name is said before dbt is started
    require_running(workspace, name)
    # In JSON mode the lines for people go where they do not spoil the document.
    console = Console(stderr=output is Format.JSON)
    with workspace.start_engine(engine) as started:
        with console.status("reading the dbt project"):
            planner = workspace.planner(name, started)
        now = inputs.instant_of(timestamp, planner.pipeline.calendar.zone)
        yield _Session(workspace, planner, now, output, (started, console))


def _carry_out(session: _Session, request: RunRequest) -> None:
    """Run a request and show it as it goes, or only show its plan; exit by the worst window."""
    workspace, planner, now = session.workspace, session.planner, session.now
    pipeline = planner.pipeline
    if session.running is None:
        plan = planner.plan(request, now)
        allowances(workspace, planner, plan)
        show(
            lambda: plan_text(pipeline, plan),
            lambda: plan_record(pipeline, plan),
            session.output,
        )
        return
    from runner.render.progress import ProgressDisplay

    engine, console = session.running
    word = "backfill" if request.kind is RunKind.BACKFILL else "run"
    with ProgressDisplay(console, word, pipeline) as progress:
        plan, result = run_pipeline(
            workspace, engine, planner, request, now, inputs.environment(), progress
        )
    if session.output is Format.JSON:
        typer.echo(as_json(done_record(pipeline, plan, result)))
    raise typer.Exit(exits.of_windows(plan, result))
