"""A pipeline: what pipelines.yml says of it, made whole by the models it selects.

If none of them has windows, the pipeline is built as a whole, once in each window of its schedule,
and only the newest of these can be: yesterday's is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from runner.core.config import PipelineConfig
from runner.core.errors import ConfigError, ProjectError, UsageError, nearest
from runner.core.graph import grouped
from runner.core.schedules import Schedule
from runner.core.spans import Span
from runner.core.windows import DAY, EPOCH, Calendar, Grain, Window
from runner.project.gates import LateGate, late_gates, refuse_impossible_gates
from runner.project.manifest import DATA_KINDS, Node, Project

# After which what is built as a whole is missed, if its pipeline says nothing of a deadline.
_PATIENCE = timedelta(hours=1)

# Years in which a pipeline may begin, and the first that dbt's tables of zones hold in full.
_FIRST_YEAR, _LAST_YEAR, _TABLES_BEGIN = 1800, 8999, 1902
_NEVER_MOVED = re.compile(r"UTC|GMT|Etc/.*")  # names of zones that only have one offset


@dataclass(frozen=True)
class Pipeline:
    """A named selection of nodes with a schedule and policies."""

    name: str
    config: PipelineConfig
    calendar: Calendar
    schedule: Schedule | None
    nodes: tuple[Node, ...]  # models, seeds, snapshots and tests of the selection
    first: datetime  # UTC start of its first window
    last: datetime | None  # UTC end of its last window; None: it goes on
    project: Project  # whose models read each other across pipelines too
    late_gates: tuple[LateGate, ...] = ()  # marked as gates of what has no windows

    @cached_property
    def windowed(self) -> tuple[Node, ...]:
        """The models whose windows are the unit of work, parents first."""
        return tuple(node for node in self.nodes if node.is_windowed)

    @property
    def is_whole(self) -> bool:
        """True if none of its models has windows: all of it is built in every window anew."""
        return not self.windowed

    @cached_property
    def data_nodes(self) -> tuple[Node, ...]:
        """The models, seeds and snapshots, parents first."""
        return tuple(node for node in self.nodes if node.kind in DATA_KINDS)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """The names of the data nodes by unique id."""
        return {node.unique_id: node.name for node in self.data_nodes}

    @cached_property
    def not_replayable(self) -> tuple[Node, ...]:
        """The models that grow by what is new: built once per run, like a table."""
        return tuple(node for node in self.data_nodes if not node.is_replayable)

    @cached_property
    def following_tables(self) -> tuple[Node, ...]:
        """The tables that are made from windows and have none: built after them."""
        return tuple(node for node in self.data_nodes if node.is_following_table)

    @cached_property
    def windowed_beyond(self) -> tuple[Node, ...]:
        """The windowed models of other pipelines that its own are made from, parents first."""
        own = [node.unique_id for node in self.data_nodes]
        above = (
            self.project.nodes[name]
            for name in set(self.project.upstream(own)) - set(own)
            if name in self.project.nodes
        )
        return tuple(self.project.parents_first(node for node in above if node.is_windowed))

    @cached_property
    def parents(self) -> Mapping[str, frozenset[str]]:
        """The names of the data nodes that each data node reads, directly."""
        return {node.name: self._named(node.parents) for node in self.data_nodes}

    @cached_property
    def later_tests(self) -> Mapping[str, tuple[Node, ...]]:
        """The tests that judge each data node after it is built: its own, and singular ones."""
        tests = [node for node in self.nodes if node.kind == "test" and not node.is_gate]
        judged = (
            (t, (t.attached_to,) if t.attached_to else dict.fromkeys(t.parents)) for t in tests
        )
        found = grouped((unique_id, test) for test, about in judged for unique_id in about)
        return {node.name: tuple(found.get(node.unique_id, ())) for node in self.data_nodes}

    @cached_property
    def checks(self) -> Mapping[str, tuple[Node, ...]]:
        """All that judges each data node, its gates included."""
        gates = grouped((node.attached_to, node) for node in self.nodes if node.is_gate)
        return {
            node.name: (*gates.get(node.unique_id, ()), *self.later_tests[node.name])
            for node in self.data_nodes
        }

    @cached_property
    def tested_with(self) -> Mapping[str, frozenset[str]]:
        """The other data nodes that the tests of a data node read."""
        return {
            name: self._named(parent for test in tests for parent in test.parents) - {name}
            for name, tests in self.later_tests.items()
        }

    def first_of(self, node: Node) -> datetime:
        """Return the UTC start of a model's first window, not before that of the pipeline."""
        if node.begin is None:
            return self.first
        return max(self.first, _start_of(node.begin, self.calendar))

    def complete(self, now: datetime) -> Span | None:
        """Return all windows of the pipeline that have ended at ``now``; None if none has.

        Of a pipeline that is built as a whole it is the last that is due, at most.
        """
        if self.is_whole and self.schedule is not None:
            return self.due(now)
        return self._until(self.calendar.floor(now))

    def newest(self, now: datetime) -> Window | None:
        """Return the last window that has ended at ``now``; None if none has."""
        complete = self.complete(now)
        return None if complete is None else self.calendar.before(complete.end)

    def due(self, now: datetime) -> Span | None:
        """Return all windows that are due by schedule at ``now``; None if none is."""
        return self._until(self.schedule.due_end(self.calendar, now)) if self.schedule else None

    @property
    def is_awaited(self) -> bool:
        """True if its windows come by themselves: by cron, with a file, or after others."""
        config = self.config
        return self.schedule is not None or bool(config.wait_for or config.after)

    def awaited(self, now: datetime) -> Span | None:
        """Return all windows that should be done at ``now`` or when what they wait for is there.

        Without a schedule a window is due when it has ended; None if none is, or none ever.
        """
        if self.schedule is not None:
            return self.due(now)
        return self.complete(now) if self.is_awaited else None

    def overdue(self, now: datetime) -> Span | None:
        """Return all windows that should have been a success by ``now``, by their `deadline`.

        Without a deadline that is when the next one is due, and an hour after it was due itself for
        what is built as a whole. None if there is no such window.
        """
        deadline = self.config.deadline
        if deadline is None and self.is_whole:
            deadline = _PATIENCE
        if deadline is not None:
            return self.awaited(now - deadline)
        before = self.schedule.tick_at_or_before(now) if self.schedule else self.calendar.floor(now)
        return self.awaited(before - timedelta.resolution)

    def window(self, label: str, now: datetime) -> Window:
        """Return the window of a label; :class:`UsageError` if there is none, or not yet."""
        window = self.calendar.labelled(label)
        self._refuse_earlier(window.start, now)
        self._require_complete(window.span, label, label, now)
        return window

    def span_of_dates(self, first: date, last: date, now: datetime) -> Span:
        """Return the windows from ``first`` to ``last``, dates inclusive, as a person says them.

        A pipeline may begin in the middle of its first date. Raises :class:`UsageError` if one
        lies outside the pipeline or is not yet complete.
        """
        span = self.calendar.span_of_dates(first, last)
        if span.start < self.first < self.calendar.span_of_dates(first, first).end:
            span = Span(self.first, span.end)
        self._refuse_earlier(span.start, now)
        self._require_complete(span, first.isoformat(), last.isoformat(), now)
        return span

    def _until(self, end: datetime) -> Span | None:
        end = end if self.last is None else min(end, self.last)
        if end <= self.first:
            return None
        return Span(self.calendar.before(end).start if self.is_whole else self.first, end)

    def _named(self, unique_ids: Iterable[str]) -> frozenset[str]:
        """Return the names of those that are data nodes of the pipeline."""
        names = self._names
        return frozenset(names[unique_id] for unique_id in unique_ids if unique_id in names)

    def _refuse_earlier(self, start: datetime, now: datetime) -> None:
        newest = self.newest(now) if self.is_whole else None
        if newest is not None and start < newest.start:
            raise UsageError(
                f"no model of {self.name} has windows, so it is built as it is today and no "
                "earlier date can be replayed: leave the dates out, or give its models windows"
            )

    def _require_complete(self, span: Span, first: str, last: str, now: datetime) -> None:
        if span.start < self.first:
            raise UsageError(
                f"{first} lies before the first window of {self.name}, "
                f"{self.calendar.window_at(self.first).label}: start there, "
                "or move `start` in pipelines.yml"
            )
        newest = self.newest(now)
        if newest is None:
            raise UsageError(
                f"{self.name} has no complete window at {now.isoformat()}: wait for its first"
            )
        if span.end <= newest.end:
            return
        if newest.end == self.last:
            raise UsageError(
                f"{last} lies after the last window of {self.name}, {newest.label}: "
                "end earlier, or move `end` in pipelines.yml"
            )
        raise UsageError(
            f"the windows up to {last} are not complete at "
            f"{now.astimezone(self.calendar.zone).isoformat(timespec='minutes')}: "
            f"the newest complete one is {newest.label}, end there"
        )


