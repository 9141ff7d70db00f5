"""Who may not run, and what a run keeps of who may all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runner.core.errors import UsageError
from runner.core.proofs import Proof, ProofVerdict, Property
from runner.core.windows import Calendar, Grain
from runner.ledger import Kind, Ledger
from runner.safety.refusals import Allowance, Objection, disproved, refuse_unsafe, require_known

NOW = datetime(2026, 3, 12, tzinfo=UTC)
CLOCK = Objection("orders", "DB01 clock or chance", "models/orders.sql:7: now: mend it")
APPEND = Objection("lines", "DB03 append", "models/lines.sql:1: append: mend it")
DISPROVED = Objection("orders", "disproved", "it does not commute: see runner prove")


def test_what_nobody_objects_to_may_run():
    assert refuse_unsafe({"orders", "lines"}, [], allowed=()) == ()


def test_an_objection_to_a_model_of_another_plan_is_none():
    assert refuse_unsafe({"lines"}, [CLOCK], allowed=()) == ()


def test_the_first_objection_is_said_in_one_line_and_the_other_models_are_named():
    with pytest.raises(UsageError) as refused:
        refuse_unsafe({"orders", "lines"}, [CLOCK, DISPROVED, APPEND], allowed=())
    assert str(refused.value) == (
        "orders is not safe to replay, DB01 clock or chance, models/orders.sql:7: now: mend it "
        "(and lines: see runner lint and runner plan); or run it all the same with "
        "--allow-unsafe orders"
    )


def test_who_is_allowed_is_kept_with_every_reason():
    found = refuse_unsafe({"orders"}, [CLOCK, DISPROVED, CLOCK, APPEND], allowed=("orders",))
    assert found == (
        Allowance("orders", "DB01 clock or chance"),
        Allowance("orders", "disproved"),
    )


def test_what_is_disproved_is_objected_to():
    wrong = Proof(
        model="orders",
        code_hash="abc",
        verdict=ProofVerdict.DISPROVED,
        failed=(Property.IDEMPOTENT, Property.COMMUTES),
        windows="2026-03-04 … 2026-03-06",
        proved_at=NOW,
    )
    right = replace(wrong, verdict=ProofVerdict.PROVED, failed=())
    assert disproved("shop", {"lines": None, "orders": wrong, "days": right}) == [
        Objection(
            "orders",
            "disproved by replaying it",
            "idempotent, commutes failed over 2026-03-04 … 2026-03-06: mend it and run "
            "runner prove shop --select orders",
        )
    ]


def test_an_allowance_for_one_is_none_for_another():
    with pytest.raises(UsageError, match="lines is not safe"):
        refuse_unsafe({"orders", "lines"}, [CLOCK, APPEND], allowed=("orders",))


def test_only_models_can_be_allowed():
    require_known(("orders",), {"orders", "lines"}, "shop")
    with pytest.raises(UsageError, match="Did you mean 'orders'"):
        require_known(("ordres",), {"orders", "lines"}, "shop")


def test_each_run_keeps_what_was_allowed(tmp_path: Path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    calendar = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
    days = list(calendar.windows(calendar.span_of_dates(date(2026, 3, 1), date(2026, 3, 2))))
    allowed = (Allowance("orders", "DB01 clock or chance"), Allowance("orders", "disproved"))
    runs = ledger.queue("shop", Kind.BACKFILL, days, NOW, allowed)
    (other,) = ledger.queue("returns", Kind.BACKFILL, days[:1], NOW)
    assert [ledger.allowances(run) for run in runs] == [list(allowed), list(allowed)]
    assert ledger.allowances(other) == []
    ledger.close()
