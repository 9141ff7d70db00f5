"""What a person types to prune, and is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.cli import doctor
from runner.core.errors import UsageError
from runner.ledger import FileSize
from runner.render.doctor import pruned_page, pruned_record

BEFORE = datetime(2026, 6, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("keep", ["soon", "", "0d", "-1d", "1w", "1.5d", "999999d"])
def test_what_is_no_age_is_refused_before_anything_is_looked_at(keep: str):
    with pytest.raises(UsageError, match=f"^--keep {keep} is "):
        doctor.prune(keep)


def test_what_was_removed_is_told_with_the_size_of_the_file():
    page = pruned_page({"runs": 1, "messages": 20}, BEFORE, FileSize(9000, 4096), is_dry=False)
    assert page.splitlines() == [
        "1 run and 20 messages removed: over before 2026-06-01 05:00 UTC, and no window's newest",
        "the ledger's file: 9,000 bytes before, 4,096 after",
    ]


def test_a_dry_run_and_a_server_tell_of_no_file():
    rows = {"runs": 0, "messages": 0}
    page = pruned_page(rows, BEFORE, None, is_dry=True)
    assert page.startswith("0 runs and 0 messages would be removed: ")
    assert "\n" not in page
    record = pruned_record(rows, BEFORE, None, is_dry=True)
    assert record["is_dry_run"]
    assert record["removed"] == rows
    assert record["bytes_before"] is None
