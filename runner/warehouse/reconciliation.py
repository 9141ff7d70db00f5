"""Ask the warehouse what stands in it, and let the ledger's index be what it answers.

The index is a cache of the markers. Before anything is planned that may run, a stamp of the
warehouse's file says whether it is the one that was last looked at; if not, one survey says which
models' markers, rows or relations are others than the index knows, and only those are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from runner.core.graph import grouped
from runner.core.spans import Span, Spans
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.core.windows import EVER, range_label
from runner.dbt.protocol import Engine, Publication, RowDifference, Survey, Target
from runner.dbt.target import stamp_of
from runner.ledger import KnownRelation, KnownWarehouse, Ledger
from runner.ledger.warehouses import Reading
from runner.project.manifest import Node, Project
from runner.warehouse.markers import Index, describe_windows, index_of, known_codes, span_of
from runner.warehouse.tables import (
    FEW_ROWS,
    changed_tables,
    digestible,
    new_tables,
    standing_tables,
)

_UNKNOWN: Timeline[WindowRecord] = Timeline()


@dataclass(frozen=True)
class Reconciled:
    """What a warehouse has said that the ledger did not know."""

    adopted: int = 0  # windows that an empty ledger has taken over
    lines: tuple[str, ...] = ()  # what was changed behind the runner's back, in words


def place_of(target: Target, project_dir: Path) -> str:
    """Return where a target's database is; a file within the project moves along with it."""
    if target.file is not None and target.file.is_relative_to(project_dir):
        return str(target.file.relative_to(project_dir))
    return target.place


def is_to_ask(project: Project, ledger: Ledger) -> bool:
    """Return whether the warehouse may hold something else than when it was last looked at.

    So it is while its file is another, or a relation has another name; and what is right of it may
    be something else where models read others than they did. To ask where no file is would create
    it.
    """
    file, known = project.warehouse, ledger.warehouses.get()
    stamp = stamp_of(file)
    if stamp is None or known is None or known.stamp != stamp:
        return file is None or stamp is not None
    relations = ledger.warehouses.get_relations()
    if not all(_is_same(node, relations.get(node.name)) for node in _windowed(project)):
        return True
    return ledger.warehouses.get_readings() != project.readings


def has_changed(project: Project, ledger: Ledger) -> bool:
    """Return whether somebody has written the warehouse's file since we left it.

    Only for those who look: who leaves first may be overtaken, so it decides nothing.
    """
    known, stamp = ledger.warehouses.get(), stamp_of(project.warehouse)
    seen = {known.stamp, known.left_as} - {None} if known else set()
    return stamp is not None and bool(seen) and stamp not in seen


