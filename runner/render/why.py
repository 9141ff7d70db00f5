"""The debugging map of a window: every node that it is made from, and the first cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.core.status import PLAIN, WindowStatus
from runner.explain.causes import LineageNode, WindowRange
from runner.explain.repair import Why, first_step
from runner.render.columns import Column, Table, table, verdict_columns
from runner.render.words import yes_no

_WITH_EVIDENCE = (WindowStatus.INCORRECT, WindowStatus.FAILED, WindowStatus.BLOCKED)
_HASH = 7  # characters that tell two codes apart


def _code(part: WindowRange) -> str:
    if part.code_hash is None:
        return ""
    code = part.code_hash.removeprefix(PLAIN)[:_HASH]
    return f"{code} (older code)" if part.is_older_code else code


_PARTS = Table(
    Column("windows", "label", "window"),
    Column("start", "span.start"),
    Column("end", "span.end"),
    Column("status", heading="is"),
    *verdict_columns("status.verdict"),
    Column("why"),
    Column("rows", heading="rows"),
    Column("at", heading="when (UTC)"),
    Column("pipeline"),
    Column("run_id", heading="run"),
    Column("rows_kept_from", "kept_from"),
    Column("code_hash"),
    Column("is_older_code"),
    Column(None, _code, "code"),
)
_NODE = Table(
    Column("unique_id"),
    Column("name", heading="node"),
    Column("kind", heading="kind"),
    Column("pipeline"),
    Column("reads", "parents"),
    Column("state"),
    *verdict_columns("verdict"),
    Column("location"),
    Column("cut_off"),
    headings="node, kind",
)
_TARGET = Table(Column("state"), *verdict_columns("verdict"))


def why_page(why: Why) -> str:
    """Show the map to a person: the table, the first causes, and what to type."""
    causes = why.found.causes
    rows = [row for node in why.found.nodes for row in _rows(node, node in causes, why)]
    headings = ["", *_NODE.headings, *_PARTS.headings, "reads"]
    blocks = [_headline(why), table(headings, rows)]
    if causes:
        lines = [line for cause in causes for line in _in_words("first cause", cause)]
        others = [node for node in why.found.nodes if node.wrong_parts and node not in causes]
        lines += [line for node in others for line in _in_words("after it", node)]
        blocks.append("\n".join(lines))
    if newer := _newer_files(why):
        blocks.append("\n".join(f"newer file: {node.name}: {node.cut_off}" for node in newer))
    blocks.append("\n".join(_next(why)))
    return "\n\n".join(blocks)


def why_record(why: Why) -> dict[str, Any]:
    """Return the same for JSON."""
    causes = why.found.causes
    return {
        "model": why.target.name,
        "window": why.window.label,
        "window_start": why.window.start,
        "window_end": why.window.end,
        **_TARGET.record(why.target),
        "first_causes": [cause.unique_id for cause in causes],
        "nodes": [
            {
                **_NODE.record(node),
                "is_first_cause": node in causes,
                "windows": _PARTS.records(node.parts),
            }
            for node in why.found.nodes
        ],
        "next": list(why.commands),
    }


def _headline(why: Why) -> str:
    verdict = why.target.verdict
    answers = f"ran: {yes_no(verdict.ran)}, correct: {yes_no(verdict.correct)}"
    return f"{why.target.name} {why.window.label}: {why.target.state} ({answers})"


def _rows(node: LineageNode, is_cause: bool, why: Why) -> Iterator[list[str]]:
    mark = ">" if is_cause else ""
    reads = ", ".join(sorted(why.found.by_id[parent].name for parent in node.parents))
    if not node.parts:
        yield [mark, *_NODE.cells(node), "", node.state, "-", "-", *[""] * 4, reads]
    for part in node.parts:
        yield [mark, *_NODE.cells(node), *_PARTS.cells(part), reads]
        mark = mark and "'"


def _in_words(word: str, node: LineageNode) -> Iterator[str]:
    """Say what is wrong with a node, and where the evidence is."""
    if not node.parts:
        files = f" of {node.location}" if node.location else ""
        yield f"{word}: {node.name}: {node.state}{files} for this window"
    for part in node.wrong_parts:
        dates = f" {part.label}" if part.label else ""
        reason = f": {part.why}" if part.why else ""
        yield f"{word}: {node.name}{dates} is {part.status}{reason}"
        if part.kept_from is not None:
            yield f"  its {part.rows or 0:,} rows are still those of {part.kept_from}"
        if part.run_id is not None and part.status in _WITH_EVIDENCE:
            yield f"  evidence: runner show-run {part.pipeline} {part.run_id}"


def _newer_files(why: Why) -> list[LineageNode]:
    return [node for node in why.found.nodes if node.cut_off is not None]


def _next(why: Why) -> Iterator[str]:
    causes = why.found.causes
    plainly = [p for p in why.target.parts if p.status is WindowStatus.UNCHECKED and p.why]
    if not causes and (newer := _newer_files(why)):
        yield f"next: land the file again; {newer[0].name} was made from the one before it"
        return
    if not causes and plainly:
        yield f"next: nothing is known to be wrong, but {plainly[0].why}"
        yield f"then: {why.rebuild}"
        return
    if not causes and why.target.status is WindowStatus.UNCHECKED:
        yield f"next: nothing is wrong, but nothing proves it right: give {why.target.name} a check"
        return
    if not causes:
        yield "next: nothing, it is right and so is everything that it is made from"
        return
    if not why.commands:
        yield "next: no pipeline builds the first cause: build it with dbt, then look again"
        return
    steps = [step for cause in causes if (step := first_step(cause))]
    for number, step in enumerate((*steps, *why.commands)):
        yield f"{'next: ' if number == 0 else 'then: '}{step}"
