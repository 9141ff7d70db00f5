"""S9: a project of 1,058 models: parsed first, looked at, ticked, and two of them proved."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from measuring import Goal, Row, Sheet, Spent, run, side_by_side
from peers.environments import PROJECT, clean_environment, own_bin
from peers.peers import row

MODELS = 1058
PIPELINE = "generated"
LOOKS = ("plan", "status", "list")
FAILED, EDITED = 50, 300
PROVED = ("day_000", "day_001")


def measure(folder: Path, repeats: int) -> Sheet:
    """Look at it while nothing is built, all of it is, some has failed, and much is edited."""
    plain = Large(folder / "plain").generated("--plain")
    plain.dbt("build", "--quiet")
    large = Large(folder / PIPELINE).generated()
    large.runner("init", "--yes")
    with (large.folder / "pipelines.yml").open("a") as pipelines:
        pipelines.write("    end: 2026-06-30\n")
    rows, busy = side_by_side(min(repeats, 3), {"dbt": large.parse_by_dbt, "ours": large.parse})
    theirs, ours = (statistics.median(found.cpu) for found in rows)

    def looked(state: str, commands: tuple[str, ...] = LOOKS) -> None:
        nonlocal busy
        large.runner("list")  # parses what was edited
        peers = {f"{command}, {state}": large.look(command, state) for command in commands}
        found, others = side_by_side(repeats, peers)
        rows.extend(found)
        busy = max(busy, others)

    looked("nothing built")
    large.runner("backfill", PIPELINE, codes=(3,))  # most have no check
    answer = same_tables(plain, large)
    looked("all built", (*LOOKS, "tick"))
    proof, _ = side_by_side(1, {"prove": large.prove})
    large.edit("day", FAILED, "cast(amount as integer)", "cast('x' as integer)")
    chosen = [word for number in range(FAILED) for word in ("--select", f"day_{number:03}")]
    large.runner("backfill", PIPELINE, "--reprocess", "stale", *chosen, codes=(1,))
    looked(f"{FAILED} failed")
    large.edit("int", EDITED, "+ other.amount", "+ 1 + other.amount")
    looked(f"{EDITED} edited")

    seconds = {found.name: found.median for found in rows[2:]}
    goals = [
        Goal("times dbt's processor time, first parse", 1.25, ours / theirs),
        *(Goal(f"s, {look}", 1, max(of(look, seconds))) for look in LOOKS),
        Goal("s, tick", 0.5, max(of("tick", seconds))),
        Goal("lines, the longest page", 60, max(large.lines)),
        Goal("s, prove of two models", 300, proof[0].median),
    ]
    title = f"a project of {MODELS:,} models, 158 of them by day"
    return Sheet("S9", title, [*rows, *proof], goals, answer, busy)


def of(look: str, seconds: dict[str, float]) -> list[float]:
    """What a command took in each state."""
    return [taken for name, taken in seconds.items() if name.startswith(look)]


@dataclass(frozen=True)
class Large:
    """A generated project, with its warehouse, ledger and user's cache beside it."""

    folder: Path
    lines: list[int] = field(default_factory=list)  # of the pages that were shown

    def generated(self, *options: str) -> Large:
        """Write it."""
        script = PROJECT / "tests" / "projects" / "generated.py"
        command = [sys.executable, script, self.folder, "--models", f"{MODELS}", *options]
        subprocess.run([str(part) for part in command], check=True)
        return self

    def runner(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Spent:
        """Run the command line, cold."""
        return self._run("runner", arguments, codes)

    def dbt(self, *arguments: str) -> Spent:
        """Run dbt as it is, on the same project."""
        return self._run("dbt", arguments, (0,))

    def _run(self, program: str, arguments: tuple[str, ...], codes: tuple[int, ...]) -> Spent:
        environment = clean_environment(XDG_CACHE_HOME=str(self.folder.parent / "cache"))
        return run([own_bin() / program, *arguments], self.folder, environment, codes)

    def parse_by_dbt(self) -> tuple[Row, Spent]:
        """Let dbt parse it, as after a fresh clone."""
        shutil.rmtree(self.folder / "target", ignore_errors=True)
        return row("dbt, first parse", "dbt parse", self.dbt("parse"))

    def parse(self) -> tuple[Row, Spent]:
        """Parse it with what Daybreak works out of it, as after a fresh clone."""
        for name in ("target", ".daybreak"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return row("Daybreak, first parse", "runner list", self.runner("list"))

    def look(self, command: str, state: str) -> Callable[[], tuple[Row, Spent]]:
        """Make what runs a command that only looks, and counts its lines."""

        def looked() -> tuple[Row, Spent]:
            spent = self.runner(command)
            self.lines.append(len(spent.output.splitlines()))
            note = f"{self.lines[-1]} lines"
            return row(f"{command}, {state}", f"runner {command}", spent, note=note)

        return looked

    def prove(self) -> tuple[Row, Spent]:
        """Replay three windows of two models, which have rows in them."""
        chosen = [word for model in PROVED for word in ("--select", model)]
        now = ("--as-of", "2026-01-05T06:00:00+00:00")
        spent = self.runner("prove", PIPELINE, *chosen, *now)
        return row(f"prove {' '.join(PROVED)}", "runner prove", spent)

    def edit(self, layer: str, count: int, before: str, after: str) -> None:
        """Replace a term in some models of a layer."""
        for number in range(count):
            path = self.folder / "models" / layer / f"{layer}_{number:03}.sql"
            path.write_text(path.read_text().replace(before, after))


def same_tables(plain: Large, large: Large) -> str:
    """Stop unless all tables and views hold the same rows."""
    theirs, ours = (hashes(one.folder / "generated.duckdb") for one in (plain, large))
    if theirs != ours:
        differ = [name for name in theirs | ours if theirs.get(name) != ours.get(name)]
        raise SystemExit(f"{len(differ)} tables differ from plain dbt's: {differ[:5]}")
    return f"{len(ours):,} tables and views hold the rows of a plain `dbt build`"


def hashes(warehouse: Path) -> dict[str, str]:
    """A content hash of every table and view; our own tables aside."""
    names = "select table_name from information_schema.tables where not starts_with(table_name, ?)"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            name: str(
                connection.execute(f"select count(*), bit_xor(hash(t)) from {name} as t").fetchone()
            )
            for (name,) in connection.execute(names, ["daybreak_"]).fetchall()
        }
