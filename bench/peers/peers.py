"""The peers: how each is set up in a folder of its own, started, and asked what it has built."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
from measuring import Row, Spent, run

from peers.environments import BENCH, PROJECT, bin_of, clean_environment, own_bin

PARTS = (
    "dbt_project.yml",
    "profiles.yml",
    "pipelines.yml",
    "models",
    "macros",
    "seeds",
    "snapshots",
    "tests/sql",
)
PIPELINE = "orders_pipeline"
ANSWER = """
    select
        (select count(*) from main.stg_transactions) as lines,
        (select sum(sales_value) from main.stg_transactions) as sold,
        (select count(*) from main.fct_orders) as orders,
        (select sum(hash(order_id, line_count, unit_count, revenue, discount, business_date,
            ordered_at, extracted_at)::hugeint) from main.fct_orders) as orders_hash,
        (select count(*) from main.daily_revenue) as days,
        (select sum(hash(sale_date, order_count, line_count, unit_count, revenue, discount
            )::hugeint) from main.daily_revenue) as days_hash,
        (select count(*) from main.daily_department_revenue) as department_days,
        (select sum(hash(department_day_id, order_count, line_count, unit_count, revenue, discount
            )::hugeint) from main.daily_department_revenue) as department_days_hash,
        (select count(*) from main.dim_products) as products
