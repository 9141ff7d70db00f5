"""What has changed of a model's code, as a unified diff."""

from __future__ import annotations

from runner.project.code_changes import CodeDifference
from runner.render.words import minute


def code_page(found: CodeDifference) -> str:
    """Show the difference, or say that there is none."""
    if found.since is None:
        head = [f"{found.model}: nothing is known of an earlier code; it is kept with the next run"]
    elif not found.lines:
        head = [f"{found.model}: its code is what it was in its last run"]
    else:
        head = [f"{found.model}: what has changed since {minute(found.since)} UTC", *found.lines]
    return "\n".join([*head, *found.notes])


def code_record(found: CodeDifference) -> dict[str, object]:
    """Return the difference for JSON: lines of a unified diff, none if nothing has changed."""
    return {
        "model": found.model,
        "since": found.since,
        "lines": list(found.lines),
        "notes": list(found.notes),
    }
