"""S4: commands with nothing to do, cold: ``tick`` with nothing due, and those that only look."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from measuring import Goal, Row, Sheet, Spent, run, side_by_side
from peers.environments import own_bin
from peers.landing import land_real
from peers.peers import PIPELINE, QUARTER, Ours, answer_of, require_same, row

COMMANDS = (("tick",), ("list-runs", PIPELINE), ("plan", PIPELINE), ("status", PIPELINE))


def measure(folder: Path, repeats: int) -> Sheet:
    """The quarter is done and nothing is due."""
    landing = land_real(folder / "landing", QUARTER)
    ours = Ours(folder / "daybreak", landing, QUARTER).set_up()
    ours.backfill()
    ours.runner("tick")
    before = answer_of(ours.warehouse)

    def looked(arguments: tuple[str, ...]) -> Callable[[], tuple[Row, Spent]]:
        command = f"runner {' '.join(arguments)}"
        return lambda: row(command, command, ours.runner(*arguments))

    def python() -> tuple[Row, Spent]:
        spent = run([sys.executable, "-c", "pass"], ours.folder, ours.environment)
        return row("python", "python -c pass", spent, note="the floor")

    peers = {"python": python, **{c[0]: looked(c) for c in COMMANDS}}
    rows, busy = side_by_side(repeats * 3, peers)
    goals = [Goal(f"s, {found.name}", 0.4, found.median) for found in rows[1:]]
    for arguments in COMMANDS:
        imported = modules_of(ours, arguments)
        if any(name == "dbt" or name.startswith("dbt.") for name in imported):
            raise SystemExit(f"runner {' '.join(arguments)} imports dbt")
    answer = require_same({"before": before, "after": answer_of(ours.warehouse)})
    title = "commands with nothing to do, cold; none of them imports dbt"
    return Sheet("S4", title, rows, goals, answer, busy)


def modules_of(ours: Ours, arguments: tuple[str, ...]) -> set[str]:
    """The modules that a command imports, as Python tells them."""
    command = [sys.executable, "-X", "importtime", own_bin() / "runner", *arguments]
    lines = run(command, ours.folder, ours.environment).output.splitlines()
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}
