"""Whose change it is that a model's code is no longer what it ran with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runner.core.errors import UsageError
from runner.ledger import Ledger
from runner.project.code_changes import changes_in_words, code_difference, parts_of, record_codes
from runner.project.manifest import Node, Project, completed
from tests.unit.fake_dbt import seed, view, windowed
from tests.unit.ledger_fixtures import NOW

NODES = (
    seed("rates"),
    windowed("lines"),
    view("joined", "model.shop.lines", "seed.shop.rates"),
    windowed("daily", "model.shop.joined"),
)


def project_of(*changed: str, nodes: tuple[Node, ...] = NODES) -> Project:
    """A project in which some nodes are other than at first; a text is its own digest."""
    own = {n.unique_id: f"{n.name}{' now' if n.name in changed else ''}" for n in nodes}
    found = {
        n.unique_id: replace(n, own_code=own[n.unique_id], code_hash=own[n.unique_id])
        for n in nodes
    }
    codes = {digest: f"select '{digest}'" for digest in own.values()}
    return Project(ZoneInfo("UTC"), completed(found), {}, "", codes=codes)


def recorded(ledger: Ledger, project: Project, at: datetime = NOW) -> None:
    record_codes(project.nodes.values(), project, ledger, lambda: project.codes, at)


def difference(ledger: Ledger, project: Project, model: str = "daily") -> tuple[str, ...]:
    return code_difference(model, project, ledger, lambda: project.codes).lines


def test_a_code_is_made_of_what_has_no_windows():
    project = project_of()
    assert parts_of(project.nodes["model.shop.daily"], project) == {
        "model.shop.daily": "daily",
        "model.shop.joined": "joined",
        "seed.shop.rates": "rates",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("daily", "joined"), "its code has changed"),
        (("joined",), "the code of joined, which it reads, has changed"),
        (("rates",), "the rows of rates, which it reads, have changed"),
        (("joined", "rates"), "the code of joined, rates, which it reads, has changed"),
    ],
)
def test_the_node_whose_change_it_was_is_named(ledger: Ledger, changed: tuple[str, ...], said: str):
    recorded(ledger, project_of())
    (earlier,) = ledger.codes.get_of("daily")
    now = project_of(*changed)
    assert changes_in_words(now.nodes["model.shop.daily"], now, earlier) == said


def test_the_difference_is_of_each_node_that_has_changed(ledger: Ledger):
    assert code_difference("daily", project_of(), ledger, dict).since is None
    recorded(ledger, project_of())
    assert difference(ledger, project_of()) == ()
    assert difference(ledger, project_of("lines")) == ()
    assert difference(ledger, project_of("joined")) == (
        "--- joined as it ran",
        "+++ joined now",
        "@@ -1 +1 @@",
        "-select 'joined'",
        "+select 'joined now'",
    )
    # What it has run with since is no difference.
    recorded(ledger, project_of("joined"), NOW + timedelta(hours=1))
    assert difference(ledger, project_of("joined")) == ()


def test_what_is_told_by_its_text_says_so(ledger: Ledger):
    nodes = (*NODES[:2], replace(NODES[2], why_raw="it asks the database"), NODES[3])
    found = code_difference("daily", project_of(nodes=nodes), ledger, dict)
    assert found.notes == ("joined is compared by its raw text: it asks the database",)


def test_only_what_has_code_can_be_compared(ledger: Ledger):
    with pytest.raises(UsageError, match="dayly is no model: Did you mean 'daily'"):
        code_difference("dayly", project_of(), ledger, dict)
