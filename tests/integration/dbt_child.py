"""A process that runs dbt again and again in one project; driven by ``macros_project.Project``.

It is a fork of the warm engine's server, so dbt is as fast as the runner makes it. One JSON object
per line: in, ``{"arguments": […], "environment": {…}}``; out, what came of it. The project is
parsed once: window vars are no parse-time input, so one manifest serves them all.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from runner.dbt.server import with_hooks

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

QUIET = ("--log-level", "none", "--log-level-file", "none", "--no-write-json", "--no-use-colors")
TOLD = ("JinjaLogInfo", "JinjaLogDebug", "JinjaLogWarning", "RunningOperationCaughtError")


def main(channel: socket.socket) -> None:
    # Here, or pytest would load dbt whenever it looks for doctests.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    # A shell starts what it puts in the background deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()
    gc.enable()
    answers = channel.makefile("w")
    manifest = dbtRunner().invoke([*QUIET, "parse"])
    print(json.dumps(_answer(manifest, [])), file=answers, flush=True)
    nodes = with_hooks(manifest.result).nodes.values() if manifest.result else ()
    hooks = [node for node in nodes if node.resource_type == "operation"]
    for line in channel.makefile():
        request = json.loads(line)
        os.environ.update(request["environment"])
        told: list[str] = []

        def listen(event: Any, told: list[str] = told) -> None:
            if event.info.name in TOLD:
                told.append(event.info.msg)

        # As it would have been parsed: only a run has our hooks.
        for hook in hooks:
            manifest.result.nodes.pop(hook.unique_id, None)
            if any("run_id" in argument for argument in request["arguments"]):
                manifest.result.nodes[hook.unique_id] = hook
        dbt = dbtRunner(manifest=manifest.result, callbacks=[listen])
        finished = dbt.invoke([*QUIET, *request["arguments"]])
        # Kept open for an invocation only, which is faster; then the tests look into the file.
        DuckDBConnectionManager.env().close()
        DuckDBConnectionManager.close_all_connections()
        print(json.dumps(_answer(finished, told)), file=answers, flush=True)


def _answer(finished: dbtRunnerResult, told: list[str]) -> dict[str, Any]:
    results = getattr(finished.result, "results", [])
    return {
        "success": finished.success,
        "exception": str(finished.exception) if finished.exception else None,
        "nodes": {
            result.node.name: {"status": str(result.status), "message": result.message or ""}
            for result in results
            if hasattr(result, "node")
        },
        "told": told,
    }