def find_config(name: str, configs: Mapping[str, PipelineConfig]) -> PipelineConfig:
    """Return a pipeline's settings; :class:`UsageError` with the nearest name if unknown."""
    if not isinstance(name, str) or name not in configs:
        known = ", ".join(sorted(configs))
        hint = nearest(str(name), configs)
        raise UsageError(f"there is no pipeline {name!r}.{hint} Known: {known}")
    return configs[name]


def make_pipeline(name: str, config: PipelineConfig, project: Project) -> Pipeline:
    """Put a pipeline together.

    Raises :class:`ProjectError` if its models have no window, or contradict it or each other.
    """
    nodes = _buildable(project.selected(config.selection), project)
    models = {node.name for node in nodes if node.kind in DATA_KINDS}
    for model, _ in config.allow_unsafe:
        if model not in models:
            hint = nearest(model, models)
            raise ProjectError(
                f"pipeline {name}: 'allow_unsafe' names {model}, which it does not select.{hint}"
            )
    refuse_impossible_gates(nodes, project.nodes)
    _refuse_two_kinds_of_batches(name, nodes)
    zone = project.zone
    calendar = Calendar(_grain(name, config, nodes), zone)
    if config.timezone not in (None, zone.key):
        raise ProjectError(
            f"pipeline {name} says timezone {config.timezone}, but the project's windows are cut "
            f"in {zone.key} (var timezone): make them the same"
        )
    first = _first(name, config, calendar, nodes)
    last = calendar.span_of_dates(config.end, config.end).end if config.end else None
    if last is not None and last <= first:
        raise ConfigError(f"pipeline {name} ends before it starts: mend `start` and `end`")
    return Pipeline(
        name=name,
        config=config,
        calendar=calendar,
        schedule=Schedule(config.schedule, zone) if config.schedule else None,
        nodes=tuple(project.parents_first(nodes)),
        first=first,
        last=last,
        project=project,
        late_gates=tuple(late_gates(nodes, project.nodes)),
    )


