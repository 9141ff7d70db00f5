"""The ledger: which window of which pipeline ran when, under which lease, with which verdict.

Three rooms: :mod:`database` opens it and makes every operation one transaction, :mod:`leases`
writes it, :mod:`history` reads it.
"""

from runner.ledger.history import History
from runner.ledger.leases import Leases
from runner.ledger.records import Finding, Kind, ModelRun, Outcome, Run, total_rows

__all__ = ["Finding", "Kind", "Ledger", "ModelRun", "Outcome", "Run", "total_rows"]


class Ledger(Leases, History):
    """Runs, leases and evidence, in SQLite or another database by URL."""
