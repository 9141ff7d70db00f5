"""What holds of every plan, whatever the graph, what is known of it, and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from runner.core.chunks import Sizing
from runner.core.planning import RETRIED, TAKEN, Plan, Reprocess, RunRequest, make_plan
from runner.core.spans import Span, Spans
from runner.core.status import GOOD, PlannedNode, WindowRecord, WindowStatus, WorkResult
from runner.core.windows import Window
from tests.unit.planned_nodes import (
    DAYS,
    LETTERS,
    NONE,
    NOW,
    STATUS_OF,
    WEEK,
    planned,
    spans,
    without_windows,
)

Policy = frozenset[WindowStatus]


@dataclass(frozen=True)
class Situation:
    """A graph, what is known of it, and what somebody asks for."""

    subjects: tuple[PlannedNode, ...]
    in_flight: Spans
    request: RunRequest

    @property
    def plan(self) -> Plan:
        return make_plan(DAYS, self.subjects, self.in_flight, self.request)

    @property
    def by_name(self) -> Mapping[str, PlannedNode]:
        return {node.name: node for node in self.subjects}


def weeks(letters: str) -> st.SearchStrategy[str]:
    """Seven letters, each as likely as the others; drawn as one number, which is much faster."""
    base = len(letters)
    return st.integers(0, base**7 - 1).map(
        lambda number: "".join(letters[number // base**day % base] for day in range(7))
    )


marks = weeks(".x")
models = weeks(".s " + "".join(sorted(LETTERS.keys() - {"s"})))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[PlannedNode, ...]:
    subjects: list[PlannedNode] = []
    for name in "abcde"[: draw(st.integers(3, 5))]:
        earlier = [node.name for node in subjects]
        reads = draw(st.lists(st.sampled_from(earlier), unique=True) if earlier else st.just([]))
        parents = " ".join(reads)
        if draw(st.integers(0, 3)) == 0:
            wrong = draw(st.sampled_from(["", "......f", "......b", "..i....", "....p..", "s"]))
            subjects.append(without_windows(name, wrong, parents))
        else:
            subjects.append(planned(name, draw(models), parents))
    return tuple(subjects)


@st.composite
def situations(
    draw: st.DrawFn,
    policies: Sequence[Policy] = (*TAKEN.values(), RETRIED),
    *,
    selects: bool = True,
) -> Situation:
    subjects = draw(graphs())
    names = st.frozensets(st.sampled_from([node.name for node in subjects]), min_size=1)
    asked = RunRequest(
        windows=spans(draw(st.just("xxxxxxx") | marks)),
        takes=draw(st.sampled_from(policies)),
        select=draw(st.none() | names) if selects else None,
        force=draw(st.booleans()),
        newest_first=draw(st.booleans()),
        sizing=Sizing(fixed=draw(st.integers(1, 8))),
    )
    return Situation(subjects, spans(draw(st.just("") | marks)), asked)


def windowed_parents(node: PlannedNode, graph: Mapping[str, PlannedNode]) -> set[str]:
    """Those that it reads directly, or through what knows no windows; written anew here."""
    found = set()
    for name in node.parents:
        parent = graph[name]
        found |= {name} if parent.is_windowed else windowed_parents(parent, graph)
    return found


def todo(plan: Plan) -> dict[str, Spans]:
    return {model.node.name: model.todo for model in plan.models}


def windows_of(found: Spans) -> list[Window]:
    return [window for window in WEEK if window.span in found]


def painted(situation: Situation) -> Situation:
    """As if everything that the plan holds had gone well."""
    plan = situation.plan
    done = WindowRecord(WorkResult.SUCCESS, NOW)
    by_model = {
        node.name: [(p.span, done) for p in plan.pieces if node.name in p.models + p.checks]
        for node in situation.subjects
    }
    # What knows no windows is built with whatever runs in the same windows.
    for model in plan.models:
        if not model.node.is_windowed:
            by_model[model.node.name] = [(span, done) for span in model.todo]
    subjects = tuple(
        replace(node, records=node.records.painted(by_model[node.name]))
        for node in situation.subjects
    )
    return replace(situation, subjects=subjects)


@given(situations())
def test_every_window_asked_for_has_one_status_and_it_is_the_right_one(situation: Situation):
    for model in situation.plan.models:
        if not model.node.is_windowed:
            continue
        asked = (model.node.desired or NONE) & situation.request.windows
        for window in windows_of(asked):
            found = [s for s, inside in model.statuses.items() if inside.meets(window.span)]
            known = model.node.records.at(window.start)
            (letter,) = [x for x, value in LETTERS.items() if value == known] or ["."]
            is_busy = window.span in situation.in_flight
            assert found == [WindowStatus.IN_FLIGHT if is_busy else STATUS_OF[letter]]
        everything = Spans(span for inside in model.statuses.values() for span in inside)
        assert everything == asked


@given(situations())
def test_a_model_without_any_status_is_left_out_of_the_plan(situation: Situation):
    named = {model.node.name for model in situation.plan.models}
    for node in situation.subjects:
        asked = (node.desired or NONE) & situation.request.windows
        if node.is_windowed:
            assert (node.name in named) == bool(asked)


@given(situations())
def test_a_window_is_built_or_judged_or_neither_and_only_if_it_was_asked_for(situation: Situation):
    for model in situation.plan.models:
        assert not model.runs & model.checks
        everything = Spans(span for inside in model.statuses.values() for span in inside)
        assert not model.todo - everything
        assert not model.todo - situation.request.windows
        assert not model.todo & situation.in_flight
        assert not model.checks - model.statuses.get(WindowStatus.PUBLISHED, NONE)
        assert not model.todo & Spans(held.span for held in model.held)
        if situation.request.select is not None:
            assert model.node.name in situation.request.select or not model.todo


@given(situations())
def test_nothing_runs_over_what_is_wrong_upstream_and_does_not_run(situation: Situation):
    plan, graph = situation.plan, situation.by_name
    statuses = {model.node.name: model.statuses for model in plan.models}
    for model in plan.models:
        for parent in windowed_parents(model.node, graph):
            for status, inside in statuses.get(parent, {}).items():
                if status not in GOOD:
                    assert not model.todo & (inside - todo(plan)[parent])


@given(situations())
def test_only_what_is_wrong_upstream_and_does_not_run_holds_back(situation: Situation):
    plan = situation.plan
    statuses = {model.node.name: model.statuses for model in plan.models}
    for model in plan.models:
        for held in model.held:
            assert held.status not in GOOD
            assert held.span in statuses[held.parent][held.status]
            assert not todo(plan)[held.parent].meets(held.span)


@given(situations())
def test_what_was_taken_runs_or_is_held_back(situation: Situation):
    asked = situation.request
    takes = asked.takes | ({WindowStatus.BLOCKED} if asked.force else set())
    for model in situation.plan.models:
        if asked.select is not None and model.node.name not in asked.select:
            assert (model.todo, model.held) == (NONE, ())
            continue
        wanted = Spans(s for status in takes for s in model.statuses.get(status, NONE))
        done = model.todo | Spans(held.span for held in model.held)
        assert not wanted - done
        if not model.node.parents:
            assert done == wanted


@given(situations())
def test_whatever_runs_makes_its_readers_run_or_holds_them_back(situation: Situation):
    plan, graph = situation.plan, situation.by_name
    built = {model.node.name: model.runs for model in plan.models}
    for model in plan.models:
        select = situation.request.select
        if not model.node.is_windowed or (select and model.node.name not in select):
            continue
        upstream = windowed_parents(model.node, graph)
        flows = Spans(span for name in upstream for span in built.get(name, NONE))
        mine = (model.node.desired or NONE) - situation.in_flight
        assert not (flows & mine) - (model.runs | Spans(held.span for held in model.held))


@given(situations(policies=[TAKEN[Reprocess.ALL]], selects=False))
def test_all_means_all_that_is_not_in_flight(situation: Situation):
    """So there is nothing left that anything could wait for."""
    plan = situation.plan
    done = todo(plan)
    for node in situation.subjects:
        if node.is_windowed:
            asked = (node.desired or NONE) & situation.request.windows
            assert done.get(node.name, NONE) == asked - situation.in_flight
    assert all(not model.held for model in plan.models)


@given(
    situations(policies=[p for p in (*TAKEN.values(), RETRIED) if WindowStatus.SUCCESS not in p])
)
def test_after_all_went_well_there_is_nothing_left_of_the_plan(situation: Situation):
    after = painted(situation).plan
    assert (after.pieces, after.window_count, after.span) == ((), 0, None)


@given(situations())
def test_pieces_hold_every_window_of_every_model_once(situation: Situation):
    plan = situation.plan
    for pieces in (plan.pieces, plan.chunks):
        for model in plan.models:
            name = model.node.name
            built = [w for p in pieces if name in p.models for w in DAYS.windows(p.span)]
            judged = [w for p in pieces if name in p.checks for w in DAYS.windows(p.span)]
            if not model.node.is_windowed:  # it is built with whatever runs
                assert set(built) <= set(windows_of(model.runs))
                continue
            assert sorted(built) == windows_of(model.runs)
            assert sorted(judged) == windows_of(model.checks)
    for left, right in pairwise(plan.pieces):
        is_same = (left.models, left.checks) == (right.models, right.checks)
        assert left.span.end <= right.span.start
        assert not (is_same and left.span.end == right.span.start)


@given(situations())
def test_chunks_have_their_size_and_run_in_one_direction(situation: Situation):
    plan, size = situation.plan, situation.request.sizing.size
    starts = [chunk.span.start for chunk in plan.chunks]
    assert starts == sorted(starts, reverse=situation.request.newest_first)
    for piece in plan.pieces:
        inside = [c for c in plan.chunks if c.span in Spans([piece.span])]
        counts = [DAYS.count(chunk.span) for chunk in inside]
        assert sum(counts) == DAYS.count(piece.span)
        assert counts[:-1] == [size] * (len(counts) - 1)
        assert 1 <= counts[-1] <= size
        for chunk in inside:
            assert (chunk.models, chunk.checks) == (piece.models, piece.checks)
        assert {r for chunk in inside for r in chunk.reasons} == set(piece.reasons)


@given(situations())
def test_a_window_runs_or_is_skipped_never_both(situation: Situation):
    plan, asked = situation.plan, situation.request
    left_alone = Spans(skip.span for skip in plan.skipped)
    assert not left_alone & plan.windows
    statuses = Spans(
        span
        for model in plan.models
        if asked.select is None or model.node.name in asked.select
        for inside in model.statuses.values()
        for span in inside
    )
    assert left_alone == statuses - plan.windows
    assert plan.window_count + len(windows_of(left_alone)) == len(
        windows_of(left_alone | plan.windows)
    )
    for left, right in pairwise(plan.skipped):
        is_same = (left.status, left.reason) == (right.status, right.reason)
        assert left.span.end <= right.span.start
        assert not (is_same and left.span.end == right.span.start)


@given(situations(selects=False), st.data())
def test_what_nothing_connects_is_planned_apart(situation: Situation, data: st.DataObject):
    """A model's plan depends on its ancestors, never on others."""
    name = data.draw(st.sampled_from(sorted(situation.by_name)))
    kept = {name}
    for node in reversed(situation.subjects):
        if node.name in kept:
            kept.update(node.parents)
    assume(len(kept) < len(situation.subjects))
    apart = replace(situation, subjects=tuple(s for s in situation.subjects if s.name in kept)).plan
    whole = [model for model in situation.plan.models if model.node.name in kept]
    assert [m.node.name for m in apart.models] == [m.node.name for m in whole]
    for alone, together in zip(apart.models, whole, strict=True):
        assert (alone.runs, alone.checks, alone.held) == (
            together.runs,
            together.checks,
            together.held,
        )


@given(st.data())
def test_meets_is_a_cut_that_is_not_empty(data: st.DataObject):
    some = spans(data.draw(marks))
    start, end = sorted(data.draw(st.tuples(*2 * [st.sampled_from(EDGES)])))
    assume(start < end)
    assert some.meets(Span(start, end)) == bool(some & Spans([Span(start, end)]))


EDGES = sorted({edge for window in WEEK for edge in (window.start, window.end)})
