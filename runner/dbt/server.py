"""The warm engine's other half: imports dbt and parses once, then forks for every invocation.

Run as ``python -m runner.dbt.server FD`` with one end of a socket pair; requests and replies are
lines of JSON. The first request says which project it is for; dbt is imported before. The first
line back says what dbt goes without, in ``notices``. The server stays single-threaded and never
opens the warehouse, so that a fork is safe and no lock outlives it; each child leads its own
process group and ends with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from runner.core.crash_points import reached
from runner.dbt.arguments import QUIET, as_given, list_arguments, overrule
from runner.dbt.batches import ENDED, WRONG, BatchListener
from runner.dbt.cache import CacheFile
from runner.dbt.package import PACKAGE
from runner.dbt.reports import CONNECTED, OPERATION_ERRORS, REPORT_PREFIX
from runner.dbt.speedups import SWITCH, Speedups
from runner.dbt.target import (
    CONNECT_ONCE,
    MANIFEST,
    HeldFile,
    leave_warehouse,
    target_in_use,
    write_compiled,
)

_PR_SET_PDEATHSIG = 1
_NODE_EVENTS = ("NodeStart", "NodeFinished")
_LOGGED = ("JinjaLogInfo", "JinjaLogDebug")
_HEARD = (*_NODE_EVENTS, *_LOGGED, *OPERATION_ERRORS, ENDED, *WRONG)
_CACHED = ("compile_cache", "ast_cache", "schema_cache")
_OTHERS = ("type_testers", "batched_tests", "slim_manifest", "named_selection", "relation_lookup")

Send = Callable[[dict[str, Any]], None]


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends (elsewhere a closed pipe tells)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stop_at_failed_start() -> None:
    """Let dbt build nothing once a hook of on-run-start has failed: its own flag, whatever is set.

    Only a project can set it, no command line. A dbt that does not know it builds all the same;
    the invocation counts as failed either way.
    """
    from dbt.contracts.project import ProjectFlags

    as_set = getattr(ProjectFlags, "project_only_flags", None)
    if isinstance(as_set, property) and as_set.fget is not None:
        told = as_set.fget
        flags = property(lambda self: {**told(self), "skip_nodes_if_on_run_start_fails": True})
        ProjectFlags.project_only_flags = flags  # type: ignore[method-assign,assignment]


def with_hooks(manifest: Any) -> Any:
    """Put our package's hooks into a manifest that was parsed without the vars of a run.

    The package has them only where ``run_id`` is given: in an invocation of somebody else's they
    would be nodes that the project does not have. What is parsed here serves every run.
    """
    for unique_id, nodes in list(manifest.disabled.items()):
        for node in nodes:
            if node.package_name == PACKAGE and node.resource_type == "operation":
                node.config.enabled = True
                manifest.nodes[unique_id] = node
                del manifest.disabled[unique_id]
    return manifest


class DbtServer:
    """Answers requests until its socket closes."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._speedups = Speedups(os.environ.get(SWITCH, ""))
        self._requests = channel.makefile("r", encoding="utf-8")
        self._manifest: Any = None
        self._is_fresh = False  # parsed, and not yet described
        self._cache: CacheFile | None = None
        self._compiled: Path | None = None  # what was compiled before
        self._asked: list[str] = []  # of dbt, or by the engine

    def import_dbt(self) -> None:
        """Import dbt, faster; what is imported stays, so nobody looks for garbage in it."""
        gc.disable()
        self._speedups.apply("lazy_serializers")
        import dbt.cli.main  # noqa: F401

        stop_at_failed_start()
        self._speedups.apply("debug_events", _HEARD)
        for name in _OTHERS:
            self._speedups.apply(name)

    def prepare(self) -> None:
        """Take over a project, and parse it while nobody waits for it yet.

        What is wrong with it is said when somebody asks.
        """
        told = self._requests.readline()
        if not told:
            return  # nobody needed it
        request = json.loads(told)
        os.chdir(request["project_dir"])
        os.environ.update(request["environment"])
        overrule(os.environ)
        notices = self._speedups.notices
        if request["compiled"]:
            self._compiled = Path(request["compiled"])
        if request["cache"] and self._speedups.wants(*_CACHED):
            path, shared = request["cache"]
            self._cache = CacheFile(Path(path), Path(shared) if shared else None)
            notices += self._cache.notices
            for name in _CACHED:
                self._speedups.apply(name, self._cache)
        self._send({"notices": notices})
        with contextlib.suppress(Exception):
            self._parse()

    def serve(self) -> None:
        """Answer each request, with ``{"refused": …}`` if it fails; runs stream events."""
        for line in self._requests:
            request = json.loads(line)
            self._asked = [request["do"]]
            try:
                if request["do"] == "describe":
                    self._send(self._describe(request["selections"], Path(request["folder"])))
                else:
                    self._run(request["arguments"])
            except Exception as error:
                # Not "error", which a child says before its end.
                why = str(error) or traceback.format_exc()
                self._send({"refused": why, "asked": self._asked})

    def _parse(self) -> None:
        """Parse the project; partial parsing makes an unchanged one quick."""
        from dbt.cli.main import dbtRunner

        quiet = ["--log-level", "none", "--log-level-file", "none", "--no-write-json"]
        result = dbtRunner().invoke(as_given(["parse", *quiet], os.environ))
        if not result.success:
            raise RuntimeError(str(result.exception))
        self._manifest = with_hooks(result.result)
        self._is_fresh = True

    def _describe(self, selections: list[str], folder: Path) -> dict[str, Any]:
        if not self._is_fresh:
            self._parse()
        self._is_fresh = False
        self._manifest.write(str(folder / MANIFEST))
        write_compiled(self._manifest, folder, self._compiled)
        resolved, refused = {}, {}
        for select in selections:
            try:
                resolved[select] = self._listed(select)
            except RuntimeError as error:
                refused[select] = str(error)
        return {"selections": resolved, "not_taken": refused, "target": target_in_use()}

    def _listed(self, select: str) -> list[str]:
        """Resolve a selection; RuntimeError for one that dbt does not take.

        ``dbt ls`` opens no warehouse, so it may run right here.
        """
        from dbt.cli.main import dbtRunner

        quiet = ["--log-level-file", "none", "--log-level", "none"]
        arguments = as_given([*list_arguments(select), *quiet], os.environ)
        result = dbtRunner(manifest=self._manifest).invoke(arguments)
        if not result.success:
            raise RuntimeError(str(result.exception))
        lines: Any = result.result or ()
        return [json.loads(line)["unique_id"] for line in lines]

    def _run(self, arguments: list[str]) -> None:
        if self._manifest is None:
            self._parse()
        server = os.getpid()
        leave_to_children()
        child = os.fork()
        if child == 0:
            _run_child(self._manifest, self._cache, arguments, self._send, server)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(child, child)
        self._send({"child": child})
        code = _end_of(child)
        # A killed child may have left half a line, which ends here.
        self._channel.sendall(b"\n")
        self._send({"exit": code})
        self._requests.readline()  # the engine will not kill it any more
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)

    def _send(self, message: dict[str, Any]) -> None:
        self._channel.sendall((json.dumps(message) + "\n").encode())


