"""Tell on which days nothing lands, by what the checks of a pipeline are told.

``rows_in_every_window`` takes a day in its ``closures`` for rightly empty. Where that is a seed,
its file says the same to who waits for the files of a day.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from runner.core.windows import Window
from runner.landed.sources import local_dates
from runner.project.pipelines import Pipeline


class Closures:
    """The days on which nothing lands for a pipeline."""

    def __init__(self, pipeline: Pipeline, project_dir: Path) -> None:
        self._zone = pipeline.calendar.zone
        nodes = pipeline.project.nodes
        named = dict.fromkeys(node.closures for node in pipeline.nodes if node.closures is not None)
        seeds = [(nodes[seed].location, column) for seed, column in named if seed in nodes]
        self._days = [
            _closed_days(project_dir / location, column)
            for location, column in seeds
            if location is not None
        ]

    def cover(self, window: Window) -> bool:
        """Return True if every check that knows closures has each day of a window for closed."""
        day, last = local_dates(window.span, self._zone)
        while self._days and day <= last:
            if not all(day in days for days in self._days):
                return False
            day += timedelta(days=1)
        return bool(self._days)


@lru_cache(16)
def _read(path: Path, column: str, changed_at: int) -> frozenset[date]:  # noqa: ARG001 - the key
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        names = {name.strip().lower(): name for name in rows.fieldnames or ()}
        name = names.get(column.strip('"').lower())
        return frozenset(filter(None, (_parsed(row.get(name or "") or "") for row in rows)))


def _closed_days(path: Path, column: str) -> frozenset[date]:
    """Read the dates of a seed; none of a file that cannot be read: dbt says what is wrong."""
    try:
        return _read(path, column, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError, csv.Error):
        return frozenset()


def _parsed(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None
