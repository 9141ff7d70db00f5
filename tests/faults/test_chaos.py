"""Backfills that are killed at random, by ``kill -9``, a few hundred times."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

import pytest

from tests.faults.bakery import Bakery, assert_undisturbed
from tests.faults.killing import Series

FIRST = int(os.environ.get("CHAOS_SEED", "1"))
COUNT = int(os.environ.get("CHAOS_SERIES", "40"))
KILLS = 12


def kill_and_compare(
    bakery: Bakery, undisturbed: Mapping[str, str], seed: int, kills: int
) -> Series:
    series = Series(bakery, seed)
    series.run(kills)
    assert_undisturbed(bakery, undisturbed)
    return series


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1001, 1002])
def test_a_few_kills(bakery: Bakery, undisturbed: Mapping[str, str], seed: int) -> None:
    series = kill_and_compare(bakery, undisturbed, seed, 6)
    assert series.kills  # fewer than six, if all is done before


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_many_kills(
    bakery: Bakery,
    undisturbed: Mapping[str, str],
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Repeat one with ``CHAOS_SEED=17 CHAOS_SERIES=1 make chaos``."""
    series = kill_and_compare(bakery, undisturbed, seed, KILLS)
    record_property("kills", json.dumps(series.kills))
