"""The command that finds what did not happen: watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, NoReturn

import typer

from runner.cli import exits, inputs
from runner.cli.app import HERE, AsOf, Format, OutputFormat, ProjectDir, app, show
from runner.cli.stopping import StopSignal
from runner.core.environment import Environment
from runner.core.errors import DaybreakError
from runner.render.watch import look_page, look_record, what_is_wrong
from runner.scheduling.blockers import obstacles_in
from runner.scheduling.notify import notify_all
from runner.scheduling.watch import WatchReport, look_around
from runner.workspace import Workspace

_PATIENCE = timedelta(minutes=2)  # for a channel that is down, when nobody looks again soon


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
    world = inputs.environment()
    interval = inputs.duration(every, "--every")
    timestamp = inputs.parsed_timestamp(as_of)
    if once or timestamp is not None:
        workspace = Workspace.find(project_dir)
        now = inputs.instant_of(timestamp, workspace.zone)
        look = look_around(workspace, obstacles_in(workspace, None, world.now), now)
        # Who looks from another time asks what was; nobody is woken for that.
        lines = notify_all(workspace, look, world, _PATIENCE) if timestamp is None else []
        _show(look, lines, workspace, output)
        raise typer.Exit(_code(look))
    _go_on(partial(Workspace.find, project_dir), interval.total_seconds(), world, output)


def _go_on(
    find: Callable[[], Workspace], seconds: float, world: Environment, output: Format
) -> NoReturn:
    """Look again and again, and print what is new, until told to stop."""
    stop = StopSignal(lambda: None)
    stop.listen()
    shown: object = None
    while not stop.is_asked():
        try:
            workspace = find()
            look = look_around(workspace, obstacles_in(workspace, None, world.now), world.now())
            lines = notify_all(workspace, look, world)
            if lines or what_is_wrong(look) != shown:
                _show(look, lines, workspace, output)
            shown = what_is_wrong(look)
            workspace.ledger.close()
        except DaybreakError as error:  # an edit that is not finished, a ledger that is busy
            if str(error) != shown:
                typer.echo(f"runner: {error}", err=True)
            shown = str(error)
        stop.wait(seconds)
    raise typer.Exit


def _show(look: WatchReport, told: Sequence[str], workspace: Workspace, output: Format) -> None:
    show(lambda: look_page(look, told, workspace.zone), lambda: look_record(look, told), output)


def _code(look: WatchReport) -> int:
    if look.missed or look.scheduler is not None:
        return exits.MISSED
    return exits.worst([exits.of_error(error) for error in look.errors.values()])
