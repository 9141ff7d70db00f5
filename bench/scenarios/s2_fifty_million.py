"""S2: 365 windows over 50 million generated till lines, beside the script and SQLMesh."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from shutil import rmtree

from measuring import Goal, Row, Sheet, Spent, side_by_side
from peers.landing import land_generated
from peers.peers import Ours, Range, Theirs, answer_of, require_same, row

YEAR = Range(date(2017, 1, 1), date(2017, 12, 31))
LINES = int(os.environ.get("BENCH_LINES", "50_000_000"))  # fewer, to try it out


def measure(folder: Path, repeats: int) -> Sheet:
    """Everybody from an empty warehouse, one after another; a warehouse is gone before the next."""
    landing = land_generated(folder / "landing", YEAR, LINES)
    ours = Ours(folder / "daybreak", landing, YEAR).set_up()
    mesh = Theirs(folder / "sqlmesh", landing, YEAR, "sqlmesh_project", "sqlmesh").set_up()
    floor = Theirs(folder / "script", landing, YEAR, "", "dbt").set_up()
    answers: dict[str, dict[str, object]] = {}
    engine: list[float] = []

    def built(name: str, command: str, peer: Ours | Theirs, act: Callable[[], Spent]):
        def measured() -> tuple[Row, Spent]:
            peer.forget(parse=True)
            spent = act()
            if name == "script":
                engine.append(float(spent.output.split("engine ")[1]))
            answers[name] = answer_of(peer.warehouse)
            peer.forget(parse=True)
            rmtree(peer.folder / ".tmp", ignore_errors=True)
            return row(name, command, spent)

        return measured

    peers = {
        "script": built("script", "python bench/peers/script.py", floor, floor.script),
        "Daybreak": built("Daybreak", "runner backfill", ours, ours.backfill),
        "SQLMesh": built("SQLMesh", "sqlmesh plan --auto-apply", mesh, mesh.sqlmesh_plan),
    }
    rows, busy = side_by_side(min(repeats, 2), peers)
    at = {found.name: found.median for found in rows}
    rows.append(Row("script's engine time", "in it", seconds=engine))
    goals = [
        Goal("times the script's engine time", 1.25, at["Daybreak"] / rows[-1].median),
        Goal("times SQLMesh's time", 1.0, at["Daybreak"] / at["SQLMesh"]),
    ]
    title = f"365 windows over {LINES:,} generated till lines"
    return Sheet("S2", title, rows, goals, require_same(answers), busy)
