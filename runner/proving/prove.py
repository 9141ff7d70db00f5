"""Prove that the models of a pipeline can be replayed, or show how they cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from runner.core.environment import Environment
from runner.core.errors import EngineError, UsageError
from runner.core.proofs import verdict_of
from runner.dbt.protocol import Description, Engine
from runner.project.manifest import Project
from runner.project.pipelines import Pipeline
from runner.proving import blame, contents
from runner.proving.buckets import Buckets
from runner.proving.contents import Copied
from runner.proving.replay import Replay
from runner.proving.results import ProofReport, ReplayFinding
from runner.proving.scenarios import scenarios
from runner.proving.scope import ReplayScope, make_scope
from runner.proving.scratch import Scratch, scratch
from runner.proving.selection import select_windows
from runner.warehouse.lock import Holder, wait_until_free

_TIMES_TRIED = 3
WAITING = "waiting for"  # how what is told begins while somebody else holds the warehouse


@dataclass(frozen=True)
class Wanted:
    """What a person wants to have proved, and with what."""

    pipeline: Pipeline
    project: Project
    select: frozenset[str] | None  # names of models; None: all
    window_count: int
    seed: int | None  # of the windows and of one order; None: the newest windows
    now: datetime  # which windows are complete
    home: Path  # the scratch copies are made in it
    profiles: Path  # dbt's profiles.yml
    start_engine: Callable[[Mapping[str, str]], Engine]  # with these environment variables
    world: Environment
    told: Callable[[str], None]  # hears what happens, in a few words


def prove(wanted: Wanted) -> ProofReport:
    """Replay some windows in scratch copies and compare; the real warehouse is only read.

    Raises :class:`UsageError` for what cannot be replayed safely, :class:`EngineError` if dbt
    fails before there is anything to compare.
    """
    started = wanted.world.monotonic()
    warehouse = _warehouse(wanted)
    with (
        scratch(wanted.home, warehouse, wanted.profiles) as folder,
        wanted.start_engine(folder.environment) as engine,
    ):
        wanted.told("reading the dbt project")
        described = engine.describe(())
        _require_copy(described, folder)
        scene = make_scope(wanted.pipeline, wanted.project, described.manifest, wanted.select)
        wanted.told("copying what is read")
        copied = _copied(wanted, scene, warehouse, folder)
        windows = select_windows(
            wanted.pipeline, wanted.now, copied.starts, wanted.window_count, wanted.seed
        )
        buckets = Buckets(windows, wanted.pipeline.calendar.zone)
        timeout = wanted.pipeline.config.timeout
        seed = wanted.seed or 0
        replay = Replay(engine, folder, scene, buckets, seed, timeout, wanted.told)
        replay.prepare(_to_prepare(wanted, scene, copied))
        replay.run_reference()
        _require_rows(replay)
        found = [
            finding
            for scenario in scenarios(windows, scene.levels, len(scene.targets), seed)
            for finding in replay.findings(scenario)
        ]
        return _report(wanted, replay, found, wanted.world.monotonic() - started)


def _warehouse(wanted: Wanted) -> Path:
    warehouse = wanted.project.warehouse
    if warehouse is None:
        raise UsageError(
            f"{wanted.pipeline.name} does not write a DuckDB file, and only such a one can be "
            "copied: prove it with a target of dbt that does"
        )
    return warehouse


def _require_copy(described: Description, folder: Scratch) -> None:
    if described.warehouse != folder.work:
        raise UsageError(
            f"dbt would replay in {described.warehouse or 'another database'} and not in the "
            f"scratch copy: let profiles.yml say `path:` of a DuckDB file in the target that is "
            "used"
        )


def _require_rows(replay: Replay) -> None:
    if not any(replay.expected.values()):
        first, last = replay.buckets.windows[0].label, replay.buckets.windows[-1].label
        raise UsageError(
            f"no model has a row in {first} … {last}, so nothing can be proved: take windows that "
            "have some, with --as-of"
        )


def _copied(wanted: Wanted, scene: ReplayScope, warehouse: Path, folder: Scratch) -> Copied:
    """Copy the tables that are only read, when nobody writes the warehouse."""
    models = [target.name for target in scene.targets]
    if not warehouse.exists():
        contents.create(folder.work)
        return Copied(frozenset(), frozenset())
    for left in reversed(range(_TIMES_TRIED)):
        wait_until_free(
            warehouse,
            wanted.pipeline.config.lock_timeout,
            monotonic=wanted.world.monotonic,
            sleep=wanted.world.sleep,
            random=wanted.world.random,
            notify=lambda holder: wanted.told(_waiting(holder)),
        )
        try:
            return contents.copy_tables(warehouse, folder.work, scene.read, models)
        except duckdb.Error as error:
            with suppress(FileNotFoundError):
                folder.work.unlink()
            is_faster = isinstance(error, duckdb.IOException) and left
            if not is_faster:  # somebody has taken the file since
                reason = " ".join(str(error).split())
                raise EngineError(
                    f"{warehouse} cannot be copied ({reason}): see runner doctor"
                ) from error
    raise AssertionError  # the last time returns or raises


def _waiting(holder: Holder) -> str:
    return f"{WAITING} {holder}, who holds the warehouse"


def _to_prepare(wanted: Wanted, scene: ReplayScope, copied: Copied) -> list[str]:
    """What is read and was not copied; of windowed models only tables are read."""
    nodes = wanted.project.nodes
    missing = [unique_id for unique_id in scene.to_prepare if unique_id not in copied.present]
    for unique_id in missing:
        if nodes[unique_id].materialized == "incremental":
            name = nodes[unique_id].name
            raise UsageError(
                f"{name} is read and not yet in the warehouse: run runner backfill "
                f"{wanted.pipeline.name} first, or prove it too with --select {name}"
            )
    return [scene.to_prepare[unique_id] for unique_id in missing]


def _report(
    wanted: Wanted, replay: Replay, found: list[ReplayFinding], seconds: float
) -> ProofReport:
    scene, windows = replay.scene, replay.buckets.windows
    filled = {target.name: replay.expected.get(target.name, {}) for target in scene.targets}
    counts = blame.windows_with_rows(scene.targets, filled, len(windows))
    judged = blame.outcomes(scene, found, counts)
    return ProofReport(
        pipeline=wanted.pipeline.name,
        windows=windows,
        outcomes=judged,
        verdicts={model: verdict_of(outcomes) for model, outcomes in judged.items()},
        code_hashes={target.name: target.code_hash for target in scene.targets},
        findings=blame.blamed(found, judged),
        left_out=scene.left_out,
        seconds=seconds,
    )
