"""What is proved is remembered by model and code. Over every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from runner.core.proofs import Proof, ProofVerdict, Property
from runner.ledger import Ledger
from tests.unit.ledger_fixtures import NOW, Location, opened

WRONG = Proof(
    model="daily_revenue",
    code_hash="abc",
    verdict=ProofVerdict.DISPROVED,
    failed=(Property.COMMUTES, Property.CRASH_SAFE),
    windows="2026-03-04 … 2026-03-06",
    proved_at=NOW,
)
RIGHT = replace(WRONG, verdict=ProofVerdict.PROVED, failed=(), proved_at=NOW + timedelta(hours=1))


def test_nothing_is_proved_at_first(ledger: Ledger):
    assert ledger.proofs.get_all() == {}


def test_a_proof_is_kept_as_it_was(location: Location, ledger: Ledger):
    ledger.proofs.save([WRONG, replace(RIGHT, model="fct_orders")])
    with opened(location) as other:
        assert other.proofs.get_all() == {
            "daily_revenue": (WRONG,),
            "fct_orders": (replace(RIGHT, model="fct_orders"),),
        }


def test_the_newest_proof_of_a_code_counts(ledger: Ledger):
    later = replace(RIGHT, windows="other windows")
    ledger.proofs.save([RIGHT])
    ledger.proofs.save([later])
    assert ledger.proofs.get_all() == {"daily_revenue": (later,)}


def test_a_counterexample_is_the_last_word_on_a_code(ledger: Ledger):
    """Fewer windows, or others, may not show it again."""
    ledger.proofs.save([RIGHT])
    ledger.proofs.save([WRONG])
    ledger.proofs.save([RIGHT])
    assert ledger.proofs.get_all() == {"daily_revenue": (WRONG,)}


def test_each_code_has_its_own(ledger: Ledger):
    newer = replace(RIGHT, code_hash="def")
    ledger.proofs.save([newer])
    ledger.proofs.save([WRONG])
    assert ledger.proofs.get_all() == {"daily_revenue": (newer, WRONG)}
