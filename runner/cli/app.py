"""The application and the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runner.core.planning import Reprocess
from runner.render.columns import as_json
from runner.workspace import EngineKind

app = typer.Typer(
    name="runner",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _runner() -> None:
    """Run dbt pipelines window by window: in order, once, and right."""
    # Without it typer takes an application with one command for that command.


class Format(StrEnum):
    """The ways to print a result."""

    TABLE = "table"
    JSON = "json"


HERE = Path()
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", show_default=False)]
SomePipeline = Annotated[
    str | None, typer.Argument(metavar="[PIPELINE]", help="All of them by default.")
]
ProjectDir = Annotated[
    Path, typer.Option("--project-dir", help="Folder with dbt_project.yml and pipelines.yml.")
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIMESTAMP", help="Look from another time than now."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result.")]
EngineOption = Annotated[EngineKind, typer.Option("--engine", help="How to run dbt.")]
StartDate = Annotated[str | None, typer.Option(metavar="DATE", help="First date, inclusive.")]
EndDate = Annotated[str | None, typer.Option(metavar="DATE", help="Last date, inclusive.")]
ChunkSize = Annotated[
    str, typer.Option(metavar="auto|N", help="Windows in one dbt build; auto: by memory and time.")
]
ReprocessOption = Annotated[
    Reprocess,
    typer.Option(
        help="missing: never finished; failed: also not right; stale: also published by other "
        "code or before what they read; all: also done."
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="MODEL", help="Only this model; may be repeated."),
]
NewestFirst = Annotated[bool, typer.Option("--newest-first", help="Begin with the newest.")]
Force = Annotated[
    bool, typer.Option("--force", help="Also what failed and would fail again: nothing changed.")
]

AllowUnsafe = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-unsafe",
        metavar="MODEL",
        help="Run this model although it breaks a rule; may be repeated, and is recorded.",
    ),
]


def show(text: Callable[[], str], record: Callable[[], object], output: Format) -> None:
    """Print a result once, as a table or as JSON; only what is printed is made."""
    typer.echo(as_json(record()) if output is Format.JSON else text())
