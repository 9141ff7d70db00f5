"""Is everything that the runner stands on sound? A look at all of it, with a line for each thing.

What cannot be looked at is a line too: a doctor is asked when something is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from runner.core.errors import DaybreakError, EngineError
from runner.core.spans import Spans
from runner.core.status import WindowRecord
from runner.core.timelines import Timeline
from runner.dbt.protocol import Engine
from runner.doctor import checks
from runner.doctor.checks import Diagnosis, Health
from runner.ledger import Ledger, Run
from runner.ledger.addresses import ledger_file
from runner.project.manifest import Project
from runner.warehouse import markers
from runner.warehouse.lock import holder, stray_engines
from runner.workspace import EngineKind, Workspace

PATIENCE = timedelta(minutes=10)  # with the warehouse that is asked for all its markers
T = TypeVar("T")


def require_warehouse(project: Project, ledger: Ledger) -> None:
    """Raise :class:`EngineError` if the warehouse's file has gone, and what was published with it.

    The plan would say that there is nothing to do.
    """
    file = project.warehouse
    if file is None or file.exists():
        return
    believed = markers.published(ledger.known(), markers.windowed(project))
    line = checks.no_warehouse(file, believed, project)
    if line.verdict is Health.WRONG:
        raise EngineError(f"the warehouse {line.text}: {line.remedy}")


@dataclass
class _Visit:
    """What was found so far; a check that cannot look says so."""

    found: list[Diagnosis] = field(default_factory=list)

    def add(self, lines: Iterable[Diagnosis]) -> None:
        self.found.extend(lines)

    def tried(self, subject: str, look: Callable[[], T]) -> T | None:
        """What ``look`` gives; None, and a line, if it cannot."""
        try:
            return look()
        except (DaybreakError, OSError, ValueError) as error:
            self.found.append(Diagnosis(subject, Health.WRONG, " ".join(str(error).split())))
            return None


def examine(workspace: Workspace, kind: EngineKind, asking: Callable[[], None]) -> list[Diagnosis]:
    """Look at everything; ``asking`` is told before the warehouse is asked, which takes seconds."""
    visit = _Visit()
    visit.add(checks.versions(checks.installed))
    with ExitStack() as stack:
        # dbt is imported while everything else is looked at.
        engine = visit.tried("dbt", lambda: stack.enter_context(workspace.start_engine(kind)))
        project = visit.tried("project", lambda: workspace.project(engine)) if engine else None
        books = _books(workspace, visit)
        visit.add(checks.strays(stray_engines(workspace.project_dir)))
        if project is not None and engine is not None:
            visit.add(checks.speedups(visit.tried("dbt", engine.notices) or ()))
        if project is not None and books.known:
            visit.add([checks.index(books.known, project)])
        if project is not None and engine is not None:
            _warehouse(visit, project, books, engine, asking)
    files = [ledger_file(workspace.ledger_location), project.warehouse if project else None]
    visit.add(checks.disks([path for path in files if path is not None]))
    return visit.found


@dataclass(frozen=True)
class _Books:
    """What the ledger says."""

    known: Mapping[str, Timeline[WindowRecord]] | None  # the index; None: it cannot be read
    unsettled: Spans = field(default_factory=Spans)  # the markers there may be ahead of the index


def _books(workspace: Workspace, visit: _Visit) -> _Books:
    """Look at the ledger, from its file to its index."""
    file = ledger_file(workspace.ledger_location)
    if file is not None:
        line = checks.ledger_on_disk(file)
        is_there = file.exists()
        if not is_there or line.verdict is not Health.OK:  # to open it would create it
            visit.add([line])
            return _Books(None if is_there else {})
    ledger = visit.tried("ledger", lambda: workspace.ledger)
    if ledger is None:
        return _Books(None)
    journal = visit.tried("ledger", ledger.journal)
    visit.add([checks.ledger_in_use(file, journal)])
    runs = visit.tried("runs", ledger.open_ends) or []
    _left_open(visit, workspace, ledger, runs)
    return _Books(visit.tried("index", ledger.known), Spans(run.span for run in runs))


def _left_open(visit: _Visit, workspace: Workspace, ledger: Ledger, runs: Sequence[Run]) -> None:
    """The runs that have not come to an end, and the pipelines that may not start."""
    gone: set[int] = set()
    for pipeline in {run.pipeline for run in runs}:
        abandoned = visit.tried("runs", partial(ledger.abandoned, pipeline))
        gone |= {run.key for run in abandoned or ()}
    visit.add(checks.open_runs(runs, gone))
    names = visit.tried("pipelines", lambda: workspace.named(None)) or ()
    paused = visit.tried("pauses", lambda: {name: ledger.paused(name) for name in names})
    visit.add(checks.pauses(paused or {}))


def _warehouse(
    visit: _Visit, project: Project, books: _Books, engine: Engine, asking: Callable[[], None]
) -> None:
    """The warehouse's file, who holds it, and whether it testifies what the ledger says."""
    file, names = project.warehouse, markers.windowed(project)
    if file is not None and not file.exists():
        believed = markers.published(books.known or {}, names)
        visit.add([checks.no_warehouse(file, believed, project)])
        return
    held = holder(file) if file is not None else None
    visit.add([checks.warehouse(file, held)])
    if held is not None:
        return
    asking()
    told = visit.tried("markers", lambda: engine.published(None, PATIENCE))
    if told is not None and books.known is not None:
        found = markers.differences(books.known, told, names, books.unsettled)
        visit.add(checks.compared(told, found, project))
    elif told:
        visit.add([checks.evidence(told)])
