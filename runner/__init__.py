"""Daybreak runs a dbt project window by window: in order, once, and right.

This is its Python interface, and the command line is the first to use it::

    from datetime import date
    import runner

    shop = runner.OpenProject("shop")
    result = shop.backfill("orders_pipeline", date(2017, 3, 1), date(2017, 5, 31))

What is raised on purpose is a :class:`DaybreakError`; :mod:`runner.core.errors` draws the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Unpack

from runner.core.errors import (
    ConfigError,
    DaybreakError,
    EngineError,
    FencedOffError,
    LedgerError,
    PausedError,
    ProjectError,
    UsageError,
    WarehouseLockedError,
    one_of,
)

# What methods need is imported when they are called: who only looks pays for neither dbt nor
# DuckDB, and the command line starts to import dbt before anything else.
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import date, datetime, timedelta
    from pathlib import Path

    from runner.core.environment import Environment
    from runner.core.planning import Plan, Reprocess
    from runner.core.states import RunState
    from runner.doctor.checks import Diagnosis
    from runner.doctor.verification import Verification
    from runner.execution.context import Observer, RunResult
    from runner.explain.repair import Why
    from runner.ledger import Run, RunDetails
    from runner.lint.models import ModelFinding
    from runner.overview.metrics import Metrics
    from runner.overview.pipeline import PipelineStatus, PipelineSummary
    from runner.overview.target import TargetInUse
    from runner.planner import Planner, RequestOptions
    from runner.project.code_changes import CodeDifference
    from runner.proving.results import ProofReport
    from runner.run import Session
    from runner.scheduling.deadlines import WatchReport
    from runner.scheduling.passes import PipelinePass
    from runner.scheduling.serving import Reporter
    from runner.workspace import EngineKind, Workspace

__all__ = [
    "ConfigError",
    "DaybreakError",
    "EngineError",
    "EngineKind",
    "FencedOffError",
    "LedgerError",
    "Observer",
    "OpenProject",
    "PausedError",
    "ProjectError",
    "Reporter",
    "Reprocess",
    "UsageError",
    "WarehouseLockedError",
]
_HOMES = {
    "EngineKind": "runner.workspace",
    "Observer": "runner.execution.context",
    "Reporter": "runner.scheduling.serving",
    "Reprocess": "runner.core.planning",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


class OpenProject:
    """A dbt project with its pipelines; a method is called as its command is.

    Dates are inclusive and in the pipeline's zone; so is ``as_of``, a time to look from instead of
    now, if it has no offset. ``engine`` is how dbt is run: ``"warm"`` or ``"plain"``; ``options``
    are those of :class:`runner.planner.RequestOptions`. Every method raises :class:`UsageError` for
    a name, a date or a window that there is not.
    """

    def __init__(
        self, project_dir: Path | str = ".", environment: Environment | None = None
    ) -> None:
        """Open the project in a folder; ``environment`` is the clock, patience and chance."""
        from runner.workspace import Workspace, real_environment

        self._project_dir = Workspace.find(project_dir).project_dir
        self._workspace: Workspace | None = None
        self.environment = environment or real_environment()

    @property
    def workspace(self) -> Workspace:
        """The project as it is now: read anew once a file of it has been edited."""
        from runner.workspace import Workspace

        found = Workspace.find(self._project_dir)
        version = found.version
        if self._workspace is None or version != self._workspace.version:
            self._workspace = found
        return self._workspace

    @property
    def pipelines(self) -> tuple[str, ...]:
        """The names of the pipelines, as pipelines.yml orders them."""
        return self.workspace.named(None)

    def chosen(
        self, pipeline: str | None, select: Sequence[str], exclude: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return the names of what dbt's selection syntax selects of a pipeline; None: of all.

        Empty for no selection, which is everything.
        """
        return self.workspace.chosen(pipeline, select, exclude)

    def backfill(
        self,
        pipeline: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        reprocess: Reprocess | str = "failed",
        as_of: datetime | None = None,
        engine: EngineKind | str = "warm",
        observer: Observer | None = None,
        **options: Unpack[RequestOptions],
    ) -> RunResult:
        """Replay a range of dates; without dates, whatever is missing or not right."""
        with self.session(pipeline, engine, as_of) as session:
            planner, dates = session.planner, (start_date, end_date)
            request = planner.request_backfill(dates, session.now, reprocess, **options)
            return session.run(request, observer)

    def run(
        self,
        pipeline: str,
        window: str | None = None,
        *,
        allow_unsafe: Iterable[str] = (),
        as_of: datetime | None = None,
        engine: EngineKind | str = "warm",
        observer: Observer | None = None,
    ) -> RunResult:
        """Run what is due and not done, or one window by its label, done or not."""
        with self.session(pipeline, engine, as_of) as session:
            request = session.planner.request_run(window, session.now, allow_unsafe)
            return session.run(request, observer)

    def retry(
        self,
        pipeline: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        allow_unsafe: Iterable[str] = (),
        as_of: datetime | None = None,
        engine: EngineKind | str = "warm",
        observer: Observer | None = None,
    ) -> RunResult:
        """Try again what failed or is incorrect, and only that, even if nothing has changed."""
        with self.session(pipeline, engine, as_of) as session:
            dates = (start_date, end_date)
            request = session.planner.request_retry(dates, session.now, allow_unsafe)
            return session.run(request, observer)

    def judge(
        self,
        pipeline: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        everything: bool = False,
        select: Iterable[str] = (),
        chunk: int | None = None,
        as_of: datetime | None = None,
        engine: EngineKind | str = "warm",
        observer: Observer | None = None,
    ) -> RunResult:
        """Run the checks of what is published and not judged by them as they are; builds nothing.

        ``everything``: also of what they have judged already.
        """
        with self.session(pipeline, engine, as_of) as session:
            dates = (start_date, end_date)
            request = session.planner.request_judge(
                dates, session.now, everything=everything, select=select, chunk=chunk
            )
            return session.run(request, observer)

    def session(
        self,
        pipeline: str,
        engine: EngineKind | str = "warm",
        as_of: datetime | None = None,
        reading: AbstractContextManager[object] | None = None,
    ) -> AbstractContextManager[Session]:
        """Start an engine for several requests of a pipeline; ``reading`` surrounds the parse.

        Raises :class:`PausedError` for a paused pipeline, before dbt is started.
        """
        from runner.run import open_session
        from runner.workspace import EngineKind

        kind = one_of(EngineKind, engine)
        return open_session(self.workspace, pipeline, self.environment, kind, as_of, reading)

    def plan(
        self,
        pipeline: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        reprocess: Reprocess | str = "failed",
        as_of: datetime | None = None,
        **options: Unpack[RequestOptions],
    ) -> Plan:
        """Say what is missing, failed, incorrect, stale or in flight, and what would run."""
        planner, now = self.planner(pipeline, as_of)
        request = planner.request_backfill((start_date, end_date), now, reprocess, **options)
        return planner.plan(request, now)

    def target(self) -> TargetInUse:
        """Return the database that everything is about, and whether others have written it."""
        from runner.overview.target import target_in_use

        return target_in_use(self.workspace)

    def status(self, pipeline: str, as_of: datetime | None = None) -> PipelineStatus:
        """Return the status of every window of every model."""
        from runner.overview.pipeline import PipelineStatus

        planner, now = self.planner(pipeline, as_of)
        plan = planner.plan(planner.request(planner.pipeline.complete(now)), now)
        names = tuple(node.name for node in planner.pipeline.not_replayable)
        return PipelineStatus(pipeline, plan, planner.ledger.controls.get_pause(pipeline), names)

    def summaries(self, as_of: datetime | None = None) -> list[PipelineSummary]:
        """Return each pipeline with its schedule, its next window and its last verdict."""
        return [self.summary(name, as_of) for name in self.pipelines]

    def summary(self, pipeline: str, as_of: datetime | None = None) -> PipelineSummary:
        """Return a pipeline with its schedule, its next window and its last verdict."""
        from runner.overview.pipeline import PipelineSummary
        from runner.planner import proofs_of

        workspace = self.workspace
        found, ledger = workspace.pipeline(pipeline), workspace.ledger
        now = self.environment.instant(as_of, found.calendar.zone)
        last = next(iter(ledger.runs.find(pipeline, limit=1)), None)
        pause, proofs = ledger.controls.get_pause(pipeline), proofs_of(found, ledger)
        return PipelineSummary(found, now, last, pause, proofs)

    def runs(
        self, pipeline: str, limit: int = 20, state: RunState | str | None = None
    ) -> list[Run]:
        """Return the runs of a pipeline, the newest window first."""
        from runner.core.states import RunState

        if limit < 1:
            raise UsageError(f"{limit} runs are none: give 1 or more")
        workspace = self.workspace
        name = workspace.require(pipeline)
        wanted = None if state is None else one_of(RunState, state)
        return workspace.ledger.runs.find(name, limit, wanted)

    def show_run(self, pipeline: str, run_id: str) -> RunDetails:
        """Return one run: its models, and the evidence of the checks that did not pass."""
        workspace = self.workspace
        return workspace.ledger.get_details(workspace.require(pipeline), run_id)

    def why(self, model: str, window: str | None = None, as_of: datetime | None = None) -> Why:
        """Say why a window is what it is: all that it is made from, the first cause, the repair."""
        from runner.explain.repair import explain

        workspace = self.workspace
        get_pause = workspace.ledger.controls.get_pause
        pauses = {name: pause for name in workspace.configs if (pause := get_pause(name))}
        now = self.environment.instant(as_of, workspace.zone)
        tracer = workspace.tracer(now, self.environment.now())
        return explain(tracer, model, window, workspace.zone, pauses)

    def diff(self, model: str) -> CodeDifference:
        """Compare a model's code, and what it reads, with what it last ran with."""
        from runner.project.code_changes import code_difference

        workspace = self.workspace
        return code_difference(model, workspace.project(), workspace.ledger, workspace.code_texts)

    def lint(self, select: Iterable[str] = ()) -> tuple[ModelFinding, ...]:
        """Find what makes a model unfit for replay."""
        from runner.lint import models
        from runner.planner import names_of

        workspace = self.workspace
        return models.lint(workspace.project(), workspace.project_dir, names_of(select))

    def prove(
        self,
        pipeline: str,
        *,
        select: Iterable[str] = (),
        windows: int = 3,
        seed: int | None = None,
        as_of: datetime | None = None,
        engine: EngineKind | str = "warm",
        notify: Callable[[str], None] = lambda _what: None,
    ) -> ProofReport:
        """Replay windows in a scratch copy, and say which models may be run again at any time.

        The verdicts are kept. ``notify`` hears what happens, in a few words.
        """
        from runner.project.files import profiles_file
        from runner.proving.prove import ProofRequest, models_to_prove, prove
        from runner.workspace import EngineKind

        workspace, kind = self.workspace, one_of(EngineKind, engine)
        found = workspace.pipeline(pipeline)
        report = prove(
            ProofRequest(
                pipeline=found,
                project=workspace.project(),
                select=models_to_prove(found, select),
                window_count=windows,
                seed=seed,
                now=self.environment.instant(as_of, found.calendar.zone),
                home=workspace.home,
                profiles=profiles_file(workspace.project_dir),
                start_engine=lambda variables: workspace.start_engine(kind, variables),
                environment=self.environment,
                notify=notify,
            )
        )
        workspace.ledger.proofs.save(report.decided(self.environment.now()))
        return report

    def accept(self, model: str) -> int:
        """Say that a change of a model is cosmetic; returns how many earlier codes are as good."""
        from runner.project.acceptance import accept_code

        workspace = self.workspace
        return accept_code(model, workspace.project(), workspace.ledger, self.environment.now())

    def pause(self, pipeline: str, reason: str = "by hand") -> None:
        """Start nothing more of a pipeline; what runs now ends its chunk."""
        workspace = self.workspace
        name = workspace.require(pipeline)
        workspace.ledger.controls.pause(name, reason, self.environment.now())

    def resume(self, pipeline: str) -> bool:
        """Let a paused pipeline start again; False if it was not paused."""
        workspace = self.workspace
        return workspace.ledger.controls.resume(workspace.require(pipeline))

    def cancel(self, pipeline: str) -> int:
        """Stop what runs of a pipeline, wherever, and return how many runs; published rows stay."""
        workspace, now = self.workspace, self.environment.now()
        name = workspace.require(pipeline)
        return workspace.ledger.controls.cancel_runs(name, "cancelled by hand", now)

    def tick(
        self,
        *,
        as_of: datetime | None = None,
        engine: EngineKind | str = "warm",
        reporter: Reporter | None = None,
        every: timedelta | None = None,
    ) -> list[PipelinePass]:
        """Run what is due and not done of every pipeline, once; tell people what is wrong.

        ``every`` says how often ticks come. From another time than now nobody is told anything.
        """
        from runner.scheduling.serving import Reporter, tick
        from runner.workspace import EngineKind

        workspace, kind = self.workspace, one_of(EngineKind, engine)
        now = as_of and self.environment.instant(as_of, workspace.zone)
        return tick(workspace, kind, self.environment, reporter or Reporter(), every, now)

    def watch(self, as_of: datetime | None = None) -> WatchReport:
        """Find the windows that are past their deadline and no success; tells nobody."""
        from runner.overview.outlook import Outlook
        from runner.scheduling.deadlines import watch_pipelines
        from runner.scheduling.waiting import Conditions, WorkspaceBlockers

        workspace = self.workspace
        outlook = Outlook(workspace, self.environment.instant(as_of, workspace.zone))
        blockers = WorkspaceBlockers(workspace, None, self.environment.now)
        return watch_pipelines(Conditions(outlook, blockers.find, self.environment.now))

    def doctor(
        self,
        engine: EngineKind | str = "warm",
        before_asking: Callable[[], None] = lambda: None,
        *,
        deep: bool = False,
    ) -> list[Diagnosis]:
        """Look whether ledger, warehouse, versions and disks are sound, and say what to do.

        Rows are counted; ``deep`` compares their contents with what was published too.
        ``before_asking`` is called before the warehouse is asked, which takes seconds.
        """
        from runner.doctor.examine import examine
        from runner.workspace import EngineKind

        return examine(self.workspace, one_of(EngineKind, engine), before_asking, is_deep=deep)

    def verify(
        self,
        pipeline: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        engine: EngineKind | str = "warm",
        observer: Observer | None = None,
    ) -> Verification:
        """Compare the rows that stand there with those that were published, window by window.

        Without dates all of them. What differs is stale from then on.
        """
        from runner.doctor.verification import verify
        from runner.workspace import EngineKind

        workspace, kind = self.workspace, one_of(EngineKind, engine)
        workspace.require(pipeline)
        with workspace.start_engine(kind) as running:
            planner = workspace.planner(pipeline, running)
            now = self.environment.now()
            span = planner.dates(start_date, end_date, now) if start_date or end_date else None
            return verify(workspace, planner, running, self.environment, span, observer)

    def metrics(self, as_of: datetime | None = None) -> Metrics:
        """Return figures of every pipeline."""
        from runner.overview.metrics import measure

        workspace = self.workspace
        return measure(workspace, self.environment.instant(as_of, workspace.zone))

    def planner(self, pipeline: str, as_of: datetime | None = None) -> tuple[Planner, datetime]:
        """Return what resolves and plans requests of a pipeline, and the time it looks from."""
        planner = self.workspace.planner(pipeline)
        return planner, self.environment.instant(as_of, planner.pipeline.calendar.zone)
