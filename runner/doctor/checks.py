"""What can be wrong with what the runner stands on: each check says one line and the remedy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord
from runner.core.timelines import Timeline
from runner.core.windows import Calendar
from runner.dbt.protocol import Publication
from runner.ledger import Pause, Run
from runner.ledger.checkup import file_problems, file_version
from runner.ledger.schema import VERSION
from runner.ledger.upgrades import is_upgradable
from runner.project.manifest import Project
from runner.warehouse import markers
from runner.warehouse.lock import Holder

REBUILD = "runner doctor --rebuild"
_ROOM = 1 << 30  # bytes; with less something will soon fail
_SYNCHRONOUS_FULL = 2
# First and first too new; why DuckDB's ends there: docs/adr/0003.
_SUPPORTED = {
    "dbt-core": ((1, 10), (1, 13)),
    "dbt-duckdb": ((1, 10), (1, 12)),
    "duckdb": ((1, 4), (2, 0)),
    "dbt-adapters": ((1, 16), (2, 0)),
    "dbt-common": ((1, 34), (2, 0)),
    "jinja2": ((3, 1), (4, 0)),
    "mashumaro": ((3, 14), (3, 18)),
}
_MOST_NAMES = 3


class Health(StrEnum):
    """What a check comes to."""

    OK = "ok"
    WARNING = "warning"  # it works, but somebody should know
    WRONG = "wrong"


@dataclass(frozen=True)
class Diagnosis:
    """What one check has found."""

    subject: str  # what was looked at, a word or two
    verdict: Health
    text: str
    remedy: str | None = None  # what to do about it


def ledger_on_disk(file: Path) -> Diagnosis:
    """Whether an SQLite ledger is there, sound and of this version."""
    if not file.exists():
        return Diagnosis("ledger", Health.OK, f"there is none yet ({file}): the first run makes it")
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
    """How a ledger that opens keeps what it is told."""
    if file is None or journal is None:
        return Diagnosis("ledger", Health.OK, f"the database opens, version {VERSION}")
    mode, synchronous = journal
    if mode == "wal" and synchronous == _SYNCHRONOUS_FULL:
        text = f"{file} is sound, version {VERSION}, WAL, synchronous FULL"
        return Diagnosis("ledger", Health.OK, text)
    text = f"{file} has journal mode {mode} and synchronous {synchronous}: a power cut may cost it"
    return Diagnosis("ledger", Health.WARNING, text, "move it to a local disk that can do WAL")


def open_runs(runs: Sequence[Run], gone: Collection[int]) -> Iterator[Diagnosis]:
    """Runs in flight, and those whose runner has died without telling how they ended.

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
    """Pipelines that start nothing."""
    for name, pause in found.items():
        if pause is not None:
            since = f"{pause.paused_at:%Y-%m-%d %H:%M} UTC"
            text = f"{name} is paused since {since} ({pause.reason})"
            yield Diagnosis("pauses", Health.WARNING, text, f"runner resume {name}")


def strays(found: Sequence[Holder]) -> Iterator[Diagnosis]:
    """The dbt processes of runners that have died."""
    for process in found:
        text = f"{process} has outlived its runner"
        yield Diagnosis("processes", Health.WARNING, text, f"kill {process.pid}")
    if not found:
        yield Diagnosis("processes", Health.OK, "no dbt process has outlived its runner")


def index(known: Mapping[str, Timeline[WindowRecord]], project: Project) -> Diagnosis:
    """Whether the ledger knows the models of this project."""
    names = {node.name for node in project.nodes.values()}
    strangers = sorted(known.keys() - names)
    text = f"{len(known)} models; no window is known twice"  # else it could not have been read
    if strangers:
        text += f"; not in the project any more: {_listed(strangers)}"
        remedy = "if they were renamed or removed on purpose, drop their tables"
        return Diagnosis("index", Health.WARNING, text, remedy)
    return Diagnosis("index", Health.OK, text)


def no_warehouse(file: Path, believed: Mapping[str, Spans], project: Project) -> Diagnosis:
    """A warehouse that is not there: natural at first, a loss if something was published."""
    if not believed:
        text = f"there is none yet ({file}): the first run makes it"
        return Diagnosis("warehouse", Health.OK, text)
    text = f"{file} is missing, and with it, says the ledger, {in_words(believed, project)}"
    remedy = f"restore it, or start from what is there with {REBUILD}"
    return Diagnosis("warehouse", Health.WRONG, text, remedy)


def warehouse(file: Path | None, held: Holder | None) -> Diagnosis:
    """Whether the warehouse may be asked."""
    if file is None:
        return Diagnosis("warehouse", Health.OK, "it is no file that can be seen from here")
    if held is None:
        return Diagnosis("warehouse", Health.OK, f"{file}, nobody holds it")
    text = f"{file} is held by {held}: its markers were not looked at"
    return Diagnosis("warehouse", Health.WARNING, text, "ask again when that has ended")


