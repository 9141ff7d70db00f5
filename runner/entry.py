"""The first lines of the command line: what takes longest is started before all else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from runner.core import interrupts

# They run dbt as soon as they know what; `tick` does so only if something is due.
_RUN_DBT = frozenset({"backfill", "prove", "retry", "run", "serve"})
_DO_NOT = frozenset({"--dry-run", "--help", "plain"})


def main() -> NoReturn:
    """Start to import dbt if it will be needed, then be the command line."""
    interrupts.listen()
    try:
        with _dbt_started():
            from runner.cli import main

            main()
    except interrupts.Interrupted as interrupted:  # before the command line could say so itself
        sys.stderr.write(f"runner: interrupted; {interrupted.what_is_left}.\n")
        sys.exit(130)


@contextmanager
def _dbt_started() -> Iterator[None]:
    """Start to import dbt if the command will need it, and end what nobody has taken over."""
    if not _runs_dbt(sys.argv[1:]):
        yield
        return
    from runner.dbt import prewarm  # who only looks pays for no sockets and processes

    try:
        prewarm.start()
        yield
    finally:
        prewarm.end()


def _runs_dbt(arguments: Sequence[str]) -> bool:
    if _RUN_DBT.isdisjoint(arguments) or not _DO_NOT.isdisjoint(arguments):
        return False
    return not os.environ.get("DAYBREAK_DBT")  # which is run, and not imported
