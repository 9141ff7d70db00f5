"""Make the ledger anew from the warehouse's markers: lost, corrupt or of an older version.

The old file is set aside, never deleted. What only the ledger knew is gone with it: runs, their
evidence, and accepted changes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner.core.errors import LedgerError, WarehouseLockedError
from runner.dbt.protocol import Engine, Publication
from runner.doctor.examine import PATIENCE
from runner.ledger import Ledger, Run
from runner.ledger.dialects import ledger_file
from runner.ledger.maintenance import file_version
from runner.ledger.schema import VERSION
from runner.project.manifest import Project
from runner.warehouse import markers
from runner.warehouse.lock import holder
from runner.workspace import EngineKind, Workspace


@dataclass(frozen=True)
class Rebuilt:
    """A ledger that was made anew."""

    aside: Path | None  # where the old file is now; None: there was none, or it is no file
    windows: int  # published, by the markers
    models: int
    highest_fence: int  # no fence up to it is given again


def rebuild(
    workspace: Workspace, kind: EngineKind, now: datetime, before_asking: Callable[[], None]
) -> Rebuilt:
    """Fill a new ledger with what the warehouse testifies.

    ``before_asking`` is called before the warehouse is asked. Raises :class:`LedgerError` while
    runs are in flight, and :class:`runner.core.errors.EngineError` if the warehouse cannot be
    asked; then nothing has changed.
    """
    location = workspace.ledger_location
    file = ledger_file(location)
    _refuse_in_flight(location, file)
    with workspace.start_engine(kind) as engine:
        project = workspace.project(engine)
        published = _published(project, engine, before_asking)
    told = markers.known_codes(published, project)
    index = markers.index_of(told, project.readers)
    highest = max((marker.fence for marker in published), default=0)
    _refuse_in_flight(location, file)  # one may have begun while the warehouse was asked
    if file is not None:
        aside = _replace(file, index, highest, f"{now:%Y%m%dT%H%M%S}")
    else:
        aside = None
        _fill(location, index, highest)
    return Rebuilt(aside, len(published), len(index), highest)


def _refuse_in_flight(location: Path | str, file: Path | None) -> None:
    """Raise :class:`LedgerError` if a process that lives would write the old ledger on."""
    if file is not None and not file.exists():
        return
    if file is not None and (file_version(file) or 0) > VERSION:
        raise LedgerError(f"the ledger {file} is of a newer Daybreak: upgrade Daybreak")
    try:
        running = _in_flight(location)
    except LedgerError:
        if file is None:
            raise  # there is no other place to rebuild it in
        return  # what cannot be read cannot be written on either
    if running:
        runs = markers.list_names([f"{run.run_id} of {run.pipeline}" for run in running])
        raise LedgerError(
            f"runs are in flight ({runs}): wait for them, or end them with "
            f"`runner cancel {running[0].pipeline}`, then run the same command again"
        )


def _in_flight(location: Path | str) -> list[Run]:
    """Return the unfinished runs whose process lives."""
    with closing(Ledger.open(location)) as ledger:
        runs = [run for run in ledger.runs.find_open() if not run.state.finished]
        pipelines = {run.pipeline for run in runs}
        gone = {run.key for pipeline in pipelines for run in ledger.leases.find_abandoned(pipeline)}
    return [run for run in runs if run.key not in gone]


def _fill(location: Path | str, index: markers.Index, highest_fence: int) -> None:
    with closing(Ledger.open(location)) as ledger:
        ledger.windows.replace_all(index.items(), highest_fence)


def _published(
    project: Project, engine: Engine, before_asking: Callable[[], None]
) -> tuple[Publication, ...]:
    """Ask for all markers; a warehouse that is not there has none, and asking would create it."""
    file = project.warehouse
    if file is not None and not file.exists():
        return ()
    if file is not None and (held := holder(file)) is not None:
        raise WarehouseLockedError(
            f"{file} is held by {held}: wait for it or end it, then run the same command again"
        )
    before_asking()
    return engine.published(None, PATIENCE)


def _replace(file: Path, index: markers.Index, highest_fence: int, stamp: str) -> Path | None:
    """Put a new file in the place of the old, which moves aside only when the new is complete."""
    fresh, aside = (file.with_name(f"{file.name}.{stamp}.{end}") for end in ("new", "bad"))
    _fill(fresh, index, highest_fence)
    had_one = file.exists()
    # First what SQLite keeps beside it: a log without its database would be read into the new one.
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{file}{end}").rename(f"{aside}{end}")
    fresh.rename(file)
    return aside if had_one else None
