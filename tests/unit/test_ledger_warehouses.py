"""The warehouse that a ledger is about, and how its file was left. Over every database."""

from __future__ import annotations

import pytest

from runner.ledger import KnownWarehouse, Ledger
from tests.unit.ledger_fixtures import NOW


def test_a_file_that_an_invocation_found_as_it_was_known_is_known_as_it_was_left(ledger: Ledger):
    ledger.warehouses.bind("shop.duckdb")
    ledger.warehouses.go_on(None, "first", NOW)  # which has made it
    ledger.warehouses.go_on("first", "second", NOW)
    assert ledger.warehouses.get() == KnownWarehouse("shop.duckdb", None, "second", NOW)


@pytest.mark.parametrize("found", ["by others", None])
def test_a_file_that_others_had_written_is_to_be_looked_at(ledger: Ledger, found: str | None):
    ledger.warehouses.bind("shop.duckdb")
    ledger.warehouses.go_on(None, "first", NOW)
    ledger.warehouses.go_on(found, "second", NOW)
    assert ledger.warehouses.get() == KnownWarehouse("shop.duckdb", None, "first", NOW)
