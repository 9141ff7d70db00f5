"""The system clock jumps while a runner holds windows: real processes, over every database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import libfaketime

from tests.unit.ledger_fixtures import WEEK, Location

REPOSITORY = Path(__file__).resolve().parents[2]
HOURS = 3600
YEARS = 365 * 24 * HOURS
JUMPS = [6 * HOURS, -6 * HOURS, 10 * YEARS, -10 * YEARS]
LABELS = sorted(window.label for window in WEEK)


def played(location: Location, tmp_path: Path) -> list[dict[str, Any]]:
    """What became of the windows at each jump; see :mod:`tests.unit.clock_jumps`."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    _, faked = libfaketime.get_reload_information()
    environment = {**os.environ, **faked, "FAKETIME_TIMESTAMP_FILE": str(clock)}
    arguments = (str(location), str(clock), *map(str, JUMPS))
    finished = subprocess.run(
        [sys.executable, "-m", "tests.unit.clock_jumps", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_a_clock_that_jumps(location: Location, tmp_path: Path):
    for jump, found in zip(JUMPS, played(location, tmp_path), strict=True):
        assert abs(found["silent"]["shift"] - jump) < HOURS  # the clock was faked indeed
        check(found, jump, is_local=isinstance(location, Path))


def check(found: dict[str, Any], jump: int, *, is_local: bool) -> None:
    for name, facts in found.items():
        # Whoever did it: no window is recorded twice, and no fence is given again.
        assert sorted(facts["successes"]) in (LABELS, []), (name, jump)
        assert facts["fences"] == sorted(set(facts["fences"])), (name, jump)
    # A server's clock is its own: what jumps here moves no lease there.
    silent = found["silent"]
    assert silent["taken"] == (len(WEEK) if is_local and jump > 0 else 0)
    assert silent["holder_recorded"] == (not silent["taken"])
    assert silent["successes"]
    # Who extends its lease keeps its windows, whichever way the clock has jumped.
    assert (found["beating"]["taken"], found["beating"]["holder_recorded"]) == (0, True)
    # Who is dead keeps nothing; who is elsewhere nothing that its lease does not prove.
    assert found["dead"]["taken"] == len(WEEK)
    assert found["elsewhere"]["taken"] == (len(WEEK) if is_local else 0)
