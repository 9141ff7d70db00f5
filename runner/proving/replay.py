"""Run one scenario after the other: dbt builds it in the working file, and it is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain, count

from runner.core.errors import EngineError
from runner.core.spans import Span
from runner.core.windows import Window, range_label
from runner.dbt.protocol import Engine, Invocation, InvocationResult
from runner.dbt.reports import brief
from runner.proving import contents
from runner.proving.comparison import difference
from runner.proving.contents import Buckets, Digests
from runner.proving.results import ReplayFinding
from runner.proving.scenarios import Scenario, Step, in_order
from runner.proving.scope import ReplayScope, Target
from runner.proving.scratch import Copy, Scratch

_TESTS = ("resource_type:test",)  # none is run: gates are part of their models
_BAD = ("error", "fail", "skipped", "runtime error", "partial success")


@dataclass
class Replay:
    """The state that the scenarios of one proof share."""

    engine: Engine
    scratch: Scratch
    scope: ReplayScope
    buckets: Buckets
    seed: int
    timeout: timedelta  # of one build
    notify: Callable[[str], None]  # hears what happens, in a few words
    expected: Mapping[str, Digests] = field(default_factory=dict)  # after one run in order
    _fences: Iterator[int] = field(default_factory=lambda: count(1))

    def prepare(self, nodes: Sequence[str]) -> None:
        """Build what the models read and the copy lacks, and keep that as the base."""
        windows = self.buckets.windows
        whole = Span(windows[0].start, windows[-1].end)
        if nodes:
            self.notify("building what is read")
            self._require(self._build(Step(whole, tuple(nodes))))
        self.scratch.keep(Copy.BASE)

    def run_reference(self) -> None:
        """Run every window once, in order; :class:`EngineError` if dbt cannot."""
        for step in in_order(self.buckets.windows, tuple(chain.from_iterable(self.scope.levels))):
            self.notify(f"in order: {self._labels(step)}")
            self._require(self._build(step))
        self.scratch.keep(Copy.REFERENCE)
        self.expected = self._digests()

    def findings(self, scenario: Scenario) -> Iterator[ReplayFinding]:
        """Run a scenario; yield what it has changed, or kept from being built."""
        errors = self._run(scenario)
        found = self._digests()
        for target in self.scope.targets:
            name, error = target.name, errors.get(target.name)
            finding = ReplayFinding(name, scenario.property, scenario.replayed, error)
            differing = contents.differing(self.expected[name], found[name])
            compared = [b for b in differing if self._is_compared(scenario, target, b)]
            if error is not None:
                yield finding
            elif compared:
                reference, work = self.scratch.kept(Copy.REFERENCE), self.scratch.work
                shown = difference(reference, work, target, self.buckets, compared)
                yield replace(finding, difference=shown)

    def _run(self, scenario: Scenario) -> Mapping[str, str]:
        """Run the steps of a scenario; return the errors of those that no kill has ended."""
        self.scratch.restore(scenario.origin)
        if scenario.is_reordered:
            contents.reorder(self.scratch.work, None, self.seed)
        errors: dict[str, str] = {}
        for step in scenario.steps:
            self.notify(f"{scenario.property}: {self._labels(step)}")
            result = self._build(step)
            if step.killed_after is None:
                errors |= self._errors(result)
            if step.is_reordered_after:
                relations = self.scope.relations
                tables = [relations[name] for name in step.nodes if name in relations]
                contents.reorder(self.scratch.work, tables, self.seed)
        return errors

    def _is_compared(self, scenario: Scenario, target: Target, bucket: int) -> bool:
        if scenario.aside is None:
            return True
        # Of a table without windows nothing says which rows are another window's.
        return target.event_time is not None and self.buckets.label(bucket) != scenario.aside.label

    def _build(self, step: Step) -> InvocationResult:
        """Build a step; where something is told its window by a var, one window after another."""
        told = {var for name in step.nodes if (var := self.scope.window_vars.get(name))}
        if not told:
            return self._invoke(step, {})
        results: list[InvocationResult] = []
        for window in self._inside(step):
            part = replace(step, span=window.span)
            results.append(self._invoke(part, dict.fromkeys(told, window.label)))
            if results[-1].error is not None:
                break  # killed, as it should be
        nodes = tuple(node for result in results for node in result.nodes)
        return replace(results[-1], nodes=nodes)

    def _invoke(self, step: Step, window_vars: Mapping[str, str]) -> InvocationResult:
        published = 0
        targets = {target.unique_id for target in self.scope.targets}

        def listen(unique_id: str, status: str) -> None:
            nonlocal published
            if unique_id in targets and status == "success":
                published += 1
                if published == step.killed_after:
                    self.engine.kill()

        fence = next(self._fences)
        invocation = Invocation(
            nodes=tuple(self.scope.selectors[name] for name in step.nodes),
            checks=(),
            exclude=_TESTS,
            with_unit_tests=False,
            span=step.span,
            run_id=f"prove__{fence}",  # another each time, as when windows really run again
            fence=fence,
            code_hashes={},
            has_batches=any(t.is_microbatch and t.name in step.nodes for t in self.scope.targets),
            timeout=self.timeout,
            window_vars=window_vars,
        )
        result = self.engine.build(invocation, listen)
        if result.error is not None and step.killed_after is None:
            raise EngineError(f"dbt could not replay {self._labels(step)}: {result.error}")
        return result

    def _require(self, result: InvocationResult) -> None:
        for name, message in self._errors(result).items():
            raise EngineError(
                f"{name} cannot be built even once, so nothing can be proved: {message}; mend it, "
                "or leave it out with --select"
            )

    def _errors(self, result: InvocationResult) -> dict[str, str]:
        bad = [node for node in result.nodes if node.status in _BAD]
        # What was skipped is explained by what was not.
        bad.sort(key=lambda node: node.status == "skipped")
        names = self.scope.names
        return {
            names.get(node.unique_id, node.unique_id): brief(node.message)
            or f"dbt has {node.status} it"
            for node in bad
        }

    def _digests(self) -> dict[str, Digests]:
        return contents.digests(self.scratch.work, self.scope.targets, self.buckets)

    def _labels(self, step: Step) -> str:
        inside = self._inside(step)
        return range_label(inside[0].label, inside[-1].label)

    def _inside(self, step: Step) -> list[Window]:
        start, end = step.span.start, step.span.end
        return [window for window in self.buckets.windows if start <= window.start < end]
