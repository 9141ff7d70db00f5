"""The database that dbt writes, asked of dbt in a process that has loaded its profile.

Run as ``python -m runner.dbt.target parse …`` it is dbt's own command line, which at its end also
says where the warehouse is; see :func:`warehouse_told`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# The runner waits for a file that somebody holds itself, and says for whom; the dbt of an
# invocation must not wait once more in silence. Read by profiles.yml; a parse does without it.
CONNECT_ONCE = {"DAYBREAK_CONNECT_ATTEMPTS": "1"}
_PREFIX = "DAYBREAK_TARGET "
_NO_FILE = re.compile(r":memory:|[A-Za-z][A-Za-z0-9+.-]+:")  # or something like md:, ducklake:


def warehouse_file() -> Path | None:
    """The DuckDB file that the target writes, resolved; None if it writes something else.

    To be called after a dbt command has loaded the profile, in the folder where it ran.
    """
    from dbt.adapters.factory import FACTORY

    adapters: Any = FACTORY.adapters  # whose protocol hides their configuration
    for adapter in adapters.values():
        credentials = adapter.config.credentials
        if adapter.type() == "duckdb" and not getattr(credentials, "remote", None):
            return file_of(str(getattr(credentials, "path", "")))
    return None


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


def warehouse_told(lines: Iterable[str]) -> Path | None:
    """Return the file that ``python -m runner.dbt.target`` has named among other lines."""
    for line in lines:
        if line.startswith(_PREFIX):
            path = json.loads(line.removeprefix(_PREFIX))
            return Path(path) if path else None
    return None


def main() -> None:
    """Be dbt, and say where the warehouse is if all went well."""
    from dbt.cli.main import cli

    try:
        cli()
    except SystemExit as ended:
        if not ended.code:
            file = warehouse_file()
            print(_PREFIX + json.dumps(str(file) if file else None))  # noqa: T201 - to our engine
        raise


if __name__ == "__main__":
    main()
