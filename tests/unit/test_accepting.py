"""A change of code that a person has found cosmetic; over a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.core.errors import UsageError
from runner.core.spans import Span
from runner.core.status import WindowRecord, WindowStatus, WorkResult, assess
from runner.core.timelines import Timeline
from runner.core.windows import Grain
from runner.ledger import IndexChange, Ledger
from runner.project.acceptance import accept_code, equal_hashes
from runner.project.manifest import Node, Project
from tests.unit.ledger_fixtures import change_index
from tests.unit.planned_nodes import DAYS, NONE, day, from_to, marked, planned

NOW = datetime(2026, 6, 19, 5, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def project(code_hash: str) -> Project:
    nodes = [
        Node("m.orders", "orders", "model", "incremental", (), Grain.DAY, code_hash=code_hash),
        Node("m.totals", "totals", "model", "incremental", (), Grain.DAY, code_hash="other"),
        Node("m.view", "view", "model", "view", ("m.orders",), code_hash="a view"),
    ]
    return Project(
        zone=ZoneInfo("UTC"),
        nodes={node.unique_id: node for node in nodes},
        selections={},
        fingerprint="",
    )


def published(
    ledger: Ledger, span: Span, code_hash: str | None, standing: WorkResult = WorkResult.SUCCESS
) -> None:
    known = Timeline([(span, WindowRecord(standing, code_hash))])
    change_index(ledger, IndexChange(windows={"orders": known}))


def statuses(ledger: Ledger, code_hash: str) -> dict[WindowStatus, str]:
    """What the first days of orders are, with some code."""
    found = replace(
        planned("orders", "....."),
        records=ledger.windows.get_records()["orders"],
        code_hashes=equal_hashes(
            code_hash, ledger.windows.get_accepted_changes().get("orders", ())
        ),
    )
    return {status: marked(spans) for status, spans in assess(found, DAYS, NONE).items()}


def test_what_older_code_published_is_stale_no_more(ledger: Ledger):
    published(ledger, from_to(1, 5), "first")
    assert statuses(ledger, "second") == {WindowStatus.STALE: "xxxxx.."}
    assert accept_code("orders", project("second"), ledger, NOW) == 1
    assert statuses(ledger, "second") == {WindowStatus.SUCCESS: "xxxxx.."}


def test_every_code_that_has_published_is_accepted_at_once_and_counted(ledger: Ledger):
    published(ledger, from_to(1, 2), "first")
    published(ledger, from_to(3, 4), "second")
    published(ledger, day(5), "third")
    assert accept_code("orders", project("third"), ledger, NOW) == 2
    assert statuses(ledger, "third") == {WindowStatus.SUCCESS: "xxxxx.."}


def test_it_holds_for_this_code_and_not_for_the_next(ledger: Ledger):
    published(ledger, from_to(1, 5), "first")
    accept_code("orders", project("second"), ledger, NOW)
    assert statuses(ledger, "third") == {WindowStatus.STALE: "xxxxx.."}


def test_a_second_acceptance_builds_on_the_first(ledger: Ledger):
    published(ledger, from_to(1, 3), "first")
    accept_code("orders", project("second"), ledger, NOW)
    published(ledger, from_to(4, 5), "second")
    assert accept_code("orders", project("third"), ledger, NOW) == 2
    assert statuses(ledger, "third") == {WindowStatus.SUCCESS: "xxxxx.."}


def test_code_that_is_taken_back_is_known_again(ledger: Ledger):
    published(ledger, from_to(1, 2), "first")
    accept_code("orders", project("second"), ledger, NOW)
    published(ledger, from_to(3, 5), "second")
    assert statuses(ledger, "first") == {
        WindowStatus.SUCCESS: "xx.....",
        WindowStatus.STALE: "..xxx..",
    }
    assert accept_code("orders", project("first"), ledger, NOW) == 1
    assert statuses(ledger, "first") == {WindowStatus.SUCCESS: "xxxxx.."}
    assert statuses(ledger, "second") == {WindowStatus.SUCCESS: "xxxxx.."}


def test_to_accept_twice_is_to_accept_once(ledger: Ledger):
    published(ledger, from_to(1, 5), "first")
    accept_code("orders", project("second"), ledger, NOW)
    assert accept_code("orders", project("second"), ledger, NOW) == 0
    assert ledger.windows.get_accepted_changes() == {"orders": [("first", "second")]}


def test_where_nothing_is_stale_there_is_nothing_to_accept(ledger: Ledger):
    assert accept_code("orders", project("first"), ledger, NOW) == 0
    published(ledger, from_to(1, 3), "first")
    published(ledger, from_to(4, 5), None)  # published by hand: nobody knows by which code
    assert accept_code("orders", project("first"), ledger, NOW) == 0
    assert ledger.windows.get_accepted_changes() == {}


def test_it_mends_nothing(ledger: Ledger):
    published(ledger, from_to(1, 2), "first")
    published(ledger, day(3), "first", WorkResult.INCORRECT)
    published(ledger, day(4), "first", WorkResult.FAILED)
    accept_code("orders", project("second"), ledger, NOW)
    assert statuses(ledger, "second") == {
        WindowStatus.SUCCESS: "xx.....",
        WindowStatus.INCORRECT: "..x....",
        WindowStatus.FAILED: "...x...",
        WindowStatus.MISSING: "....x..",
    }


def test_other_models_stay_as_they_are(ledger: Ledger):
    known = Timeline([(from_to(1, 5), WindowRecord(WorkResult.SUCCESS, "first"))])
    change_index(ledger, IndexChange(windows={"orders": known, "totals": known}))
    accept_code("orders", project("second"), ledger, NOW)
    assert ledger.windows.get_accepted_changes().keys() == {"orders"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ordres", r"^ordres is no model: Did you mean 'orders'\?$"),
        ("zebra", "^zebra is no model: see runner list and runner dag$"),
        ("view", "^view has no windows, so nothing of it is ever stale: see runner list"),
    ],
)
def test_what_is_no_windowed_model_is_refused(ledger: Ledger, name: str, said: str):
    with pytest.raises(UsageError, match=said):
        accept_code(name, project("first"), ledger, NOW)
    assert ledger.windows.get_accepted_changes() == {}
