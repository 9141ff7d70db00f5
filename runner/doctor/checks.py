"""Check what the runner stands on: each check says one line and, if need be, the remedy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.dbt.package import package_version
from runner.dbt.protocol import Publication, RowDifference, Survey
from runner.ledger import Pause, Run
from runner.ledger.maintenance import file_problems, file_version
from runner.ledger.schema import VERSION, is_upgradable
from runner.project.manifest import Project
from runner.warehouse import markers
from runner.warehouse.lock import Holder
from runner.warehouse.markers import REBUILD, describe_windows, list_names

_ROOM = 1 << 30  # bytes; with less something will soon fail
_SYNCHRONOUS_FULL = 2
# First and first too new; why DuckDB's ends there: docs/adr/0003.
_SUPPORTED = {
    "dbt-core": ("1.10", "1.13"),
    "dbt-duckdb": ("1.10", "1.12"),
    "duckdb": ("1.4", "2.0"),
    "dbt-adapters": ("1.16", "2.0"),
    "dbt-common": ("1.34", "2.0"),
    "jinja2": ("3.1", "4.0"),
    "mashumaro": ("3.14", "3.18"),
}
OUR_OWN = ("duckdb", "jinja2")  # that the runner needs where dbt lies in another environment


class Health(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"  # it works, but somebody should know
    WRONG = "wrong"


@dataclass(frozen=True)
class Diagnosis:
    """The finding of one check."""

    subject: str  # what was looked at, a word or two
    verdict: Health
    text: str
    remedy: str | None = None  # what to do about it


def ledger_on_disk(file: Path) -> Diagnosis:
    """Check that an SQLite ledger is there, sound and of this version."""
    if not file.exists():
        return Diagnosis("ledger", Health.OK, f"there is none yet ({file}): the first run makes it")
    if not os.access(file, os.R_OK | os.W_OK):
        text = f"{file} cannot be opened: it is not ours to read and write"
        return Diagnosis("ledger", Health.WRONG, text, "give the user of the runner that right")
    problems = file_problems(file)
    if problems:
        text = f"{file} is damaged ({'; '.join(problems)})"
        return Diagnosis("ledger", Health.WRONG, text, f"{REBUILD} makes it anew")
    version = file_version(file)
    if version is not None and version != VERSION and not is_upgradable(version):
        text = f"{file} has version {version}, this Daybreak knows {VERSION}"
        remedy = "upgrade Daybreak" if version > VERSION else f"{REBUILD} makes it anew"
        return Diagnosis("ledger", Health.WRONG, text, remedy)
    return Diagnosis("ledger", Health.OK, f"{file} is sound")


def ledger_in_use(file: Path | None, journal: tuple[str, int] | None) -> Diagnosis:
    """Check how a ledger that opens keeps what it is told."""
    if file is None or journal is None:
        return Diagnosis("ledger", Health.OK, f"the database opens, version {VERSION}")
    mode, synchronous = journal
    if mode == "wal" and synchronous == _SYNCHRONOUS_FULL:
        text = f"{file} is sound, version {VERSION}, WAL, synchronous FULL"
        return Diagnosis("ledger", Health.OK, text)
    text = f"{file} has journal mode {mode} and synchronous {synchronous}: a power cut may cost it"
    return Diagnosis("ledger", Health.WARNING, text, "move it to a local disk that can do WAL")


def macros(problem: str | None, edited: Sequence[str], folder: Path) -> Diagnosis:
    """Check that our dbt package is in the project, fits the runner and is as it was shipped."""
    if problem is not None:
        text, _, remedy = problem.rpartition(": ")
        return Diagnosis("macros", Health.WRONG, text, remedy)
    if edited:
        text = (
            f"{list_names(edited)} in {folder}: not as shipped, so a run may judge by other rules"
        )
        return Diagnosis("macros", Health.WARNING, text, "runner init --upgrade lays it anew")
    return Diagnosis("macros", Health.OK, f"version {package_version(folder)} in {folder}")


def pipelines(made: Sequence[str]) -> Iterator[Diagnosis]:
    """Report the pipelines that can be planned."""
    if made:
        yield Diagnosis("pipelines", Health.OK, f"{list_names(made)}: can be planned")


def open_runs(runs: Sequence[Run], gone: Collection[int]) -> Iterator[Diagnosis]:
    """Report runs in flight, and those whose runner has died without telling how they ended.

    ``gone`` are the keys of unfinished runs whose process is no more.
    """
    if not runs:
        yield Diagnosis("runs", Health.OK, "none is in flight or left open")
    for pipeline in dict.fromkeys(run.pipeline for run in runs):
        mine = [run for run in runs if run.pipeline == pipeline]
        remedy = f"runner backfill {pipeline} asks the warehouse and settles them"
        unsettled = [run for run in mine if run.state.finished]
        abandoned = [run for run in mine if run.key in gone]
        in_flight = len(mine) - len(unsettled) - len(abandoned)
        if in_flight:
            yield Diagnosis("runs", Health.OK, f"{in_flight} of {pipeline} are in flight")
        if abandoned:
            text = f"{len(abandoned)} of {pipeline} are unfinished and their runner is gone"
            yield Diagnosis("runs", Health.WARNING, text, remedy)
        if unsettled:
            text = f"{len(unsettled)} of {pipeline} were cut off; what they published is not known"
            yield Diagnosis("runs", Health.WARNING, text, remedy)


def pauses(found: Mapping[str, Pause | None]) -> Iterator[Diagnosis]:
    """Report the pipelines that start nothing."""
    for name, pause in found.items():
        if pause is not None:
            since = f"{pause.paused_at:%Y-%m-%d %H:%M} UTC"
            text = f"{name} is paused since {since} ({pause.reason})"
            yield Diagnosis("pauses", Health.WARNING, text, f"runner resume {name}")


def strays(found: Sequence[Holder]) -> Iterator[Diagnosis]:
    """Report the dbt processes of runners that have died."""
    for process in found:
        text = f"{process} has outlived its runner"
        yield Diagnosis("processes", Health.WARNING, text, f"kill {process.pid}")
    if not found:
        yield Diagnosis("processes", Health.OK, "no dbt process has outlived its runner")


def index(records: Mapping[str, Timeline[WindowRecord]], project: Project) -> Diagnosis:
    """Check that the ledger knows the models of this project."""
    names = {node.name for node in project.data_nodes}
    strangers = sorted(records.keys() - names)
    text = f"{len(records)} models; no window is known twice"  # else it could not have been read
    if strangers:
        text += f"; not in the project any more: {list_names(strangers)}"
        remedy = "if they were renamed or removed on purpose, drop their tables"
        return Diagnosis("index", Health.WARNING, text, remedy)
    return Diagnosis("index", Health.OK, text)


def no_warehouse(file: Path, believed: Mapping[str, Spans], project: Project) -> Diagnosis:
    """Report a warehouse that is not there: a loss if something was published."""
    if not believed:
        text = f"there is none yet ({file}): the first run makes it"
        return Diagnosis("warehouse", Health.OK, text)
    return Diagnosis("warehouse", Health.WRONG, *markers.describe_loss(file, believed, project))


def warehouse(file: Path | None, held: Holder | None) -> Diagnosis:
    """Check that the warehouse may be asked."""
    if file is None:
        return Diagnosis("warehouse", Health.OK, "it is no file that can be seen from here")
    if held is None:
        return Diagnosis("warehouse", Health.OK, f"{file}, nobody holds it")
    text = f"{file} is held by {held}: its markers were not looked at"
    return Diagnosis("warehouse", Health.WARNING, text, "ask again when that has ended")


def evidence(published: Collection[Publication]) -> Diagnosis:
    """Report what a new ledger could be made from."""
    text = f"{_counted(published)}: a new ledger will know them"
    return Diagnosis("markers", Health.OK, text)


def compared(
    published: Collection[Publication], found: markers.Differences, project: Project
) -> Iterator[Diagnosis]:
    """Report where the markers contradict the ledger."""
    if found.lost:
        windows = describe_windows(found.lost, project)
        text = f"published, says the ledger, but not in the warehouse: {windows}"
        remedy = "restore the warehouse, or run these dates again with --reprocess all"
        yield Diagnosis("markers", Health.WRONG, text, remedy)
    if found.unknown:
        windows = describe_windows(found.unknown, project)
        text = f"published by a runner, but unknown to the ledger: {windows}"
        yield Diagnosis("markers", Health.WRONG, text, REBUILD)
    if found.unverified:
        windows = describe_windows(found.unverified, project)
        text = f"published again without a verdict: {windows}"
        remedy = f"run these dates again with --reprocess all, or have them judged: {REBUILD}"
        yield Diagnosis("markers", Health.WARNING, text, remedy)
    if not (found.lost or found.unknown or found.unverified):
        yield Diagnosis("markers", Health.OK, f"{_counted(published)}, as the ledger says")


def missing(
    survey: Survey, records: Mapping[str, Timeline[WindowRecord]], project: Project
) -> Iterator[Diagnosis]:
    """Report what was built, says the ledger, and is not there."""
    for unique_id in sorted(survey.missing):
        node = project.nodes[unique_id]
        known = [record for _, record in records.get(node.name, Timeline())]
        if any(r.has_rows for r in known) or (
            not node.is_windowed and any(r.standing is not WorkResult.FAILED for r in known)
        ):
            text = f"{node.name} was built, says the ledger, but {node.relation} is not there"
            remedy = "the next backfill makes it again; or restore the warehouse"
            yield Diagnosis("tables", Health.WRONG, text, remedy)


def changed(why_changed: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Report what has no windows and does not stand as it was built."""
    for name, why in sorted(why_changed.items()):
        remedy = "runner backfill PIPELINE --reprocess stale builds it again"
        yield Diagnosis("tables", Health.WRONG, f"{name}: {why}", remedy)


