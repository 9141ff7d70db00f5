"""S3: 3,650 windows against 92 that hold the same rows: windows must cost next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from measuring import Goal, Row, Sheet, Spent, side_by_side
from peers.landing import land_generated
from peers.peers import QUARTER, Ours, Range, answer_of, row

TEN_YEARS = Range(date(2008, 1, 1), date(2017, 12, 28))  # 3,650 days
LINES = 1_679_000  # a multiple of both counts, ten to an order: the same rows exactly


def measure(folder: Path, repeats: int) -> Sheet:
    """Both from an empty warehouse and ledger, parsed before."""
    shops = {}
    for name, days in {"92 windows": QUARTER, "3,650 windows": TEN_YEARS}.items():
        landing = land_generated(folder / f"landing{days.days}", days, LINES)
        shops[name] = Ours(folder / f"daybreak{days.days}", landing, days).set_up()
        shops[name].runner("list")  # parses
    answers = {}

    def backfilled(name: str) -> Callable[[], tuple[Row, Spent]]:
        def measured() -> tuple[Row, Spent]:
            shops[name].forget(parse=False)
            spent = shops[name].backfill()
            answers[name] = answer_of(shops[name].warehouse)
            command = f"runner backfill orders_pipeline {' '.join(shops[name].days.dates)}"
            return row(name, command, spent)

        return measured

    rows, busy = side_by_side(min(repeats, 3), {name: backfilled(name) for name in shops})
    few, many = rows
    for key in ("lines", "sold", "orders"):
        if answers[few.name][key] != answers[many.name][key]:
            raise SystemExit(f"{key} differ: {answers}")
    answer = (
        f"{answers[many.name]['lines']} lines worth {answers[many.name]['sold']}, "
        f"{answers[many.name]['orders']} orders in both"
    )
    goals = [Goal("times the time of 92 windows", 1.5, many.median / few.median)]
    title = "3,650 windows against 92 with the same rows"
    return Sheet("S3", title, rows, goals, answer, busy)
