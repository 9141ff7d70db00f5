"""`runner --help`: the commands in sections, by what a person wants, in whole sentences."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# In the order in which a newcomer comes to need them.
SECTIONS: Mapping[str, Sequence[str]] = {
    "Run": ("backfill", "run", "retry"),
    "Look": ("plan", "status", "why", "list", "list-runs", "show-run", "diff", "dag"),
    "Judge and prove": ("judge", "verify", "prove", "lint", "accept", "schema"),
    "Schedule": ("tick", "serve", "watch", "pause", "resume", "cancel"),
    "Set up and operate": ("init", "doctor", "alerts", "metrics", "prune"),
}
# Taken out of any command line before it is read (see runner.cli.given).
GIVEN = "As dbt: --target NAME, --vars YAML and --profiles-dir PATH, here and on every command."
_WHOLE = 1_000  # characters of a sentence


class Sectioned(TyperGroup):
    """The group of all commands."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each thing that a person may want."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (name, command.get_short_help_str(_WHOLE))
                        for name in names
                        if (command := commands.get(name)) is not None
                    ]
                )

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Offer the names of all commands; to import them takes longer than a key press may."""
        for name in chain.from_iterable(SECTIONS.values()):
            self.commands.setdefault(name, TyperCommand(name))
        return super().shell_complete(ctx, incomplete)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; its own help names what every command takes."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.epilog = GIVEN
        return command
