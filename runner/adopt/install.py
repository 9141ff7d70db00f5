"""Find what a project lacks to be run: the package, its lines, a zone, pipelines, `.gitignore`.

The package is laid into a folder of the project as a local package and linked where dbt looks
for packages: `dbt deps` empties that place, and makes the same link again from packages.yml; a
clone of the project has the files; and none of it asks a network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from runner.adopt.changes import Change, FileChange, FolderChange, LinkChange, read_text
from runner.adopt.pipelines import proposed_pipelines
from runner.adopt.yaml_edits import loaded, with_item, with_key
from runner.core.errors import UsageError
from runner.dbt.package import PACKAGE, package_folder, package_version
from runner.project.files import read_settings
from runner.project.installation import (
    CHECKSUMS,
    COPY,
    digests,
    edited_files,
    is_dispatched,
    overrides_are_read,
    overrides_path,
    package_files,
    packages_path,
)

DEFAULT_ZONE = ZoneInfo("UTC")  # of a project that says none
_ZONE_COMMENT = "The zone in which a day is a day, such as America/New_York; windows are cut in it."
_IGNORED = ".daybreak/"


def missing_pieces(
    project_dir: Path,
    manifest: Mapping[str, Any] | None,
    zone: ZoneInfo = DEFAULT_ZONE,
    *,
    upgrade: bool = False,
) -> list[Change]:
    """Return what `runner init` would write, in the order in which it is written.

    ``manifest`` is dbt's; None if the project does not parse yet, and nobody can tell which
    pipelines it needs. ``zone`` is the project's, or will be; ``upgrade`` lays the package anew
    where a copy of ours is old or edited. Raises :class:`UsageError` for a file that cannot be
    edited without touching more of it.
    """
    settings = read_settings(project_dir)
    changes: list[Change] = []
    changes += _package(project_dir, settings, upgrade=upgrade)
    changes += _settings(project_dir, settings)
    if manifest is not None and not (project_dir / "pipelines.yml").is_file():
        default = _default_selector(project_dir)
        text = proposed_pipelines(str(settings["name"]), manifest, zone, default)
        changes.append(FileChange("pipelines.yml", None, text))
    changes += _ignored(project_dir)
    return changes


def refuse_name(name: str) -> None:
    """Refuse a project that is named as a package that it is to have; :class:`UsageError`."""
    if name in (PACKAGE, "dbt"):
        raise UsageError(
            f"a project cannot be named {name}, as there is a package of that name: "
            "give it another one"
        )


def _package(project_dir: Path, settings: Mapping[str, Any], *, upgrade: bool) -> Iterator[Change]:
    """Yield the copy of the package, its entry among the packages and the link to it.

    Where the package came in another way, it stays with whoever brought it.
    """
    where = f"{packages_path(settings)}/{PACKAGE}"
    laid, linked = project_dir / COPY, project_dir / where
    if not laid.exists() and package_version(linked) is not None:
        return
    is_old = package_version(laid) != package_version(package_folder())
    if not laid.exists() or (upgrade and (is_old or edited_files(laid))):
        yield _copy(laid)
    yield from _entry(project_dir)
    if not linked.is_symlink() or linked.resolve() != laid.resolve():
        yield LinkChange(where, os.path.relpath(laid, linked.parent))


def _copy(laid: Path) -> FolderChange:
    """Return the package laid anew; what somebody has edited in it is shown."""
    ours = package_folder()
    files = tuple(package_files(ours))
    sums = "".join(f"{digest}  {path}\n" for path, digest in digests(ours).items())
    edited = edited_files(laid) if laid.exists() else ()
    return FolderChange(
        path=COPY,
        source=ours,
        files=files,
        extra=((CHECKSUMS, sums),),
        what=f"Daybreak's macros, version {package_version(ours)}: {len(files)} files",
        differing=tuple(
            FileChange(f"{COPY}/{path}", read_text(laid / path), read_text(ours / path) or "")
            for path in edited
        ),
    )


def _entry(project_dir: Path) -> Iterator[FileChange]:
    """Yield the change of the project's list of packages, if ours is not in it."""
    in_dependencies = read_text(project_dir / "dependencies.yml")
    is_there = in_dependencies is not None and "packages" in loaded(in_dependencies)
    name = "dependencies.yml" if is_there else "packages.yml"
    before = read_text(project_dir / name)
    packages = loaded(before or "").get("packages") or []
    if {"local": COPY} in packages:
        return
    for entry in packages:
        if isinstance(entry, dict) and any(_ends_with_ours(value) for value in entry.values()):
            raise UsageError(
                f"{name} names a package of Daybreak already, and it is not installed: dbt deps"
            )
    with _named(name):
        if "packages" in loaded(before or ""):
            after = with_item(before or "", ("packages",), {"local": COPY})
        else:
            after = with_key(before or "", (), "packages", [{"local": COPY}])
    yield FileChange(name, before, after)


