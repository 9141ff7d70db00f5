"""The warehouse's own testimony: marker rows, committed together with the rows they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from runner.core.spans import Span
from runner.dbt.protocol import Engine, Publication

Publications = Mapping[tuple[str, datetime], Publication]


def by_window(told: Iterable[Publication]) -> Publications:
    """Publications by model and UTC start of the window."""
    return {(found.model, found.window_start): found for found in told}


def ask_warehouse(
    engine: Engine, span: Span | None, fence: int | None, timeout: timedelta
) -> Publications:
    """What the warehouse says is published in ``span`` by the invocation with ``fence``.

    None asks for all. Raises :class:`runner.core.errors.EngineError` if it cannot be asked.
    """
    return by_window(engine.published(span, fence, timeout))
