"""The commands that run what is due and find what did not happen: tick, serve, watch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo

import typer

from runner import OpenProject
from runner.cli import exits, inputs
from runner.cli.app import HERE, AsOf, EngineOption, Format, OutputFormat, ProjectDir, app, show
from runner.cli.output import echo
from runner.core import interrupts
from runner.core.errors import DaybreakError
from runner.render.columns import as_json
from runner.render.serve import JsonLog, PlainLog, pass_record
from runner.render.watch import watch_page, watch_record, what_is_wrong
from runner.scheduling.deadlines import WatchReport
from runner.scheduling.notify import notify_all
from runner.scheduling.serving import PATIENCE
from runner.workspace import EngineKind, real_environment


class LogFormat(StrEnum):
    """The form in which events are written."""

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
    project, interval = OpenProject(project_dir), None
    if every is not None:
        interval = inputs.duration(every, "--every")
    timestamp = inputs.parsed_timestamp(as_of)
    is_json = output is Format.JSON
    log = _plain_log(project, stamped=False, to_stderr=is_json)
    found = project.tick(as_of=timestamp, engine=engine, reporter=log, every=interval)
    if is_json:
        echo(as_json([pass_record(one) for one in found]))
    raise typer.Exit(exits.worst([exits.of_pass(one) for one in found]))


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
    from runner.scheduling.serving import SchedulerLoop

    environment = real_environment()
    reporter = (
        JsonLog(partial(echo), environment.now)
        if log is LogFormat.JSON
        else _plain_log(OpenProject(project_dir), stamped=True)
    )
    stop = _StopSignal(reporter.stopping)
    environment = replace(environment, sleep=stop.wait, is_stopping=stop.is_asked)
    interval = inputs.duration(poll, "--poll")
    if SchedulerLoop(project_dir, engine, environment, reporter, interval).serve():
        raise typer.Exit(exits.USAGE)


@app.command()
def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once and exit; for cron.")] = False,
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="Between two looks, without --once.")
    ] = "1m",
    output: OutputFormat = Format.TABLE,
    as_of: AsOf = None,
    project_dir: ProjectDir = HERE,
) -> None:
    """Find windows past their deadline that are no success, and tell; exits with 4 if any is."""
    interval = inputs.duration(every, "--every")
    timestamp = inputs.parsed_timestamp(as_of)
    if not once and timestamp is None:
        _watch_on(project_dir, interval.total_seconds(), output)
    project = OpenProject(project_dir)
    report = project.watch(timestamp)
    # Who looks from another time asks what was; nobody is woken for that.
    lines = []
    if timestamp is None:
        lines = notify_all(project.workspace, report, project.environment, PATIENCE)
    _show(report, lines, project.workspace.zone, output)
    raise typer.Exit(exits.of_watch(report))


def _watch_on(project_dir: Path, seconds: float, output: Format) -> NoReturn:
    """Look again and again, and print what is new, until told to stop."""
    stop = _StopSignal(lambda: None)
    shown: object = None
    while not stop.is_asked():
        try:
            project = OpenProject(project_dir)
            report, workspace = project.watch(), project.workspace
            lines = notify_all(workspace, report, project.environment)
            if lines or what_is_wrong(report) != shown:
                _show(report, lines, workspace.zone, output)
            shown = what_is_wrong(report)
            workspace.ledger.close()
        except DaybreakError as error:  # an edit that is not finished, a ledger that is busy
            if str(error) != shown:
                echo(f"runner: {error}", err=True)
            shown = str(error)
        stop.wait(seconds)
    raise typer.Exit


def _show(report: WatchReport, lines: list[str], zone: ZoneInfo, output: Format) -> None:
    show(lambda: watch_page(report, lines, zone), lambda: watch_record(report, lines), output)


def _plain_log(project: OpenProject, *, stamped: bool, to_stderr: bool = False) -> PlainLog:
    write, now = partial(echo, err=to_stderr), project.environment.now
    return PlainLog(write, now, project.workspace.zone, stamped=stamped, to_stderr=to_stderr)


class _StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop, and the second into an interrupt."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self._event = threading.Event()
        self.is_asked = self._event.is_set
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def wait(self, seconds: float) -> None:
        """Sleep, and wake up at once when somebody wants to stop."""
        self._event.wait(seconds)

    def _hear(self, number: int, frame: object) -> None:
        if self._event.is_set():
            interrupts.interrupt(number, frame)
        self._event.set()
        self._asked()
