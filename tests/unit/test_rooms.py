import subprocess
import sys

import pytest

from runner.cli import ROOMS, app, load


def test_every_command_has_its_room():
    load(())
    commands = {
        c.name or (c.callback.__name__ if c.callback else "") for c in app.registered_commands
    }
    groups = {group.name for group in app.registered_groups}
    assert commands | groups == ROOMS.keys()


HEAVY = {"apprise", "asyncio", "dbt", "duckdb", "jinja2", "pydantic", "rich", "sqlglot", "ssl"}


@pytest.mark.parametrize("command", ["list", "list-runs", "plan", "show-run", "status", "tick"])
def test_who_only_looks_imports_nothing_heavy(command: str):
    program = f"import sys; from runner.cli import load; load(['{command}']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(loaded.stdout.split())
