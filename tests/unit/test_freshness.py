"""A window waits until its source is loaded up to its end, but for the lag it is allowed."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from runner.core.errors import ConfigError, EngineError
from runner.core.windows import Calendar, Grain
from runner.ledger import Ledger
from runner.project.manifest import Node, Project
from runner.scheduling.waiting import WorkspaceBlockers
from tests.unit.scheduling import utc

ZONE = ZoneInfo("UTC")
DAY = Calendar(Grain.DAY, ZONE).labelled("2026-06-19")
PATIENCE = timedelta(minutes=1)


class Asked:
    """An engine that knows one thing."""

    def __init__(self, answer: datetime | EngineError | None) -> None:
        self.answer = answer
        self.questions: list[str] = []

    def loaded_at(self, source: str, _timeout: timedelta) -> datetime | None:
        self.questions.append(source)
        if isinstance(self.answer, EngineError):
            raise self.answer
        return self.answer


def source(name: str, *, says: bool) -> Node:
    unique_id = f"source.shop.landing.{name}"
    return Node(unique_id, name, "source", None, (), says_when_loaded=says)


def freshness(ledger: Ledger, engine: Asked | None) -> WorkspaceBlockers:
    nodes = {n.unique_id: n for n in (source("lines", says=True), source("mute", says=False))}
    project = Project(ZONE, nodes, {}, fingerprint="")
    started = None if engine is None else lambda: cast(Any, engine)
    workspace = cast(Any, SimpleNamespace(project=lambda: project, ledger=ledger))
    return WorkspaceBlockers(workspace, started, lambda: utc("2026-06-20 00:10"))


def said(found: WorkspaceBlockers, name: str = "landing.lines") -> str | None:
    blocker = found.source_blocker(name, timedelta(hours=1), DAY, PATIENCE)
    return blocker.text if blocker else None


@pytest.mark.parametrize(
    ("loaded_at", "text"),
    [
        (utc("2026-06-20 00:00"), None),
        (utc("2026-06-19 23:00"), None),  # it is allowed a lag of an hour
        (utc("2026-06-19 22:59"), "landing.lines is loaded only up to 2026-06-19 22:59 UTC"),
        (None, "landing.lines has no rows"),
        (
            EngineError("landing.lines cannot be asked: it is gone"),
            "landing.lines cannot be asked: it is gone",
        ),
    ],
)
def test_a_source_is_fresh_but_for_the_lag_it_is_allowed(
    ledger: Ledger, loaded_at: datetime | EngineError | None, text: str | None
):
    assert said(freshness(ledger, Asked(loaded_at))) == text


def test_a_source_is_asked_once_in_a_pass(ledger: Ledger):
    engine = Asked(utc("2026-06-20 00:00"))
    found = freshness(ledger, engine)
    assert said(found) is said(found) is None
    assert engine.questions == ["landing.lines"]


def test_who_has_no_engine_goes_by_the_last_answer(ledger: Ledger):
    assert said(freshness(ledger, None)) is None  # nobody knows
    said(freshness(ledger, Asked(utc("2026-06-19 12:00"))))
    assert "loaded only up to 2026-06-19 12:00 UTC" in (said(freshness(ledger, None)) or "")
    said(freshness(ledger, Asked(utc("2026-06-20 12:00"))))
    assert said(freshness(ledger, None)) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("landing.line", "no source 'landing.line'. Did you mean 'landing.lines'"),
        ("landing.mute", "landing.mute does not say up to when it is loaded: give it a"),
    ],
)
def test_a_source_that_cannot_be_asked_is_refused_before_dbt_starts(
    ledger: Ledger, name: str, words: str
):
    engine = Asked(None)
    with pytest.raises(ConfigError, match=words):
        said(freshness(ledger, engine), name)
    assert engine.questions == []
