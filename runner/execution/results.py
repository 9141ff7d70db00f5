"""An invocation's result, looked at by model and by window."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from runner.core.chunks import Chunk
from runner.core.windows import Window
from runner.dbt.protocol import Evidence, InvocationResult, NodeResult, WindowEvidence
from runner.dbt.reports import brief, is_lock
from runner.ledger import CheckFinding
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.warehouse.markers import Publications, by_window

NO_ROWS = "no rows"  # what a check expects that names no window


@dataclass(frozen=True)
class InvocationReport:
    """An invocation's result, looked at by model and by window."""

    pipeline: Pipeline
    chunk: Chunk
    result: InvocationResult
    windows: tuple[Window, ...]

    @cached_property
    def published(self) -> Publications:
        """The markers by model and UTC start of the window."""
        return by_window(self.result.publications)

    @cached_property
    def named(self) -> Mapping[datetime, tuple[CheckFinding, ...]]:
        """The findings of checks that name windows, by UTC start."""
        if len(self.windows) > 1:
            return _named_windows(self.pipeline, self.result.evidence)
        # Of a single window a gate speaks even if it names none.
        gates = {node.name for node in self.pipeline.nodes if node.is_gate}
        alone = self.windows[0].start
        evidence = tuple(
            replace(found, windows=(WindowEvidence(alone, NO_ROWS, _actual(found), found.sample),))
            if not found.windows and found.check in gates
            else found
            for found in self.result.evidence
        )
        return _named_windows(self.pipeline, evidence)

    @cached_property
    def findings(self) -> tuple[CheckFinding, ...]:
        """The findings without a window; of a single window they speak all the same."""
        severities = ("warn",) if len(self.windows) > 1 else ("error", "warn")
        return findings_without_window(self.result, *severities)

    @cached_property
    def failed_checks(self) -> Mapping[str | None, str]:
        """The first failed check of each model, in words."""
        failed = [n for n in self.result.nodes if is_test(n) and n.status == "fail"]
        return {blamed(self.pipeline, node): in_words(node) for node in reversed(failed)}

    @cached_property
    def models(self) -> tuple[Node, ...]:
        """Windowed models of the chunk, parents first."""
        names = {*self.chunk.models, *self.chunk.checks}
        return tuple(node for node in self.pipeline.windowed if node.name in names)

    def is_published(self, model: str) -> bool:
        """Tell whether every window of a model is published."""
        return all((model, window.start) in self.published for window in self.windows)

    def is_judged(self, model: str) -> bool:
        """Tell whether every window of a model that is published has a verdict."""
        markers = [self.published.get((model, window.start)) for window in self.windows]
        return all(marker is None or marker.verdict is not None for marker in markers)


def reads_from(pipeline: Pipeline, names: Set[str]) -> set[str]:
    """The nodes that read one of ``names``, directly or not."""
    readers: set[str] = set()
    for node in pipeline.data_nodes if names else ():
        if not (names | readers).isdisjoint(pipeline.parents[node.name]):
            readers.add(node.name)
    return readers


def blamed(pipeline: Pipeline, result: NodeResult) -> str | None:
    """The model, seed or snapshot that a result is about: the node itself, or what it tests."""
    node = next((n for n in pipeline.nodes if n.unique_id == result.unique_id), None)
    if node is None:
        return None
    if node in pipeline.data_nodes:
        return node.name
    about = {n.unique_id: n.name for n in pipeline.data_nodes}
    tested = [node.attached_to] if node.attached_to else list(node.parents)
    return next((about[unique_id] for unique_id in reversed(tested) if unique_id in about), None)


def is_about_windows(pipeline: Pipeline, result: NodeResult) -> bool:
    """Tell whether a node is a windowed model, or tests what is built from one, and has run."""
    if is_lock(result.message):
        return False
    known = next((n for n in pipeline.nodes if n.unique_id == result.unique_id), None)
    if known is None:
        return False
    return known.is_windowed or (known.kind == "test" and known.reads_windows)


def is_test(node: NodeResult) -> bool:
    """Tell whether a result is a data test's."""
    return node.unique_id.startswith("test.")


def in_words(node: NodeResult) -> str:
    """Say why a node has failed, in one line that begins with its name."""
    kind, _, name, *rest = node.unique_id.split(".")
    if kind == "unit_test" and node.status == "fail":
        # dbt's own words are a table of rows that fits no line.
        return (
            f"{name} fails its unit test {rest[0]}: see `dbt test --select {rest[0]}`, "
            "and mend the model or the test"
        )
    text = brief(node.message) or node.status
    return text if text.startswith(f"{name} ") else f"{name}: {text}"


def findings_without_window(result: InvocationResult, *severities: str) -> tuple[CheckFinding, ...]:
    """Return what the checks found that name no window."""
    return tuple(
        CheckFinding(found.model, found.check, found.severity, None, _actual(found), found.sample)
        for found in result.evidence
        if not found.windows and found.severity in severities
    )


def _actual(found: Evidence) -> str:
    return f"{found.failures:,} row{'' if found.failures == 1 else 's'}"


def _named_windows(
    pipeline: Pipeline, evidence: tuple[Evidence, ...]
) -> dict[datetime, tuple[CheckFinding, ...]]:
    named: dict[datetime, tuple[CheckFinding, ...]] = {}
    for found in evidence:
        model = found.model or _model_of_check(pipeline, found.check)
        for window in found.windows:
            finding = CheckFinding(
                model, found.check, found.severity, window.expected, window.actual, window.sample
            )
            named[window.window_start] = (*named.get(window.window_start, ()), finding)
    return named


def _model_of_check(pipeline: Pipeline, check: str) -> str | None:
    """The model that a singular test is about: the last that it reads."""
    test = next((n for n in pipeline.nodes if n.kind == "test" and n.name == check), None)
    names = {n.unique_id: n.name for n in pipeline.windowed}
    read = [names[parent] for parent in test.parents if parent in names] if test else []
    return read[-1] if read else None
