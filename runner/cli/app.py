"""The application and the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runner.cli import completion
from runner.cli.help import Sectioned
from runner.cli.output import echo
from runner.core.planning import Reprocess
from runner.render.columns import as_json
from runner.workspace import EngineKind

app = typer.Typer(
    name="runner",
    cls=Sectioned,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version  # costs as much as all else of a short command

        echo(f"daybreak {version('daybreak')}")
        raise typer.Exit


# Taken from anywhere in a command line before it is read (see runner.cli.given): here they are
# for `runner --help`.
@app.callback()
def _runner(
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="NAME", help="Target in profiles.yml.")
    ] = None,
    variables: Annotated[
        str | None, typer.Option("--vars", metavar="YAML", help="Vars of the project, as dbt's.")
    ] = None,
    profiles_dir: Annotated[
        str | None, typer.Option("--profiles-dir", metavar="PATH", help="Folder of profiles.yml.")
    ] = None,
    project_dir: Annotated[
        str | None, typer.Option("--project-dir", metavar="PATH", help="Folder of the project.")
    ] = None,
    is_version_asked: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run dbt pipelines window by window: in order, once, and right."""


class Format(StrEnum):
    """The ways to print a result."""

    TABLE = "table"
    JSON = "json"


HERE = Path()
PipelineName = Annotated[
    str, typer.Argument(metavar="PIPELINE", show_default=False, autocompletion=completion.pipelines)
]
SomePipeline = Annotated[
    str | None,
    typer.Argument(
        metavar="[PIPELINE]", help="All of them by default.", autocompletion=completion.pipelines
    ),
]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", show_default=False, autocompletion=completion.models)
]
ProjectDir = Annotated[
    Path,
    typer.Option(
        "--project-dir",
        envvar="DBT_PROJECT_DIR",
        help="Folder with dbt_project.yml and pipelines.yml.",
    ),
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
    typer.Option(
        metavar="MODELS",
        help="Only these, in dbt's selection syntax; may be repeated.",
        autocompletion=completion.models,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODELS", help="All but these, likewise.", autocompletion=completion.models
    ),
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
        autocompletion=completion.models,
    ),
]


def show(text: Callable[[], str], record: Callable[[], object], output: Format) -> None:
    """Print a result once, as a table or as JSON; only what is printed is made."""
    echo(as_json(record()) if output is Format.JSON else text())
