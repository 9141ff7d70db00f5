"""What a doctor has found, a line each, and what a rebuilt ledger holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from runner.doctor.checks import Diagnosis, Health
from runner.doctor.rebuild import Rebuilt
from runner.render.ink import Terminal

_CODES = {Health.OK: "32", Health.WARNING: "1;33", Health.WRONG: "1;31"}


def doctor_page(found: Sequence[Diagnosis], terminal: Terminal) -> str:
    """Every check in a line, and how many are not ok."""
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
    """The same for JSON."""
    return {
        "is_sound": all(line.verdict is not Health.WRONG for line in found),
        "checks": [
            {
                "subject": line.subject,
                "verdict": line.verdict,
                "text": line.text,
                "remedy": line.remedy,
            }
            for line in found
        ],
    }


def rebuilt_page(done: Rebuilt) -> str:
    """What the new ledger holds, and what is gone with the old one."""
    lines = [f"old       kept as {done.aside}"] if done.aside else []
    lines += [
        f"new       {done.windows:,} windows of {done.models} models, by the warehouse's markers",
        "lost      runs, evidence, accepted changes, pauses: only the old ledger has them",
        "next      runner plan",
    ]
    return "\n".join(lines)


def rebuilt_record(done: Rebuilt) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "aside": str(done.aside) if done.aside else None,
        "windows": done.windows,
        "models": done.models,
        "highest_fence": done.highest_fence,
    }
