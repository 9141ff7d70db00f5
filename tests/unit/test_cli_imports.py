import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli import ROOMS, app, load
from runner.cli.help import SECTIONS
from tests.conftest import RUNNER


def test_every_command_has_its_room():
    load(())
    commands = {
        c.name or (c.callback.__name__ if c.callback else "") for c in app.registered_commands
    }
    groups = {group.name for group in app.registered_groups}
    assert commands | groups == ROOMS.keys()


def test_the_help_lists_every_command_once_with_its_whole_sentence():
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(ROOMS)
    shown = subprocess.run(
        [RUNNER, "--help"], env={**os.environ, "COLUMNS": "80"}, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.partition("\n\n")[2]
    assert [f"{section}:" in shown for section in SECTIONS] == [True] * len(SECTIONS)


HEAVY = {"apprise", "asyncio", "dbt", "duckdb", "jinja2", "pydantic", "rich", "sqlglot", "ssl"}
# Of our own what only others need: each takes some milliseconds of a fifth of a second.
OTHERS = {"runner.dbt.prewarm", "runner.explain.lineage", "runner.project.checks_hash"}


def imported(program: str, *arguments: str, cwd: Path | None = None) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)", *arguments],
        cwd=cwd, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("command", ["list", "list-runs", "plan", "show-run", "status", "tick"])
def test_who_only_looks_imports_nothing_heavy(command: str):
    found = imported(f"import runner.entry; from runner.cli import load; load(['{command}'])")
    assert (HEAVY | OTHERS).isdisjoint(found)


def test_reading_a_command_line_imports_nothing_heavy(tmp_path: Path):
    program = """
import contextlib
from runner.cli import main
with contextlib.suppress(SystemExit):
    main()
"""
    assert HEAVY.isdisjoint(imported(program, "tick", "--every", "5m", cwd=tmp_path))
