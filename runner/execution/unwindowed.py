"""Nodes without windows: built once per backfill, before or after the windows, not per chunk.

Seeds, views and tables that no windowed model feeds come first. A table that is built from
windowed models comes when all windows that it reads are done. Snapshots see only today, so they
are left out of a backfill of past windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from runner.core.chunks import Chunk
from runner.core.status import WindowRecord, WorkResult
from runner.core.timelines import Timeline
from runner.dbt.protocol import InvocationResult
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline

_PASSED = frozenset({"pass", "warn"})


def unit_tested(pipeline: Pipeline, known: Mapping[str, Timeline[WindowRecord]]) -> set[str]:
    """The names of models whose code, as it is now, has been a success on real windows.

    Their unit tests have passed before that, and would pass again: they know no data.
    """
    return {
        node.name
        for node in pipeline.data_nodes
        for _, part in known.get(node.name, ())
        if part.standing is WorkResult.SUCCESS and part.code_hash == node.code_hash
    }


@dataclass
class UnwindowedNodes:
    """The nodes without windows of a pipeline, and which are still to build."""

    pipeline: Pipeline
    select: frozenset[str] | None  # names; None: all
    with_snapshots: bool
    unit_tested: set[str] = field(default_factory=set)  # names
    judges_only: bool = False
    waiting: frozenset[str] = frozenset()  # names of what is not built before its parents are
    _built: set[str] = field(default_factory=set)  # names

    @cached_property
    def stages(self) -> Sequence[frozenset[str]]:
        """The windowed models in the order in which they can run, all windows of each at once.

        There is more than one stage only where a table stands between windowed models: it must
        be built from all windows of the first before any window of the second is.
        """
        stages: dict[int, set[str]] = {0: set()}
        for node in self.pipeline.windowed:
            stages.setdefault(self._stage[node.name], set()).add(node.name)
        return [frozenset(stages.get(index, ())) for index in range(max(stages) + 1)]

    def joining(self, stage: int, *, is_last: bool) -> list[Node]:
        """Return the nodes to build in the next invocation of a stage; parents first."""
        ready = stage + is_last  # a stage's tables come when the last of its windows are done
        return [
            node
            for node in self._wanted
            if node.name not in self._built
            and (node.name not in self._following or self._stage[node.name] <= ready)
        ]

    def following(self, stage: int | None = None) -> list[Node]:
        """Return the tables made from windows of the stages so far that are not built yet."""
        stage = len(self.stages) if stage is None else stage
        return [node for node in self.joining(stage, is_last=True) if node.name in self._following]

    def checks(self, chunk: Chunk, joining: Sequence[Node]) -> list[str]:
        """Return what selects the tests that judge the windows of a chunk.

        Those of its models, and those of views that are built already and read windows; the gates
        too of a model that is not built. A test that also reads a table which is still to come
        runs with that table.
        """
        tables = {node.unique_id for node in self._wanted if node.name in self._following}
        to_come = {node.unique_id for node in self.following()}
        to_come -= {node.unique_id for node in joining}
        judged = dict.fromkeys((*chunk.models, *chunk.checks), to_come)
        too_early = dict.fromkeys(self._built, tables) | judged  # to be read by a node's tests
        found = [
            test.selector
            for node in self.pipeline.data_nodes
            for test in self.pipeline.checks[node.name]
            if node.name in too_early
            and (node.name in chunk.checks or not test.is_gate)
            and test.reads_windows
            and too_early[node.name].isdisjoint(test.parents)
        ]
        return list(dict.fromkeys(found))

    def needs_unit_tests(self, models: Sequence[str]) -> bool:
        """Tell whether one of some models has unit tests that have not passed yet."""
        tested = {p for n in self.pipeline.nodes if n.kind == "unit_test" for p in n.parents}
        with_tests = {n.name for n in self.pipeline.data_nodes if n.unique_id in tested}
        return not self.unit_tested.issuperset(with_tests.intersection(models))

    def remember(self, result: InvocationResult, models: Sequence[str]) -> None:
        """Strike out what is built and whose tests have passed; ``models`` were to be built."""
        statuses = {node.unique_id: node.status for node in result.nodes}
        unit_tests = [statuses[n] for n in statuses if n.startswith("unit_test.")]
        if statuses and all(status == "pass" for status in unit_tests):
            self.unit_tested.update(models)
        self._built.update(
            node.name
            for node in self._wanted
            if statuses.get(node.unique_id) == "success" and self._has_passed(node, statuses)
        )

    def _has_passed(self, node: Node, statuses: Mapping[str, str]) -> bool:
        return all(
            statuses.get(test.unique_id, "pass") in _PASSED
            for test in self.pipeline.later_tests[node.name]
            if node.name in self._following or not test.reads_windows
        )

    @cached_property
    def _wanted(self) -> list[Node]:
        return [
            node
            for node in self.pipeline.data_nodes
            if not node.is_windowed
            and not (node.is_stored and node.name in self.waiting)
            and (
                self._is_part_of_checks(node)
                if self.judges_only
                else (self.select is None or node.name in self.select)
                and (node.kind != "snapshot" or self.with_snapshots)
            )
        ]

    def _is_part_of_checks(self, node: Node) -> bool:
        """Tell whether a node is a seed or a query that the checks of windows read."""
        is_part = node.kind == "seed" or not node.is_stored
        return is_part and node.unique_id in self._read_by_checks

    @cached_property
    def _read_by_checks(self) -> frozenset[str]:
        tests = (t for node in self.pipeline.windowed for t in self.pipeline.checks[node.name])
        return frozenset(parent for test in tests for parent in test.parents)

    @cached_property
    def _following(self) -> frozenset[str]:
        """The names of the tables that are made from windows, and of the views of those."""
        following = {node.name for node in self.pipeline.following_tables}
        for node in self.pipeline.data_nodes:
            if not node.is_windowed and not following.isdisjoint(self.pipeline.parents[node.name]):
                following.add(node.name)
        return frozenset(following)

    @cached_property
    def _stage(self) -> dict[str, int]:
        """By name; a table that follows comes one stage after the windows that it is made of."""
        following = self._following
        stages: dict[str, int] = {}
        for node in self.pipeline.data_nodes:
            parents = self.pipeline.parents[node.name]
            steps = {name: node.name in following and name not in following for name in parents}
            stages[node.name] = max((stages[name] + steps[name] for name in parents), default=0)
        return stages
