"""Find the landed files of sources, and digest those that a model's window is made from.

A source says in its ``external_location`` where its files land. One whose name is a date belongs
to the windows of that date, any other to all windows. What cannot be seen from here, a table or
an object store, is unknown.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from runner.core.spans import Span
from runner.core.status import InputsOf
from runner.project.manifest import Node, Project


class Landings:
    """The files of a project's sources, as they were when first asked about."""

    def __init__(self, project: Project, project_dir: Path) -> None:
        self._zone = project.zone
        self._project = project
        self._project_dir = project_dir
        self._files: dict[str, list[tuple[date | None, str]]] = {}

    def inputs_of(self, node: Node) -> InputsOf:
        """Make what digests the files that a node reads for a window; None if they are unknown."""
        read = self._project.read_by(node)
        sources = [found for found in read if found.kind in ("source", "seed")]
        locations = [source.location for source in sources if source.location is not None]

        def digest(span: Span) -> str | None:
            if len(locations) < len(sources):
                return None
            first, last = self._dates(span)
            seen = hashlib.sha256()
            for location in locations:
                for landed_on, facts in self._landed(location):
                    if landed_on is None or first <= landed_on <= last:
                        seen.update(facts.encode())
            return seen.hexdigest()[:16]

        return digest

    def landed(self, source: Node, span: Span) -> int | None:
        """Count the files of a source that belong to a span; None if they cannot be seen."""
        if source.location is None:
            return None
        first, last = self._dates(span)
        dates = [landed_on for landed_on, _ in self._landed(source.location)]
        return sum(landed_on is None or first <= landed_on <= last for landed_on in dates)

    def _dates(self, span: Span) -> tuple[date, date]:
        """Return the first and the last local date of a span."""
        last_instant = span.end - timedelta(microseconds=1)
        return (
            span.start.astimezone(self._zone).date(),
            last_instant.astimezone(self._zone).date(),
        )

    def _landed(self, location: str) -> Iterable[tuple[date | None, str]]:
        if location not in self._files:
            found = listed(self._project_dir, location)
            self._files[location] = [(date_of(path), _facts(path)) for path in found]
        return self._files[location]


def listed(project_dir: Path, pattern: str) -> list[str]:
    """List the absolute paths that match a glob, which may be relative to the project."""
    return sorted(glob.glob(str(project_dir / pattern), recursive=True))  # noqa: PTH207 - absolute


def date_of(path: str) -> date | None:
    """Return the date with which a file's name begins; None: it belongs to all days alike."""
    try:
        return date.fromisoformat(os.path.basename(path).partition(".")[0])  # noqa: PTH119 - fast
    except ValueError:
        return None


def _facts(path: str) -> str:
    try:
        found = Path(path).stat()
    except OSError:
        return f"{path}:gone\n"
    return f"{path}:{found.st_size}:{found.st_mtime_ns}\n"
