"""Test the other versions of dbt-core that are supported, each in an environment of its own.

Both engines' contract suite, the tests of the patches and the demo run in each; the demo's tables
must be those that the environment of ``make test`` makes. What dbt asks for is as it asks, and
what only we do as constraints.txt says. dbt-core 1.12 is installed without its optional parser
package, whose installation downloads a binary: see docs/adr/0002. Takes some ten minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VERSIONS = {  # of dbt-core, and what is installed beside it: once the oldest, once the newest
    "1.10": (
        "dbt-duckdb~=1.10.0",
        *("dbt-adapters==1.16.7", "dbt-common==1.34.2", "jinja2==3.1.6", "mashumaro==3.14"),
    ),
    "1.12": ("dbt-duckdb~=1.11.0",),
}
PARSER = "dbt-core-experimental-parser"
TOOLS = ("hypothesis", "psycopg[binary]", "pytest", "pytest-xdist")
TESTS = (
    *("test_engines", "test_engine_kill", "test_speedups", "test_batched_tests"),
    *("test_ast_cache", "test_cache"),
)
REQUIRED = """
import json
from importlib.metadata import requires
print(json.dumps([*requires("dbt-core"), *requires("dbt-duckdb")]))
"""


def name_of(requirement: str) -> str:
    """Return the name of a requirement as an index spells it."""
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def environment(version: str) -> Path:
    """Return the folder of programs of a version's environment, made if it is missing."""
    folder = PROJECT / ".venvs" / f"dbt-{version}"
    ready = folder / ".ready"
    if ready.exists() and ready.stat().st_mtime >= (PROJECT / "pyproject.toml").stat().st_mtime:
        return folder / "bin"
    print(f"making the environment of dbt-core {version}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    adapter, *pinned = VERSIONS[version]
    install(folder, "--no-deps", f"dbt-core~={version}.0", adapter, "--editable", str(PROJECT))
    asked = subprocess.run(
        [folder / "bin/python", "-c", REQUIRED], check=True, capture_output=True, text=True
    )
    dbts = [one for one in json.loads(asked.stdout) if "extra ==" not in one]
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    own = [*declared["dependencies"], *declared["optional-dependencies"]["demo"]]
    without = {"dbt-core", "dbt-duckdb", PARSER}
    wanted = [one for one in (*dbts, *own, *TOOLS) if name_of(one) not in without]
    ours = {name_of(one) for one in (*own, *TOOLS)} - {name_of(one) for one in dbts}
    pins = (PROJECT / "constraints.txt").read_text().splitlines()
    kept = [pin for pin in pins if name_of(pin) in ours]
    (folder / "constraints.txt").write_text("\n".join(kept) + "\n")
    install(folder, "-c", str(folder / "constraints.txt"), *wanted, *pinned)
    ready.touch()
    return folder / "bin"


def install(folder: Path, *arguments: str) -> None:
    """Let an environment's pip install something; it warns of the parser package each time."""
    pip = (folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *arguments)
    done = subprocess.run(pip, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{folder} cannot be made:\n{done.stderr[-2000:]}")


def totals(programs: Path, scratch: Path) -> str:
    """Run the demo from nothing, and return what it says of its tables."""
    own = {
        **os.environ,
        "DAYBREAK_WAREHOUSE": str(scratch / "warehouse.duckdb"),
        "DAYBREAK_HOME": str(scratch / "home"),
        "DBT_TARGET_PATH": str(scratch / "target"),
    }
    first, last = "2017-03-01", "2017-05-31"
    land = ("python", "scripts/land_demo_data.py", "--start", first, "--end", last)
    backfill = ("runner", "backfill", "orders_pipeline", "--start-date", first, "--end-date", last)
    for program, *arguments in (land, backfill):
        command = (programs / program, *arguments)
        subprocess.run(command, cwd=PROJECT, env=own, check=True, stdout=subprocess.DEVNULL)
    show = (programs / "python", "scripts/show_demo_totals.py")
    done = subprocess.run(show, cwd=PROJECT, env=own, check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Test every version, and end with an error if one of them is not as it should be."""
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        expected = totals(Path(sys.executable).parent, Path(scratch) / "own")
        for version in VERSIONS:
            programs = environment(version)
            print(f"dbt-core {version}: tests and demo", flush=True)
            files = [path for name in TESTS for path in (PROJECT / "tests").rglob(f"{name}.py")]
            pytest = (programs / "pytest", "-m", "", "--numprocesses", "2", *files)  # slow ones too
            tested = subprocess.run(pytest, cwd=PROJECT, check=False)
            found = totals(programs, Path(scratch) / version)
            if tested.returncode or found != expected:
                failed.append(version)
            if found != expected:
                print(f"the demo's tables should be\n{expected}and are\n{found}")
    if failed:
        sys.exit(f"not as it should be with dbt-core {', '.join(failed)}")
    print(f"the same with dbt-core {', '.join(VERSIONS)}: {expected.splitlines()[0]}")


if __name__ == "__main__":
    main()