@dataclass(frozen=True)
class Reconciliation:
    """The warehouse of a project's target, and the ledger that is about it."""

    project: Project
    ledger: Ledger

    def run(self, engine: Engine, timeout: timedelta, now: datetime) -> Reconciled:
        """Take over whatever the warehouse says; returns what the ledger did not know.

        Raises :class:`runner.core.errors.EngineError` if it cannot be asked: then nothing changes.
        """
        # Before it is asked: what changes meanwhile will be seen the next time.
        stamp = stamp_of(self.project.warehouse)
        warehouses, is_new = self.ledger.warehouses, self.ledger.windows.is_ledger_empty()
        before, index = warehouses.get_relations(), self.ledger.windows.get_records()
        built = warehouses.get_built()
        survey = engine.survey(timeout, digestible(built, self.project))
        known = warehouses.get()
        is_other = known is not None and known.warehouse_id not in (None, survey.warehouse)
        relations = {} if is_other else before
        found = {node.name: self._found(node, survey) for node in _windowed(self.project)}
        # What is not there and was never seen may have been recorded since, by its markers.
        changed = {
            name
            for name, relation in found.items()
            if relation != relations.get(name) or relation is None
        }
        told = self._told(engine, timeout, {n for n in changed if found[n] is not None})
        # Whether they are older than what they read, the markers of that tell.
        readers = self.project.readers
        read = {parent for parent, names in readers.items() if names & changed}
        # Of what was published while nobody of that name read it, nobody has been told.
        back = {
            (parent, reader)
            for parent, reader in self.project.readings - warehouses.get_readings()
            if reader in index
        }
        read = (read | {parent for parent, _ in back}) - changed
        parents = self._told(engine, timeout, {n for n in read if found[n] is not None})
        news = _news(index, told)
        fresh = self._fresh(index, changed, told, parents, back)
        gone = self._gone(survey, index)
        fresh |= dict.fromkeys(gone, _UNKNOWN)
        set_back = is_other or self._is_set_back(index, fresh, told, survey)
        fresh |= self._as_they_were(index, gone) if set_back else {}
        standing = standing_tables(self.project, survey, index)
        built = {} if is_other else built
        different = self._different(engine, survey, timeout)
        late = late_windows(self.project, different)
        late |= stale_tables(changed_tables(built, standing))
        # Of what is being written now its own runner will tell.
        busy = Spans(run.span for run in self.ledger.runs.find_open())
        is_recorded = warehouses.record_survey(
            before,
            KnownWarehouse(known.place if known else "", survey.warehouse, stamp, now, stamp),
            {name: found[name] for name in changed},
            {name: timeline for name, timeline in fresh.items() if timeline != index.get(name)},
            late,
            max((marker.fence for marker in told), default=0),
            new_tables(built, standing),
            self.project.readings,
        )
        if not is_recorded:  # another runner has recorded something since: look again
            return self.run(engine, timeout, now)
        if is_new:
            adopted = sum(1 for marker in told if marker.run_id is not None)
            return Reconciled(adopted)
        lines = [_OTHER_WAREHOUSE] if is_other else [_SET_BACK] if set_back else []
        unknown = {model: left for model, spans in news.items() if (left := spans - busy)}
        lines += self._changes(index, fresh, survey, unknown)
        lines += (f"{model}: {words}" for model, words in _reasons(late, index))
        lines += _strangers(self.project, different)
        return Reconciled(lines=tuple(lines))

    def _found(self, node: Node, survey: Survey) -> KnownRelation | None:
        model = survey.models.get(node.unique_id)
        return KnownRelation(node.name, model.relation, model.markers) if model else None

    def _told(
        self, engine: Engine, timeout: timedelta, names: Collection[str]
    ) -> tuple[Publication, ...]:
        """Return all markers of some models."""
        ids = [node.unique_id for node in _windowed(self.project) if node.name in names]
        return known_codes(engine.published(None, timeout, ids), self.project) if ids else ()

    def _fresh(
        self,
        index: Index,
        changed: Collection[str],
        markers: Collection[Publication],
        parents: Collection[Publication],
        back: Collection[Reading],
    ) -> dict[str, Timeline[WindowRecord]]:
        """Return the index of models whose markers are others, and of those that read them.

        ``parents`` are the markers of what they read, ``back`` who reads what again.
        """
        readers = self.project.readers
        read = index_of([*markers, *parents], readers)
        fresh = {
            name: _taken_over(index.get(name, _UNKNOWN), read.get(name, _UNKNOWN))
            for name in changed
        }
        behind: dict[str, list[Span]] = {}
        for marker in [*markers, *parents]:
            is_known, span = _is_known(index, marker), span_of(marker)
            for reader in readers.get(marker.model, ()):
                if is_known and (marker.model, reader) not in back:
                    continue  # it has been told
                behind.setdefault(reader, []).extend(
                    piece
                    for part, record in fresh.get(reader, index.get(reader, _UNKNOWN)).touching(
                        span
                    )
                    if record.published_at is not None
                    and record.published_at < marker.contents_since
                    for piece in Spans([part]).inside(span)
                )
        news = {m.model for m in markers if _has_other_rows(index, m)}
        lagging = {table for model in news for table in self.project.tables.get(model, ())}
        lagging |= {
            reader for parent, reader in back if reader in self.project.tables.get(parent, ())
        }
        for table in lagging:
            fresh[table] = _lagging(index.get(table, _UNKNOWN))
        for reader, spans in behind.items():
            if spans:
                timeline = fresh.get(reader, index.get(reader, _UNKNOWN))
                fresh[reader] = timeline.changed(Spans(spans), _outdated)
        return fresh

    def _gone(self, survey: Survey, index: Index) -> set[str]:
        """Return what is recorded as built, knows no windows, and is not there."""
        return {
            node.name
            for node in self.project.nodes.values()
            if node.unique_id in survey.missing
            and not node.is_windowed
            and any(r.standing is not WorkResult.FAILED for _, r in index.get(node.name, _UNKNOWN))
        }

    def _is_set_back(
        self, index: Index, fresh: Index, told: Iterable[Publication], survey: Survey
    ) -> bool:
        """Tell whether tables are from before something that the index knows to be published."""
        return any(_is_older(index, marker) for marker in told) or any(
            index.get(node.name, _UNKNOWN).where(_has_rows) - fresh[node.name].where(_has_rows)
            for node in _windowed(self.project)
            if node.name in fresh and node.unique_id not in survey.missing
        )

    def _as_they_were(
        self, index: Index, gone: Collection[str]
    ) -> dict[str, Timeline[WindowRecord]]:
        """Return what knows no windows as outdated: no marker says which build of it stands."""
        nodes = self.project.data_nodes
        built = {n.name for n in nodes if not n.is_windowed and n.kind != "snapshot"} - set(gone)
        return {name: _lagging(index[name]) for name in built & set(index)}

    def _different(
        self, engine: Engine, survey: Survey, timeout: timedelta
    ) -> tuple[RowDifference, ...]:
        """Return the windows whose rows are not as many as were published, or never were.

        A plain build of a microbatch writes no marker: of those that are small enough the contents
        are compared too.
        """
        seen = [
            node.unique_id
            for node in _windowed(self.project)
            if node.is_microbatch
            and (model := survey.models.get(node.unique_id)) is not None
            and model.row_count <= FEW_ROWS
        ]
        odd = [
            unique_id
            for unique_id, model in survey.models.items()
            if model.row_count != model.published_rows and unique_id not in seen
        ]
        counted = engine.verify(odd, None, timeout, contents=False) if odd else ()
        return (*counted, *(engine.verify(seen, None, timeout, contents=True) if seen else ()))

    def _changes(
        self, before: Index, after: Index, survey: Survey, news: Mapping[str, Spans]
    ) -> Iterator[str]:
        """Say what the ledger believed and the warehouse does not confirm, and what is new."""
        nodes = {node.name: node for node in self.project.nodes.values() if node.relation}
        for name, timeline in sorted(after.items()):
            node, old = nodes[name], before.get(name, _UNKNOWN)
            is_there = node.unique_id not in survey.missing
            if not node.is_windowed and is_there:
                continue  # made from windows that are told of
            if not node.is_windowed:
                yield f"{name} is missing again: {node.relation} is not there"
            elif lost := old.where(_has_rows) - timeline.where(_has_rows):
                why = "no marker speaks of them" if is_there else f"{node.relation} is not there"
                yield f"{describe_windows({name: lost}, self.project)} are missing again: {why}"
            if spans := news.get(name):
                words = describe_windows({name: spans}, self.project)
                yield f"{words} were published by others: they count as what they are"