def _first(
    name: str, config: PipelineConfig, calendar: Calendar, nodes: Iterable[Node]
) -> datetime:
    """Return the UTC start of a pipeline's first window."""
    windowed = [node for node in nodes if node.is_windowed]
    for node in windowed:
        if node.begin is not None and not _FIRST_YEAR <= node.begin.year <= _LAST_YEAR:
            raise ProjectError(
                f"pipeline {name}: `begin` of {node.name} is {node.begin}, beyond the calendar: "
                "write the date of its first data"
            )
    if config.start is not None:
        _refuse_unknown_clock(name, "`start` in pipelines.yml", config.start, calendar.zone)
        return _start_of(config.start, calendar)
    if not windowed:
        return _start_of(EPOCH.date(), calendar)  # its past is nobody's concern
    begins = {node.name: node.begin for node in windowed if node.begin is not None}
    if not begins:
        raise ProjectError(
            f"pipeline {name} does not know its first window: write `start` in pipelines.yml, "
            "or `begin` in its models"
        )
    for model, begin in begins.items():
        _refuse_unknown_clock(name, f"`begin` of {model}", begin, calendar.zone)
    return min(_start_of(begin, calendar) for begin in begins.values())


def _refuse_unknown_clock(name: str, where: str, begin: date, zone: ZoneInfo) -> None:
    """Refuse a first window that dbt cuts elsewhere than the calendar does.

    It knows zones from December 1901 on, and to the minute: every window of an earlier day, or of
    one by the mean time of a town, would be refused by itself when it runs.
    """
    if _is_known(zone, begin):
        return
    years = range(max(begin.year, _TABLES_BEGIN), _LAST_YEAR)
    known = next(first for year in years if _is_known(zone, first := date(year, 1, 1)))
    raise ProjectError(
        f"pipeline {name}: {where} is {begin:%Y-%m-%d}, and the tables of {zone.key} that dbt has "
        f"do not reach back so far: let it begin at {known} or later"
    )


