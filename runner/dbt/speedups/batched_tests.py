"""Tests that wait for the same relations are asked in one statement: a fifth of a short build.

dbt makes a node of every test, and a node costs it some 20 ms that are not the database's. Here
the tests of a relation are still compiled by dbt, counted by its ``get_test_sql`` and told as its
nodes, each with its own severity; only the way to the database is theirs together. A test that
asks for more than how many rows fail (``store_failures``, a ``limit``, a ``fail_calc``, a
materialization of a project's own) goes dbt's way alone, and so do all of a statement that fails:
dbt then says whose fault it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import dbt.task.build
from dbt.artifacts.resources.types import NodeType
from dbt.context.providers import generate_runtime_model_context
from dbt.task.test import TestResultData, TestRunner

from runner.dbt.speedups import UnexpectedDbtError, expect

_MOST = 100  # tests in a statement: of more, a database's plan takes longer than the answers


def probe() -> None:
    """Expect the steps of a build and of a test that are taken here, and what they are given."""
    build: Any = dbt.task.build.BuildTask
    expect(build._runtime_initialize, "self")  # noqa: SLF001
    expect(build._raise_set_error, "self")  # noqa: SLF001
    expect(build.handle_job_queue_node, "self", "node", "pool", "callback")
    expect(build.get_runner, "self", "node", or_more=True)
    expect(build.call_runner, "self", "runner", or_more=True)
    if build.RUNNER_MAP[NodeType.Test] is not TestRunner:
        raise UnexpectedDbtError("a build's tests are not run by dbt.task.test.TestRunner")
    expect(TestRunner.compile, "self", "manifest")
    expect(TestRunner.do_skip, "self", "cause", or_more=True)
    expect(TestRunner.execute_data_test, "self", "data_test", "manifest")
    expect(TestRunner.from_run_result, "self", "result", "start_time", "timing_info")
    expect(TestResultData, "failures", "should_warn", "should_error", "adapter_response")
    expect(generate_runtime_model_context, "model", "config", "manifest", or_more=True)


def apply() -> None:
    """Let every later ``dbt build`` of this process ask its tests together."""
    dbt.task.build.BuildTask = BuildTogether  # type: ignore[misc]


@dataclass(frozen=True)
class Answer:
    """The common statement's answer for one test, and the seconds that are its share."""

    counted: TestResultData
    seconds: float


class OneOfMany(TestRunner):
    """Runs a test as dbt does, but for what has been done before for all."""

    answer: Answer | None = None
    _compiled: Any = None

    def compile(self, manifest: Any) -> Any:
        """Compile once: for the common statement, or else here."""
        if self._compiled is None:
            self._compiled = super().compile(manifest)
        return self._compiled

    def execute_data_test(self, data_test: Any, manifest: Any) -> TestResultData:
        """Give the answer that is there, or ask for it."""
        if self.answer is None:
            return super().execute_data_test(data_test, manifest)
        return self.answer.counted

    def from_run_result(self, result: Any, start_time: float, timing_info: Any) -> Any:
        """Count the share of the common statement as time of this test."""
        began = start_time - (self.answer.seconds if self.answer else 0)
        return super().from_run_result(result, began, timing_info)  # type: ignore[no-untyped-call]


@dataclass
class _Group:
    """Tests that become ready at the same moment, as they wait for the same relations."""

    size: int = 0
    arrived: list[OneOfMany] = field(default_factory=list)


class BuildTogether(dbt.task.build.BuildTask):
    """dbt's build, where the tests of a group are one job of the thread pool."""

    RUNNER_MAP = dbt.task.build.BuildTask.RUNNER_MAP | {NodeType.Test: OneOfMany}

    def _runtime_initialize(self) -> None:
        super()._runtime_initialize()  # type: ignore[no-untyped-call]
        self._groups: dict[frozenset[str], _Group] = {}
        if self._counts_as_dbt_does():
            for node in filter(_is_only_counted, self._flattened_nodes or ()):
                self._groups.setdefault(_awaited(node), _Group()).size += 1

    def _counts_as_dbt_does(self) -> bool:
        """Return true if the materialization of tests is dbt's own and not one of the project."""
        manifest: Any = self.manifest
        found = manifest.find_materialization_macro_by_name(
            self.config.project_name, "test", self.config.credentials.type
        )
        return found is not None and found.package_name == "dbt"

    def handle_job_queue_node(self, node: Any, pool: Any, callback: Callable[[Any], None]) -> None:
        """Hand a test over with the last of its group; every other node as dbt does."""
        group = self._groups.get(_awaited(node)) if _is_only_counted(node) else None
        if group is None or group.size == 1:
            super().handle_job_queue_node(node, pool, callback)  # type: ignore[no-untyped-call]
            return
        self._raise_set_error()  # type: ignore[no-untyped-call]
        runner: Any = self.get_runner(node)
        if node.unique_id in self._skipped_children:
            runner.do_skip(cause=self._skipped_children.pop(node.unique_id))
        group.arrived.append(runner)
        if len(group.arrived) == group.size:

            def tell(results: list[Any]) -> None:
                for result in results:
                    callback(result)

            pool.apply_async(self._run_group, args=[group.arrived], callback=tell)

    def _run_group(self, runners: list[OneOfMany]) -> list[Any]:
        asked = [runner for runner in runners if not runner.skip]
        for first in range(0, len(asked), _MOST):
            # Those without an answer are asked alone, and dbt says what is wrong with whom.
            with suppress(Exception):
                _ask(asked[first : first + _MOST], self.manifest)
        return [self.call_runner(runner) for runner in runners]


def _awaited(node: Any) -> frozenset[str]:
    return frozenset(node.depends_on.nodes)


def _is_only_counted(test: Any) -> bool:
    """Return true if all that a test wants to know of its rows is how many there are."""
    return (
        test.resource_type == NodeType.Test
        and test.config.materialized == "test"
        and test.config.fail_calc == "count(*)"
        and test.config.limit is None
        and not test.config.get("sql_header")
        and not test.should_store_failures
    )


def _ask(runners: list[OneOfMany], manifest: Any) -> None:
    """Give each of them its answer by one statement; raises what dbt or the database raises."""
    first = runners[0]
    with first.adapter.connection_named(first.node.unique_id, first.node):
        tests = [runner.compile(manifest) for runner in runners]
        began = time.monotonic()
        context = generate_runtime_model_context(tests[0], first.config, manifest)
        counts = (_count(place, test, context) for place, test in enumerate(tests))
        statement = "\nunion all\n".join(counts)
        response, table = first.adapter.execute(statement, auto_begin=True, fetch=True)
        share = (time.monotonic() - began) / len(tests)
    said = response.to_dict(omit_none=True)
    for place, *counted in table.rows:
        failures, should_warn, should_error = counted
        answer = TestResultData(int(failures), bool(should_warn), bool(should_error), said)
        runners[int(place)].answer = Answer(answer, share)


def _count(place: int, test: Any, context: dict[str, Any]) -> str:
    """Return dbt's own question of one test, with the test's place in front."""
    config = test.config
    counted = context["get_test_sql"](
        test.compiled_code, config.fail_calc, config.warn_if, config.error_if, limit=None
    )
    return f"select {place} as place, * from (\n{counted}\n) as test_{place}"  # noqa: S608 - dbt's own
