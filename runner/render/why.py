"""The debugging map of a window: every node that it is made from, and the first cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.core.status import WindowStatus
from runner.core.windows import Window
from runner.explain.causes import Lineage, LineageNode, WindowRange
from runner.render.repairs import first_step
from runner.render.words import minute, table, verdict_in_words, yes_no

_WITH_EVIDENCE = (WindowStatus.INCORRECT, WindowStatus.FAILED, WindowStatus.BLOCKED)
_HEADINGS = "node, kind, window, is, ran, correct, rows, when (UTC), run, code, reads"
_HASH = 7  # characters that tell two codes apart


@dataclass(frozen=True)
class Why:
    """One model's window, and what is known of everything it is made from."""

    target: LineageNode
    window: Window
    found: Lineage
    commands: Sequence[str]  # that repair it


def why_page(why: Why) -> str:
    """The map for a person: the table, the first causes, and what to type."""
    causes = why.found.causes
    rows = [row for stop in why.found.nodes for row in _rows(stop, stop in causes, why)]
    headings = _HEADINGS.split(", ")
    blocks = [_headline(why), table(("", *headings), rows)]
    if causes:
        lines = [line for cause in causes for line in _in_words("first cause", cause)]
        others = [stop for stop in why.found.nodes if stop.wrong_parts and stop not in causes]
        lines += [line for stop in others for line in _in_words("after it", stop)]
        blocks.append("\n".join(lines))
    blocks.append("\n".join(_next(why)))
    return "\n\n".join(blocks)


def why_record(why: Why) -> dict[str, Any]:
    """The same for JSON."""
    causes = why.found.causes
    return {
        "model": why.target.name,
        "window": why.window.label,
        "window_start": why.window.start,
        "window_end": why.window.end,
        "state": why.target.state,
        "ran": why.target.verdict.ran,
        "correct": why.target.verdict.correct,
        "first_causes": [cause.unique_id for cause in causes],
        "nodes": [_node_record(stop, stop in causes) for stop in why.found.nodes],
        "next": list(why.commands),
    }


def _headline(why: Why) -> str:
    verdict = why.target.verdict
    answers = f"ran: {yes_no(verdict.ran)}, correct: {yes_no(verdict.correct)}"
    return f"{why.target.name} {why.window.label}: {why.target.state} ({answers})"


def _rows(stop: LineageNode, is_cause: bool, why: Why) -> Iterator[tuple[str, ...]]:
    mark = ">" if is_cause else ""
    names = (why.found.by_id[parent].name for parent in stop.parents)
    reads = ", ".join(sorted(names))
    if not stop.parts:
        empty = ("",) * 4
        yield (mark, stop.name, stop.kind, "", stop.state, "-", "-", *empty, reads)
    for part in stop.parts:
        yield (
            mark,
            stop.name,
            stop.kind,
            part.label,
            str(part.status),
            *verdict_in_words(part.status.verdict),
            "" if part.rows is None else f"{part.rows:,}",
            minute(part.at) if part.at else "",
            part.run_id or "",
            _code(part),
            reads,
        )
        mark = mark and "'"


def _code(part: WindowRange) -> str:
    if part.code_hash is None:
        return ""
    return part.code_hash[:_HASH] + (" (older code)" if part.is_older_code else "")


def _in_words(word: str, stop: LineageNode) -> Iterator[str]:
    """What is wrong with a stop, and where the evidence is."""
    if not stop.parts:
        files = f" of {stop.location}" if stop.location else ""
        yield f"{word}: {stop.name}: {stop.state}{files} for this window"
    for part in stop.wrong_parts:
        dates = f" {part.label}" if part.label else ""
        reason = f": {part.why}" if part.why else ""
        yield f"{word}: {stop.name}{dates} is {part.status}{reason}"
        if part.kept_from is not None:
            yield f"  its {part.rows or 0:,} rows are still those of {part.kept_from}"
        if part.run_id is not None and part.status in _WITH_EVIDENCE:
            yield f"  evidence: runner show-run {part.pipeline} {part.run_id}"


def _next(why: Why) -> Iterator[str]:
    causes = why.found.causes
    if not causes and why.target.status is WindowStatus.UNCHECKED:
        yield f"next: nothing is wrong, but nothing proves it right: give {why.target.name} a check"
        return
    if not causes:
        yield "next: nothing, it is right and so is everything that it is made from"
        return
    steps = [step for cause in causes if (step := first_step(cause))]
    steps += why.commands
    if not why.commands:
        yield "next: no pipeline builds the first cause: build it with dbt, then look again"
        return
    for number, step in enumerate(steps):
        yield f"{'next: ' if number == 0 else 'then: '}{step}"


def _node_record(stop: LineageNode, is_cause: bool) -> dict[str, Any]:
    return {
        "unique_id": stop.unique_id,
        "name": stop.name,
        "kind": stop.kind,
        "pipeline": stop.pipeline,
        "reads": list(stop.parents),
        "state": stop.state,
        "ran": stop.verdict.ran,
        "correct": stop.verdict.correct,
        "location": stop.location,
        "is_first_cause": is_cause,
        "windows": [_part_record(part) for part in stop.parts],
    }


def _part_record(part: WindowRange) -> dict[str, Any]:
    return {
        "windows": part.label,
        "start": part.span.start,
        "end": part.span.end,
        "status": part.status,
        "ran": part.status.verdict.ran,
        "correct": part.status.verdict.correct,
        "why": part.why,
        "rows": part.rows,
        "at": part.at,
        "pipeline": part.pipeline,
        "run_id": part.run_id,
        "rows_kept_from": part.kept_from,
        "code_hash": part.code_hash,
        "is_older_code": part.is_older_code,
    }