def _is_known(zone: ZoneInfo, day: date) -> bool:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local by nature
    offset = zone.utcoffset(midnight) or timedelta(0)
    if day.year >= _TABLES_BEGIN:
        return not offset.seconds % 60
    return _NEVER_MOVED.match(zone.key) is not None


def _start_of(begin: date, calendar: Calendar) -> datetime:
    """Return the UTC start of the window around a local date, or around an instant."""
    if isinstance(begin, datetime):
        return calendar.floor(begin)
    return calendar.span_of_dates(begin, begin).start


def _refuse_two_kinds_of_batches(name: str, nodes: Iterable[Node]) -> None:
    """Refuse a microbatch with windows beside one without: dbt takes one range for all batches."""
    microbatches = [node for node in nodes if node.is_microbatch]
    with_windows = [node.name for node in microbatches if node.is_windowed]
    alone = [node.name for node in microbatches if not node.is_windowed]
    if with_windows and alone:
        raise ProjectError(
            f"pipeline {name} builds {with_windows[0]} batch by batch, and {alone[0]} as dbt does "
            "by itself, which one dbt build cannot: put that into a pipeline of its own"
        )


def _buildable(nodes: list[Node], project: Project) -> list[Node]:
    """Leave out the tests that also read something beyond the selection and its ancestors.

    dbt lists them with the selection, but a build of the selection leaves them out.
    """
    reached = set(project.upstream(node.unique_id for node in nodes if node.kind in DATA_KINDS))
    return [node for node in nodes if node.kind != "test" or reached.issuperset(node.parents)]


def _grain(name: str, config: PipelineConfig, nodes: list[Node]) -> Grain:
    by_grain = {node.grain: node.name for node in nodes if node.grain}
    if not by_grain:
        return config.grain or _grain_of_ticks(config.schedule)
    wanted = {config.grain} if config.grain else set(by_grain)
    if len(wanted | set(by_grain)) > 1:
        models = ", ".join(f"{model} ({grain})" for grain, model in by_grain.items())
        said = f"says grain {config.grain}, but selects" if config.grain else "mixes grains:"
        raise ProjectError(f"pipeline {name} {said} {models}: one pipeline has one grain, split it")
    return next(iter(by_grain))


def _grain_of_ticks(schedule: str | None) -> Grain:
    """Return the grain in which what is built as a whole has a window for each run."""
    if schedule is None:
        return Grain.DAY
    cron = Schedule(schedule, ZoneInfo("UTC"))
    first = cron.tick_at_or_after(EPOCH)
    second = cron.tick_at_or_after(first + timedelta.resolution)
    return Grain.DAY if second - first >= DAY else Grain.HOUR
