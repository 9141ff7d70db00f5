"""Care of what the runner stands on: diagnoses, a rebuilt ledger, and what was forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runner.doctor.checks import Diagnosis, Health
from runner.doctor.rebuild import Rebuilt
from runner.doctor.verification import DifferentWindow, Verification
from runner.ledger import FileSize
from runner.render.columns import Column, Table
from runner.render.terminal import Terminal
from runner.render.words import counted, minute

_CODES = {Health.OK: "32", Health.WARNING: "1;33", Health.WRONG: "1;31"}
DIAGNOSES = Table(Column("subject"), Column("verdict"), Column("text"), Column("remedy"))
REBUILT = Table(Column("aside"), Column("windows"), Column("models"), Column("highest_fence"))


def doctor_page(found: Sequence[Diagnosis], terminal: Terminal) -> str:
    """Show every check in a line, and how many are not ok."""
    width = max((len(line.subject) for line in found), default=0)
    lines = [
        f"{terminal.ink(f'{line.verdict:<7}', _CODES[line.verdict])}  {line.subject:<{width}}  "
        f"{line.text}" + (f": {line.remedy}" if line.remedy else "")
        for line in found
    ]
    counts = Counter(line.verdict for line in found)
    wrong, warnings = counts[Health.WRONG], counts[Health.WARNING]
    lines += ["", f"{wrong or 'nothing'} wrong, {warnings} to know about"]
    return "\n".join(lines)


def doctor_record(found: Sequence[Diagnosis]) -> dict[str, Any]:
    """Return every check for JSON, and whether all is sound."""
    is_sound = all(line.verdict is not Health.WRONG for line in found)
    return {"is_sound": is_sound, "checks": DIAGNOSES.records(found)}


def rebuilt_page(done: Rebuilt) -> str:
    """Show what the new ledger holds, and what is gone with the old one."""
    lines = [f"old       kept as {done.aside}"] if done.aside else []
    lines += [
        f"new       {done.windows:,} windows of {done.models} models, by the warehouse's markers",
        "lost      runs, evidence, accepted changes, pauses: only the old ledger has them",
        "next      runner plan",
    ]
    return "\n".join(lines)


def verification_page(found: Verification) -> str:
    """Show how much was compared, and what is not as it was published or built."""
    count, models = sum(found.compared.values()), len(found.compared)
    if not count and not found.tables:
        return f"{found.pipeline}: nothing of it is published in this warehouse"
    parts = [f"{counted(count, 'window')} of {counted(models, 'model')}"] if count else []
    if found.tables:
        parts.append(f"{counted(len(found.tables), 'table')} and views without windows")
    head = f"{found.pipeline}: {', '.join(parts)} compared"
    if not found.different and not found.changed:
        return f"{head}, all hold what was published"
    wrong = [counted(len(found.different), "window")] if found.different else []
    wrong += [counted(len(found.changed), "table")] if found.changed else []
    lines = [f"{head}, {' and '.join(wrong)} not as published", ""]
    if found.different:
        lines += [DIFFERENT.text(found.different), ""]
    lines += (f"{name}: {why}" for name, why in sorted(found.changed.items()))
    lines += [""] if found.changed else []
    if any(one.published is None for one in found.different):
        lines.append("rows where nothing was published: delete them, or publish their windows")
    if found.changed or any(one.published is not None for one in found.different):
        lines.append(f"next: runner backfill {found.pipeline} --reprocess stale")
    return "\n".join(lines).rstrip()


def verification_record(found: Verification) -> dict[str, Any]:
    """Return what was compared, and what differs, for JSON."""
    different = DIFFERENT.records(found.different)
    return {
        "pipeline": found.pipeline,
        "compared": dict(found.compared),
        "different": different,
        "tables": sorted(found.tables),
        "changed": dict(found.changed),
    }


def _what_differs(one: DifferentWindow) -> str:
    if one.published is None:
        return "nothing was published there"
    return "number of rows" if one.published != one.found else "contents"


DIFFERENT = Table(
    Column("model", heading="model"),
    Column("window", heading="window"),
    Column("published", heading="published"),
    Column("found", heading="found"),
    Column("differs", _what_differs, "what differs"),
)


def pruned_page(
    rows: Mapping[str, int], before: datetime, size: FileSize | None, *, is_dry: bool
) -> str:
    """Show what was forgotten in a line, and in another what that did to the ledger's file."""
    what = " and ".join(counted(count, kind.removesuffix("s")) for kind, count in rows.items())
    done = "would be removed" if is_dry else "removed"
    lines = [f"{what} {done}: over before {minute(before)} UTC, and no window's newest"]
    if size is not None:
        lines.append(f"the ledger's file: {size.before:,} bytes before, {size.after:,} after")
    return "\n".join(lines)


def pruned_record(
    rows: Mapping[str, int], before: datetime, size: FileSize | None, *, is_dry: bool
) -> dict[str, Any]:
    """Return what was forgotten for JSON."""
    return {
        "before": before,
        "is_dry_run": is_dry,
        "removed": dict(rows),
        "bytes_before": size.before if size else None,
        "bytes_after": size.after if size else None,
    }
