"""dbt's profiles, pointed at another DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runner.core.errors import UsageError


def pointed_at(text: str, file: Path) -> str:
    """``profiles.yml`` with ``file`` in the place of every DuckDB file, Jinja left as it is.

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
        _refuse_attached(name, output)
        output["path"] = str(file)
    return yaml.safe_dump(profiles, sort_keys=False)


def _duckdb_outputs(profiles: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for profile in profiles.values() if isinstance(profiles, dict) else ():
        outputs = profile.get("outputs") if isinstance(profile, dict) else None
        for name, output in outputs.items() if isinstance(outputs, dict) else ():
            if isinstance(output, dict) and output.get("type") == "duckdb":
                yield name, output


def _refuse_attached(name: str, output: Mapping[str, Any]) -> None:
    for attached in output.get("attach") or ():
        if not isinstance(attached, dict) or attached.get("read_only") is not True:
            path = attached.get("path") if isinstance(attached, dict) else attached
            raise UsageError(
                f"the target {name} in profiles.yml attaches {path}, which a replay could write: "
                "write `read_only: true` beside it, or prove with another profile"
            )
