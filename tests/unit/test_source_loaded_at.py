"""Up to when a source is loaded, as a database's driver writes it."""

from __future__ import annotations

import pytest

from runner.core.errors import EngineError
from runner.dbt.protocol import InvocationResult
from runner.dbt.reports import loaded_told
from tests.unit.scheduling import utc


@pytest.mark.parametrize("text", ["2026-06-19", "2026-06-19 00:00:00", "2026-06-19 02:00:00+02:00"])
def test_dates_and_timestamps_are_instants(text: str):
    result = InvocationResult((), loaded_at=(text,))
    assert loaded_told("landing.lines", result) == utc("2026-06-19 00:00")


@pytest.mark.parametrize("text", ["1750000000", "June"])
def test_what_is_no_instant_is_refused_in_one_line(text: str):
    result = InvocationResult((), loaded_at=(text,))
    with pytest.raises(EngineError, match=f"landing.lines is loaded up to '{text}', which is no"):
        loaded_told("landing.lines", result)
