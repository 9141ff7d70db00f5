"""The commands that run something: backfill, run, retry, judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, NoReturn

import typer

from runner import OpenProject
from runner.cli import completion, exits, inputs
from runner.cli.app import (
    HERE,
    AllowUnsafe,
    AsOf,
    ChunkSize,
    EndDate,
    EngineOption,
    Exclude,
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
from runner.cli.output import echo
from runner.core.planning import Reprocess, RunRequest
from runner.core.states import RunKind
from runner.planner import RequestOptions
from runner.render.columns import as_json
from runner.render.plan import plan_record, plan_text
from runner.render.runs import done_record
from runner.run import Session, allowances
from runner.workspace import EngineKind


@app.command()
def backfill(
    pipeline: PipelineName,
    start_date: StartDate = None,
    end_date: EndDate = None,
    chunk: ChunkSize = "auto",
    reprocess: ReprocessOption = Reprocess.FAILED,
    select: Select = None,
    exclude: Exclude = None,
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
    options: RequestOptions = {
        "chunk": size,
        "newest_first": newest_first,
        "force": force,
        "allow_unsafe": inputs.names(allow_unsafe),
    }
    project = OpenProject(project_dir)
    if not dry_run:
        with _session(project, pipeline, engine, timestamp, output) as session:
            options["select"] = session.chosen(select or (), exclude or ())
            request = session.planner.request_backfill(dates, session.now, reprocess, **options)
            _run(session, request, output)
    options["select"] = project.chosen(pipeline, select or (), exclude or ())
    planner, now = project.planner(pipeline, timestamp)
    plan = planner.plan(planner.request_backfill(dates, now, reprocess, **options), now)
    allowances(project.workspace, planner, plan)
    found = planner.pipeline
    show(lambda: plan_text(found, plan), lambda: plan_record(found, plan), output)


@app.command()
def run(
    pipeline: PipelineName,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="One window, done or not: 2026-06-19.",
            autocompletion=completion.windows,
        ),
    ] = None,
    allow_unsafe: AllowUnsafe = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run what is due and not done, or one window by its label."""
    timestamp = inputs.parsed_timestamp(as_of)
    with _session(OpenProject(project_dir), pipeline, engine, timestamp, output) as session:
        allowed = inputs.names(allow_unsafe)
        _run(session, session.planner.request_run(window, session.now, allowed), output)


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
    with _session(OpenProject(project_dir), pipeline, engine, timestamp, output) as session:
        allowed = inputs.names(allow_unsafe)
        _run(session, session.planner.request_retry(dates, session.now, allowed), output)


@app.command()
def judge(
    pipeline: PipelineName,
    start_date: StartDate = None,
    end_date: EndDate = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what today's checks have judged already.")
    ] = False,
    chunk: ChunkSize = "auto",
    select: Select = None,
    exclude: Exclude = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run the checks of what is published and not judged by them as they are; builds nothing."""
    dates, timestamp = inputs.dates(start_date, end_date), inputs.parsed_timestamp(as_of)
    size = inputs.chunk_size(chunk)
    with _session(OpenProject(project_dir), pipeline, engine, timestamp, output) as session:
        models = session.chosen(select or (), exclude or ())
        request = session.planner.request_judge(
            dates, session.now, everything=everything, select=models, chunk=size
        )
        _run(session, request, output)


@contextmanager
def _session(
    project: OpenProject,
    pipeline: str,
    engine: EngineKind,
    timestamp: datetime | None,
    output: Format,
) -> Iterator[Session]:
    """Start an engine for a pipeline, and show a person that dbt reads the project."""
    # Only here: a fifth of the time of a command that only looks.
    from rich.console import Console

    reading = Console(stderr=output is Format.JSON).status("reading the dbt project")
    with project.session(pipeline, engine, timestamp, reading) as session:
        yield session


def _run(session: Session, request: RunRequest, output: Format) -> NoReturn:
    """Run a request and show it as it goes; exit by the worst window."""
    from rich.console import Console

    from runner.render.progress import ProgressDisplay

    pipeline = session.planner.pipeline
    word = "backfill" if request.kind is RunKind.BACKFILL else "run"
    word = "judge" if request.judges_only else word
    # In JSON mode the lines for people go where they do not spoil the document.
    with ProgressDisplay(Console(stderr=output is Format.JSON), word, pipeline) as progress:
        result = session.run(request, progress)
    if output is Format.JSON:
        echo(as_json(done_record(pipeline, result)))
    raise typer.Exit(exits.of_windows(result))
