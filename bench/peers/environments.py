"""The peers' environments: one each, under bench/.venvs, made from what their constraints say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
PROJECT = BENCH.parent
WANTED = {
    "dbt": ("dbt-core~=1.11.0", "dbt-duckdb~=1.11.0"),
    "sqlmesh": ("sqlmesh[duckdb]",),
    "airflow": ("apache-airflow",),  # its core and the standard provider; dbt is the dbt peer's
}


def bin_of(peer: str) -> Path:
    """The folder of a peer's programs; its environment is made if it is missing."""
    folder = BENCH / ".venvs" / peer
    ready = folder / ".ready"
    constraints = BENCH / f"constraints-{peer}.txt"
    if not ready.exists() or ready.stat().st_mtime < constraints.stat().st_mtime:
        print(f"making the environment of {peer}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*install, "-c", constraints, *WANTED[peer]],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"the environment of {peer} cannot be made:\n{done.stderr[-2000:]}")
        ready.touch()
    return folder / "bin"


def own_bin() -> Path:
    """Where our own ``runner`` and ``dbt`` are."""
    return Path(sys.executable).parent


def clean_environment(**added: str) -> dict[str, str]:
    """What every peer gets: nothing of ours or dbt's from outside, and compiled Python kept."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DAYBREAK_", "DBT_", "SQLMESH_", "AIRFLOW_"))
        and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "NO_COLOR": "1", **added}
