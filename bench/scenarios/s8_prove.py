"""S8: ``prove`` of the whole pipeline on three windows, against one clean run of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from measuring import Goal, Row, Sheet, Spent, side_by_side
from peers.landing import land_real
from peers.peers import PIPELINE, QUARTER, Ours, Range, answer_of, require_same, row

LAST = Range(date(2017, 5, 29), date(2017, 5, 31))


def measure(folder: Path, repeats: int) -> Sheet:
    """The quarter is there; three of its windows are replayed."""
    landing = land_real(folder / "landing", QUARTER)
    ours = Ours(folder / "daybreak", landing, QUARTER).set_up()
    ours.backfill()
    before = answer_of(ours.warehouse)

    def once() -> tuple[Row, Spent]:
        arguments = ("backfill", PIPELINE, *LAST.dates, "--reprocess", "all")
        return row("one clean run", f"runner {' '.join(arguments)}", ours.runner(*arguments))

    def proved() -> tuple[Row, Spent]:
        arguments = ("prove", PIPELINE, "--windows", "3")
        return row("prove", f"runner {' '.join(arguments)}", ours.runner(*arguments))

    rows, busy = side_by_side(min(repeats, 3), {"one clean run": once, "prove": proved})
    clean, proof = rows
    goals = [Goal("times one clean run", 10, proof.median / clean.median)]
    answer = require_same({"before": before, "after": answer_of(ours.warehouse)})
    return Sheet("S8", "prove the whole pipeline on 3 windows", rows, goals, answer, busy)
