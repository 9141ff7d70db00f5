"""What was forgotten, and what that did to the ledger's file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runner.ledger import FileSize
from runner.render.words import counted, minute


def pruned_page(
    rows: Mapping[str, int], before: datetime, size: FileSize | None, *, is_dry: bool
) -> str:
    """One line, and one for the file if it is one."""
    what = " and ".join(counted(count, kind.removesuffix("s")) for kind, count in rows.items())
    done = "would be removed" if is_dry else "removed"
    lines = [f"{what} {done}: over before {minute(before)} UTC, and no window's newest"]
    if size is not None:
        lines.append(f"the ledger's file: {size.before:,} bytes before, {size.after:,} after")
    return "\n".join(lines)


def pruned_record(
    rows: Mapping[str, int], before: datetime, size: FileSize | None, *, is_dry: bool
) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "before": before,
        "is_dry_run": is_dry,
        "removed": dict(rows),
        "bytes_before": size.before if size else None,
        "bytes_after": size.after if size else None,
    }
