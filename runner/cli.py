"""The command line: parse, call one service, render once, exit with a code.

Exit codes: 0 all success · 1 some window failed · 2 usage or configuration · 3 ran, not
verified (incorrect or unchecked) · 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from runner import inputs
from runner.backfill import plan_range, run_plan
from runner.errors import DaybreakError, UsageError
from runner.ledger import Kind
from runner.pipelines import Pipeline, find_config, make_pipeline
from runner.plan import Plan, Reprocess
from runner.recovery import recover
from runner.render import graphs, records, tables
from runner.states import State
from runner.workspace import EngineKind, Workspace

app = typer.Typer(
    name="runner",
    help="Run dbt pipelines window by window: in order, once, and right.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


class DagFormat(StrEnum):
    """How a graph is printed."""

    TEXT = "text"
    MERMAID = "mermaid"


PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", show_default=False)]
ProjectDir = Annotated[
    Path, typer.Option("--project-dir", help="Folder with dbt_project.yml and pipelines.yml.")
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIMESTAMP", help="Look from another time than now."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]
EngineOption = Annotated[EngineKind, typer.Option("--engine", help="How to run dbt.")]
HERE = Path()


@app.command()
def backfill(
    pipeline: PipelineName,
    start_date: Annotated[
        str | None, typer.Option(metavar="DATE", help="First date, inclusive.")
    ] = None,
    end_date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Last date, inclusive.")
    ] = None,
    chunk: Annotated[
        str, typer.Option(metavar="auto|N", help="Windows in one dbt build; auto: all.")
    ] = "auto",
    reprocess: Annotated[
        Reprocess,
        typer.Option(help="missing: never finished; failed: also not right; all: also done."),
    ] = Reprocess.FAILED,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Replay a range of dates: every window once, in as few dbt builds as possible."""
    workspace = Workspace.find(project_dir)
    looking_from = inputs.parsed_timestamp(as_of)
    size = inputs.chunk_size(chunk)
    dates = (
        inputs.parsed_date(start_date, "--start-date"),
        inputs.parsed_date(end_date, "--end-date"),
    )

    def planned(found: Pipeline) -> Plan:
        now = inputs.instant_of(looking_from, found.calendar.zone)
        span = inputs.range_of_dates(found, *dates, now)
        return plan_range(found, workspace.ledger, span, reprocess, size)

    if dry_run:
        _print_plan(planned(workspace.pipeline(pipeline)), output)
    else:
        _execute(workspace, pipeline, engine, planned, Kind.BACKFILL, output)


