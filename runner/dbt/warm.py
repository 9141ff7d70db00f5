"""The warm engine: a server process that has dbt imported and the project parsed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from runner.core.crash_points import reached
from runner.core.errors import EngineError, ProjectError
from runner.dbt import prewarm
from runner.dbt.arguments import GIVEN_VARS, list_arguments
from runner.dbt.engine import DbtEngine, LineReader
from runner.dbt.protocol import Description, Invocation, InvocationResult, NodeListener, Stamps
from runner.dbt.reports import invocation_error, invocation_result, killed, not_described, timed_out
from runner.dbt.target import COMPILED, described, target_of

_GIVEN = ("DBT_TARGET", "DBT_PROFILES_DIR", GIVEN_VARS)


def _shared_cache() -> str | None:
    """Return the user's folder for what all projects share; None for a user without a home."""
    from platformdirs import user_cache_path  # while dbt is imported elsewhere

    folder = user_cache_path("daybreak")
    return str(folder) if folder.is_absolute() else None


class WarmEngine(DbtEngine):
    """Speaks to a server (see :mod:`runner.dbt.server`) that forks once per invocation.

    Starting it returns at once: dbt is imported while the caller goes on. ``environment`` is
    added to that of this process; ``cache`` is a file for :mod:`runner.dbt.cache`.
    """

    def __init__(
        self,
        project_dir: Path,
        environment: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        self._server = prewarm.take()
        self._lines = LineReader(self._server.channel.fileno())
        self._notices: tuple[str, ...] | None = None
        self._ask(
            {
                "project_dir": str(project_dir),
                "cache": [str(cache), _shared_cache()] if cache else None,
                "compiled": str(cache.with_name(COMPILED)) if cache else None,
                # The server may have been started before a command line has said some of it.
                "environment": {
                    **{name: os.environ[name] for name in _GIVEN if name in os.environ},
                    "DBT_PROJECT_DIR": str(project_dir),
                    **(environment or {}),
                },
            }
        )

    def describe(self, selections: Iterable[str]) -> Description:
        """Parse, and resolve selections; see :class:`runner.dbt.protocol.Engine`."""
        with tempfile.TemporaryDirectory(prefix="daybreak-") as folder:
            self._ask({"do": "describe", "selections": list(selections), "folder": folder})
            answer = self._message(deadline=None)
            if "refused" in answer:
                raise ProjectError(not_described(answer["refused"], answer["asked"]))
            resolved = {select: tuple(ids) for select, ids in answer["selections"].items()}
            refused = {
                select: not_described(why, list_arguments(select))
                for select, why in answer["not_taken"].items()
            }
            return described(Path(folder), resolved, refused, target_of(answer["target"]))

    def build(self, invocation: Invocation, listener: NodeListener) -> InvocationResult:
        """Run one ``dbt build`` of what was parsed: its code is what was planned."""
        return super().build(replace(invocation, plain_codes={}), listener)

    def notices(self, deadline: float | None = None) -> tuple[str, ...]:
        """Return what dbt goes without, the server's first line, and warn of it."""
        if self._notices is None:
            self._notices = tuple(self._next_message(deadline).get("notices", ()))
            for notice in self._notices:
                _warn(notice)
        return self._notices

    def _invoke(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener
    ) -> InvocationResult:
        """Run dbt in a forked child."""
        started = time.monotonic()
        self._ask({"do": "run", "arguments": arguments})
        reached("after-ask")
        told: dict[str, Any] = {}
        try:
            for message in self._messages_of_build(started + timeout.total_seconds()):
                if "node" in message:
                    listener(*message["node"])
                told.update(message)
        except TimeoutError:
            self._stop()
            told["error"] = timed_out(timeout)
        except BaseException:
            if self._group.is_led:  # else there is a server to end, and nothing to wait for
                self._stop()
            raise
        why, seconds = _why_it_failed(told), time.monotonic() - started
        result = invocation_result(told.get("results", ()), told.get("report"), why, seconds)
        if told.get("stamps") is None or "report" not in told:
            return result  # what was not told of, the next command asks for
        return replace(result, stamps=Stamps(*told["stamps"]))

    def close(self) -> None:
        """Kill a running invocation and end the server."""
        self.kill()
        self._server.end()

    def _messages_of_build(self, deadline: float | None) -> Iterator[dict[str, Any]]:
        """Messages up to the child's end; :class:`TimeoutError` when the time is over."""
        while True:
            message = self._message(deadline)
            if "child" in message:
                self._group.started(message["child"])
            elif "exit" in message:
                self._group.ended()
                self._server.forget_output()
                self._ask({"do": "reap"})
            yield message
            if "exit" in message or "refused" in message:
                return

    def _stop(self) -> None:
        """Kill the invocation and take its last messages off the line."""
        self.kill()
        with contextlib.suppress(EngineError):
            for _ in self._messages_of_build(deadline=None):
                pass

    def _ask(self, request: dict[str, Any]) -> None:
        try:
            self._server.channel.sendall((json.dumps(request) + "\n").encode())
        except OSError as error:
            raise self._ended() from error

    def _message(self, deadline: float | None) -> dict[str, Any]:
        self.notices(deadline)
        return self._next_message(deadline)

    def _next_message(self, deadline: float | None) -> dict[str, Any]:
        line = self._lines.line(deadline)
        if line is None:
            raise self._ended()
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return {}  # half a line: its writer was killed
        return message

    def _ended(self) -> EngineError:
        text = "the dbt server has ended unexpectedly: run the same command again"
        if lines := self._server.last_lines():
            hint = "`runner doctor` says which versions are supported. It wrote last:"
            text = "\n".join([f"{text}; if it ends again, {hint}", *lines])
        return EngineError(text)


@cache
def _warn(notice: str) -> None:
    """Say something once in the life of this process: on stderr, unless logging is set up."""
    import logging  # while dbt is imported elsewhere, and seldom

    logging.getLogger("runner").warning(notice)


def _why_it_failed(told: dict[str, Any]) -> str | None:
    """Return why dbt did not get through, or None if it did (whatever its nodes did)."""
    for why in ("refused", "error", "exception"):
        if told.get(why):
            return invocation_error(told[why])
    if "results" not in told:
        return killed(told["exit"])
    return None
