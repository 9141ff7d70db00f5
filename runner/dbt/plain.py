"""The plain engine: ``dbt`` as a subprocess for every call. Simple, slow, always right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.core.errors import ProjectError
from runner.dbt.arguments import as_given, list_arguments, overrule
from runner.dbt.batches import ENDED, WRONG, BatchListener
from runner.dbt.engine import DbtEngine, LineReader
from runner.dbt.protocol import Description, InvocationResult, NodeListener
from runner.dbt.reports import (
    OPERATION_ERRORS,
    REPORT_PREFIX,
    brief,
    invocation_error,
    invocation_result,
    killed,
    not_described,
    timed_out,
)
from runner.dbt.target import COMPILED, CONNECT_ONCE, described, target_told

_DBT = (sys.executable, "-P", "-m", "runner.dbt.target")
# A killed runner's dbt must not live on and keep the warehouse locked.
_MORTAL_DBT = (
    sys.executable,
    "-P",  # a folder of the project is never taken for a module
    "-c",
    "from runner.dbt.server import die_with_parent, stop_at_failed_start; die_with_parent(); "
    "from dbt.cli.main import cli; stop_at_failed_start(); cli()",
)
_UNHANDLED = 2  # the exit code of a dbt that did not get through; 1: something in it failed


class PlainEngine(DbtEngine):
    """Starts dbt anew each time; each change of ``--vars`` makes it parse anew.

    ``environment`` and ``cache`` are as for a warm engine, of whose cache only what was compiled
    is used.
    """

    def __init__(
        self,
        project_dir: Path,
        environment: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        self._project_dir = project_dir
        self._more = dict(environment or {})
        self._asking: tuple[str, ...] = (*_DBT, str(cache.with_name(COMPILED)) if cache else "")
        self._running: tuple[str, ...] = _MORTAL_DBT

    def describe(self, selections: Iterable[str]) -> Description:
        """Parse, and resolve selections; see :class:`runner.dbt.protocol.Engine`."""
        # A folder of its own: in the project's another dbt may be writing now.
        with tempfile.TemporaryDirectory(prefix="daybreak-") as folder:
            target = Path(folder)
            told = target_told(self._ask(["parse"], target))
            return described(target, *self._resolved(selections, target), told)

    def _invoke(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener
    ) -> InvocationResult:
        """Run dbt in a subprocess with a target folder of its own."""
        started = time.monotonic()
        told: dict[str, str] = {}
        heard = BatchListener()
        with tempfile.TemporaryDirectory(prefix="daybreak-") as target:
            # At this level the line with the report is among the events.
            arguments = [*arguments, "--log-format", "json", "--log-level", "debug"]
            process = self._start([*arguments, "--log-level-file", "none"], Path(target))
            try:
                deadline = started + timeout.total_seconds()
                for event in _events(process, deadline):
                    _hear(event, told, listener)
                    _hear_batch(event, heard)
            except TimeoutError:
                told["error"] = timed_out(timeout)
            finally:
                code = self._end(process)
            written = Path(target) / "run_results.json"
            nodes = json.loads(written.read_text())["results"] if written.exists() else None
        # What has ended before its end may have written results all the same.
        if (nodes is None or code == _UNHANDLED) and "error" not in told:
            said = invocation_error(told.get("last", "")) if code >= 0 else ""
            told["error"] = said or killed(code)
        for node in nodes or ():
            node["batches"] = heard.batches.get(node["unique_id"])
        seconds = time.monotonic() - started
        return invocation_result(nodes or (), told.get("report"), told.get("error"), seconds)

    def close(self) -> None:
        """Kill what still runs."""
        self.kill()

    def _resolved(
        self, selections: Iterable[str], target: Path
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """Return the unique ids of what dbt lists for each selection, and why it does not."""
        resolved, refused = {}, {}
        for select in selections:
            try:
                lines = self._ask(list_arguments(select), target)
            except ProjectError as error:
                refused[select] = str(error)
                continue
            listed = [json.loads(line) for line in lines if line.startswith("{")]
            resolved[select] = tuple(node["unique_id"] for node in listed)
        return resolved, refused

    def _ask(self, arguments: Sequence[str], target: Path) -> list[str]:
        """Run dbt to its end and return what it printed; :class:`ProjectError` if it failed."""
        quiet = ["--no-use-colors", "--log-level-file", "none"]
        finished = subprocess.run(
            [*self._asking, *as_given([*arguments, *quiet], os.environ)],
            cwd=self._project_dir,
            env=self._environment(target),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            said = finished.stdout.rsplit("Encountered an error:\n", 1)[-1]
            raise ProjectError(not_described(said or finished.stderr, list(arguments)))
        return finished.stdout.splitlines()

    def _start(self, arguments: Sequence[str], target: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*self._running, *arguments],
            cwd=self._project_dir,
            env=self._environment(target) | CONNECT_ONCE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._group.started(process.pid)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Kill the process group, if it still runs; returns its exit code."""
        # Whoever outlives dbt too: before it is reaped, while its id is still its own.
        self._group.kill()
        self._group.ended()
        return process.wait()

    def _environment(self, target: Path) -> dict[str, str]:
        # Its folder is where it runs, whatever named that folder to us.
        here = {"DBT_PROJECT_DIR": str(self._project_dir)}
        own = {"DBT_TARGET_PATH": str(target), "DO_NOT_TRACK": "1", **here}
        environment = {**os.environ, **self._more}
        overrule(environment)
        return environment | own


def _events(process: subprocess.Popen[bytes], deadline: float) -> Iterator[dict[str, Any]]:
    """Dbt's log events up to its end; :class:`TimeoutError` when the time is over."""
    if process.stdout is None:
        return
    lines = LineReader(process.stdout.fileno())
    while (line := lines.line(deadline)) is not None:
        if line.startswith("{"):
            yield json.loads(line)


def _hear(event: dict[str, Any], told: dict[str, str], listener: NodeListener) -> None:
    name, message = event["info"]["name"], event["info"]["msg"]
    if name in ("NodeStart", "NodeFinished"):
        node = event["data"]["node_info"]
        listener(node["unique_id"], "started" if name == "NodeStart" else node["node_status"])
    elif name.startswith("JinjaLog") and message.startswith(REPORT_PREFIX):
        told["report"] = message
    elif name in OPERATION_ERRORS:
        told["error"] = brief(event["data"]["exc"])
    elif event["info"]["level"] == "error":
        told["last"] = message


def _hear_batch(event: dict[str, Any], heard: BatchListener) -> None:
    name, thread, data = event["info"]["name"], event["info"]["thread"], event["data"]
    if name in WRONG:
        heard.wrong(thread, data["node_info"]["unique_id"], data["exc"])
    elif name == ENDED:
        node = data["node_info"]["unique_id"]
        heard.ended(thread, node, data["description"], data["status"])
