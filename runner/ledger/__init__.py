"""The ledger: which window of which pipeline ran when, under which lease, with which verdict."""

from runner.ledger.records import Finding, Kind, ModelRun, Outcome, Run
from runner.ledger.store import Ledger

__all__ = ["Finding", "Kind", "Ledger", "ModelRun", "Outcome", "Run"]
