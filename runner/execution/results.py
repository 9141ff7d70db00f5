"""An invocation's result, looked at by model and by window, and what went wrong in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from runner.core.chunks import Chunk
from runner.core.status import WorkResult
from runner.core.windows import Window
from runner.dbt.protocol import Evidence, InvocationResult, NodeResult, WindowEvidence
from runner.dbt.reports import brief, is_about_size, is_filter, is_lock
from runner.ledger import CheckFinding
from runner.project.manifest import Node
from runner.project.pipelines import Pipeline
from runner.warehouse.markers import Publications, by_window

NO_ROWS = "no rows"  # what a check expects that names no window
_BAD = frozenset({"error", "fail", "runtime error", "partial success"})


@dataclass(frozen=True)
class Failure:
    """Something that went wrong, without a check having named the window."""

    reason: str  # one line: the node, what is wrong
    message: str  # the engine's own words, to tell what may help
    blamed: str | None = None  # the model, seed or snapshot that it is about, if it is known
    is_its_own: bool = False  # what failed is that model itself, not a test of it
    standing: WorkResult = WorkResult.FAILED  # or incorrect if it was built and a check failed
    is_systematic: bool = True  # it lies outside the windows: trying them one by one is in vain
    findings: tuple[CheckFinding, ...] = ()  # its evidence, unless its window has it already

    @property
    def signature(self) -> str:
        """Equal for two failures of one cause."""
        return re.sub(r"\d+", "#", self.reason) if is_filter(self.reason) else self.reason

    def mentions(self, window: Window) -> bool:
        """Tell whether the reason names a window by its label, as in the name of a file."""
        label = rf"(?<![0-9A-Za-z]){re.escape(window.label)}(?![0-9A-Za-z])"
        return not is_filter(self.reason) and bool(re.search(label, self.reason))


@dataclass(frozen=True)
class InvocationReport:
    """An invocation's result, looked at by model and by window."""

    pipeline: Pipeline
    chunk: Chunk
    result: InvocationResult
    windows: tuple[Window, ...]

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """The pipeline's nodes by unique id."""
        return {node.unique_id: node for node in self.pipeline.nodes}

    @cached_property
    def models(self) -> tuple[Node, ...]:
        """Windowed models of the chunk, parents first."""
        names = {*self.chunk.models, *self.chunk.checks}
        return tuple(node for node in self.pipeline.windowed if node.name in names)

    @cached_property
    def published(self) -> Publications:
        """The markers by model and UTC start of the window."""
        return by_window(self.result.publications)

    def is_published(self, model: str) -> bool:
        """Tell whether every window of a model is published."""
        return all((model, window.start) in self.published for window in self.windows)

    def is_judged(self, model: str) -> bool:
        """Tell whether every window of a model that is published has a verdict."""
        markers = [self.published.get((model, window.start)) for window in self.windows]
        return all(marker is None or marker.verdict is not None for marker in markers)

    @cached_property
    def named(self) -> Mapping[datetime, Sequence[CheckFinding]]:
        """The findings of checks that name windows, by UTC start."""
        # Of a single window a gate speaks even if it names none.
        is_single = len(self.windows) == 1
        speaking = {n.unique_id for n in self.pipeline.nodes if n.is_gate and is_single}
        named: dict[datetime, list[CheckFinding]] = {}
        for found in self.result.evidence:
            windows, model = found.windows, found.model or self._model_of(found.test)
            if not windows and (found.batch or found.test in speaking):
                start = found.batch or self.windows[0].start
                windows = (WindowEvidence(start, NO_ROWS, _actual(found), found.sample),)
            about = model, found.check, found.severity
            for w in windows:
                finding = CheckFinding(*about, w.expected, w.actual, w.sample)
                named.setdefault(w.window_start, []).append(finding)
        return named

    @cached_property
    def findings(self) -> tuple[CheckFinding, ...]:
        """The findings that name no window and tell of each: warnings; of a single one, all."""
        return tuple(f for f in self._unnamed if f not in self.unplaced)

    @cached_property
    def unplaced(self) -> tuple[CheckFinding, ...]:
        """The errors that name none of several windows."""
        has_many = len(self.windows) > 1
        return tuple(f for f in self._unnamed if has_many and f.severity == "error")

    @cached_property
    def _unnamed(self) -> tuple[CheckFinding, ...]:
        return tuple(
            CheckFinding(one.model, one.check, one.severity, None, _actual(one), one.sample)
            for one in self.result.evidence
            if not one.windows and one.batch is None
        )

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The nodes that have failed, in the order in which they ran."""
        return tuple(self._failure(node) for node in self.result.nodes if node.status in _BAD)

    @cached_property
    def failed_batches(self) -> Mapping[datetime, Failure]:
        """The failures of single batches, by UTC start: an invocation of one window each."""
        return {
            batch.start: self._failure(replace(node, message=batch.message))
            for node in reversed(self.result.nodes)  # of several models the first is the reason
            for batch in node.batches
            if batch.status == "error" and batch.message
        }

    @cached_property
    def failed_checks(self) -> Mapping[str | None, str]:
        """The first failed check of each model, in words."""
        failed = [n for n in self.result.nodes if is_test(n) and n.status == "fail"]
        return {
            self._blamed(node): _in_words(node, self.pipeline.project.names)
            for node in reversed(failed)
        }

    @property
    def unbuilt(self) -> set[str]:
        """The names of what knows no windows, was to be built, and is not."""
        left = {node.unique_id for node in self.result.nodes if node.status in (*_BAD, "skipped")}
        data = (node for node in self.pipeline.data_nodes if not node.is_windowed)
        return {node.name for node in data if node.unique_id in left}

    def is_about_windows(self, result: NodeResult) -> bool:
        """Tell whether a node is a windowed model, or tests what is built from one, and has run."""
        node = self.nodes.get(result.unique_id)
        if node is None or is_lock(result.message):
            return False
        return node.is_windowed or (node.kind == "test" and node.reads_windows)

    def _failure(self, node: NodeResult) -> Failure:
        """Describe a failure; what is published is incorrect, or not judged if its test broke."""
        name = self._blamed(node)
        is_windowed = any(model.name == name for model in self.models)
        is_published = name is not None and is_windowed and self.is_published(name)
        standing = WorkResult.FAILED
        if is_test(node) and node.status == "fail" and (is_published or not is_windowed):
            standing = WorkResult.INCORRECT
        elif is_test(node) and is_published:
            standing = WorkResult.PUBLISHED
        return Failure(
            reason=_in_words(node, self.pipeline.project.names),
            message=node.message or node.status,
            blamed=name,
            is_its_own=not node.unique_id.startswith(("test.", "unit_test.")),
            standing=standing,
            is_systematic=not self.is_about_windows(node),
            findings=self.unplaced,
        )

    def _blamed(self, result: NodeResult) -> str | None:
        """Return what a result is about: a model, seed or snapshot itself, or what a test reads."""
        node = self.nodes.get(result.unique_id)
        if node is None:
            return None
        about = {n.unique_id: n.name for n in self.pipeline.data_nodes}
        tested = (node.attached_to,) if node.attached_to else node.parents
        return next((about[key] for key in (node.unique_id, *tested[::-1]) if key in about), None)

    def _model_of(self, test: str) -> str | None:
        """Return the model that a singular test is about: the last that it reads."""
        windowed = {n.unique_id: n.name for n in self.pipeline.windowed}
        read = self.nodes[test].parents if test in self.nodes else ()
        return next((windowed[key] for key in reversed(read) if key in windowed), None)


def cause(report: InvocationReport, undone: Set[str]) -> Failure | None:
    """Find why some windowed models are not done, first in the order of the graph."""
    error = report.result.error
    if error is not None:
        # Killed or out of time: half of the windows may fit. All else is not about windows.
        return Failure(error, error, is_systematic=not is_about_size(error))
    outside = [f for f in report.failures if f.is_systematic and _keeps(report, f.blamed, undone)]
    inside = [f for f in report.failures if not f.is_systematic]
    return next(iter((*outside, *inside)), None) or _silence(report)


def _keeps(report: InvocationReport, name: str | None, undone: Set[str]) -> bool:
    """Tell whether a failure without windows may be why models are undone: they read it."""
    return name is None or not undone.isdisjoint({name, *reads_from(report.pipeline, {name})})


def _silence(report: InvocationReport) -> Failure | None:
    """Explain that nothing failed, and yet something was not done."""
    for model in report.models:
        if model.name in report.chunk.models and not report.is_published(model.name):
            hint = "is it disabled, or not selected by its pipeline?"
            reason = f"{model.name} published nothing: {hint}"
            return Failure(reason, reason)
    for model in report.models:
        if not report.is_judged(model.name):
            hint = f"see `dbt test --select {model.selector}`"
            reason = f"{model.name} is published, but not all of its checks ran: {hint}"
            return Failure(reason, reason, model.name, standing=WorkResult.PUBLISHED)
    return None


def nothing_came_of(chunk: Chunk) -> Failure:
    """Return the failure of an invocation in which nothing had failed and nothing was done."""
    names = ", ".join((*chunk.models, *chunk.checks))
    hint = f"try it with `dbt build --select {names.split(', ')[0]}`"
    reason = f"dbt said nothing of {names}: {hint}"
    return Failure(reason, reason)


def reads_from(pipeline: Pipeline, names: Set[str]) -> set[str]:
    """Return the nodes that read one of ``names``, directly or not."""
    readers: set[str] = set()
    for node in pipeline.data_nodes if names else ():
        if not (names | readers).isdisjoint(pipeline.parents[node.name]):
            readers.add(node.name)
    return readers


def is_test(node: NodeResult) -> bool:
    """Tell whether a result is a data test's."""
    return node.unique_id.startswith("test.")


def _in_words(node: NodeResult, names: Mapping[str, str]) -> str:
    """Say why a node has failed, in one line that begins with its name."""
    kind, _, name, *rest = node.unique_id.split(".")
    if kind == "unit_test" and node.status == "fail":
        # dbt's own words are a table of rows that fits no line.
        return (
            f"{name} fails its unit test {rest[0]}: see `dbt test --select {rest[0]}`, "
            "and mend the model or the test"
        )
    name = names.get(node.unique_id, name)
    text = brief(node.message) or node.status
    return text if text.startswith(f"{name} ") else f"{name}: {text}"


def _actual(found: Evidence) -> str:
    return f"{found.failures:,} row{'' if found.failures == 1 else 's'}"
