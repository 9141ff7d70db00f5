"""Find the landed files of sources, and digest those that a model's window is made from.

A source says in its ``external_location`` where its files land. One that is named after a date
belongs to the windows of that date, any other to all windows. What cannot be seen from here, a
table or an object store, is unknown.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta, tzinfo
from functools import cache
from pathlib import Path

from runner.core.spans import Span
from runner.core.status import InputsOf
from runner.landed.dates import date_of
from runner.landed.listing import listed
from runner.project.manifest import Node, Project


class Landings:
    """The files of a project's sources, as they were when first asked about."""

    def __init__(self, project: Project, project_dir: Path) -> None:
        self._project = project
        self._project_dir = project_dir
        self._facts = cache(self._list)
        self._locations = cache(self._located)  # of a thousand models few are asked about

    def inputs_of(self, node: Node) -> InputsOf:
        """Make what digests the files that a node reads for a window; None if they are unknown."""

        def digest(span: Span) -> str | None:
            locations = self._locations(node.unique_id)
            if locations is None:
                return None
            seen = hashlib.sha256()
            for location in locations:
                seen.update("".join(self._landed(location, span)).encode())
            return seen.hexdigest()[:16]

        return digest

    def landed(self, source: Node, span: Span) -> int | None:
        """Count the files of a source that belong to a span; None if they cannot be seen."""
        return None if source.location is None else len(self._landed(source.location, span))

    def _landed(self, location: str, span: Span) -> list[str]:
        """Return the facts of the files that belong to a span."""
        first, last = local_dates(span, self._project.zone)
        found = self._facts(location)
        return [facts for day, facts in found if day is None or first <= day <= last]

    def _located(self, unique_id: str) -> list[str] | None:
        """Return where the files lie that a node is made from; None if one cannot be seen."""
        read = self._project.read_by(self._project.nodes[unique_id])
        found = [source.location for source in read if source.kind in ("source", "seed")]
        known = [location for location in found if location is not None]
        return known if len(known) == len(found) else None

    def _list(self, location: str) -> list[tuple[date | None, str]]:
        return [(date_of(path), _facts(path)) for path in listed(self._project_dir, location)]


def local_dates(span: Span, zone: tzinfo | None) -> tuple[date, date]:
    """Return the first and the last local date of a span."""
    last_instant = span.end - timedelta.resolution
    return span.start.astimezone(zone).date(), last_instant.astimezone(zone).date()


def _facts(path: str) -> str:
    try:
        found = Path(path).stat()
    except OSError:
        return f"{path}:gone\n"
    return f"{path}:{found.st_size}:{found.st_mtime_ns}\n"
