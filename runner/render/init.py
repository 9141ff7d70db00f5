"""What `runner init` has found, would write and has written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runner.render.columns import Column, Table
from runner.render.words import counted

if TYPE_CHECKING:
    from pathlib import Path

    from runner.adopt.adoption import Adoption, Conversion
    from runner.adopt.changes import Change

FINDINGS = Table(
    Column("weight", heading="is"), Column("what", heading="what"), Column("text", heading="why")
)
PROPOSALS = Table(
    Column("model", heading="model"),
    Column("grows", heading="is built by"),
    Column("shown", heading="could become"),
    Column(None, lambda one: one.why if one.config else "", "because"),
)


def adoption_page(found: Adoption) -> str:
    """Show what a person should know, what models could become, and every change as a diff."""
    parts = []
    if found.problem is not None:
        parts.append(f"not looked at yet: {found.problem}")
    if found.findings:
        parts.append(FINDINGS.text(found.findings))
    if found.proposals:
        shown = PROPOSALS.text(found.proposals)
        parts.append(f"{shown}\n\none at a time, as a diff first: runner init --convert MODEL")
    parts += [change.shown() for change in found.changes]
    if not found.changes:
        parts.append("nothing to do: the macros, their lines and the pipelines are there")
    return "\n\n".join(parts)


def written_line(changes: Iterable[Change]) -> str:
    """Say what was written."""
    paths = [change.path for change in changes]
    return f"written: {', '.join(paths)}"


def conversion_page(found: Conversion, *, is_written: bool) -> str:
    """Show a model's change as a diff, how it was chosen, and what is left to do."""
    lines = ["\n\n".join(change.shown() for change in found.changes), ""]
    lines.append(f"batch_size {found.proposal.why}")
    path = found.proposal.path
    lines += [f"{path}:{one.line} {one.rule} {one.severity} {one.message}" for one in found.left]
    lines.append("then say what must be true of a window: a check with meta: {gate: true}")
    if is_written:
        lines.append(written_line(found.changes))
    else:
        lines.append(f"nothing is written: runner init --convert {found.proposal.model} --yes")
    return "\n".join(lines)


def new_project_page(folder: Path, name: str, written: Iterable[Change]) -> str:
    """Say what a new project holds, and what to type."""
    count = counted(len(list(written)), "file")
    return f"{count} written into {folder}\nnext: cd {folder} && runner backfill {name}"
