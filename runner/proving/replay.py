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
from runner.proving.scenarios import Order, Scenario, Step, in_order, scenarios
from runner.proving.scope import Relation, ReplayScope, Target
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
    # Of what cannot be built even once: why, by name. The scope no longer holds what needs it.
    not_built: dict[str, str] = field(default_factory=dict)
    _fences: Iterator[int] = field(default_factory=lambda: count(1))

    def prepare(self, nodes: Sequence[str]) -> None:
        """Build what the models read and the copy lacks, and keep that as the base."""
        windows = self.buckets.windows
        whole = Span(windows[0].start, windows[-1].end)
        if nodes:
            self.notify("building what is read")
            self._leave_out(self._culprits(self._build(Step(whole, tuple(nodes)))))
        self.scratch.keep(Copy.BASE)

    def run_reference(self) -> None:
        """Run every window once, in order; leave out what cannot be built.

        Raises :class:`EngineError` if nothing can.
        """
        errors: dict[str, str] = {}
        for step in in_order(self.buckets.windows, tuple(chain.from_iterable(self.scope.levels))):
            self.notify(f"in order: {self._labels(step)}")
            errors = self._culprits(self._build(step)) | errors  # the first one tells
        self._leave_out(errors)
        self.scratch.keep(Copy.REFERENCE)
        self.expected = self._digests()

    def scenarios(self) -> Iterator[Scenario]:
        """Yield every replay of what can be built."""
        targets = len(self.scope.targets)
        return scenarios(self.buckets.windows, self.scope.levels, targets, self.seed)

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
        self._reorder(scenario.order, None)
        errors: dict[str, str] = {}
        for step in scenario.steps:
            self.notify(f"{scenario.property}: {self._labels(step)}")
            result = self._build(step)
            if step.killed_after is None:
                errors |= self._errors(result)
            relations = self.scope.relations
            tables = [relations[name] for name in step.nodes if name in relations]
            self._reorder(step.order_after, tables)
        return errors

    def _reorder(self, order: Order | None, tables: Sequence[Relation] | None) -> None:
        """Store tables, None: all, in an order."""
        if order is Order.SHUFFLED:
            contents.shuffle(self.scratch.work, tables, self.seed)
        elif order is Order.REVERSED:
            contents.reverse(self.scratch.work, tables, self.scratch.kept(Copy.REFERENCE))

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

    def _leave_out(self, errors: Mapping[str, str]) -> None:
        """Go on without what cannot be built and what is made from it."""
        self.not_built |= errors
        self.scope = self.scope.without(self.not_built)
        if not self.scope.targets:
            names = ", ".join(self.not_built)
            reasons = [f"{name}: {message}" for name, message in self.not_built.items()]
            why = "; ".join(reasons if len(reasons) > 1 else self.not_built.values())
            raise EngineError(
                f"{names} cannot be built even once, so nothing can be proved: {why}; mend "
                f"{'them' if len(reasons) > 1 else 'it'}, or leave it out with --select"
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

    def _culprits(self, result: InvocationResult) -> dict[str, str]:
        """Return the errors of what was not only skipped because of others."""
        skipped = {n.unique_id for n in result.nodes if n.status == "skipped"}
        names = {self.scope.names.get(unique_id, unique_id) for unique_id in skipped}
        errors = self._errors(result)
        return {name: why for name, why in errors.items() if name not in names} or errors

    def _digests(self) -> dict[str, Digests]:
        return contents.digests(self.scratch.work, self.scope.targets, self.buckets)

    def _labels(self, step: Step) -> str:
        inside = self._inside(step)
        return range_label(inside[0].label, inside[-1].label)

    def _inside(self, step: Step) -> list[Window]:
        start, end = step.span.start, step.span.end
        return [window for window in self.buckets.windows if start <= window.start < end]
