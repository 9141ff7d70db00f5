"""The commands about alerts: alerts test, alerts list."""

from __future__ import annotations

import os

import typer

from runner.alerting.delivery import try_channels
from runner.alerting.pings import fetched
from runner.alerting.sending import send_by_apprise
from runner.cli.app import HERE, Format, OutputFormat, ProjectDir, SomePipeline, app, show
from runner.core.errors import UsageError
from runner.render.listings import CHANNEL_TESTS, UNSENT, channels_page, unsent_page
from runner.workspace import Workspace

alerts_app = typer.Typer(
    help="Try the channels that people are told by, and look at what has not been sent.",
    no_args_is_help=True,
)
app.add_typer(alerts_app, name="alerts")


@alerts_app.command("test")
def try_alerts(
    pipeline: SomePipeline = None,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """Send a test message over every channel, and ping the dead-man's switch."""
    workspace = Workspace.find(project_dir)
    names = workspace.named(pipeline)
    tried = tuple(try_channels(workspace.configs, names, os.environ, send_by_apprise, fetched))
    if not tried:
        raise UsageError(
            f"nobody is told of {pipeline or 'any pipeline'}: write `alerts:` or `ping:` in "
            "pipelines.yml, see docs/alerts.md"
        )
    show(lambda: channels_page(tried), lambda: CHANNEL_TESTS.records(tried), output)
    if any(one.problem for one in tried):
        raise typer.Exit(1)


@alerts_app.command("list")
def list_alerts(
    pipeline: SomePipeline = None,
    output: OutputFormat = Format.TABLE,
    project_dir: ProjectDir = HERE,
) -> None:
    """List the messages that have not been sent, and why."""
    workspace = Workspace.find(project_dir)
    names = workspace.named(pipeline)
    found = workspace.ledger.outbox.get_unsent()
    chosen = [one for one in found if pipeline is None or one.pipeline in names]
    show(lambda: unsent_page(chosen), lambda: UNSENT.records(chosen), output)
