"""Real projects in temporary folders: the repository's own dbt project over real landed days."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import settings

from runner.dbt.package import PACKAGE, package_folder
from tests import inside, warm_dbt

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT_PARTS = (
    "dbt_project.yml",
    "profiles.yml",
    "pipelines.yml",
    "models",
    "macros",
    "seeds",
    "snapshots",
    "tests/sql",
)


Making = Callable[[Path], None]
RUNNER = str(Path(sys.executable).with_name("runner"))  # the script that is installed


# Whatever is slow here may be a busy machine. `make test-all` asks for the thorough profile.
settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("quick")


def of_hundred(examples: int) -> int:
    """As many examples of a costly test as the profile has, where a hundred would be so many."""
    return max(1, examples * settings.default.max_examples // 100)


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shop:
    """A copy of the project with landed files of its own, and a warehouse of its own."""

    folder: Path
    extra_environment: dict[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        return self.folder / "data" / "landing"

    @property
    def warehouse(self) -> Path:
        return self.folder / "data" / "warehouse.duckdb"

    def landed(self, day: date) -> Path:
        """The landed file of a business day."""
        return self.landing / "transactions" / f"{day}.parquet"

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DAYBREAK_", "DBT_"))}
        return {**kept, "DO_NOT_TRACK": "1", **self.extra_environment}

    def runner(self, *arguments: str) -> Finished:
        """Run the command line inside this process, over a dbt that need not be imported."""
        return Finished(*inside.run(self.folder, self.environment, arguments))

    def script(self, *arguments: str) -> Finished:
        """Run the command line as it is shipped: as a program."""
        process = subprocess.run(
            [RUNNER, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Finished(process.returncode, process.stdout, process.stderr)

    def dbt(self, *arguments: str) -> Finished:
        """Run dbt as an analyst types it, in a process that has imported it already."""
        return Finished(*warm_dbt.run_cli(self.folder, self.environment, arguments))

    def backfill(self, first: str, last: str, *arguments: str) -> Finished:
        """Backfill the orders pipeline, dates inclusive."""
        dates = ("--start-date", first, "--end-date", last)
        return self.runner("backfill", "orders_pipeline", *dates, *arguments)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def hashes(self, where: str = "true") -> dict[str, str]:
        """A content hash of every table and view; the snapshot and the markers aside."""
        names = self.query(
            "select table_name from information_schema.tables where table_schema = 'main' "
            "and table_name <> 'products_snapshot' "
            "and not starts_with(table_name, 'daybreak_') order by 1"
        )
        return {name: self.content_hash(name, where) for (name,) in names}

    def content_hash(self, relation: str, where: str = "true") -> str:
        """Equal for equal rows, in whatever order they lie."""
        digest = "count(*), bit_xor(hash(t)), sum(hash(t)::hugeint)"
        sql = f"select {digest} from {relation} as t where {where}"
        # The views read the landed files by a path relative to the project.
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            return str(self.query(sql)[0])
        finally:
            os.chdir(before)


def copy_project(folder: Path) -> None:
    """Copy what dbt reads of the repository."""
    for part in PROJECT_PARTS:
        source = REPOSITORY / part
        target = folder / part
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def install_package(folder: Path) -> None:
    """Put our package where `dbt deps` puts what a project's packages.yml names."""
    shutil.copytree(package_folder(), folder / "dbt_packages" / PACKAGE)


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Making) -> Path:
    """A folder that one worker makes for all of them, while the others wait for it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, is_made = root / name, root / f"{name} is made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made.exists():
            make(folder)
            is_made.touch()
    return folder


@pytest.fixture(scope="session", autouse=True)
def _warm_dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where every warm dbt begins, once a test asks for one: the repository's project, parsed."""

    def make(folder: Path) -> None:
        copy_project(folder)
        warm_dbt.parse(folder)

    warm_dbt.make_project = lambda: made_once(tmp_path_factory, "project", make)
    yield
    warm_dbt.end()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project over the real quarter, parsed once; copied for every test that changes it."""

    def make(folder: Path) -> None:
        copy_project(folder)
        land(folder / "data" / "landing", date(2017, 3, 1), date(2017, 5, 31))
        assert Shop(folder).dbt("parse", "-q").code == 0

    return made_once(tmp_path_factory, "template", make)


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> Shop:
    """A shop of the real quarter with nothing run yet."""
    return clone(template, tmp_path / "shop")


def clone(template: Path, folder: Path) -> Shop:
    """Another shop like the template, warehouse and ledger included."""
    shutil.copytree(template, folder)
    return Shop(folder)


@pytest.fixture(scope="session")
def quarter(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The real quarter, backfilled in one chunk; tests read it and never write to it."""

    def make(folder: Path) -> None:
        finished = clone(template, folder).backfill("2017-03-01", "2017-05-31")
        assert finished.code == 0, finished.out + finished.err

    return Shop(made_once(tmp_path_factory, "quarter", make))


def land(target: Path, first: date, last: date, *arguments: str) -> None:
    """Land real days, as the source system does."""
    script = REPOSITORY / "scripts" / "land_demo_data.py"
    days = ("--start", str(first), "--end", str(last), "--target", str(target))
    subprocess.run([sys.executable, str(script), *days, *arguments], check=True)


def days(first: date, last: date) -> Iterator[date]:
    """Every date from first to last, both inclusive."""
    while first <= last:
        yield first
        first += timedelta(days=1)