def rows(
    differences: Iterable[RowDifference], project: Project, *, is_deep: bool
) -> Iterator[Diagnosis]:
    """Report windows whose rows are not those that were published."""
    what = "rows and their contents" if is_deep else "numbers of rows"
    found = grouped((project.nodes[one.model].name, one) for one in differences)
    for model, different in found.items():
        spans = Spans(
            Span(one.window_start, one.window_end)
            for one in different
            if one.window_start is not None and one.window_end is not None
        )
        text = f"{model} has rows where nothing was published"
        if spans:
            windows = describe_windows({model: spans}, project)
            text = f"not what was published: {windows}"
        remedy = (
            "runner verify PIPELINE names them; then runner backfill PIPELINE --reprocess stale"
        )
        yield Diagnosis("rows", Health.WRONG, text, remedy)
    if not found:
        yield Diagnosis("rows", Health.OK, f"the {what} are those that were published")


def _counted(published: Collection[Publication]) -> str:
    models = len({marker.model for marker in published})
    return f"{len(published):,} windows of {models} models"


def versions(
    version_of: Callable[[str], str | None], packages: Iterable[str] = tuple(_SUPPORTED)
) -> Iterator[Diagnosis]:
    """Python and the packages whose versions matter; one without a version is not installed."""
    found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    for package in packages:
        first, beyond = _SUPPORTED[package]
        version = version_of(package)
        supported = f">={first},<{beyond}"
        if version is not None and _parsed(first) <= _parsed(version) < _parsed(beyond):
            found.append(f"{package} {version}")
            continue
        unfit = f"{version} is not one of those supported, {supported}"
        text = f"{package} {'is not installed' if version is None else unfit}"
        yield Diagnosis("versions", Health.WRONG, text, f'pip install "{package}{supported}"')
    yield Diagnosis("versions", Health.OK, ", ".join(found))