"""


@dataclass(frozen=True)
class Range:
    """The days of a pipeline, inclusive, as a person says them."""

    first: date
    last: date

    @property
    def end(self) -> date:
        """The day after the last."""
        return self.last + timedelta(days=1)

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.first).days

    @property
    def dates(self) -> tuple[str, ...]:
        """As options of the runner."""
        return ("--start-date", f"{self.first}", "--end-date", f"{self.last}")


QUARTER = Range(date(2017, 3, 1), date(2017, 5, 31))


@dataclass(frozen=True)
class Ours:
    """Daybreak on a copy of the project, with a warehouse and a ledger of its own."""

    folder: Path
    landing: Path
    days: Range

    def set_up(self) -> Ours:
        """Copy the project; its pipeline is about the days and no others."""
        for part in PARTS:
            source, target = PROJECT / part, self.folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)
        for name in ("dbt_project.yml", "models/staging/landing/stg_transactions.sql"):
            self._replace(name, "2017-03-01", f"{self.days.first}")
        self._replace("dbt_project.yml", "2017-06-01", f"{self.days.end}")
        self._replace("pipelines.yml", "start: 2017-03-01", f"start: {self.days.first}")
        self._replace("pipelines.yml", "end: 2017-12-31", f"end: {self.days.last}")
        return self

    def _replace(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        if old not in text:
            raise SystemExit(f"{name} no longer says {old}: look at bench/peers/peers.py")
        path.write_text(text.replace(old, new))

    @property
    def environment(self) -> dict[str, str]:
        """Where everything is."""
        return clean_environment(
            DAYBREAK_WAREHOUSE=str(self.warehouse),
            DAYBREAK_LANDING=str(self.landing),
            DAYBREAK_HOME=str(self.folder / ".daybreak"),
            XDG_CACHE_HOME=str(self.folder / "cache"),  # a user's, whichever project he runs
        )

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.folder / ".daybreak" / "ledger.db"

    def forget(self, *, parse: bool, cache: bool = False) -> None:
        """An empty warehouse and ledger; with ``parse`` a fresh clone, ``cache`` a new user."""
        if cache:
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
        for path in (self.warehouse, self.warehouse.with_suffix(".duckdb.wal")):
            path.unlink(missing_ok=True)
        for path in self.ledger.parent.glob("ledger.db*"):
            path.unlink()
        if parse:
            for name in (".daybreak", "target", "logs"):
                shutil.rmtree(self.folder / name, ignore_errors=True)

    def runner(self, *arguments: str, codes: Sequence[int] = (0,)) -> Spent:
        """Run the command line, cold."""
        return run([own_bin() / "runner", *arguments], self.folder, self.environment, codes)

    def backfill(self, *options: str, codes: Sequence[int] = (0,)) -> Spent:
        """Backfill all of the days."""
        return self.runner("backfill", PIPELINE, *self.days.dates, *options, codes=codes)


@dataclass(frozen=True)
class Theirs:
    """A peer's project in a folder of its own."""

    folder: Path
    landing: Path
    days: Range
    project: str  # folder under bench/peers; none for a script
    peer: str  # whose environment

    def set_up(self) -> Theirs:
        """Copy the project and show it the landed files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.project:
            shutil.copytree(BENCH / "peers" / self.project, self.folder, dirs_exist_ok=True)
        (self.folder / "landing").symlink_to(self.landing.resolve())
        for name in ("dbt_project.yml", "config.yaml"):
            path = self.folder / name
            if path.exists():
                text = path.read_text().replace("2017-03-01", f"{self.days.first}")
                path.write_text(text)
        return self

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    def forget(self, *, parse: bool) -> None:
        """An empty warehouse and state; with ``parse`` also no parse is left."""
        for path in self.folder.glob("*.duckdb*"):
            path.unlink()
        if parse:
            for name in ("target", "logs", ".cache"):
                shutil.rmtree(self.folder / name, ignore_errors=True)

    def run(self, program: str, *arguments: str | Path) -> Spent:
        """Run a program of the peer's environment."""
        environment = clean_environment()
        return run([bin_of(self.peer) / program, *arguments], self.folder, environment)

    def dbt_build(self, first: date, end: date) -> Spent:
        """One ``dbt build`` of microbatch models; the end is exclusive."""
        options = ("--event-time-start", f"{first}", "--event-time-end", f"{end}")
        return self.run("dbt", "build", "--quiet", *options)

    def shell_loop(self, days: int) -> Spent:
        """A shell loop of one ``dbt build`` a day over the first days, without unit tests."""
        build = (
            f"{bin_of(self.peer) / 'dbt'} build --quiet --exclude-resource-type unit_test "
            "--event-time-start $d --event-time-end"
        )
        loop = (
            f"d={self.days.first}; for i in $(seq {days}); do "
            f'n=$(date -I -d "$d + 1 day"); {build} $n || exit 1; d=$n; done'
        )
        return run(["/bin/bash", "-c", loop], self.folder, clean_environment())

    def sqlmesh_plan(self) -> Spent:
        """Plan and apply everything up to the last day."""
        return self.run(
            "sqlmesh", "plan", "--auto-apply", "--no-prompts",
            "--execution-time", f"{self.days.end}",
        )  # fmt: skip

    def script(self) -> Spent:
        """The hand-written script."""
        script = BENCH / "peers" / "script.py"
        return self.run("python", script, f"{self.days.first}", f"{self.days.end}")


def answer_of(warehouse: Path) -> dict[str, object]:
    """What a peer's tables say: rows and content hashes, the same for whoever is right."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute(ANSWER)
        names = [column[0] for column in found.description]
        values = found.fetchone() or ()
    return dict(zip(names, [str(value) for value in values], strict=True))


def require_same(answers: Mapping[str, Mapping[str, object]]) -> str:
    """Stop unless all say the same; returns it in words."""
    (first, expected), *others = answers.items()
    for name, found in others:
        if found != expected:
            differ = {key: (e, found[key]) for key, e in expected.items() if e != found[key]}
            raise SystemExit(f"{name} differs from {first}: {differ}")
    return (
        f"{int(str(expected['lines'])):,} lines worth {expected['sold']}, "
        f"{expected['orders']} orders, {expected['days']} days, "
        f"{expected['department_days']} department days; content hashes of the marts equal "
        f"({', '.join(answers)})"
    )


def row(name: str, command: str, spent: Spent, **more: object) -> tuple[Row, Spent]:
    """A measured row."""
    return Row(name, command, **more), spent  # type: ignore[arg-type]
