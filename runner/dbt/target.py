"""A parsed project, told by a process that has parsed it: its manifest, code and warehouse.

Run as ``python -m runner.dbt.target KEPT parse …`` it is dbt's own command line, which at its end
also says where the warehouse is (see :func:`target_told`) and what the models compile to; ``KEPT``
is the file of what was compiled before, or empty.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner.dbt.protocol import CompiledNode, Description, Target

# The runner waits for a file that somebody holds itself, and says for whom; the dbt of an
# invocation must not wait once more in silence. Read by profiles.yml; a parse does without it.
CONNECT_ONCE = {"DAYBREAK_CONNECT_ATTEMPTS": "1"}
MANIFEST, COMPILED = "manifest.json", "compiled.json"
_PREFIX = "DAYBREAK_TARGET "
_HOLDS_SOMETHING = """
    select 1 from duckdb_tables()
    union all
    select 1 from duckdb_views() where not internal
    limit 1
"""
_WRITABLE_FILES = "select path from duckdb_databases() where path is not null and not readonly"
_NO_FILE = re.compile(r":memory:|[A-Za-z][A-Za-z0-9+.-]+:")  # or something like md:, ducklake:


def target_in_use() -> dict[str, str | None]:
    """Return the fields of the :class:`Target` that dbt writes, paths resolved.

    To be called after a dbt command has loaded the profile, in the folder where it ran.
    """
    from dbt.adapters.factory import FACTORY

    adapters: Any = FACTORY.adapters  # whose protocol hides their configuration
    adapter = next(iter(adapters.values()))
    credentials, file = adapter.config.credentials, None
    if adapter.type() == "duckdb" and not getattr(credentials, "remote", None):
        file = file_of(str(getattr(credentials, "path", "")))
    where = (getattr(credentials, name, None) for name in ("host", "port", "path", "database"))
    place = str(file) if file else " ".join([adapter.type(), *(str(p) for p in where if p)])
    return {
        "name": adapter.config.target_name,
        "file": str(file) if file else None,
        "schema": credentials.schema,
        "place": place,
    }


def target_of(told: Mapping[str, Any]) -> Target:
    """Return the target whose fields :func:`target_in_use` has told.

    >>> target_of({"name": "dev", "file": None, "schema": "main", "place": "postgres db"}).place
    'postgres db'
    """
    return Target(**{**told, "file": Path(told["file"]) if told["file"] else None})


def file_of(path: str) -> Path | None:
    """The file behind a path as DuckDB reads it.

    >>> file_of("/srv/shop/../warehouse.duckdb")
    PosixPath('/srv/warehouse.duckdb')
    >>> [file_of(path) for path in ("", ":memory:", "md:shop", "ducklake:metadata.db")]
    [None, None, None, None]
    """
    if not path or _NO_FILE.match(path):
        return None
    return Path(path).expanduser().resolve()


def stamp_of(file: Path | None) -> str | None:
    """Return what changes whenever a database's file does: its size and time, its log's too.

    None: there is no such file.
    """
    found = []
    with suppress(OSError):
        for path in (file, file.with_name(f"{file.name}.wal")) if file else ():
            status = path.stat()
            found.append(f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}")
    return " ".join(found) or None


class HeldFile:
    """The DuckDB file that dbt has opened in this process: until it is left, nobody writes it.

    Its stamps are taken meanwhile, so that between them there are our own writes and no others.
    """

    def __init__(self) -> None:
        """See how the file was found: to be called once dbt is connected, before it writes."""
        self._connection = _held_connection()
        told = target_in_use()["file"] if self._connection else None
        self._file = Path(told) if told else None
        self._found = stamp_of(self._file)
        if self._file and not self._connection.execute(_HOLDS_SOMETHING).fetchone():
            self._found = None  # as good as no file: dbt may have made it

    def stamps(self) -> list[str | None] | None:
        """Return the stamp as it was found and as it is left; None: nobody can say.

        To be called when dbt has written all that it will write.
        """
        if self._file is None:
            return None
        try:
            if len(self._connection.execute(_WRITABLE_FILES).fetchall()) > 1:
                return None  # others have written an attached one, perhaps: that no stamp tells
            self._connection.checkpoint()  # else to close it would change it once more
        except Exception:  # of whichever kind: something is still being written
            return None
        return [self._found, stamp_of(self._file)]


def _held_connection() -> Any:
    """Return dbt-duckdb's connection if it keeps it to the end; else the file is nobody's."""
    from dbt.adapters.factory import FACTORY

    adapters: Any = FACTORY.adapters
    adapter = next(iter(adapters.values()), None)
    environment = getattr(getattr(adapter, "connections", None), "_ENV", None)
    is_kept = getattr(environment, "_keep_open", False)
    return getattr(environment, "conn", None) if is_kept else None


def leave_warehouse() -> None:
    """Close the database as dbt does at its exit: what its log holds goes into the file.

    A process that leaves with ``os._exit`` would leave a file and a log beside it, which is
    whole only for who takes both.
    """
    from dbt.adapters.factory import FACTORY

    for adapter in FACTORY.adapters.values():
        close = getattr(adapter.connections, "close_all_connections", None)
        if close is not None:  # dbt-duckdb's; the others' connections have been closed by dbt
            close()


def write_compiled(manifest: Any, folder: Path, kept: Path | None) -> None:
    """Write what a parsed manifest's models compile to into a folder.

    To be called after dbt has parsed it, as :func:`target_in_use`.
    """
    from dbt.adapters.factory import FACTORY

    from runner.dbt.symbolic import compile_all

    adapter = next(iter(FACTORY.adapters.values()))
    (folder / COMPILED).write_text(json.dumps(compile_all(manifest, adapter, kept)))


def described(
    folder: Path,
    selections: Mapping[str, tuple[str, ...]],
    refused: Mapping[str, str],
    target: Target,
) -> Description:
    """Read what an engine's process has written into a folder."""
    manifest = json.loads((folder / MANIFEST).read_text())
    compiled = {
        unique_id: CompiledNode(**{**told, "reads": _as_tuple(told["reads"])})
        for unique_id, told in json.loads((folder / COMPILED).read_text()).items()
    }
    return Description(manifest, selections, compiled, target, refused=refused)


def _as_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def target_told(lines: Iterable[str]) -> Target:
    """Return the target that ``python -m runner.dbt.target`` has told of among other lines."""
    told = next(line for line in lines if line.startswith(_PREFIX))
    return target_of(json.loads(told.removeprefix(_PREFIX)))


def main() -> None:
    """Be dbt, and tell of the project if all went well."""
    from dbt.cli.main import dbtRunner

    kept, *arguments = sys.argv[1:]
    done = dbtRunner().invoke(arguments)
    if not done.success:
        sys.exit(1)
    if arguments[0] == "parse":
        folder = Path(os.environ["DBT_TARGET_PATH"])
        write_compiled(done.result, folder, Path(kept) if kept else None)
        print(_PREFIX + json.dumps(target_in_use()))  # noqa: T201 - to our engine


if __name__ == "__main__":
    main()