@app.command()
def run(
    pipeline: PipelineName,
    window: Annotated[
        str | None, typer.Option(metavar="LABEL", help="One window, done or not: 2026-06-19.")
    ] = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run what is due and not done, or one window by its label."""
    workspace = Workspace.find(project_dir)
    looking_from = inputs.parsed_timestamp(as_of)

    def planned(found: Pipeline) -> Plan:
        now = inputs.instant_of(looking_from, found.calendar.zone)
        if window is None and found.schedule is None:
            hint = "name a window with --window, or use runner backfill"
            raise UsageError(f"{pipeline} has no schedule, so nothing of it is ever due: {hint}")
        if window is None:
            span, reprocess = found.due(now), Reprocess.FAILED
        else:
            span, reprocess = found.window(window, now).span, Reprocess.ALL
        return plan_range(found, workspace.ledger, span, reprocess, None)

    _execute(workspace, pipeline, engine, planned, Kind.MANUAL, output)


@app.command("plan")
def show_plan(
    pipeline: PipelineName,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Say which complete windows are missing or not right, and what would run."""
    workspace = Workspace.find(project_dir)
    looking_from = inputs.parsed_timestamp(as_of)
    found = workspace.pipeline(pipeline)
    now = inputs.instant_of(looking_from, found.calendar.zone)
    span = found.complete(now)
    planned = plan_range(found, workspace.ledger, span, Reprocess.FAILED, None)
    _print_plan(planned, output)


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
        found_records.append(records.pipeline_record(found, now, ledger.runs(name, limit=1)))
    _print(tables.pipelines_table(found_records), found_records, output)


@app.command("list-runs")
def list_runs(
    pipeline: PipelineName,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    state: Annotated[State | None, typer.Option(help="Only runs in this state.")] = None,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """List the runs of a pipeline, newest window first."""
    workspace = Workspace.find(project_dir)
    find_config(pipeline, workspace.configs)
    runs = workspace.ledger.runs(pipeline, limit, state)
    _print(tables.runs_table(runs), [records.run_record(run) for run in runs], output)


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
    shown = ledger.run(pipeline, run_id)
    models, findings = ledger.model_runs(shown), ledger.findings(shown)
    _print(
        tables.run_page(shown, models, findings, workspace.zone),
        records.run_page_record(shown, models, findings),
        output,
    )


@app.command()
def dag(
    pipeline: PipelineName,
    output: Annotated[
        DagFormat, typer.Option("--format", help="How to print the graph.")
    ] = DagFormat.TEXT,
    project_dir: ProjectDir = HERE,
) -> None:
    """Print the graph of a pipeline, parents first."""
    workspace = Workspace.find(project_dir)
    config = find_config(pipeline, workspace.configs)
    project = workspace.project()
    found = make_pipeline(pipeline, config, project)
    draw = graphs.dag_mermaid if output is DagFormat.MERMAID else graphs.dag_text
    typer.echo(draw(found, project))


def main() -> NoReturn:
    """Run the command line; the only place that knows exit codes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
    except UsageError as error:
        _fail(str(error), 2)
    except DaybreakError as error:
        _fail(str(error), 1)
    except _Interrupted:
        _fail("interrupted; what was published stays. Run the same command to go on.", 130)
    sys.exit(0)


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not KeyboardInterrupt, which typer would swallow."""


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise _Interrupted


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"runner: {message}", err=True)
    sys.exit(code)


def _execute(
    workspace: Workspace,
    name: str,
    engine: EngineKind,
    planned: Callable[[Pipeline], Plan],
    kind: Kind,
    output: Format,
) -> NoReturn:
    """Plan and run, show it as it goes or as one JSON document, exit by the worst window."""
    # Only here: a fifth of the time of a command that only looks.
    from rich.console import Console

    from runner.render.progress import Progressing

    find_config(name, workspace.configs)  # a wrong name is said before dbt is started
    # In JSON mode the lines for people go where they do not spoil the document.
    console = Console(stderr=output is Format.JSON)
    with workspace.start_engine(engine) as running:
        with console.status("reading the dbt project"):
            pipeline = workspace.pipeline(name, running)
            recover(pipeline, workspace.ledger, running, inputs.now())
            plan = planned(pipeline)
        word = "backfill" if kind is Kind.BACKFILL else "run"
        with Progressing(console, word, pipeline, plan) as progress:
            done = run_plan(plan, pipeline, workspace.ledger, running, kind, inputs.now, progress)
            progress.finished(done)
    if output is Format.JSON:
        typer.echo(records.as_json(records.done_record(pipeline, plan, done)))
    left_alone = {skip.state for skip in plan.skipped}
    raise typer.Exit(_exit_code({*done.states.values(), *left_alone}))


def _exit_code(states: Collection[State | None]) -> int:
    """By the worst window that was asked for, run or left alone; None: another runner has it."""
    if not {State.FAILED, State.CANCELLED, None}.isdisjoint(states):
        return 1
    return 0 if all(state is State.SUCCESS for state in states) else 3


def _print(text: str, record: object, output: Format) -> None:
    typer.echo(records.as_json(record) if output is Format.JSON else text)


def _print_plan(planned: Plan, output: Format) -> None:
    _print(tables.plan_table(planned), records.plan_record(planned), output)
