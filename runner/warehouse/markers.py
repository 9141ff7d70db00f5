"""Read the warehouse's markers, its own testimony, and compare them with the ledger's index.

A marker is a row that is committed together with the rows of the window it speaks of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from runner.core.errors import EngineError
from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import Calendar
from runner.dbt.protocol import Publication
from runner.ledger import Ledger
from runner.project.manifest import Project

REBUILD = "runner doctor --rebuild"
# What a marker's verdict says of its window.
RESULTS = {
    "correct": WorkResult.SUCCESS,
    "incorrect": WorkResult.INCORRECT,
    "unchecked": WorkResult.UNCHECKED,
    None: WorkResult.PUBLISHED,
}
_MOST_NAMES = 3

Publications = Mapping[tuple[str, datetime], Publication]
Index = Mapping[str, Timeline[WindowRecord]]  # by model


@dataclass(frozen=True)
class Differences:
    """The contradictions of the ledger's index and the warehouse's markers, by model."""

    lost: Mapping[str, Spans]  # published, the ledger says, but there is no marker
    unknown: Mapping[str, Spans]  # a runner's marker of which the ledger knows nothing
    unverified: Mapping[str, Spans]  # right, the ledger says, but the marker has no such verdict


def by_window(markers: Iterable[Publication]) -> Publications:
    """Return markers by model and UTC start of the window."""
    return {(marker.model, marker.window_start): marker for marker in markers}


def windowed_names(project: Project) -> list[str]:
    """Return the names of the models that have markers."""
    return [node.name for node in project.nodes.values() if node.is_windowed]


def believed_published(index: Index, models: Iterable[str]) -> dict[str, Spans]:
    """Return the windows of some models that the ledger believes published."""
    found = {m: index[m].where(_is_published) for m in models if m in index}
    return _without_empty(found)


def require_warehouse(project: Project, ledger: Ledger) -> None:
    """Raise :class:`EngineError` if the warehouse's file has gone, and what was published with it.

    The plan would say that there is nothing to do.
    """
    file = project.warehouse
    if file is None or file.exists():
        return
    believed = believed_published(ledger.windows.get_records(), windowed_names(project))
    if believed:
        text, remedy = describe_loss(file, believed, project)
        raise EngineError(f"the warehouse {text}: {remedy}")


def describe_loss(file: Path, believed: Mapping[str, Spans], project: Project) -> tuple[str, str]:
    """Say what has gone with a warehouse's file, and what to do about it."""
    text = f"{file} is missing, and with it, says the ledger, {describe_windows(believed, project)}"
    return text, f"restore it, or start from what is there with {REBUILD}"


def describe_windows(spans: Mapping[str, Spans], project: Project) -> str:
    """Say how many windows of which models these are, from when to when."""
    nodes = project.nodes.values()
    calendars = {n.name: Calendar(n.grain, project.zone) for n in nodes if n.grain is not None}
    # Windows that are touched: those of an earlier grain are no whole ones.
    count = sum(
        calendars[model].count(span)
        for model, found in spans.items()
        for span in Spans(calendars[model].covering(span) for span in found)
    )
    every = [span for found in spans.values() for span in found]
    whole = Span(min(span.start for span in every), max(span.end for span in every))
    dates = calendars[next(iter(spans))].label(whole)
    models = list_names(sorted(spans))
    return f"{count:,} {'window' if count == 1 else 'windows'} of {models}, {dates}"


def list_names(names: Sequence[str]) -> str:
    """Name some things, and say how many more there are."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"


def differences(
    index: Index, markers: Iterable[Publication], models: Collection[str], unsettled: Spans
) -> Differences:
    """Compare; ``models`` are the windowed ones, what is ``unsettled`` may differ for a while."""
    by_model = grouped((marker.model, marker) for marker in markers)
    lost, unknown, unverified = {}, {}, {}
    for model in models:
        records, marked = index.get(model, Timeline()), by_model.get(model, [])
        believed = records.where(_is_published)
        right = records.where(lambda r: r.standing in (WorkResult.SUCCESS, WorkResult.UNCHECKED))
        is_there = Spans(map(span_of, marked))
        by_runners = Spans(span_of(m) for m in marked if m.run_id is not None)
        judged = Spans(span_of(m) for m in marked if m.verdict in ("correct", "unchecked"))
        lost[model] = believed - is_there - unsettled
        unknown[model] = by_runners - records.covered - unsettled
        unverified[model] = (right & is_there) - judged - unsettled
    return Differences(*map(_without_empty, (lost, unknown, unverified)))


def index_of(markers: Iterable[Publication], readers: Mapping[str, Collection[str]]) -> Index:
    """Make the index that markers amount to; ``readers`` are those of each windowed model.

    A window that was published before something that it reads became what it is, is outdated. Of
    what a failure was about, no marker tells.
    """
    by_model = _by_model(markers)
    published = {
        model: Timeline((span_of(marker), marker.contents_since) for marker in found)
        for model, found in by_model.items()
    }

    def record(marker: Publication) -> WindowRecord:
        is_outdated = any(
            at > marker.published_at
            for parent, names in readers.items()
            if marker.model in names and parent in published
            for _, at in published[parent].touching(span_of(marker))
        )
        return WindowRecord(
            result_of(marker),
            marker.code_hash,
            is_outdated,
            has_rows=True,
            published_at=marker.stands_since,
            checks_hash=marker.checks_hash,
        )

    return {
        model: Timeline((span_of(marker), record(marker)) for marker in found)
        for model, found in by_model.items()
    }


def known_codes(markers: Iterable[Publication], project: Project) -> tuple[Publication, ...]:
    """Return markers by models' names, with the present code's hash where a plain build had it."""
    present: dict[tuple[str, str | None], str] = {
        (node.name, node.plain_code): node.code_hash
        for node in project.nodes.values()
        if node.plain_code is not None
    }
    return tuple(
        replace(marker, code_hash=present.get((marker.model, marker.code_hash), marker.code_hash))
        for marker in (told.with_name(project.names) for told in markers)
    )


def result_of(marker: Publication) -> WorkResult:
    """Return what a marker says of its window.

    Of a plain `dbt build` whose code nobody knows, checks that pass do not prove that it is right.
    """
    result = RESULTS[marker.verdict]
    is_of_unknown_code = marker.run_id is None and marker.code_hash is None
    if is_of_unknown_code and result is not WorkResult.INCORRECT:
        return WorkResult.UNCHECKED
    return result


def span_of(marker: Publication) -> Span:
    """Return the window that a marker speaks of."""
    return Span(marker.window_start, marker.window_end)


def _is_published(record: WindowRecord) -> bool:
    """Return True if rows were published; of a time before a model had windows none were."""
    return record.standing.is_published and record.has_rows


def _by_model(markers: Iterable[Publication]) -> dict[str, list[Publication]]:
    """Group markers by model, oldest window first; of two that overlap the later one counts."""
    found: dict[str, list[Publication]] = {}
    for marker in sorted(markers, key=attrgetter("model", "window_start")):
        kept = found.setdefault(marker.model, [])
        # No macro of ours writes overlaps, but a person's hand may.
        if kept and marker.window_start < kept[-1].window_end:
            kept[-1] = max(kept[-1], marker, key=attrgetter("published_at"))
        else:
            kept.append(marker)
    return found


def _without_empty(found: Mapping[str, Spans]) -> dict[str, Spans]:
    return {model: spans for model, spans in found.items() if spans}
