"""Run dbt's own tests of an adapter with and without our package in each test's project.

    make test-adapter-suite
    make test-adapter-suite ONLY="basic incremental"

What a test gives without it, it has to give with it; what differs is printed, and fails. The tests
come from dbt-tests-adapter, in an environment of their own, .venvs/adapter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from xml.etree import ElementTree

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venvs" / "adapter"
SUITE = "dbt-tests-adapter>=1.16,<2"
NEEDED = ("dbt-core", "dbt-duckdb", "pytest", "pytest-xdist", SUITE)


def main() -> int:
    """Run the suite twice and compare."""
    python = made_environment()
    without, with_it = (outcomes(python, package) for package in ("", PROJECT / "macros/daybreak"))
    differing = sorted(name for name in without | with_it if without.get(name) != with_it.get(name))
    for name in differing:
        print(f"{name}: {without.get(name)} without, {with_it.get(name)} with our package")
    passed = sum(outcome == "passed" for outcome in without.values())
    print(
        f"{len(without)} tests, {passed} pass without our package, {len(differing)} differ with it"
    )
    return 1 if differing or not passed else 0


def made_environment() -> Path:
    """Return the Python of an environment with dbt and its tests."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        constraints = ("-c", str(PROJECT / "constraints.txt"))
        subprocess.run([python, "-m", "pip", "install", "-q", *constraints, *NEEDED], check=True)
    return python


def outcomes(python: Path, package: str | Path) -> dict[str, str]:
    """Run the suite; returns what became of each test by its name."""
    only = [f"dbt.tests.adapter.{name}" for name in sys.argv[1:]] or ["dbt.tests.adapter"]
    with tempfile.TemporaryDirectory(prefix="daybreak-") as folder:
        told = Path(folder) / "results.xml"
        plugins = ("-p", "dbt.tests.fixtures.project", "-p", "adapter_suite_plugin")
        command = [python, "-m", "pytest", *plugins, "--pyargs", *only, "-q", "--tb=no"]
        subprocess.run(
            [*command, "-n", "2", "--dist", "loadscope", f"--junitxml={told}"],
            cwd=folder,
            env={
                **os.environ,
                "DAYBREAK_PACKAGE": str(package),
                "PYTHONPATH": str(PROJECT / "scripts"),
                "DO_NOT_TRACK": "1",
            },
            check=False,  # some tests are for other databases
        )
        return {
            f"{case.get('classname')}.{case.get('name')}": outcome(case)
            for case in ElementTree.parse(told).iter("testcase")  # noqa: S314 - our own
        }


def outcome(case: ElementTree.Element) -> str:
    """Return passed, failed, error or skipped."""
    kinds = {"failure": "failed", "error": "error", "skipped": "skipped"}
    return next((kinds[part.tag] for part in case if part.tag in kinds), "passed")


if __name__ == "__main__":
    sys.exit(main())
