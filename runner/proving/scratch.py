"""Make the folder in which windows are replayed: copies of the warehouse, and dbt's profiles.

It lies beside the ledger, so usually on the disk of the warehouse. It is removed whatever happens;
what a killed proof has left behind is removed by the next one, which can tell by its lock.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from runner.core.errors import UsageError

_PREFIX = "prove-"


class Copy(StrEnum):
    """A state of the warehouse that is kept, and from which a scenario starts."""

    BASE = "base"  # nothing of the models is there
    REFERENCE = "reference"  # every window has been run once, in order


@dataclass(frozen=True)
class Scratch:
    """One proof's folder."""

    folder: Path
    file_name: str  # of the warehouse: it is also the name of its catalog

    @property
    def work(self) -> Path:
        """The file that dbt writes."""
        return self.folder / "work" / self.file_name

    def kept(self, copy: Copy) -> Path:
        """The file of a state that was kept."""
        return self.folder / copy / self.file_name

    def keep(self, copy: Copy) -> None:
        """Keep what the working file now holds; nobody may have it open."""
        self.kept(copy).parent.mkdir(exist_ok=True)
        shutil.copyfile(self.work, self.kept(copy))

    def restore(self, copy: Copy) -> None:
        """Let the working file hold what was kept."""
        for file in self.work.parent.iterdir():
            file.unlink()  # the log of a killed dbt belongs to its own file
        shutil.copyfile(self.kept(copy), self.work)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that point dbt at the working file, and away from the project's folders."""
        return {
            "DBT_PROFILES_DIR": str(self.folder),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }


@contextmanager
def scratch(home: Path, warehouse: Path, profiles: Path) -> Iterator[Scratch]:
    """Make a folder in ``home`` with dbt profiles that know its working file alone."""
    with ExitStack() as stack:
        try:
            home.mkdir(parents=True, exist_ok=True)
            text = _text(profiles)
            # One process at a time makes and removes folders.
            with (home / "prove.lock").open("a") as alone:
                fcntl.flock(alone, fcntl.LOCK_EX)
                _remove_leftovers(home)
                folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home)).resolve()
                lock = stack.enter_context((folder / "lock").open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise UsageError(
                f"no scratch copy can be made in {home} ({error.strerror}): make room or make it "
                "writable, or name another folder with DAYBREAK_HOME"
            ) from error
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Scratch(folder, warehouse.name)
        made.work.parent.mkdir()
        (folder / "profiles.yml").write_text(pointed_at(text, made.work))
        yield made


def _text(profiles: Path) -> str:
    try:
        return profiles.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{profiles} cannot be read, and a replay needs dbt's profile: {error}"
        ) from error


def _remove_leftovers(home: Path) -> None:
    """Remove the folders whose owner has ended: his lock has ended with him."""
    for folder in home.glob(f"{_PREFIX}*/"):
        with suppress(BlockingIOError), (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def pointed_at(text: str, file: Path) -> str:
    """Return ``profiles.yml`` with ``file`` in place of every DuckDB file, Jinja left as it is.

    Which profile and target are used need not be known for that. Raises :class:`UsageError` if
    it is no YAML, or if something in it may be written that is not that file.

    >>> shop = "shop: {outputs: {dev: {type: duckdb, path: a.duckdb}}}"
    >>> print(pointed_at(shop, Path("/b.duckdb")))
    shop:
      outputs:
        dev:
          type: duckdb
          path: /b.duckdb
    <BLANKLINE>
    """
    try:
        profiles = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"profiles.yml cannot be read ({reason}): mend it, and put Jinja in quotes"
        ) from error
    for name, output in _duckdb_outputs(profiles):
        for attached in output.get("attach") or ():
            one = attached if isinstance(attached, dict) else {"path": attached}
            if one.get("read_only") is not True:
                raise UsageError(
                    f"the target {name} in profiles.yml attaches {one.get('path')}, which a replay "
                    "could write: write `read_only: true` beside it, or prove with another profile"
                )
        output["path"] = str(file)
    return yaml.safe_dump(profiles, sort_keys=False)


def _duckdb_outputs(profiles: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for profile in profiles.values() if isinstance(profiles, dict) else ():
        outputs = profile.get("outputs") if isinstance(profile, dict) else None
        for name, output in outputs.items() if isinstance(outputs, dict) else ():
            if isinstance(output, dict) and output.get("type") == "duckdb":
                yield name, output
