"""S6: the real year with three days poisoned in three ways; the others must not suffer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
from measuring import Goal, Row, Sheet, Spent, side_by_side
from peers.landing import land_real
from peers.peers import Ours, Range, answer_of, require_same, row
from peers.script import DAY_OF

YEAR = Range(date(2017, 1, 1), date(2017, 12, 31))
POISONED = ("2017-02-14", "2017-06-19", "2017-10-05")


def measure(folder: Path, repeats: int) -> Sheet:
    """The clean year and the poisoned one, each from an empty warehouse, parsed before."""
    shops = {}
    for name in ("clean", "poisoned"):
        landing = land_real(folder / f"landing-{name}", YEAR)
        shops[name] = Ours(folder / name, landing, YEAR).set_up()
        shops[name].runner("list")  # parses
    poison(shops["poisoned"].landing / "transactions")

    def backfilled(name: str, codes: tuple[int, ...]) -> Callable[[], tuple[Row, Spent]]:
        def measured() -> tuple[Row, Spent]:
            shops[name].forget(parse=False)
            spent = shops[name].backfill(codes=codes)
            return row(name, f"runner backfill orders_pipeline {' '.join(YEAR.dates)}", spent)

        return measured

    peers = {"clean": backfilled("clean", (0,)), "poisoned": backfilled("poisoned", (1,))}
    rows, busy = side_by_side(min(repeats, 3), peers)
    clean, poisoned = rows
    goals = [
        Goal("times the clean time", 4, poisoned.median / clean.median),
        Goal("windows published", 362, float(published(shops["poisoned"])), is_lower_better=False),
        Goal("windows named", 3, float(named(shops["poisoned"])), is_lower_better=False),
    ]
    title = "365 windows, three of them poisoned: a torn file, lines lost, a word for a number"
    return Sheet("S6", title, rows, goals, same_but_for_poison(shops), busy)


def poison(transactions: Path) -> None:
    """A torn file, a file that lost lines, a file with a word where a number should be."""
    torn, lost, word = (transactions / f"{day}.parquet" for day in POISONED)
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    with duckdb.connect() as connection:
        for path, query in (
            (lost, "select * from lines limit 1000"),
            (word, "select * replace ('three' as quantity) from lines"),
        ):
            connection.execute(f"create or replace table lines as from read_parquet('{path}')")
            connection.execute(f"copy ({query}) to '{path}' (format parquet)")


def published(shop: Ours) -> int:
    """Windows whose run is a success in the ledger."""
    return ended(shop).count("success")


def named(shop: Ours) -> int:
    """Poisoned windows that the ledger says are not, and no others."""
    with sqlite3.connect(shop.ledger) as ledger:
        bad = ledger.execute("select label from runs where state != 'success'").fetchall()
    return len(POISONED) if sorted({label for (label,) in bad}) == list(POISONED) else 0


def ended(shop: Ours) -> list[str]:
    """How every window's last run ended."""
    newest = "select state from runs where id in (select max(id) from runs group by window_start)"
    with sqlite3.connect(shop.ledger) as ledger:
        return [state for (state,) in ledger.execute(newest)]


def same_but_for_poison(shops: dict[str, Ours]) -> str:
    """Take the poisoned days out of the clean tables: then both must say the same."""
    with duckdb.connect(str(shops["clean"].warehouse)) as connection:
        days = ", ".join(f"date '{day}'" for day in POISONED)
        for table, day in DAY_OF.items():
            connection.execute(f"delete from {table} where {day} in ({days})")
    return require_same({name: answer_of(shop.warehouse) for name, shop in shops.items()})