def dbt_elsewhere(dbt: Path, version: str) -> Diagnosis:
    """Say which dbt of another environment is used."""
    text = f"{dbt}, version {version}, in an environment of its own; code is compared by its text"
    if _parsed(version) < _parsed(_SUPPORTED["dbt-core"][0]):
        remedy = f"name a dbt of version {_SUPPORTED['dbt-core'][0]} or later"
        return Diagnosis("dbt", Health.WRONG, text, remedy)
    return Diagnosis("dbt", Health.OK, text)


def speedups(notices: Iterable[str]) -> Iterator[Diagnosis]:
    """Report what makes dbt faster and cannot be used; see :class:`runner.dbt.protocol.Engine`."""
    for notice in notices:
        yield Diagnosis("speedups", Health.WARNING, notice)


def installed(package: str) -> str | None:
    """The version of an installed package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def disks(files: Iterable[Path]) -> Iterator[Diagnosis]:
    """Report the room on the file systems of some files, which need not be there."""
    seen: set[int] = set()
    for file in files:
        folder = next(parent for parent in file.parents if parent.exists())
        if (device := folder.stat().st_dev) in seen:
            continue
        seen.add(device)
        yield disk(folder, shutil.disk_usage(folder).free)


def disk(folder: Path, free: int) -> Diagnosis:
    """Check the room of one file system, in bytes."""
    text = f"{free / _ROOM:,.1f} GiB free for {folder}"
    if free < _ROOM:
        return Diagnosis("disk", Health.WARNING, text, "make room before the next run")
    return Diagnosis("disk", Health.OK, text)


def _parsed(version: str) -> tuple[int, ...]:
    """Major and minor; what is no number counts as 0.

    >>> _parsed("1.11.0rc1"), _parsed("2")
    ((1, 11), (2,))
    """
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])
