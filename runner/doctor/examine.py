"""Look at everything that the runner stands on, with a line for each thing.

A thing that cannot be looked at is a line too: a doctor is asked when something is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from runner.core.errors import DaybreakError
from runner.core.spans import Spans
from runner.core.status import WindowRecord
from runner.core.timelines import Timeline
from runner.dbt.elsewhere import version_of
from runner.dbt.protocol import Engine
from runner.doctor import checks
from runner.doctor.checks import Diagnosis, Health
from runner.ledger import Ledger, Run
from runner.ledger.dialects import ledger_file
from runner.project.installation import edited_files, installed_folder, package_problem
from runner.project.manifest import Project
from runner.warehouse import markers
from runner.warehouse.lock import holder, stray_engines
from runner.warehouse.tables import changed_tables, standing_tables
from runner.workspace import EngineKind, Workspace

PATIENCE = timedelta(minutes=10)  # with the warehouse that is asked for all its markers
T = TypeVar("T")


def examine(
    workspace: Workspace,
    kind: EngineKind,
    before_asking: Callable[[], None],
    *,
    is_deep: bool = False,
) -> list[Diagnosis]:
    """Look at everything; asking the warehouse takes seconds, so something may be said before.

    Rows are counted; ``is_deep`` compares their contents with what was published too.
    """
    examination = _Examination(workspace, before_asking, is_deep)
    examination.run(kind)
    return examination.found


@dataclass
class _Examination:
    """The findings so far; a check that cannot look says so."""

    workspace: Workspace
    before_asking: Callable[[], None]
    is_deep: bool
    found: list[Diagnosis] = field(default_factory=list)
    # The ledger's index; None: it cannot be read.
    records: Mapping[str, Timeline[WindowRecord]] | None = None
    unsettled: Spans = field(default_factory=Spans)  # the markers there may be ahead of the index

    def run(self, kind: EngineKind) -> None:
        """Make all checks."""
        workspace = self.workspace
        self._examine_versions()
        with ExitStack() as stack:
            # dbt is imported while everything else is looked at.
            engine = self._try("dbt", lambda: stack.enter_context(workspace.start_engine(kind)))
            can_run = self._examine_macros()
            project = self._try("project", lambda: workspace.project(engine)) if engine else None
            self._examine_ledger()
            self._add(*checks.strays(stray_engines(workspace.project_dir)))
            if project is not None and engine is not None:
                self._add(*checks.speedups(self._try("dbt", engine.notices) or ()))
                self._examine_pipelines(engine)
                if self.records:
                    self._add(checks.index(self.records, project))
                if can_run:  # it is asked with the macros
                    self._examine_warehouse(project, engine)
        files = [ledger_file(workspace.ledger_location), project.warehouse if project else None]
        self._add(*checks.disks(path for path in files if path is not None))

    def _examine_versions(self) -> None:
        """Look at what is installed here, and at a dbt that lies elsewhere."""
        if not self.workspace.names_dbt:
            self._add(*checks.versions(checks.installed))
            return
        self._add(*checks.versions(checks.installed, checks.OUR_OWN))
        dbt = self._try("dbt", lambda: self.workspace.dbt)
        version = self._try("dbt", partial(version_of, dbt)) if dbt else None
        if dbt is not None and version is not None:
            self._add(checks.dbt_elsewhere(dbt, version))

    def _add(self, *lines: Diagnosis) -> None:
        self.found.extend(lines)

    def _try(self, subject: str, look: Callable[[], T]) -> T | None:
        """Return what ``look`` gives; None, and a line, if it cannot."""
        try:
            return look()
        except (DaybreakError, OSError, ValueError) as error:
            self.found.append(Diagnosis(subject, Health.WRONG, " ".join(str(error).split())))
            return None

    def _examine_pipelines(self, engine: Engine) -> None:
        """Put every pipeline together, as whoever plans it does."""
        names = self._try("pipelines", lambda: self.workspace.named(None)) or ()
        made = [self._try("pipelines", partial(self.workspace.pipeline, n, engine)) for n in names]
        self._add(*checks.pipelines([one.name for one in made if one is not None]))

    def _examine_macros(self) -> bool:
        """Look at our dbt package in the project; False if nothing can be run or asked with it."""
        project_dir = self.workspace.project_dir
        problem = self._try("macros", lambda: (package_problem(project_dir),))
        if problem is None:
            return False
        folder = installed_folder(project_dir)
        self._add(checks.macros(problem[0], edited_files(folder), folder))
        return problem[0] is None

    def _examine_ledger(self) -> None:
        """Look at the ledger, from its file to its index."""
        file = ledger_file(self.workspace.ledger_location)
        if file is not None:
            line = checks.ledger_on_disk(file)
            is_there = file.exists()
            if not is_there or line.verdict is not Health.OK:  # to open it would create it
                self._add(line)
                self.records = None if is_there else {}
                return
        ledger = self._try("ledger", lambda: self.workspace.ledger)
        if ledger is None:
            return
        self._add(checks.ledger_in_use(file, self._try("ledger", ledger.maintenance.get_journal)))
        runs = self._try("runs", ledger.runs.find_open) or []
        self._examine_runs(ledger, runs)
        self.records = self._try("index", ledger.windows.get_records)
        self.unsettled = Spans(run.span for run in runs)

    def _examine_runs(self, ledger: Ledger, runs: Sequence[Run]) -> None:
        """Look at the runs that have not ended, and the pipelines that may not start."""
        gone = set[int]()
        for pipeline in {run.pipeline for run in runs}:
            abandoned = self._try("runs", partial(ledger.leases.find_abandoned, pipeline))
            gone |= {run.key for run in abandoned or ()}
        self._add(*checks.open_runs(runs, gone))
        names = self._try("pipelines", lambda: self.workspace.named(None)) or ()
        get_pause = ledger.controls.get_pause
        paused = self._try("pauses", lambda: {name: get_pause(name) for name in names})
        self._add(*checks.pauses(paused or {}))

    def _examine_warehouse(self, project: Project, engine: Engine) -> None:
        """Look at the warehouse's file, at who holds it, and compare its markers with the index."""
        file, names = project.warehouse, markers.windowed_names(project)
        if file is not None and not file.exists():
            believed = markers.believed_published(self.records or {}, names)
            self._add(checks.no_warehouse(file, believed, project))
            return
        held = holder(file) if file is not None else None
        self._add(checks.warehouse(file, held))
        if held is not None:
            return
        self.before_asking()
        published = self._try("markers", lambda: engine.published(None, PATIENCE))
        if published is not None and self.records is not None:
            told = [marker.with_name(project.names) for marker in published]
            found = markers.differences(self.records, told, names, self.unsettled)
            self._add(*checks.compared(published, found, project))
            self._examine_rows(project, engine)
        elif published:
            self._add(checks.evidence(published))

    def _examine_rows(self, project: Project, engine: Engine) -> None:
        """Look whether the relations are there, and hold what was published."""
        records = self.records or {}
        built = self._try("built tables", self.workspace.ledger.warehouses.get_built) or {}
        digested = [n.unique_id for n in project.data_nodes if n.name in built and self.is_deep]
        survey = self._try("tables", lambda: engine.survey(PATIENCE, digested))
        if survey is not None:
            self._add(*checks.missing(survey, records, project))
            standing = standing_tables(project, survey, records)
            self._add(*checks.changed(changed_tables(built, standing)))
        models = [node.unique_id for node in project.nodes.values() if node.is_windowed]
        verified = partial(engine.verify, models, None, PATIENCE, contents=self.is_deep)
        found = self._try("rows", verified)
        if found is not None:
            self._add(*checks.rows(found, project, is_deep=self.is_deep))
