"""The changes of a project's files: shown as a diff, then written as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from runner.core.errors import UsageError


@dataclass(frozen=True)
class FileChange:
    """Another text of a file."""

    path: str  # in the project's folder
    before: str | None  # None: there is no such file
    after: str

    def shown(self) -> str:
        """Return the change as a unified diff."""
        old, new = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        source = f"a/{self.path}" if self.before is not None else "/dev/null"
        lines = unified_diff(old, new, source, f"b/{self.path}")
        whole = (
            one if one.endswith("\n") else f"{one}\n\\ No newline at end of file\n" for one in lines
        )
        return "".join(whole).replace("\r\n", "\n").rstrip("\n")

    def write(self, project_dir: Path) -> None:
        """Write the file, at once and never half; raises OSError."""
        path = project_dir / self.path
        path = path.resolve()  # a link stays one
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        unfinished.write_bytes(self.after.encode())
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)


@dataclass(frozen=True)
class FolderChange:
    """A folder that becomes a copy of another, with some files of its own."""

    path: str  # in the project's folder
    source: Path
    files: tuple[str, ...]  # of the source that are taken over, by their paths in it
    extra: tuple[tuple[str, str], ...]  # files besides: path in the folder, text
    what: str  # in words, for who asks what will be there
    differing: tuple[FileChange, ...] = ()  # files that somebody has edited, and would lose

    def shown(self) -> str:
        """Return what will be there in a line, and the edits that would be lost as a diff."""
        return "\n".join([f"+++ b/{self.path}/  {self.what}", *(d.shown() for d in self.differing)])

    def write(self, project_dir: Path) -> None:
        """Lay the folder, in place of one that is there; raises OSError."""
        folder = project_dir / self.path
        unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
        for file in self.files:
            (unfinished / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.source / file, unfinished / file)
        for file, text in self.extra:
            (unfinished / file).write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.replace(folder)


@dataclass(frozen=True)
class LinkChange:
    """A link as `dbt deps` makes it of a local package, so that nobody needs to run that."""

    path: str  # in the project's folder
    target: str  # beside the link

    def shown(self) -> str:
        """Return the link in a line."""
        return f"+++ b/{self.path}  a link to {self.target}, as `dbt deps` makes it"

    def write(self, project_dir: Path) -> None:
        """Make the link, in place of a link or a copy that is there; raises OSError."""
        path = project_dir / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
        path.symlink_to(self.target, target_is_directory=True)


Change = FileChange | FolderChange | LinkChange


def write_changes(changes: Iterable[Change], project_dir: Path) -> None:
    """Write changes in their order; :class:`UsageError` if one cannot be written."""
    for change in changes:
        try:
            change.write(project_dir)
        except OSError as error:
            raise UsageError(
                f"{change.path} cannot be written ({error.strerror}): make it writable, "
                "and type the same again: what is written stays"
            ) from error


def read_text(path: Path) -> str | None:
    """Return a file's text with its own line ends; None if there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read ({error}): mend it") from error
