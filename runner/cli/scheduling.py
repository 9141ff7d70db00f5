"""The commands that run what is due: tick, serve."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property, partial
from typing import Annotated

import typer

from runner.cli import exits, inputs
from runner.cli.app import (
    HERE,
    AsOf,
    EngineOption,
    Format,
    OutputFormat,
    ProjectDir,
    app,
)
from runner.core import interrupts
from runner.core.errors import LedgerError
from runner.dbt.protocol import Engine
from runner.render import records
from runner.scheduling.passes import Scheduler, Turn
from runner.scheduling.telling import tell_everyone
from runner.scheduling.waiting import obstacles_in
from runner.workspace import EngineKind, Workspace

TICK = "tick"


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
            help="How often cron makes a tick, such as 5m: a dead scheduler is then noticed.",
        ),
    ] = None,
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    engine: EngineOption = EngineKind.WARM,
    project_dir: ProjectDir = HERE,
) -> None:
    """Run what is due and not done of every pipeline, once; safe from cron, and twice at once."""
    from rich.console import Console

    from runner.render.passes import PlainLog, turn_record

    workspace = Workspace.find(project_dir)
    interval = inputs.parsed_duration(every, "--every")
    timestamp = inputs.parsed_timestamp(as_of)
    now = None if timestamp is None else inputs.instant_of(timestamp, workspace.zone)
    world = inputs.the_world()
    console = Console(stderr=output is Format.JSON)
    log = PlainLog(console, world.now, workspace.zone, stamped=False)
    workspace.ledger.beat(TICK, interval, world.now())
    turns: list[Turn] = []
    with Starting(workspace, engine) as starting:
        obstacle_of = obstacles_in(workspace, starting.engine)
        scheduler = Scheduler(workspace, starting.engine, obstacle_of, world, log.observing)
        for turn in scheduler.turns(now):
            turns.append(turn)
            log.turned(turn)
    for line in tell_everyone(workspace, obstacle_of, world, now or world.now()):
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
    from rich.console import Console

    from runner.render.json_log import JsonLog
    from runner.render.passes import PlainLog
    from runner.scheduling.serving import Server

    world = inputs.the_world()
    zone = Workspace.find(project_dir).zone
    reporter = (
        JsonLog(partial(print, flush=True), world.now)
        if log is LogFormat.JSON
        else PlainLog(Console(), world.now, zone, stamped=True)
    )
    stop = Stop(reporter.stopping)
    stop.listen()
    world = replace(world, sleep=stop.wait, is_stopping=stop.is_asked)

    def after_pass(workspace: Workspace) -> None:
        obstacle_of = obstacles_in(workspace, None)
        for line in tell_everyone(workspace, obstacle_of, world, world.now()):
            reporter.told(line)

    Server(
        find=partial(Workspace.find, project_dir),
        kind=engine,
        obstacles_in=obstacles_in,
        world=world,
        reporter=reporter,
        poll=inputs.parsed_duration(poll, "--poll") or timedelta(seconds=30),
        after_pass=after_pass,
    ).serve()
