"""Run dbt's own tests of an adapter with and without our package in each test's project.

    make test-adapter-suite
    make test-adapter-suite ONLY="basic incremental"
    make test-adapter-suite ONLY="hooks duckdb/adapter/test_incremental.py"

What a test gives without it, it has to give with it, be it a failure: some tests are for other
databases, or for what this machine lacks. What differs runs again, both ways, together with the
rest of its file: a test that then gives the same both ways is named as one that changes from run
to run, and one that never does fails.

The tests are those of dbt-tests-adapter, by the name of a folder, and those of dbt-duckdb, below
`duckdb/`: pip has no tests in a wheel of it, so they come from the source of the version that is
installed. All that lies in `.venvs/adapter`, an environment of its own. dbt-core has functional
tests too, but no package that is published has them, so they are not run. Nor are those of
dbt-duckdb that need MotherDuck's service or a Postgres in a container; those that need an
extension or a package from the network fail or are skipped without it, both ways.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "macros" / "daybreak"
ENVIRONMENT = PROJECT / ".venvs" / "adapter"
CONSTRAINTS = PROJECT / "constraints.txt"
PYTHON = ENVIRONMENT / "bin" / "python"
NEEDED = (
    *("dbt-core", "dbt-duckdb", "dbt-tests-adapter>=1.16,<2", "pytest", "pytest-xdist"),
    # What dbt-duckdb's tests import beside it.
    *("boto3", "deltalake", "freezegun", "fsspec", "openpyxl", "pandas", "pyarrow"),
    *("pytest-mock", "pytz", "sqlalchemy"),
)
UNREACHABLE = ("plugins/motherduck", "plugins/test_postgres.py")
ROUNDS = 3  # in which a test may come to give the same both ways
VERSION = "from importlib.metadata import version; print(version('dbt-duckdb'))"


class Suite(NamedTuple):
    """A folder of tests.

    Attributes:
        root: The folder that pytest starts in and names files from.
        below: Where the tests lie in it.
        options: What pytest is given beside the files.

    """

    root: Path
    below: Path
    options: tuple[str, ...]


def main(asked: list[str]) -> int:
    """Run what is asked for, or all, both ways; returns 1 if something differs."""
    make_environment()
    duckdb = [name for name in asked if name.split("/")[0] == "duckdb"]
    adapter = [name for name in asked if name not in duckdb]
    differing: list[str] = []
    if adapter or not asked:
        differing += compare("dbt-tests-adapter", adapter_suite(), adapter)
    if duckdb or not asked:
        names = [name.removeprefix("duckdb").removeprefix("/") for name in duckdb]
        differing += compare("dbt-duckdb", duckdb_suite(), names)
    return 1 if differing else 0


def make_environment() -> None:
    """Make the environment with dbt and its tests, if it is missing or older than its versions."""
    ready = ENVIRONMENT / ".ready"
    declared = max(path.stat().st_mtime for path in (Path(__file__), CONSTRAINTS))
    if not ready.exists() or ready.stat().st_mtime < declared:
        print(f"making {ENVIRONMENT.relative_to(PROJECT)}", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip("install", "-c", str(CONSTRAINTS), *NEEDED)
        ready.touch()


def pip(*arguments: str) -> None:
    """Let the environment's pip do something; its words are printed only if it cannot."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"pip {arguments[0]} failed:\n{done.stderr[-2000:]}")


def adapter_suite() -> Suite:
    """Return the tests that are installed with dbt-tests-adapter."""
    (folder,) = ENVIRONMENT.glob("lib/python*/site-packages/dbt/tests/adapter")
    return Suite(folder, folder, ("-c", os.devnull))


def duckdb_suite() -> Suite:
    """Return the tests of the dbt-duckdb that is installed, fetched with its source if need be."""
    asked = subprocess.run([PYTHON, "-c", VERSION], check=True, capture_output=True, text=True)
    release = asked.stdout.strip()
    name = f"dbt_duckdb-{release}"
    root = ENVIRONMENT / name
    if not root.exists():
        with tempfile.TemporaryDirectory(prefix="fetched-", dir=ENVIRONMENT) as folder:
            options = ("--no-deps", "--no-binary", ":all:", "--dest", folder)
            pip("download", *options, f"dbt-duckdb=={release}")
            with tarfile.open(Path(folder) / f"{name}.tar.gz") as source:
                source.extractall(folder, filter="data")
            (Path(folder) / name).rename(root)
    below = root / "tests" / "functional"
    left_out = [f"--ignore={below / path}" for path in UNREACHABLE]
    return Suite(root, below, ("-c", "pytest.ini", "--profile=file", *left_out))


def compare(title: str, suite: Suite, names: list[str]) -> list[str]:
    """Run tests with and without our package; returns the ids of those that never give the same."""
    files = [str(suite.below / name) for name in names] or [str(suite.below)]
    without, with_it = (outcomes(suite, files, package) for package in ("", str(PACKAGE)))
    differing = sorted(name for name in without | with_it if without.get(name) != with_it.get(name))
    passed = sum(outcome == "passed" for outcome in without.values())
    print(f"{title}: {len(without)} tests, {passed} pass without our package")
    for name in differing:
        print(f"{name}: {without.get(name)} without, {with_it.get(name)} with our package")
    for _ in range(ROUNDS - 1):
        if not differing:
            break
        files = sorted({str(suite.root / name.split("::")[0]) for name in differing})
        without, with_it = (outcomes(suite, files, package) for package in ("", str(PACKAGE)))
        for name in differing:
            if without.get(name) == with_it.get(name):
                print(f"{name}: {without.get(name)} both ways when it is run again")
        differing = [name for name in differing if without.get(name) != with_it.get(name)]
    print(f"{title}: {len(differing)} differ with our package", flush=True)
    if not passed:
        sys.exit(f"{title}: nothing passes, so nothing is shown: ask for more tests")
    return differing


def outcomes(suite: Suite, files: list[str], package: str) -> dict[str, str]:
    """Run tests; returns what became of each (passed, failed, error, skipped) by its id."""
    with tempfile.TemporaryDirectory(prefix="daybreak-") as folder:
        told = Path(folder) / "outcomes.json"
        plugins = ("-p", "dbt.tests.fixtures.project", "-p", "adapter_suite_plugin")
        options = (f"--rootdir={suite.root}", f"--basetemp={folder}/tests", *suite.options)
        tidy = ("--import-mode=importlib", "-p", "no:cacheprovider", "-q", "--tb=no", "-rN")
        runs = ("--continue-on-collection-errors", "-n", "2", "--dist", "loadscope")
        done = subprocess.run(
            [PYTHON, "-m", "pytest", *plugins, *options, *tidy, *runs, "-W", "ignore", *files],
            cwd=suite.root,
            env={
                **os.environ,
                "DAYBREAK_PACKAGE": package,
                "DAYBREAK_OUTCOMES": str(told),
                "PYTHONPATH": str(PROJECT / "scripts"),
                "DO_NOT_TRACK": "1",
            },
            check=False,  # some tests are for other databases
        )
        if done.returncode not in (0, 1):  # of pytest's: 1 is that a test failed
            sys.exit(f"pytest could not run {' '.join(files)}")
        became: dict[str, str] = json.loads(told.read_text())
        return became


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
