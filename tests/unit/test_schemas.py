"""What sources look like: which name is meant, and what a person reads of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.cli import accept as schemas
from runner.core.errors import UsageError
from runner.dbt.protocol import SourceSchema
from runner.project.manifest import Node, Project
from runner.render.schema import SCHEMA, accepted_page, schema_page

SOURCES = ("landing.transactions", "landing.products", "raw.control.totals")
PROJECT = Project(
    zone=ZoneInfo("UTC"),
    nodes={
        f"{kind}.shop.{name}": Node(f"{kind}.shop.{name}", name, kind, None, ())
        for kind, name in (*(("source", name) for name in SOURCES), ("model", "landing.lines"))
    },
    selections={},
    fingerprint="",
)
CHANGED = SourceSchema(
    source="landing.transactions",
    columns=(("id", "BIGINT"), ("cost", "DOUBLE")),
    recorded=(("id", "BIGINT"), ("price", "DOUBLE")),
    recorded_at=datetime(2026, 3, 8, 5, tzinfo=UTC),
    changes=("price looks renamed to cost",),
)


@dataclass
class Asked:
    """An engine that only looks at sources."""

    asked: list[tuple[str, bool]] = field(default_factory=list)

    def schema(self, source: str, timeout: timedelta, *, accept: bool) -> SourceSchema:
        assert timeout > timedelta()
        self.asked.append((source, accept))
        return replace(CHANGED, source=source)


def look(source: str, engine: Any, *, accept: bool = False) -> SourceSchema:
    return schemas.look(source, PROJECT, engine, accept=accept)


def test_a_source_is_known_by_its_two_names():
    engine = Asked()
    assert [look(name, engine).source for name in SOURCES] == list(SOURCES)
    look("landing.products", engine, accept=True)
    assert engine.asked == [*((name, False) for name in SOURCES), ("landing.products", True)]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("landing.transaction", "Did you mean 'landing.transactions'?"),
        ("landing.lines", "Did you mean 'landing."),
        ("x", "Known: landing.products, landing.transactions, raw.control.totals"),
    ],
)
def test_an_unknown_source_is_one_line_with_a_near_name(name: str, hint: str):
    engine = Asked()
    with pytest.raises(UsageError) as error:
        look(name, engine)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"the project has no source '{name}'.")
    assert hint in str(error.value)
    assert engine.asked == []


def test_what_was_accepted_is_said():
    assert accepted_page(CHANGED) == (
        "landing.transactions: accepted as it is now, 2 columns\n  price looks renamed to cost"
    )
    same = replace(CHANGED, columns=CHANGED.recorded, changes=())
    assert "nothing had changed, its 2 columns stay as recorded" in accepted_page(same)
    new = replace(CHANGED, recorded=(), recorded_at=None, changes=())
    assert "2 columns recorded, for the first time" in accepted_page(new)


def test_columns_are_shown_beside_those_recorded():
    page = schema_page(CHANGED).splitlines()
    assert page[0] == "column | type   | recorded"
    assert page[2:5] == [
        "id     | BIGINT | BIGINT",
        "cost   | DOUBLE | -",
        "price  | -      | DOUBLE",
    ]
    assert page[-3:] == [
        "landing.transactions has changed since it was recorded, 2026-03-08 05:00 UTC:",
        "  price looks renamed to cost",
        "if that is right: runner schema accept landing.transactions",
    ]
    same = replace(CHANGED, columns=CHANGED.recorded, changes=())
    assert schema_page(same).endswith("has not changed since it was recorded, 2026-03-08 05:00 UTC")
    new = replace(CHANGED, recorded=(), recorded_at=None, changes=())
    assert "nothing is recorded of landing.transactions: runner schema accept" in schema_page(new)
    assert SCHEMA.record(CHANGED)["recorded"] == [
        {"column": "id", "type": "BIGINT"},
        {"column": "price", "type": "DOUBLE"},
    ]
