"""Compare the code that models were published with, and what it is now: whose change it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from runner.core.errors import UsageError, nearest
from runner.ledger import Ledger, ModelCode
from runner.project.manifest import Node, Project

_MOST_NAMES = 3
Texts = Callable[[], Mapping[str, str]]  # of the present code, by digest


@dataclass(frozen=True)
class CodeDifference:
    """What has changed of a model's code since it last ran."""

    model: str
    since: datetime | None  # UTC; when the earlier code was first run; None: none is known
    lines: tuple[str, ...] = ()  # of a unified diff; empty: nothing has changed
    notes: tuple[str, ...] = ()  # which nodes are told by their raw text, and why


def record_codes(
    nodes: Iterable[Node], project: Project, ledger: Ledger, texts: Texts, now: datetime
) -> None:
    """Keep the code of nodes that are about to run, unless it is what they last ran with."""
    known = ledger.codes.get_newest()
    changed = [n for n in nodes if n.own_code and n.code_hash != known.get(n.name)]
    if not changed:
        return
    codes = [ModelCode(n.name, n.code_hash, parts_of(n, project), now) for n in changed]
    present = texts()
    wanted = {digest for code in codes for digest in code.parts.values()}
    ledger.codes.record(codes, {d: present[d] for d in wanted if d in present})


def parts_of(node: Node, project: Project) -> dict[str, str]:
    """Return the digest of each node that a node's code is made of, by unique id."""
    return {found.unique_id: found.own_code for found in project.code_behind(node)}


def changes_in_words(node: Node, project: Project, earlier: ModelCode) -> str:
    """Say whose change it is that a node's code is no longer what it was."""
    changed = _changed(earlier.parts, parts_of(node, project))
    if node.unique_id in changed or not changed:
        return "its code has changed"
    names = [_name(unique_id) for unique_id in changed]
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    if all(unique_id.startswith("seed.") for unique_id in changed):
        return f"the rows of {shown}{more}, which it reads, have changed"
    return f"the code of {shown}{more}, which it reads, has changed"


def code_difference(model: str, project: Project, ledger: Ledger, texts: Texts) -> CodeDifference:
    """Compare a model's code, and what it reads, with what it last ran with.

    Raises :class:`UsageError` for a name that is no model's, seed's or snapshot's.
    """
    nodes = {node.name: node for node in project.nodes.values() if node.own_code}
    if model not in nodes:
        hint = nearest(model, nodes).strip() or "see runner list and runner dag"
        raise UsageError(f"{model} is no model: {hint}")
    from difflib import unified_diff  # planning compares digests alone

    node = nodes[model]
    notes = tuple(
        f"{found.name} is compared by its raw text: {found.why_raw}"
        for found in project.code_behind(node)
        if found.why_raw is not None
    )
    earlier = next(iter(ledger.codes.get_of(model)), None)
    if earlier is None or earlier.code_hash == node.code_hash:
        since = None if earlier is None else earlier.recorded_at
        return CodeDifference(model, since, notes=notes)
    old, new, present = earlier.parts, parts_of(node, project), texts()
    lines: list[str] = []
    for unique_id in _changed(old, new):
        before = ledger.codes.get_text(old[unique_id]) if unique_id in old else ""
        after = present.get(new[unique_id]) if unique_id in new else ""
        name = _name(unique_id)
        if before is None or after is None:
            lines.append(f"--- {name}: its text was not kept")
            continue
        files = f"{name} as it ran", f"{name} now"
        found = unified_diff(before.splitlines(), after.splitlines(), *files, lineterm="")
        lines += found
    return CodeDifference(model, earlier.recorded_at, tuple(lines), notes)


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the unique ids of what is not the same in both, those that are there now first."""
    return [unique_id for unique_id in {**new, **old} if old.get(unique_id) != new.get(unique_id)]


def _name(unique_id: str) -> str:
    return unique_id.split(".", 2)[-1]
