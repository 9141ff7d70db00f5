"""Find our dbt package in a project: is it there, does it fit, and is it as it was shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.core.errors import ProjectError
from runner.dbt.package import PACKAGE, package_folder, package_version
from runner.project.files import read_settings, undecodable
from runner.project.hashes import PACKAGES

COPY = "daybreak_package"  # the folder into which `runner init` lays the package
CHECKSUMS = "checksums.sha256"  # in such a copy: what was laid there, as sha256sum writes it
_OVERRIDE = "incremental.sql"
_NO_TEXT = "codec can't decode"  # Python's words, which name no file


def require_package(project_dir: Path) -> None:
    """Raise :class:`ProjectError` if the package, or a line that it needs, is not there."""
    problem = package_problem(project_dir)
    if problem is not None:
        raise ProjectError(problem)


def explained(project_dir: Path, error: ProjectError) -> ProjectError:
    """Return why a project does not parse: our package is missing, or a file is no text, if so."""
    told = str(error)
    if _NO_TEXT in told and (problem := undecodable(project_dir)) is not None:
        return ProjectError(problem)
    if PACKAGE in told or ("dbt deps" in told and _names_package(project_dir)):
        problem = package_problem(project_dir)
        if problem is not None:
            return ProjectError(problem)
    return error


def package_problem(project_dir: Path) -> str | None:
    """Say in one line what is missing for a run, and what to do; None if nothing is."""
    folder = installed_folder(project_dir)
    found, wanted = package_version(folder), package_version(package_folder())
    if found is None:
        return "the macros of Daybreak are not installed: runner init"
    if found != wanted:
        return (
            f"the macros of Daybreak are of version {found}, which does not fit this runner, "
            f"{wanted}: {upgrade_remedy(project_dir)}"
        )
    settings = read_settings(project_dir)
    if not overrides_are_read(project_dir):
        missing = "macro-paths does not name its folder `overrides`"
    elif not is_dispatched(settings):
        missing = f"dispatch does not ask {PACKAGE}"
    else:
        return None
    return (
        f"the macros of Daybreak are not installed as a whole ({missing} in dbt_project.yml): "
        "runner init"
    )


def installed_folder(project_dir: Path) -> Path:
    """Return the folder in which dbt finds the package, if it is there."""
    return project_dir / packages_path(read_settings(project_dir)) / PACKAGE


def packages_path(settings: Mapping[str, object]) -> str:
    """Return the folder of a project's packages, as dbt_project.yml names it."""
    return str(settings.get("packages-install-path") or PACKAGES)


def upgrade_remedy(project_dir: Path) -> str:
    """Say how a person gets the package that fits: by us, where we have laid it."""
    if (project_dir / COPY).is_dir() or not _names_package(project_dir):
        return "runner init --upgrade"
    return "name the version that fits in packages.yml, then dbt deps"


def overrides_are_read(project_dir: Path) -> bool:
    """Return True if the project reads our `incremental` as one of its own macros."""
    path = installed_folder(project_dir)
    if not path.is_dir():
        path = package_folder()
    ours = (path / "overrides" / _OVERRIDE).read_bytes()
    paths = read_settings(project_dir).get("macro-paths")
    folders = [project_dir / str(one) for one in paths] if isinstance(paths, list) else []
    found = (one for folder in folders for one in folder.rglob(_OVERRIDE))
    return any(one.read_bytes() == ours for one in found)


def overrides_path(project_dir: Path) -> str:
    """Return what a project writes into macro-paths: where the package lies to stay."""
    folder = installed_folder(project_dir)
    if folder.is_dir() and not (project_dir / COPY).exists():
        return f"{folder.relative_to(project_dir).as_posix()}/overrides"
    return f"{COPY}/overrides"


def is_dispatched(settings: Mapping[str, object]) -> bool:
    """Return True if dbt asks our package, too, for what it lets others answer."""
    entries = settings.get("dispatch")
    return isinstance(entries, list) and any(
        isinstance(entry, dict)
        and entry.get("macro_namespace") == "dbt"
        and PACKAGE in (entry.get("search_order") or ())
        for entry in entries
    )


def edited_files(folder: Path) -> tuple[str, ...]:
    """Return the files of a copy that are not as they were shipped, by their paths in it.

    A copy of this runner's version is held against the runner's own; another one against the
    checksums that were laid with it. Without either nobody can tell, and none is named.
    """
    if package_version(folder) == package_version(package_folder()):
        shipped = digests(package_folder())
    else:
        shipped = _checksums(folder)
    if not shipped:
        return ()
    here = digests(folder)
    return tuple(sorted(p for p in here.keys() | shipped.keys() if here.get(p) != shipped.get(p)))


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file of the package, by its path in it."""
    return {
        path: hashlib.sha256((folder / path).read_bytes()).hexdigest()
        for path in package_files(folder)
    }


def package_files(folder: Path) -> Iterator[str]:
    """Yield the files that are the package's, by their paths in it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".sql", ".yml") and path.is_file():
            yield path.relative_to(folder).as_posix()


def _checksums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split("  ", 1) for line in lines if "  " in line)
    return {path: digest for digest, path in pairs}


def _names_package(project_dir: Path) -> bool:
    """Return True if the project's list of packages speaks of us."""
    for name in ("packages.yml", "dependencies.yml"):
        path = project_dir / name
        if path.is_file() and PACKAGE in path.read_text(encoding="utf-8", errors="replace"):
            return True
    return False
