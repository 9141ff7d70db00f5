"""The target that a page is about: its first line, and its key in JSON."""

from __future__ import annotations

from runner.overview.target import TargetInUse
from runner.render.columns import Column, Table
from runner.render.words import minute

TARGET = Table(
    Column("name"), Column("place"), Column("schema"), Column("has_changed"), Column("seen_at")
)


def target_line(target: TargetInUse) -> str:
    """Name the target, and say if its warehouse is no longer as it was left."""
    line = f"target {target.name}: {target.place}, schema {target.schema}"
    if not target.has_changed:
        return line
    seen = f" ({minute(target.seen_at)} UTC)" if target.seen_at else ""
    return (
        f"{line}\nthe warehouse has changed since it was last looked at{seen}: "
        "`runner verify PIPELINE` looks"
    )
