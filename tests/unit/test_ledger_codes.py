"""The codes that models ran with are kept to be compared. Over every database."""

from __future__ import annotations

from datetime import timedelta

from runner.ledger import Ledger, ModelCode
from tests.unit.ledger_fixtures import NOW

OLD = ModelCode("orders", "abc", {"model.shop.orders": "a", "model.shop.lines": "b"}, NOW)
NEW = ModelCode("orders", "def", {"model.shop.orders": "c"}, NOW + timedelta(hours=1))


def test_nothing_is_known_at_first(ledger: Ledger):
    assert ledger.codes.get_newest() == {}
    assert ledger.codes.get(["abc"]) == ledger.codes.get_of("orders") == ledger.codes.get([]) == []
    assert ledger.codes.get_text("a") is None


def test_codes_are_kept_with_their_texts_the_newest_first(ledger: Ledger):
    ledger.codes.record([OLD], {"a": "select 1", "b": "select 2"})
    ledger.codes.record([NEW], {"a": "select 1", "c": "select 3"})
    assert ledger.codes.get_newest() == {"orders": "def"}
    assert ledger.codes.get_of("orders") == [NEW, OLD]
    assert ledger.codes.get(["abc", "ghi"]) == [OLD]
    assert [ledger.codes.get_text(digest) for digest in "abc"] == [
        "select 1",
        "select 2",
        "select 3",
    ]


def test_a_code_that_comes_back_is_the_newest_again(ledger: Ledger):
    again = ModelCode(OLD.model, OLD.code_hash, OLD.parts, NOW + timedelta(hours=2))
    for code in (OLD, NEW, again):
        ledger.codes.record([code], {})
    assert ledger.codes.get_of("orders") == [again, NEW]
