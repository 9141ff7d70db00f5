"""The warehouse's own testimony: marker rows, committed together with the rows they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from runner.dbt.protocol import Engine, Invocation, Publication
from runner.spans import Span

Publications = Mapping[tuple[str, datetime], Publication]


def by_window(told: Iterable[Publication]) -> Publications:
    """Publications by model and UTC start of the window."""
    return {(found.model, found.window_start): found for found in told}


def ask_warehouse(engine: Engine, span: Span, fence: int, timeout: timedelta) -> Publications:
    """What the invocation with a fence has published in ``span``, whatever became of it.

    Raises :class:`runner.errors.EngineError` if the warehouse cannot be asked.
    """
    question = Invocation(
        nodes=(),
        exclude=(),
        with_unit_tests=False,
        span=span,
        run_id="recovery",
        fence=fence,
        code_hashes={},
        timeout=timeout,
    )
    return by_window(engine.published(question))