_OTHER_WAREHOUSE = (
    "this is another warehouse than the last time, restored or put in its place: "
    "what stands in it counts"
)


_SET_BACK = (
    "the warehouse is from before something that was published, restored perhaps: what has no "
    "windows is stale too"
)


def late_windows(
    project: Project, differences: Iterable[RowDifference]
) -> dict[str, Timeline[str]]:
    """Return, by model, the windows whose rows are not those that were published, in words.

    Rows where nothing was published are left out: no window of them is called right.
    """
    found = grouped(
        (project.nodes[one.model].name, (Span(one.window_start, one.window_end), in_words(one)))
        for one in differences
        if one.window_start is not None and one.window_end is not None
    )
    return {model: Timeline(windows) for model, windows in found.items()}


def _strangers(project: Project, differences: Iterable[RowDifference]) -> Iterator[str]:
    """Say of each model how many rows lie where nothing was published: they are nobody's."""
    found = grouped((project.nodes[d.model].name, d) for d in differences if d.window_start is None)
    for model, rows in sorted(found.items()):
        count, keys = sum(one.found for one in rows), sorted(str(one.window_key) for one in rows)
        words = "1 row" if count == 1 else f"{count:,} rows"
        yield (
            f"{model} holds {words} where nothing was published, {range_label(keys[0], keys[-1])}: "
            "what reads all of it reads them too; delete them, or let a run publish their windows"
        )


def stale_tables(changed: Mapping[str, str]) -> dict[str, Timeline[str]]:
    """Return the same for tables without windows that are not as they were built, and why."""
    return {name: Timeline([(EVER, why)]) for name, why in changed.items()}


