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
