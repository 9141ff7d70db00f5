"""The ledger: which window of which pipeline ran when, under which lease, with which verdict.

A :class:`Ledger` is composed of its parts, one module each: :mod:`leases` (who holds which
window), :mod:`results` (how runs, models and checks ended), :mod:`runs` (what ran),
:mod:`windows` (the index of every model's windows), :mod:`warehouses` (what it is an index of),
:mod:`inputs` (the files they were made from), :mod:`controls` (pause, resume, cancel),
:mod:`outbox` (what people are told), :mod:`proofs` (what replaying has shown), :mod:`codes` (what
models ran with), :mod:`scheduler` (its signs of life) and :mod:`maintenance` (pruning, checks).

All of them speak to one :mod:`database`, which makes every operation one transaction:
:mod:`connection` speaks SQL, :mod:`dialects` holds all that differs between the databases and
their addresses, :mod:`schema` the tables and the upgrades, :mod:`records` what goes in and out,
:mod:`values` how values are kept, and :mod:`owners` names processes.
"""

from pathlib import Path
from typing import Self

from runner.ledger.codes import Codes, ModelCode
from runner.ledger.controls import Controls
from runner.ledger.database import Database
from runner.ledger.inputs import Inputs, ModelInputs
from runner.ledger.leases import Leases
from runner.ledger.maintenance import FileSize, Maintenance
from runner.ledger.outbox import Outbox, UnsentMessage
from runner.ledger.proofs import Proofs
from runner.ledger.records import (
    CheckFinding,
    FilesRead,
    IndexChange,
    InputFile,
    ModelRun,
    ModelWork,
    Pause,
    Run,
    RunDetails,
    RunEnd,
    RunEntry,
    total_rows,
)
from runner.ledger.results import Results
from runner.ledger.runs import Runs, RunStatistics
from runner.ledger.scheduler import Scheduler, SchedulerHeartbeat
from runner.ledger.warehouses import KnownRelation, KnownWarehouse, Warehouses
from runner.ledger.windows import Windows

__all__ = [
    "CheckFinding",
    "FileSize",
    "FilesRead",
    "IndexChange",
    "InputFile",
    "KnownRelation",
    "KnownWarehouse",
    "Leases",
    "Ledger",
    "ModelCode",
    "ModelInputs",
    "ModelRun",
    "ModelWork",
    "Pause",
    "Results",
    "Run",
    "RunDetails",
    "RunEnd",
    "RunEntry",
    "RunStatistics",
    "SchedulerHeartbeat",
    "UnsentMessage",
    "total_rows",
]


class Ledger:
    """Runs, leases, evidence and the index of windows, in SQLite or another database by URL."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.leases = Leases(database)
        self.results = Results(database)
        self.runs = Runs(database)
        self.windows = Windows(database)
        self.warehouses = Warehouses(database)
        self.inputs = Inputs(database)
        self.controls = Controls(database)
        self.outbox = Outbox(database)
        self.proofs = Proofs(database)
        self.codes = Codes(database)
        self.scheduler = Scheduler(database)
        self.maintenance = Maintenance(database)

    @classmethod
    def open(cls, location: Path | str) -> Self:
        """Open the ledger, and create it if there is none.

        ``location`` is the path of an SQLite file or a database URL. Raises
        :class:`LedgerError` if it cannot be opened or comes from another version of Daybreak,
        and :class:`UsageError` for a URL that is none.
        """
        return cls(Database.open(location))

    def get_details(self, pipeline: str, run_id: str) -> RunDetails:
        """Return a run with all that is known of it; :class:`UsageError` if there is none."""
        run, results = self.runs.get(pipeline, run_id), self.results
        allowed = self.runs.get_allowances(run)
        return RunDetails(run, results.get_models(run), results.get_findings(run), allowed)

    def close(self) -> None:
        """Give back every connection."""
        self.database.close()
