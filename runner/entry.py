"""The first lines of the command line: what takes longest is started before all else."""

from __future__ import annotations

import sys
from typing import NoReturn

from runner.core import interrupts
from runner.dbt import prewarm

# They run dbt as soon as they know what; `tick` does so only if something is due.
_RUN_DBT = ("backfill", "prove", "retry", "run", "serve")
_DO_NOT = ("--dry-run", "--help", "plain")


def main() -> NoReturn:
    """Start to import dbt if it will be needed, then be the command line."""
    interrupts.listen()
    try:
        if sys.argv[1:2] and sys.argv[1] in _RUN_DBT and not set(_DO_NOT) & set(sys.argv):
            prewarm.start()
        from runner.cli import main

        main()
    except interrupts.Interrupted as interrupted:  # before the command line could say so itself
        sys.stderr.write(f"runner: interrupted; {interrupted.what_is_left}.\n")
        sys.exit(130)
    finally:
        prewarm.end()
