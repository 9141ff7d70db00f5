"""Look at a source's columns beside those that were recorded of it, and accept them on purpose."""

from __future__ import annotations

from datetime import timedelta

from runner.core.errors import UsageError, nearest
from runner.dbt.protocol import Engine, SourceSchema
from runner.project.manifest import Project

_PATIENCE = timedelta(minutes=5)


def look(source: str, project: Project, engine: Engine, *, accept: bool = False) -> SourceSchema:
    """Return how a source has changed since it was recorded; ``accept`` records it as it is now.

    Raises :class:`UsageError` for a name that is no source's, and
    :class:`runner.core.errors.EngineError` if the source cannot be looked at.
    """
    # As a person writes it: source.daybreak.landing.transactions is landing.transactions.
    known = [key.split(".", 2)[2] for key, n in project.nodes.items() if n.kind == "source"]
    if source not in known:
        hint = nearest(source, known) or f" Known: {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f"the project has no source {source!r}.{hint}")
    return engine.schema(source, _PATIENCE, accept=accept)
