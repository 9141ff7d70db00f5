"""The ledger: which window of which pipeline ran when, under which lease, with which verdict.

Its rooms: :mod:`database` opens it and makes every operation one transaction, :mod:`addresses`
knows where it is kept, :mod:`dialects` all that differs between the databases, :mod:`connection`
how SQL is spoken to either, :mod:`pool` what is kept open, :mod:`values` how values are kept, and
:mod:`schema` the tables.

:mod:`leases` says who holds what, :mod:`abandonment` what nobody holds any more, :mod:`recording`
takes what an invocation has brought, :mod:`index` knows what every model's windows are,
:mod:`inputs` from which files they were made, :mod:`history` tells what ran, :mod:`controls` pauses
and stops, :mod:`proofs` remembers what replaying has shown, :mod:`schedulers` keeps the scheduler's
traces, :mod:`outbox` what people are told, :mod:`pruning` forgets, :mod:`figures` counts,
:mod:`checkup` looks at the ledger itself, and :mod:`upgrades` brings older ledgers to this version.
"""

from runner.core.states import Kind
from runner.ledger.abandonment import Abandonment
from runner.ledger.checkup import Checkup
from runner.ledger.controls import Controls
from runner.ledger.figures import Counting, Figures
from runner.ledger.history import History
from runner.ledger.index import Index
from runner.ledger.inputs import Inputs, ReadInputs
from runner.ledger.leases import Leases
from runner.ledger.outbox import Outbox, Unsent
from runner.ledger.proofs import Proofs
from runner.ledger.pruning import FileSize, Pruning
from runner.ledger.recording import Recording
from runner.ledger.records import (
    CheckFinding,
    IndexChange,
    InputFile,
    Looked,
    ModelRun,
    ModelWork,
    Pause,
    Run,
    RunEnd,
    RunEntry,
    Usage,
    total_rows,
)
from runner.ledger.schedulers import SchedulerHeartbeat, Schedulers

__all__ = [
    "CheckFinding",
    "Figures",
    "FileSize",
    "IndexChange",
    "InputFile",
    "Kind",
    "Ledger",
    "Looked",
    "ModelRun",
    "ModelWork",
    "Pause",
    "ReadInputs",
    "Run",
    "RunEnd",
    "RunEntry",
    "SchedulerHeartbeat",
    "Unsent",
    "Usage",
    "total_rows",
]


class Ledger(
    Leases,
    Abandonment,
    Recording,
    Index,
    History,
    Controls,
    Proofs,
    Schedulers,
    Outbox,
    Inputs,
    Pruning,
    Counting,
    Checkup,
):
    """Runs, leases, evidence and the index of windows, in SQLite or another database by URL."""