def _end_of(child: int) -> int:
    """Wait for a child's end; its exit code, negative for a signal.

    It is not reaped yet, and its id given to nobody else (macOS reaps it before Python 3.13).
    """
    if not hasattr(os, "waitid"):
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    if ended is None:
        raise ChildProcessError(f"no child {child}")
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _run_child(
    manifest: Any, cache: CacheFile | None, arguments: list[str], send: Send, server: int
) -> NoReturn:
    """Run dbt in the forked child and leave without touching what the parent still needs."""
    code = 1
    try:
        os.setpgid(0, 0)
        die_with_parent()
        if os.getppid() != server:
            os._exit(code)  # the server ended before it could be asked to take us along
        os.environ.update(CONNECT_ONCE)
        try:
            _invoke(manifest, arguments, send)
        finally:
            leave_warehouse()
        if cache:
            cache.save()
        code = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            send({"error": str(error) or traceback.format_exc()})
    finally:
        # Without this a semaphore of multiprocessing leaks with every invocation.
        from multiprocessing import util

        util._exit_function()  # type: ignore[attr-defined]  # noqa: SLF001
        os._exit(code)


def _invoke(manifest: Any, arguments: list[str], send: Send) -> None:
    from dbt.cli.main import dbtRunner

    held: list[HeldFile] = []
    heard = BatchListener()

    def listen(event: Any) -> None:
        name = event.info.name
        if name in _NODE_EVENTS:
            info = event.data.node_info
            status = "started" if name == "NodeStart" else info.node_status
            send({"node": [info.unique_id, status]})
            reached("node-started" if name == "NodeStart" else "node-finished")
        elif name in OPERATION_ERRORS:  # its result has no message
            send({"error": event.data.exc})
        elif name in WRONG:
            heard.wrong(event.info.thread, event.data.node_info.unique_id, event.data.exc)
        elif name == ENDED:
            node, said = event.data.node_info.unique_id, event.data
            heard.ended(event.info.thread, node, said.description, said.status)
        elif name in _LOGGED and event.data.msg.startswith(REPORT_PREFIX):
            send({"report": event.data.msg})
        elif name in _LOGGED and event.data.msg == CONNECTED:
            with contextlib.suppress(Exception):  # what cannot be said, the next command asks
                held.append(HeldFile())

    runner = dbtRunner(manifest=manifest, callbacks=[listen])
    outcome = runner.invoke([*arguments, *QUIET, "--log-level", "none"])
    results = [
        {
            "unique_id": _unique_id(result),
            "status": str(result.status),
            "message": result.message,
            "execution_time": result.execution_time,
            "batches": heard.batches.get(_unique_id(result)),
        }
        for result in getattr(outcome.result, "results", None) or []
    ]
    # An interrupt has no text of its own.
    exception = outcome.exception and (str(outcome.exception) or repr(outcome.exception))
    stamps = held[0].stamps() if held else None
    send({"results": results, "exception": exception, "stamps": stamps})


def _unique_id(result: Any) -> str:
    node = getattr(result, "node", result)  # a run-operation's result has no node
    return str(node.unique_id)


def leave_to_children() -> None:
    """Keep what is in memory out of every later look for garbage: a child shares it unchanged."""
    gc.freeze()
    gc.enable()


def main() -> None:
    """Serve on the socket whose descriptor is the only argument."""
    die_with_parent()
    channel = socket.socket(fileno=int(sys.argv[1]))
    server = DbtServer(channel)
    server.import_dbt()
    server.prepare()
    server.serve()


if __name__ == "__main__":
    main()