def _settings(project_dir: Path, settings: Mapping[str, Any]) -> Iterator[FileChange]:
    """Yield the change of dbt_project.yml: where macros are, who is asked, and the zone."""
    name = "dbt_project.yml"
    before = read_text(project_dir / name) or ""
    text, own = before, str(settings["name"])
    with _named(name):
        overrides = overrides_path(project_dir)
        paths = settings.get("macro-paths") or []
        if overrides not in paths and not overrides_are_read(project_dir):
            if "macro-paths" in settings:
                text = with_item(text, ("macro-paths",), overrides)
            else:
                text = with_key(text, (), "macro-paths", ["macros", overrides])
        if not is_dispatched(settings):
            text = _with_dispatch(text, settings, own)
        if not _has_zone(settings, own):
            text = with_key(text, ("vars",), "timezone", DEFAULT_ZONE.key, comment=_ZONE_COMMENT)
    if text != before:
        yield FileChange(name, before, text)


def _with_dispatch(text: str, settings: Mapping[str, Any], own: str) -> str:
    entry = {"macro_namespace": "dbt", "search_order": [own, PACKAGE, "dbt"]}
    entries = settings.get("dispatch") or []
    for place, found in enumerate(entries):
        if isinstance(found, dict) and found.get("macro_namespace") == "dbt":
            if "search_order" not in found:
                raise UsageError(f"its dispatch of dbt lacks `search_order: [{own}, dbt]`: add it")
            return with_item(text, ("dispatch", place, "search_order"), PACKAGE, before="dbt")
    if "dispatch" in settings:
        return with_item(text, ("dispatch",), entry)
    return with_key(text, (), "dispatch", [entry])


def _has_zone(settings: Mapping[str, Any], own: str) -> bool:
    variables = settings.get("vars") or {}
    return bool(variables.get("timezone") or (variables.get(own) or {}).get("timezone"))


def _default_selector(project_dir: Path) -> str | None:
    """Return the name of the selector that dbt takes where none is named, if it is plainly one."""
    with _named("selectors.yml"):
        selectors = loaded(read_text(project_dir / "selectors.yml") or "").get("selectors") or ()
    found = [str(one["name"]) for one in selectors if one.get("default") is True]
    return found[0] if found else None


def _ignored(project_dir: Path) -> Iterator[FileChange]:
    """Yield the change of `.gitignore`: what the runner remembers is nobody's source."""
    before = read_text(project_dir / ".gitignore")
    lines = [line.strip().strip("/") for line in (before or "").splitlines()]
    if _IGNORED.strip("/") in lines:
        return
    gap = "" if not before or before.endswith("\n") else "\n"
    yield FileChange(".gitignore", before, f"{before or ''}{gap}{_IGNORED}\n")


def _ends_with_ours(value: object) -> bool:
    return isinstance(value, str) and value.rstrip("/").removesuffix(".git").endswith(PACKAGE)


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Put a file's name before what cannot be done with it."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
