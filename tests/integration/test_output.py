"""What becomes of a command whose words cannot be written, as real processes meet it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import RUNNER, Shop

BEL = "\x1b]0;owned\x07"


def started(
    shop: Shop, *arguments: str, stdout: int | IO[bytes] = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [RUNNER, *arguments], cwd=shop.folder, env=shop.environment, stdin=subprocess.DEVNULL,
        check=False, timeout=300, stdout=stdout, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_whose_log_has_no_room_runs_and_says_so(shop: Shop):
    dates = ("--start-date", "2017-03-01", "--end-date", "2017-03-02")
    with Path("/dev/full").open("wb") as full:
        done = started(shop, "backfill", "orders_pipeline", *dates, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().endswith(
        "runner: what this command says could not be written: No space left on device\n"
    )
    assert shop.query("select count(distinct business_date) from fct_orders") == [(2,)]
    again = json.loads(
        started(shop, "backfill", "orders_pipeline", *dates, "--format", "json").stdout
    )
    assert again["runs"] == []


@pytest.fixture
def gone() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.slow
def test_a_run_whose_reader_has_gone_runs(shop: Shop, gone: int):
    dates = ("--start-date", "2017-03-01", "--end-date", "2017-03-01")
    done = started(shop, "backfill", "orders_pipeline", *dates, stdout=gone)
    assert (done.returncode, done.stderr) == (0, b"")
    assert shop.query("select count(distinct business_date) from fct_orders") == [(1,)]


def test_what_looks_is_ended_well_by_who_reads_a_line(quarter: Shop, gone: int):
    assert started(quarter, "dag", "orders_pipeline", stdout=gone).returncode == 0


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_what_an_encoding_does_not_hold_is_written_out(quarter: Shop, environment: dict[str, str]):
    plain = {**environment, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    found = started(replace(quarter, extra_environment=plain), "dag", "orders_pipeline")
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"  \\u2190 " in found.stdout


def test_closed_streams_are_none(quarter: Shop):
    closing = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", RUNNER, "status"]
    done = subprocess.run(closing, cwd=quarter.folder, env=quarter.environment, check=False)
    assert done.returncode == 0


def test_an_escape_code_in_an_error_is_shown_and_never_sent(quarter: Shop):
    found = started(quarter, "plan", f"x{BEL}")
    assert found.returncode == 2
    assert b"\\x1b]0;owned\\x07" in found.stderr
    assert b"\x1b" not in found.stderr
