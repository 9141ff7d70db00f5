"""The warehouse's own testimony: marker rows, committed together with the rows they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from runner.core.status import WindowRecord, WorkResult
from runner.dbt.protocol import Publication

# What a marker says of a window.
STANDINGS = {
    "correct": WorkResult.SUCCESS,
    "incorrect": WorkResult.INCORRECT,
    "unchecked": WorkResult.UNCHECKED,
    None: WorkResult.PUBLISHED,
}
Publications = Mapping[tuple[str, datetime], Publication]


def by_window(told: Iterable[Publication]) -> Publications:
    """Publications by model and UTC start of the window."""
    return {(found.model, found.window_start): found for found in told}


def known_of(marker: Publication) -> WindowRecord:
    """What a marker lets us know of its window; a plain `dbt build` leaves it unverified."""
    if marker.run_id is None:
        return WindowRecord(WorkResult.UNCHECKED, has_rows=True)
    return WindowRecord(STANDINGS[marker.verdict], marker.code_hash, has_rows=True)
