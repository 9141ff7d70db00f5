"""The plain engine with a dbt of another environment: any executable that has dbt's command line.

Nothing is imported from dbt, and nothing patched: what is asked goes through documented options,
what is told comes from ``manifest.json``, ``run_results.json`` and the log in JSON. Such a dbt
compiles no symbolic windows for us, so code is told by its text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.core.errors import ConfigError, ProjectError
from runner.dbt.plain import PlainEngine
from runner.dbt.protocol import Description, InvocationResult, NodeListener, Target
from runner.dbt.target import MANIFEST, file_of

_WHY_RAW = "dbt lives in another environment, where nothing is compiled ahead"
_VERSION = re.compile(r"(?:installed:|dbt\S*|=)\s*v?(\d+\.\d+\S*)")
_REMEDY = "let DAYBREAK_DBT, or `dbt:` in pipelines.yml, name a dbt"
# What tells one database from another; nothing that may be secret.
_TARGET = """{{ tojson({
    'name': target.name, 'type': target.type, 'schema': target.schema,
    'host': target.host | default(none), 'port': target.port | default(none),
    'path': target.path | default(none), 'database': target.database | default(none),
    'remote': target.remote | default(none),
}) }}"""
# The process that becomes dbt, so that it ends with us.
_MORTAL = (
    sys.executable,
    "-P",
    "-c",
    "import os, sys; from runner.dbt.server import die_with_parent; die_with_parent(); "
    "os.execv(sys.argv[1], sys.argv[1:])",
)


def find_dbt(name: str, project_dir: Path) -> Path:
    """Return the executable that a person names: a path, from the project's folder, or a command.

    Raises :class:`ConfigError` if there is none, or if it may not be executed.
    """
    if os.sep not in name:
        found = shutil.which(name)
        if found is None:
            raise ConfigError(f"there is no command {name!r}: {_REMEDY}, or install it")
        return Path(found).absolute()
    path = (project_dir / Path(name).expanduser()).absolute()
    if not path.is_file():
        raise ConfigError(f"there is no file {path}: {_REMEDY}")
    if not os.access(path, os.X_OK):
        raise ConfigError(f"{path} may not be executed: {_REMEDY}, or make it executable")
    return path


def version_of(dbt: Path) -> str:
    """Return the version of a dbt; :class:`ConfigError` if a file is none."""
    try:
        asked = subprocess.run(
            [str(dbt), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or "it does not answer"
        raise ConfigError(f"{dbt} is no dbt that runs ({reason}): {_REMEDY}") from error
    found = _VERSION.search(asked.stdout + asked.stderr)
    if asked.returncode != 0 or found is None:
        raise ConfigError(f"{dbt} is no dbt (--version says no version): {_REMEDY}")
    return found[1]


class ElsewhereEngine(PlainEngine):
    """Runs the executable ``dbt`` anew each time; the rest is as for a plain engine."""

    def __init__(
        self, dbt: Path, project_dir: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(project_dir, environment)
        self._dbt = dbt
        self._asking = (str(dbt),)
        self._running = (*_MORTAL, str(dbt))

    def describe(self, selections: Iterable[str]) -> Description:
        """Parse, and resolve selections; see :class:`runner.dbt.protocol.Engine`."""
        with tempfile.TemporaryDirectory(prefix="daybreak-") as folder:
            target = Path(folder)
            self._ask(["parse"], target)
            try:
                manifest = json.loads((target / MANIFEST).read_text())
            except (OSError, ValueError) as error:
                version_of(self._dbt)
                raise ProjectError(
                    f"{self._dbt} parse has written no {MANIFEST}: try it by hand"
                ) from error
            told = self._target(target)
            resolved, refused = self._resolved(selections, target)
            return Description(manifest, resolved, {}, told, _WHY_RAW, refused)

    def _target(self, folder: Path) -> Target:
        """Ask which database dbt writes; nothing is asked of that."""
        quiet = ["--no-introspect", "--no-populate-cache", "--quiet"]
        lines = self._ask(["compile", "--inline", _TARGET, *quiet, "--output", "json"], folder)
        text = "\n".join(lines)
        try:
            told = json.loads(json.loads(text[text.index("{") :])["compiled"])
        except (ValueError, LookupError, TypeError) as error:
            raise ProjectError(
                f"{self._dbt} does not say which target it writes: try "
                f"`{self._dbt} compile --inline 1 --output json`"
            ) from error
        return _target_of(told, self._project_dir)

    def _ask(self, arguments: Sequence[str], target: Path) -> list[str]:
        # A dbt with other options, or none, is told from a project that does not parse.
        try:
            return super()._ask(arguments, target)
        except (OSError, ProjectError):
            version_of(self._dbt)
            raise

    def _invoke(
        self, arguments: list[str], timeout: timedelta, listener: NodeListener
    ) -> InvocationResult:
        result = super()._invoke(arguments, timeout, listener)
        if result.error is not None and not result.nodes:
            version_of(self._dbt)
        return result


def _target_of(told: Mapping[str, Any], project_dir: Path) -> Target:
    """Return what :func:`runner.dbt.target.target_in_use` tells of the same target."""
    file = None
    if told["type"] == "duckdb" and not told["remote"]:
        file = file_of(str(told["path"] or ""))
        if file is not None:
            file = (project_dir / Path(str(told["path"])).expanduser()).resolve()
    where = (told[name] for name in ("host", "port", "path", "database"))
    place = str(file) if file else " ".join([told["type"], *(str(part) for part in where if part)])
    return Target(told["name"], file, told["schema"], place)
