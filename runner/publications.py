"""The warehouse's own testimony: marker rows, committed together with the rows they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from runner.core.standings import Known, Standing
from runner.dbt.protocol import Publication

# What a marker says of a window.
STANDINGS = {
    "correct": Standing.SUCCESS,
    "incorrect": Standing.INCORRECT,
    "unchecked": Standing.UNCHECKED,
    None: Standing.PUBLISHED,
}
Publications = Mapping[tuple[str, datetime], Publication]


def by_window(told: Iterable[Publication]) -> Publications:
    """Publications by model and UTC start of the window."""
    return {(found.model, found.window_start): found for found in told}


def known_of(marker: Publication) -> Known:
    """What a marker lets us know of its window; a plain `dbt build` leaves it unverified."""
    if marker.run_id is None:
        return Known(Standing.UNCHECKED, has_rows=True)
    return Known(STANDINGS[marker.verdict], marker.code_hash, has_rows=True)
