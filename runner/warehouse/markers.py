"""The warehouse's markers against the ledger's index: what they make of it, where they differ."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.dbt.protocol import Publication
from runner.project.manifest import Project
from runner.warehouse.publications import known_of

PUBLISHED = frozenset({WorkResult.SUCCESS, WorkResult.UNCHECKED, WorkResult.PUBLISHED})


@dataclass(frozen=True)
class Differences:
    """Where the ledger's index and the warehouse's markers contradict each other, by model."""

    lost: Mapping[str, Spans]  # published, the ledger says, but there is no marker
    unknown: Mapping[str, Spans]  # a runner's marker of which the ledger knows nothing
    unverified: Mapping[str, Spans]  # right, the ledger says, but the marker has no such verdict


def windowed(project: Project) -> list[str]:
    """The names of the models that have markers."""
    return [node.name for node in project.nodes.values() if node.is_windowed]


def span_of(marker: Publication) -> Span:
    """The window that a marker speaks of."""
    return Span(marker.window_start, marker.window_end)


def published(
    known: Mapping[str, Timeline[WindowRecord]], models: Iterable[str]
) -> dict[str, Spans]:
    """What the ledger believes published of some models."""
    found = {
        model: known[model].where(lambda k: k.standing in PUBLISHED)
        for model in models
        if model in known
    }
    return {model: spans for model, spans in found.items() if spans}


def differences(
    known: Mapping[str, Timeline[WindowRecord]],
    told: Iterable[Publication],
    models: Collection[str],
    unsettled: Spans,
) -> Differences:
    """Compare; ``models`` are the windowed ones, what is ``unsettled`` may differ for a while."""
    marked: dict[str, list[Span]] = {}
    by_runners: dict[str, list[Span]] = {}
    judged: dict[str, list[Span]] = {}
    for marker in told:
        marked.setdefault(marker.model, []).append(span_of(marker))
        if marker.run_id is not None:
            by_runners.setdefault(marker.model, []).append(span_of(marker))
        if marker.verdict in ("correct", "unchecked"):
            judged.setdefault(marker.model, []).append(span_of(marker))
    lost, unknown, unverified = {}, {}, {}
    for model in models:
        index = known.get(model, Timeline())
        believed = index.where(lambda k: k.standing in PUBLISHED)
        right = index.where(lambda k: k.standing in (WorkResult.SUCCESS, WorkResult.UNCHECKED))
        is_there = Spans(marked.get(model, ()))
        lost[model] = believed - is_there - unsettled
        anything = index.covered
        unknown[model] = Spans(by_runners.get(model, ())) - anything - unsettled
        unverified[model] = (right & is_there) - Spans(judged.get(model, ())) - unsettled
    return Differences(*map(_kept, (lost, unknown, unverified)))


def index_of(
    told: Iterable[Publication], readers: Mapping[str, Collection[str]]
) -> dict[str, Timeline[WindowRecord]]:
    """The index that the markers amount to; ``readers`` of each windowed model, by what they read.

    A window that was published before something that it reads is outdated. Of what a failure was
    about, no marker tells.
    """
    by_model = _by_model(told)
    index: dict[str, list[tuple[Span, WindowRecord]]] = {}
    for model, markers in by_model.items():
        parents = [by_model[p] for p, found in readers.items() if model in found and p in by_model]
        index[model] = [
            (span_of(marker), replace(known_of(marker), is_outdated=_is_older(marker, parents)))
            for marker in markers
        ]
    return {model: Timeline(parts) for model, parts in index.items()}


def _by_model(told: Iterable[Publication]) -> dict[str, list[Publication]]:
    """Markers by model, oldest window first; where two overlap, the later published one counts."""
    ordered = sorted(told, key=lambda marker: (marker.model, marker.window_start))
    return {
        model: list(_disjoint(markers))
        for model, markers in groupby(ordered, key=lambda marker: marker.model)
    }


def _disjoint(markers: Iterable[Publication]) -> Iterator[Publication]:
    """Without overlaps, which no macro of ours writes, but a person's hand may."""
    kept: Publication | None = None
    for marker in markers:
        if kept is not None and marker.window_start < kept.window_end:
            kept = max(kept, marker, key=lambda found: found.published_at)
            continue
        if kept is not None:
            yield kept
        kept = marker
    if kept is not None:
        yield kept


def _is_older(marker: Publication, parents: Iterable[Sequence[Publication]]) -> bool:
    return any(
        parent.published_at > marker.published_at
        for markers in parents
        for parent in _touching(markers, span_of(marker))
    )


def _touching(markers: Sequence[Publication], span: Span) -> Iterator[Publication]:
    index = bisect_right(markers, span.start, key=lambda marker: marker.window_end)
    while index < len(markers) and markers[index].window_start < span.end:
        yield markers[index]
        index += 1


def _kept(found: Mapping[str, Spans]) -> dict[str, Spans]:
    return {model: spans for model, spans in found.items() if spans}
