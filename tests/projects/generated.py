"""Write a large dbt project: many small models over a seed of a few days, in four layers.

``python tests/projects/generated.py FOLDER --models 1058`` writes what the tests write and what the
bench times. Of a hundred models 30 are staging views, 15 are days of one of them, replaced window
by window, 35 are tables between, and 20 are marts. Every day has two tests, and so has a quarter
of the rest. ``--plain`` writes the same rows without windows, for a dbt that knows no Daybreak.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

BEGIN = date(2026, 1, 1)
DAYS = 4
KINDS = 5  # of events; a model is about one of them
SHARES = {"stg": 30, "day": 15, "int": 35, "mart": 20}  # of a hundred models

PROJECT = f"""\
name: generated
version: "1.0"
config-version: 2
profile: generated

vars: {{timezone: UTC, start_date: "{BEGIN}"}}

models:
  generated:
    +materialized: table
    stg:
      +materialized: view
"""
PROFILES = """\
generated:
  target: dev
  outputs:
    dev: {type: duckdb, path: generated.duckdb, threads: 4}
"""
WINDOWED = f"""\
{{{{
    config(
        materialized='incremental',
        incremental_strategy='overwrite_window',
        event_time='day',
        batch_size='day',
        begin='{BEGIN}',
    )
}}}}

"""


def write(folder: Path, models: int = 1058, *, windowed: bool = True) -> None:
    """Write a project of so many models; without ``windowed`` a plain dbt can build it."""
    folder.mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    (folder / "seeds").mkdir()
    (folder / "seeds" / "events.csv").write_text("\n".join(["kind,day,amount", *events()]) + "\n")
    counts = {layer: models * share // 100 for layer, share in SHARES.items()}
    counts["mart"] += models - sum(counts.values())
    for layer, count in counts.items():
        (folder / "models" / layer).mkdir(parents=True)
        for number in range(count):
            path = folder / "models" / layer / f"{layer}_{number:03}.sql"
            path.write_text(model(layer, number, counts, windowed=windowed))
        tested = [f"{layer}_{number:03}" for number in range(0, count, 1 if layer == "day" else 4)]
        text = "\n".join(["models:", *map(described, tested)]) + "\n"
        (folder / "models" / layer / "schema.yml").write_text(text)


def events() -> Iterator[str]:
    """Yield the rows of the seed, one per kind and day."""
    for kind in range(KINDS):
        for number in range(DAYS):
            yield f"k{kind},{BEGIN + timedelta(days=number)},{10 * kind + number + 1}"


def model(layer: str, number: int, counts: dict[str, int], *, windowed: bool) -> str:
    """Return the text of a model: one row per day."""

    def some(parents: str, other: int = 0) -> str:
        return f"{{{{ ref('{parents}_{(number + other) % counts[parents]:03}') }}}}"

    if layer == "stg":
        kind = f"k{number % KINDS}"
        return (
            "select cast(day as date) as day, cast(amount as varchar) as amount\n"
            f"from {{{{ ref('events') }}}}\nwhere kind = '{kind}'\n"
        )
    if layer == "day":
        where = "where {{ daybreak.in_window('day') }}\n" if windowed else ""
        return (WINDOWED if windowed else "") + (
            f"select day, cast(amount as integer) + {number} as amount\nfrom {some('stg')}\n{where}"
        )
    first, second, amount = (
        ("stg", "day", "length(one.amount)") if layer == "int" else ("int", "int", "one.amount")
    )
    return (
        f"select one.day, {amount} + other.amount as amount\n"
        f"from {some(first)} as one\ninner join {some(second, 1)} as other on one.day = other.day\n"
    )


def described(name: str) -> str:
    """Return what a schema.yml says of a model that has tests."""
    tests = "data_tests: [unique, not_null]"
    return f"  - name: {name}\n    columns:\n      - name: day\n        {tests}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=1058)
    parser.add_argument("--plain", action="store_true", help="without windows")
    given = parser.parse_args()
    write(given.folder, given.models, windowed=not given.plain)
