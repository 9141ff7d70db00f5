"""Find what went wrong in an invocation without a check having named the window."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from runner.core.chunks import Chunk
from runner.core.status import WorkResult
from runner.core.windows import Window
from runner.dbt.protocol import NodeResult
from runner.dbt.reports import is_about_size, is_filter
from runner.execution.results import (
    InvocationReport,
    blamed,
    findings_without_window,
    in_words,
    is_about_windows,
    is_test,
    reads_from,
)
from runner.ledger import CheckFinding

BAD = frozenset({"error", "fail", "runtime error", "partial success"})


@dataclass(frozen=True)
class Failure:
    """Something that went wrong and named no window."""

    reason: str  # one line: the node, what is wrong
    message: str  # the engine's own words, to tell what may help
    blamed: str | None  # the model, seed or snapshot that it is about, if it is known
    is_its_own: bool  # what failed is that model itself, not a test of it
    standing: WorkResult  # failed, or incorrect if it was built and a check failed
    is_systematic: bool  # it lies outside the windows: trying them one by one is in vain
    findings: tuple[CheckFinding, ...] = ()  # its evidence, unless its window has it already

    @property
    def signature(self) -> str:
        """Equal for two failures of one cause."""
        return re.sub(r"\d+", "#", self.reason) if is_filter(self.reason) else self.reason

    def mentions(self, window: Window) -> bool:
        """Tell whether the reason names a window by its label, as in the name of a file."""
        label = rf"(?<![0-9A-Za-z]){re.escape(window.label)}(?![0-9A-Za-z])"
        return not is_filter(self.reason) and bool(re.search(label, self.reason))


def cause(report: InvocationReport, undone: Set[str]) -> Failure | None:
    """Find why some windowed models are not done, first in the order of the graph."""
    error = report.result.error
    if error is not None:
        # Killed or out of time: half of the windows may fit. All else is not about windows.
        return Failure(error, error, None, False, WorkResult.FAILED, not is_about_size(error))
    failed = [node for node in report.result.nodes if node.status in BAD]
    for node in failed:
        if not is_about_windows(report.pipeline, node) and _keeps(report, node, undone):
            return failure_of(report, node, is_systematic=True)
    for node in failed:
        if is_about_windows(report.pipeline, node):
            return failure_of(report, node, is_systematic=False)
    return _silence(report)


def _keeps(report: InvocationReport, node: NodeResult, undone: Set[str]) -> bool:
    """Tell whether a failure without windows may be why models are undone: they read it."""
    name = blamed(report.pipeline, node)
    return (
        name is None or name in undone or not undone.isdisjoint(reads_from(report.pipeline, {name}))
    )


def _silence(report: InvocationReport) -> Failure | None:
    """Nothing failed, and yet something was not done."""
    for model in report.models:
        if model.name in report.chunk.models and not report.is_published(model.name):
            hint = "is it disabled, or not selected by its pipeline?"
            reason = f"{model.name} published nothing: {hint}"
            return Failure(reason, reason, None, False, WorkResult.FAILED, is_systematic=True)
    for model in report.models:
        if not report.is_judged(model.name):
            hint = f"see `dbt test --select {model.name}`"
            reason = f"{model.name} is published, but not all of its checks ran: {hint}"
            standing = WorkResult.PUBLISHED
            return Failure(reason, reason, model.name, False, standing, is_systematic=True)
    return None


def failure_of(report: InvocationReport, node: NodeResult, *, is_systematic: bool) -> Failure:
    """A node's failure; what is published is incorrect, or not judged if its check broke."""
    name = blamed(report.pipeline, node)
    windowed = {model.name for model in report.models}
    is_published = name in windowed and report.is_published(name or "")
    standing = WorkResult.FAILED
    if is_test(node) and node.status == "fail" and (is_published or name not in windowed):
        standing = WorkResult.INCORRECT
    elif is_test(node) and is_published:
        standing = WorkResult.PUBLISHED
    return Failure(
        reason=in_words(node),
        message=node.message or node.status,
        blamed=name,
        is_its_own=not is_test(node) and not node.unique_id.startswith("unit_test."),
        standing=standing,
        is_systematic=is_systematic,
        findings=findings_without_window(report.result, "error") if len(report.windows) > 1 else (),
    )


def nothing_came_of(chunk: Chunk) -> Failure:
    """An invocation after which nothing had failed and nothing was done."""
    names = ", ".join((*chunk.models, *chunk.checks))
    reason = f"dbt said nothing of {names}: try it with `dbt build --select {names.split(', ')[0]}`"
    return Failure(reason, reason, None, False, WorkResult.FAILED, is_systematic=True)