def evidence(told: Collection[Publication]) -> Diagnosis:
    """What a new ledger could be made from."""
    models = len({marker.model for marker in told})
    text = f"{len(told):,} windows of {models} models: a new ledger will know them"
    return Diagnosis("markers", Health.OK, text)


def compared(
    told: Collection[Publication], found: markers.Differences, project: Project
) -> Iterator[Diagnosis]:
    """What the markers say against the ledger."""
    if found.lost:
        text = (
            f"published, says the ledger, but not in the warehouse: {in_words(found.lost, project)}"
        )
        remedy = "restore the warehouse, or run these dates again with --reprocess all"
        yield Diagnosis("markers", Health.WRONG, text, remedy)
    if found.unknown:
        text = (
            f"published by a runner, but unknown to the ledger: {in_words(found.unknown, project)}"
        )
        yield Diagnosis("markers", Health.WRONG, text, REBUILD)
    if found.unverified:
        text = f"published again without a verdict: {in_words(found.unverified, project)}"
        remedy = f"run these dates again with --reprocess all, or have them judged: {REBUILD}"
        yield Diagnosis("markers", Health.WARNING, text, remedy)
    if not (found.lost or found.unknown or found.unverified):
        models = len({marker.model for marker in told})
        text = f"{len(told):,} windows of {models} models, as the ledger says"
        yield Diagnosis("markers", Health.OK, text)


def versions(version_of: Callable[[str], str | None]) -> Iterator[Diagnosis]:
    """Python and the packages whose versions matter; one without a version is not installed."""
    found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    for package, (first, beyond) in _SUPPORTED.items():
        version = version_of(package)
        supported = f">={_dotted(first)},<{_dotted(beyond)}"
        if version is None:
            text, remedy = f"{package} is not installed", f'pip install "{package}{supported}"'
            yield Diagnosis("versions", Health.WRONG, text, remedy)
        elif not first <= _parsed(version) < beyond:
            text = f"{package} {version} is not one of those supported, {supported}"
            yield Diagnosis("versions", Health.WRONG, text, f'pip install "{package}{supported}"')
        else:
            found.append(f"{package} {version}")
    yield Diagnosis("versions", Health.OK, ", ".join(found))


def speedups(notices: Iterable[str]) -> Iterator[Diagnosis]:
    """What makes dbt faster and cannot be used; see :class:`runner.dbt.protocol.Engine`."""
    for notice in notices:
        yield Diagnosis("speedups", Health.WARNING, notice)


def installed(package: str) -> str | None:
    """The version of an installed package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def disks(files: Iterable[Path]) -> Iterator[Diagnosis]:
    """The room on the file systems of some files, which need not be there."""
    seen: set[int] = set()
    for file in files:
        folder = next(parent for parent in file.parents if parent.exists())
        if (device := folder.stat().st_dev) in seen:
            continue
        seen.add(device)
        yield disk(folder, shutil.disk_usage(folder).free)


def disk(folder: Path, free: int) -> Diagnosis:
    """The room of one file system, in bytes."""
    text = f"{free / _ROOM:,.1f} GiB free for {folder}"
    if free < _ROOM:
        return Diagnosis("disk", Health.WARNING, text, "make room before the next run")
    return Diagnosis("disk", Health.OK, text)


def in_words(spans: Mapping[str, Spans], project: Project) -> str:
    """How many windows of which models, from when to when."""
    calendars = {
        node.name: Calendar(node.grain, project.zone)
        for node in project.nodes.values()
        if node.grain is not None
    }
    count = sum(_count(calendars[model], found) for model, found in spans.items())
    every = [span for found in spans.values() for span in found]
    calendar = calendars[next(iter(spans))]
    first = calendar.window_at(min(span.start for span in every)).label
    last = calendar.before(max(span.end for span in every)).label
    dates = first if first == last else f"{first} … {last}"
    return f"{count:,} {'window' if count == 1 else 'windows'} of {_listed(sorted(spans))}, {dates}"


def _count(calendar: Calendar, spans: Spans) -> int:
    """How many windows are touched: those of an earlier grain are no whole ones."""
    whole = (Span(calendar.floor(span.start), calendar.ceiling(span.end)) for span in spans)
    return sum(calendar.count(span) for span in Spans(whole))


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"


def _parsed(version: str) -> tuple[int, ...]:
    """Major and minor; what is no number counts as 0.

    >>> _parsed("1.11.0rc1"), _parsed("2")
    ((1, 11), (2,))
    """
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