def in_words(difference: RowDifference) -> str:
    """Say how rows differ from what was published.

    >>> in_words(RowDifference("m", None, None, None, 12, 11))
    'its rows are not those that were published: 12 then, 11 now'
    """
    text = "its rows are not those that were published"
    if difference.published == difference.found:
        return f"{text}: {difference.found:,} then and now, with other contents"
    return f"{text}: {difference.published or 0:,} then, {difference.found:,} now"


def _reasons(late: Mapping[str, Timeline[str]], index: Index) -> Iterator[tuple[str, str]]:
    """Yield what is said of each model whose rows differ."""
    for model, windows in sorted(late.items()):
        spans = list(windows)
        known = index.get(model, _UNKNOWN)
        if all(r.is_outdated and r.reason == why for s, why in spans for _, r in known.touching(s)):
            continue  # it is known already
        first, is_whole = spans[0][1], spans[0][0] == EVER
        more = f", and {len(spans) - 1:,} windows more" if len(spans) > 1 else ""
        yield model, f"{first}{more}; {'it is' if is_whole else 'they are'} stale now"


def _known_since(index: Index, marker: Publication) -> datetime | None:
    """Return since when the index knows a marker's window published as it is; None: it does not."""
    record = index.get(marker.model, _UNKNOWN).at(marker.window_start)
    return record.published_at if record is not None else None


def _is_known(index: Index, marker: Publication) -> bool:
    """Return whether a marker is of a publication that the index is about."""
    return _known_since(index, marker) == marker.stands_since


def _is_older(index: Index, marker: Publication) -> bool:
    """Return whether the index knows a later publication of a window than its marker does."""
    known = _known_since(index, marker)
    return known is not None and known > marker.stands_since


def _has_other_rows(index: Index, marker: Publication) -> bool:
    """Return whether a window's rows may be others than when the index last knew them."""
    known = _known_since(index, marker)
    return known is None or known < marker.contents_since


def _news(index: Index, told: Iterable[Publication]) -> dict[str, Spans]:
    """Return the windows, by model, whose publication the index does not know."""
    found = grouped((m.model, span_of(m)) for m in told if not _is_known(index, m))
    return {model: Spans(spans) for model, spans in found.items()}


def _windowed(project: Project) -> list[Node]:
    return [node for node in project.nodes.values() if node.is_windowed]


def _is_same(node: Node, known: KnownRelation | None) -> bool:
    return known is not None and known.relation == node.relation


def _has_rows(record: WindowRecord) -> bool:
    return record.has_rows


def _lagging(known: Timeline[WindowRecord]) -> Timeline[WindowRecord]:
    """Return what is known of something without windows, and now behind what it is made from."""
    return known.changed(Spans([EVER]), _outdated)


def _outdated(record: WindowRecord) -> WindowRecord:
    return replace(record, is_outdated=True)


def _taken_over(
    known: Timeline[WindowRecord], told: Timeline[WindowRecord]
) -> Timeline[WindowRecord]:
    """Return what markers amount to, with what only the ledger knows of the same publications.

    What failed and published nothing, no marker tells of: that stays as it is known.
    """
    parts = []
    for span, record in told:
        for piece, old in known.within(Spans([span])):
            parts.append((piece, _merged(old, record)))
        parts += ((piece, record) for piece in Spans([span]) - known.covered)
    untold = known.within(known.covered - told.covered)
    parts += ((span, old) for span, old in untold if not old.has_rows)
    return Timeline(parts)


def _merged(old: WindowRecord, marker: WindowRecord) -> WindowRecord:
    if old.published_at != marker.published_at:
        return marker
    if not old.has_rows:
        return old  # a failure since, which has left what was published
    # What a plain build calls its code is the same as long as nobody touches a comment of it.
    if old.code_hash not in (None, marker.code_hash) and not marker.is_plain:
        return marker
    if old.standing is marker.standing:
        return replace(old, checks_hash=marker.checks_hash)
    if old.standing is WorkResult.INCORRECT and old.checks_hash == marker.checks_hash:
        return replace(old, standing=WorkResult.PUBLISHED)  # somebody says otherwise: judge again
    return replace(old, standing=marker.standing, checks_hash=marker.checks_hash)
