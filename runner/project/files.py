"""Read the dbt project's own files without dbt: its time zone, and a digest that tells changes.

``dbt_project.yml`` is read as YAML. dbt renders Jinja in it, so Jinja where the runner must know
the value is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from runner.core.errors import ProjectError
from runner.dbt.arguments import given_vars
from runner.project.declarations import ENV_VAR
from runner.project.hashes import PACKAGES

# Keys of dbt_project.yml that name folders, and dbt's defaults.
_KINDS = ("model", "macro", "seed", "snapshot", "test")
_FOLDERS = {f"{kind}-paths": [f"{kind}s"] for kind in _KINDS}
_NAMES = ("dbt_project", "packages", "dependencies", "package-lock", "selectors")
_FILES = tuple(f"{name}.yml" for name in _NAMES)
_TEXTS = (".sql", ".py", ".yml", ".yaml")
_DBT = Path(__file__).parent.parent / "dbt"
_COMPILERS = (_DBT / "meaning.py", _DBT / "symbolic.py")
_ZONE_HINT = "write vars: {timezone: America/New_York} into dbt_project.yml"


def fingerprint(project_dir: Path) -> str:
    """Digest what a parse depends on: names, sizes and times of files, and environment.

    Raises :class:`ProjectError` if ``dbt_project.yml`` cannot be read.
    """
    digest = hashlib.sha256()
    for path in _files(project_dir):
        try:
            found = os.stat(path)  # noqa: PTH116 - every command asks for every file
        except OSError:
            continue  # an editor has taken it away meanwhile, or a link leads nowhere
        digest.update(f"{path}:{found.st_size}:{found.st_mtime_ns}\n".encode())
    for name in sorted(os.environ):
        if name.startswith(("DBT_", "DAYBREAK_")):
            digest.update(f"{name}={os.environ[name]}\n".encode())
    return digest.hexdigest()


def named_environment(project_dir: Path) -> tuple[str, ...]:
    """Return the names of the environment variables that the project's files and packages name."""
    found: set[str] = set()
    for path in _files(project_dir):
        if path.endswith(_TEXTS):
            with suppress(OSError):
                text = Path(path).read_text(encoding="utf-8", errors="replace")
                found.update(ENV_VAR.findall(text))
    return tuple(sorted(found))


def environment_of(names: Iterable[str]) -> dict[str, str | None]:
    """Return digests of environment variables, which may be secret; None: it is not set."""
    values = {name: os.environ.get(name) for name in names}
    return {
        name: None if value is None else hashlib.sha256(value.encode()).hexdigest()[:16]
        for name, value in values.items()
    }


def project_zone(project_dir: Path) -> ZoneInfo:
    """Return the project var ``timezone``; :class:`ProjectError` if it is missing or no zone."""
    project = read_settings(project_dir)
    variables = {**(project.get("vars") or {}), **given_vars(os.environ)}
    name = variables.get("timezone") or (variables.get(project["name"]) or {}).get("timezone")
    if not name:
        raise ProjectError(f"the project says no time zone: {_ZONE_HINT}")
    if _holds_jinja(name):
        raise ProjectError(f"the var timezone holds Jinja, {name!r}: {_ZONE_HINT}, a plain name")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        raise ProjectError(f"there is no time zone {name!r}: {_ZONE_HINT}") from error


def project_vars(project_dir: Path) -> Mapping[str, Any]:
    """Return the vars of ``dbt_project.yml`` for the project as they are written, and the given."""
    project = read_settings(project_dir)
    variables = project.get("vars") or {}
    return {**variables, **(variables.get(project["name"]) or {}), **given_vars(os.environ)}


def model_text(path: Path) -> str:
    """Read a model's file; :class:`ProjectError` if that cannot be done."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"{path} cannot be read ({error}): run the command again, or mend the file"
        ) from error


def undecodable(project_dir: Path) -> str | None:
    """Say which file of the project is no UTF-8 text, and where; None if all are."""
    for path in _files(project_dir):
        content = Path(path).read_bytes() if path.endswith(_TEXTS) else b""
        try:
            content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            name = path.removeprefix(f"{project_dir}/")
            byte = f"the byte 0x{content[error.start]:02X} in line {line}"
            return f"{name} is not UTF-8 text ({byte}): save it as UTF-8"
    return None


def read_settings(project_dir: Path) -> Mapping[str, Any]:
    """Read ``dbt_project.yml``; :class:`ProjectError` if that cannot be done or it has no name."""
    try:
        project = _parsed((project_dir / "dbt_project.yml").read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ProjectError(
            f"dbt_project.yml cannot be read ({reason}): mend it, and put Jinja in quotes"
        ) from error
    if not isinstance(project, dict) or "name" not in project:
        raise ProjectError("dbt_project.yml has no name: write `name: my_project` into it")
    return project


@lru_cache(4)  # a command asks for it several times, and YAML is slow to read
def _parsed(text: str) -> object:
    return yaml.safe_load(text)


def _files(project_dir: Path) -> Iterator[str]:
    yield from map(
        str, sorted(Path(__file__).parent.glob("*.py"))
    )  # what is kept is what they read
    yield from map(str, _COMPILERS)
    for path in (*(project_dir / name for name in _FILES), profiles_file(project_dir)):
        if path.is_file():
            yield str(path)
    project = read_settings(project_dir)
    for key, default in _FOLDERS.items():
        for folder in project.get(key) or default:
            if _holds_jinja(folder):
                message = f"{key} in dbt_project.yml holds Jinja, {folder!r}: write a plain path"
                raise ProjectError(message)
            yield from _files_in(project_dir / folder)
    installed = project.get("packages-install-path") or PACKAGES
    if not _holds_jinja(installed) and (project_dir / installed).is_dir():
        for package in sorted((project_dir / installed).iterdir()):
            yield from _files_in(package)  # one by one: a local package is a link to its folder


def _files_in(folder: Path) -> Iterator[str]:
    # Every command walks: Path.rglob takes four times as long, and Paths half as long again.
    yield from sorted(f"{at}/{name}" for at, _, names in os.walk(folder) for name in names)


def profiles_file(project_dir: Path) -> Path:
    """Return dbt's file of profiles: in DBT_PROFILES_DIR, else the project, else ``~/.dbt``."""
    folder = os.environ.get("DBT_PROFILES_DIR")
    if folder:
        return project_dir / folder / "profiles.yml"
    here = project_dir / "profiles.yml"
    return here if here.exists() else Path.home() / ".dbt" / "profiles.yml"


def _holds_jinja(value: object) -> bool:
    return any(mark in str(value) for mark in ("{{", "{%", "{#"))
