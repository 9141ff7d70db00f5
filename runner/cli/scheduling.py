"""The commands that run what is due: tick, serve."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from runner.cli import exits, inputs
from runner.cli.app import HERE, AsOf, EngineOption, Format, OutputFormat, ProjectDir, app
from runner.cli.stopping import StopSignal
from runner.core.environment import Environment
from runner.ledger import Ledger
from runner.project.pipelines import Pipeline
from runner.render import records
from runner.render.passes import PlainLog, turn_record
from runner.scheduling.blockers import obstacles_in
from runner.scheduling.heartbeat import pulse
from runner.scheduling.notify import notify_all, pinger_of, pings_nobody
from runner.scheduling.passes import PipelinePass, Scheduler
from runner.scheduling.watch import look_around
from runner.workspace import EngineKind, Workspace

if TYPE_CHECKING:
    from runner.execution.context import Observer

TICK = "tick"
_PATIENCE = timedelta(minutes=2)  # for a channel that is down: the next tick may be tomorrow's


class LogFormat(StrEnum):
    """How events are written."""

    PLAIN = "plain"
    JSON = "json"


@app.command()
def tick(
    every: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How often ticks come, such as 5m: then it is noticed when they no longer do.",
        ),
    ] = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run what is due and not done of every pipeline, once; safe from cron, and twice at once."""
    workspace, world = Workspace.find(project_dir), inputs.environment()
    interval = None if every is None else inputs.duration(every, "--every")
    timestamp = inputs.parsed_timestamp(as_of)
    now = None if timestamp is None else inputs.instant_of(timestamp, workspace.zone)
    log = _plain_log(world, workspace.zone, is_stamped=False, to_stderr=output is Format.JSON)
    turns: list[PipelinePass] = []
    with (
        _alive(workspace.ledger, interval if now is None else None, world),
        workspace.engine_on_demand(engine) as running,
    ):
        obstacle_of = obstacles_in(workspace, running, world.now)
        scheduler = Scheduler(
            workspace,
            running,
            obstacle_of,
            world,
            world.now,
            log.observing,
            pinger_of if now is None else pings_nobody,
        )
        for turn in scheduler.turns(now):
            turns.append(turn)
            log.turned(turn)
        if now is None:  # nobody is woken for another time
            look = look_around(
                workspace, obstacle_of, world.now(), as_scheduler=interval is not None
            )
            for line in notify_all(workspace, look, world, _PATIENCE):
                log.told(line)
    if output is Format.JSON:
        typer.echo(records.as_json([turn_record(turn) for turn in turns]))
    raise typer.Exit(exits.worst([_code(turn) for turn in turns]))


@app.command()
def serve(
    poll: Annotated[
        str, typer.Option(metavar="DURATION", help="Between two looks for files and edits.")
    ] = "30s",
    log: Annotated[LogFormat, typer.Option("--log", help="How to write events.")] = LogFormat.PLAIN,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run what is due when it is due, until told to stop; edits are taken up as they come."""
    from runner.render.json_log import JsonLog
    from runner.scheduling.serving import SchedulerLoop

    world = inputs.environment()
    reporter = (
        JsonLog(partial(typer.echo), world.now)
        if log is LogFormat.JSON
        else _plain_log(world, Workspace.find(project_dir).zone, is_stamped=True)
    )
    stop = StopSignal(reporter.stopping)
    stop.listen()
    world = replace(world, sleep=stop.wait, is_stopping=stop.is_asked)
    server = SchedulerLoop(
        find=partial(Workspace.find, project_dir),
        kind=engine,
        obstacles_in=obstacles_in,
        world=world,
        reporter=reporter,
        poll=inputs.duration(poll, "--poll"),
        pinger=pinger_of,
        tell=notify_all,
    )
    server.serve()


def _plain_log(
    world: Environment, zone: ZoneInfo, *, is_stamped: bool, to_stderr: bool = False
) -> PlainLog:
    """Lines for people."""

    def show(pipeline: Pipeline, stamp: Callable[[], str]) -> AbstractContextManager[Observer]:
        # Only when something runs: a tenth of the time of a tick with nothing to do.
        from rich.console import Console

        from runner.render.progress import ProgressDisplay

        return ProgressDisplay(Console(stderr=to_stderr), pipeline.name, pipeline, stamp)

    write = partial(typer.echo, err=to_stderr)
    return PlainLog(write, show, world.now, zone, stamped=is_stamped)


def _alive(
    ledger: Ledger, interval: timedelta | None, world: Environment
) -> AbstractContextManager[None]:
    """Give signs of life all the while; a tick by hand is no scheduler, and gives none."""
    if interval is None:
        return nullcontext()
    return pulse(lambda: ledger.scheduler.record_heartbeat(TICK, interval, world.now()), interval)


def _code(turn: PipelinePass) -> int:
    if turn.error is not None:
        return exits.of_error(turn.error)
    return exits.of_runs(turn.done) if turn.done is not None else 0
