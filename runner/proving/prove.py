"""Prove that the models of a pipeline can be replayed, or show how they cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from runner.core.environment import Environment
from runner.core.errors import EngineError, UsageError
from runner.core.proofs import verdict_of
from runner.dbt.protocol import Description, Engine
from runner.planner import known_models
from runner.project.manifest import Project
from runner.project.pipelines import Pipeline
from runner.proving import blame, contents
from runner.proving.contents import Buckets, Copied
from runner.proving.replay import Replay
from runner.proving.results import ProofReport, ReplayFinding
from runner.proving.scenarios import select_windows
from runner.proving.scope import ReplayScope, make_scope
from runner.proving.scratch import Scratch, scratch
from runner.warehouse.lock import wait_until_free

WAITING = "waiting for"  # how what is told begins while somebody else holds the warehouse


@dataclass(frozen=True)
class ProofRequest:
    """The wish to have something proved, and what it takes."""

    pipeline: Pipeline
    project: Project
    select: frozenset[str] | None  # names of models; None: all
    window_count: int
    seed: int | None  # of the windows and of one order; None: the newest windows
    now: datetime  # which windows are complete
    home: Path  # the scratch copies are made in it
    profiles: Path  # dbt's profiles.yml
    start_engine: Callable[[Mapping[str, str]], Engine]  # with these environment variables
    environment: Environment
    notify: Callable[[str], None]  # hears what happens, in a few words


def prove(request: ProofRequest) -> ProofReport:
    """Replay some windows in scratch copies and compare; the real warehouse is only read.

    Raises :class:`UsageError` for what cannot be replayed safely, :class:`EngineError` if dbt
    fails before there is anything to compare.
    """
    if request.window_count < 1:
        raise UsageError(f"{request.window_count} windows prove nothing: replay 1 or more")
    started = request.environment.monotonic()
    warehouse = _warehouse(request)
    with (
        scratch(request.home, warehouse, request.profiles) as folder,
        request.start_engine(folder.environment) as engine,
    ):
        request.notify("reading the dbt project")
        described = engine.describe(())
        _require_copy(described, folder)
        scope = make_scope(request.pipeline, request.project, described.manifest, request.select)
        request.notify("copying what is read")
        copied = _copied(request, scope, warehouse, folder)
        windows = select_windows(
            request.pipeline, request.now, copied.starts, request.window_count, request.seed
        )
        buckets = Buckets(windows, request.pipeline.calendar.zone)
        timeout = request.pipeline.config.timeout
        seed = request.seed or 0
        replay = Replay(engine, folder, scope, buckets, seed, timeout, request.notify)
        replay.prepare(_to_prepare(request, scope, copied))
        replay.run_reference()
        _require_rows(replay)
        found = [
            finding for scenario in replay.scenarios() for finding in replay.findings(scenario)
        ]
        return _report(request, scope, replay, found, request.environment.monotonic() - started)


def models_to_prove(pipeline: Pipeline, select: Iterable[str]) -> frozenset[str] | None:
    """Return the incremental models that a person selected, None if none."""
    chosen = known_models(pipeline, select)
    replayed = {n.name for n in pipeline.data_nodes if n.materialized == "incremental"}
    for name in chosen:
        if name not in replayed:
            raise UsageError(
                f"{name} is not incremental: it is built as a whole each time, so there is "
                "nothing to prove; leave it out"
            )
    return frozenset(chosen) or None


def _warehouse(request: ProofRequest) -> Path:
    warehouse = request.project.warehouse
    if warehouse is None:
        raise UsageError(
            f"{request.pipeline.name} does not write a DuckDB file, and only such a one can be "
            "copied: prove it with a target of dbt that does"
        )
    return warehouse


def _require_copy(described: Description, folder: Scratch) -> None:
    if described.target.file != folder.work:
        raise UsageError(
            f"dbt would replay in {described.target.file or 'another database'} and not in the "
            f"scratch copy: let profiles.yml say `path:` of a DuckDB file in the target that is "
            "used"
        )


def _require_rows(replay: Replay) -> None:
    if not any(replay.expected.values()):
        windows = replay.buckets.windows
        raise UsageError(
            f"no model has a row in {windows[0].label} … {windows[-1].label}, so nothing can be "
            "proved: take windows that have some, with --as-of"
        )


def _copied(request: ProofRequest, scope: ReplayScope, warehouse: Path, folder: Scratch) -> Copied:
    """Copy the tables that are only read, when nobody writes the warehouse."""
    models = [target.unique_id.split(".")[2] for target in scope.targets]  # as markers name them
    if not warehouse.exists():
        with contents.opened(folder.work):  # an empty file
            return Copied(frozenset(), frozenset())
    for is_last in (False, False, True):
        wait_until_free(
            warehouse,
            request.pipeline.config.lock_timeout,
            request.environment,
            lambda holder: request.notify(f"{WAITING} {holder}, who holds the warehouse"),
        )
        try:
            return contents.copy_tables(warehouse, folder.work, scope.read, models)
        except duckdb.Error as error:
            folder.work.unlink(missing_ok=True)
            # An IO error: somebody has taken the file since, and may soon be through with it.
            if is_last or not isinstance(error, duckdb.IOException):
                reason = " ".join(str(error).split())
                raise EngineError(
                    f"{warehouse} cannot be copied ({reason}): see runner doctor"
                ) from error
    raise AssertionError  # the last time returns or raises


def _to_prepare(request: ProofRequest, scope: ReplayScope, copied: Copied) -> list[str]:
    """Name what is read and was not copied; of windowed models only tables are read."""
    missing = [request.project.nodes[i] for i in scope.to_prepare if i not in copied.present]
    if absent := [node.name for node in missing if node.materialized == "incremental"]:
        raise UsageError(
            f"{', '.join(absent)} is read and not yet in the warehouse: run runner backfill "
            f"{request.pipeline.name} first, or prove it too with --select '{' '.join(absent)}'"
        )
    return [node.name for node in missing]


def _report(
    request: ProofRequest,
    scope: ReplayScope,
    replay: Replay,
    found: list[ReplayFinding],
    seconds: float,
) -> ProofReport:
    windows, replayed = replay.buckets.windows, replay.scope
    counts = blame.windows_with_rows(replayed.targets, replay.expected, len(windows))
    left = blame.not_replayed(scope, replay.not_built)
    judged = left | blame.outcomes(replayed, found, counts)
    judged = {target.name: judged[target.name] for target in scope.targets}
    return ProofReport(
        pipeline=request.pipeline.name,
        windows=windows,
        outcomes=judged,
        verdicts={model: verdict_of(outcomes) for model, outcomes in judged.items()},
        code_hashes={target.name: target.code_hash for target in scope.targets},
        findings=blame.blamed(found, judged),
        left_out=scope.left_out,
        not_built=replay.not_built,
        seconds=seconds,
    )
