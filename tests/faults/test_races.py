"""Several runners at once: every window is done by one of them, and the others say so."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Mapping
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from runner.core.errors import LedgerError
from runner.dbt.protocol import Invocation
from runner.ledger import Ledger
from runner.ledger.leases import FENCED_OFF
from runner.run import MEANWHILE
from tests.faults.bakery import Bakery, assert_undisturbed
from tests.unit.fake_dbt import FakeDbt, check, shop, table, windowed
from tests.unit.running import Runner, open_ledger

SHOP = shop(
    windowed("lines"),
    windowed("revenue", "lines"),
    table("report", "revenue"),
    check("lines_check", "lines"),
    check("revenue_check", "revenue"),
    check("report_check", "report"),
)
FORK = multiprocessing.get_context("fork")  # what is imported once serves every runner
RACES = [
    pytest.param(seed, runners, overlapping, marks=[pytest.mark.chaos] if seed > 4 else [])
    for seed in range(25)
    for runners in (2, 4)
    for overlapping in (False, True)
]


def race(folder: Path, seed: int, runners: int, *, overlapping: bool) -> list[dict[str, object]]:
    """Start real processes at once, each a runner over the same ledger; what each has done."""
    chance = random.Random(seed)
    open_ledger(folder / "ledger.db").close()
    barrier = FORK.Barrier(runners)
    ranges = [(chance.randint(0, 5), chance.randint(1, 8)) for _ in range(runners)]
    processes = [
        FORK.Process(
            target=_run,
            args=(folder, number, barrier, *(ranges[number] if overlapping else (0, 1))),
            kwargs={"chunk": chance.choice([1, 2, 9])},
        )
        for number in range(runners)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return [json.loads((folder / f"{number}.json").read_text()) for number in range(runners)]


class RacingRunner(Runner):
    """A runner whose dbt keeps what it makes in its own process: there is no warehouse to ask."""

    def reconcile(self) -> None:
        pass


def _run(folder: Path, number: int, barrier: Barrier, skip: int, count: int, *, chunk: int) -> None:
    """One runner, in a process of its own."""
    built: list[str] = []
    told: dict[str, object] = {"wished": [skip, count], "built": built, "error": None}

    def keep(invocation: Invocation) -> None:
        windows = [w.label for w in SHOP.calendar.windows(invocation.span)]
        built.extend(f"{node} {label}" for node in invocation.nodes for label in windows)

    runner = RacingRunner(SHOP, Ledger.open(folder / "ledger.db"), FakeDbt(SHOP, before=keep))
    request = runner.request(count, skip=skip, chunk=chunk)
    barrier.wait()
    try:
        done = runner.run(request)
        told["states"] = {window.label: str(state) for window, state in done.states.items()}
    except LedgerError as error:
        told["error"] = str(error)
    told["left"] = [reason for _, reason in runner.witness.left_out]
    (folder / f"{number}.json").write_text(json.dumps(told))
    os._exit(0)


def assert_one_winner(folder: Path, told: list[dict[str, object]]) -> None:
    """Every window was built once, by whoever holds its one run."""
    built = Counter(line for one in told for line in one["built"])  # type: ignore[attr-defined]
    of_windows = {line: n for line, n in built.items() if not line.startswith("report ")}
    assert set(of_windows.values()) == {1}, told
    labels = {line.split()[1] for line in of_windows}
    ledger = Ledger.open(folder / "ledger.db")
    try:
        runs = ledger.runs.find("shop")
        succeeded = [run.label for run in runs if run.state == "success"]
        assert len(succeeded) == len(set(succeeded)) == len(labels)
        assert all(run.state in ("success", "cancelled") for run in runs)
        assert len({run.run_id for run in runs}) == len(runs)
        known = ledger.windows.get_records()
        for model in ("lines", "revenue"):
            assert {str(value.standing) for _, value in known[model]} == {"success"}
    finally:
        ledger.close()
    for one in told:
        assert one["error"] in (None, FENCED_OFF)
        assert set(one["left"]) <= {MEANWHILE, "nothing of them could run"}  # type: ignore[call-overload]


@pytest.mark.parametrize(("seed", "runners", "overlapping"), RACES)
def test_a_race(tmp_path: Path, seed: int, runners: int, overlapping: bool) -> None:
    assert_one_winner(tmp_path, race(tmp_path, seed, runners, overlapping=overlapping))


@pytest.mark.parametrize(
    ("number", "runners"),
    [
        pytest.param(0, 2, marks=pytest.mark.slow),
        *(pytest.param(n, 2 + 2 * (n % 2), marks=pytest.mark.chaos) for n in range(1, 11)),
    ],
)
def test_a_race_of_commands(
    bakery: Bakery, undisturbed: Mapping[str, str], number: int, runners: int
) -> None:
    """The losers exit with 1, for there are windows that they have not seen done, or with 0."""
    sizes = random.Random(number).choices(["1", "10", "30"] if number else ["30"], k=runners)
    racing = [bakery.start("backfill", "bakery", "--chunk", size) for size in sizes]
    ended = []
    for process in racing:
        out, err = process.communicate(timeout=600)
        assert "Traceback" not in out + err, out + err
        ended.append((process.returncode, out, err))
    assert {code for code, *_ in ended} <= {0, 1}, ended
    assert any(code == 0 for code, *_ in ended), ended
    for code, out, err in ended:
        said = [line for line in (out + err).splitlines() if line]
        assert code == 0 or any(
            words in line
            for line in said
            for words in (MEANWHILE, FENCED_OFF, "in flight", "locked")
        ), said
    last = bakery.bake()
    assert last.code == 0, last.out + last.err
    assert_undisturbed(bakery, undisturbed)
