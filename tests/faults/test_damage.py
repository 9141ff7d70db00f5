"""Files that a power loss has set back, that were cut off, or that have no room to grow."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.faults.bakery import WINDOWS, Bakery, assert_undisturbed, kill, until

pytestmark = pytest.mark.slow  # processes are started and killed

CHUNK = ("--chunk", "10")


def assert_mended(bakery: Bakery, undisturbed: Mapping[str, str], recorded: int = WINDOWS) -> None:
    mended = bakery.bake(*CHUNK)
    assert mended.code == 0, mended.out + mended.err
    assert_undisturbed(bakery, undisturbed, recorded)


def test_a_ledger_that_a_power_loss_has_set_back(
    bakery: Bakery, undisturbed: Mapping[str, str]
) -> None:
    home = bakery.ledger.parent
    assert bakery.bake(*CHUNK, DAYBREAK_CRASH="after-claim").code == -signal.SIGKILL
    shutil.copytree(home, bakery.folder / "before")
    assert bakery.bake(*CHUNK, DAYBREAK_CRASH="after-record:2").code == -signal.SIGKILL
    shutil.rmtree(home)
    (bakery.folder / "before").rename(home)
    assert_mended(bakery, undisturbed)


@pytest.mark.chaos
def test_a_ledger_that_is_lost(bakery: Bakery, undisturbed: Mapping[str, str]) -> None:
    assert bakery.bake(*CHUNK, DAYBREAK_CRASH="after-record:2").code == -signal.SIGKILL
    for path in bakery.ledger.parent.glob("ledger.db*"):
        path.unlink()
    # The markers know of two chunks; only the third is run.
    assert_mended(bakery, undisturbed, recorded=WINDOWS - 20)


def half(wal: Path) -> None:
    os.truncate(wal, wal.stat().st_size // 2)


def a_byte_less(wal: Path) -> None:
    os.truncate(wal, max(0, wal.stat().st_size - 1))


def zeros(wal: Path) -> None:
    wal.write_bytes(b"\0" * 4096)


def garbage(wal: Path) -> None:
    content = bytearray(wal.read_bytes() or b"\0" * 100)
    content[len(content) // 2 :] = b"\x55" * (len(content) - len(content) // 2)
    wal.write_bytes(content)


@pytest.mark.chaos
@pytest.mark.parametrize("damage", [half, a_byte_less, zeros, garbage])
def test_a_warehouse_whose_log_was_damaged(
    bakery: Bakery, undisturbed: Mapping[str, str], damage: Callable[[Path], None]
) -> None:
    """DuckDB reads what is whole of it, and all ends well; or one line says what is wrong."""
    process = bakery.start("backfill", "bakery", *CHUNK)
    until(bakery.is_writing, "a transaction", process)
    for pid in bakery.processes():
        kill(pid)
    process.communicate()
    until(lambda: not bakery.processes(), "the end of them all")
    wal = bakery.warehouse.with_name("warehouse.duckdb.wal")
    kept = wal.read_bytes()
    damage(wal)
    after = bakery.bake(*CHUNK)
    assert "Traceback" not in after.out + after.err
    if after.code != 0:
        assert after.code == 1
        assert "warehouse.duckdb" in after.out + after.err, after
        wal.write_bytes(kept)
        bakery.runner("resume", "bakery")
        assert_mended(bakery, undisturbed)
    else:
        assert_undisturbed(bakery, undisturbed)


def test_no_room_for_the_warehouse(bakery: Bakery, undisturbed: Mapping[str, str]) -> None:
    wal = bakery.warehouse.with_name("warehouse.duckdb.wal")
    wal.symlink_to("/dev/full")
    full = bakery.bake(*CHUNK)
    assert full.code == 1, full.out + full.err
    assert "Traceback" not in full.out + full.err
    wal.unlink()
    paused = bakery.bake(*CHUNK)
    assert paused.code == 1
    assert "bakery is paused" in paused.err
    assert bakery.runner("resume", "bakery").code == 0
    assert_mended(bakery, undisturbed)
