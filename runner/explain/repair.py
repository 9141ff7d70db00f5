"""Commands that repair a window, from its first causes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from runner.core.graph import grouped
from runner.core.spans import Span
from runner.core.status import WindowStatus
from runner.core.windows import Window
from runner.explain.causes import Lineage, LineageNode
from runner.explain.lineage import Tracer
from runner.ledger import Pause

_TO_MEND = (WindowStatus.FAILED, WindowStatus.BLOCKED, WindowStatus.INCORRECT)


@dataclass(frozen=True)
class Why:
    """One model's window, and what is known of everything it is made from."""

    target: LineageNode
    window: Window
    found: Lineage
    commands: Sequence[str]  # that repair it
    rebuild: str  # the command that makes it anew, whatever it is


def explain(
    tracer: Tracer, model: str, label: str | None, zone: ZoneInfo, pauses: Mapping[str, Pause]
) -> Why:
    """Trace a model's window, the newest complete one without a label, and how to repair it."""
    node, home = tracer.model(model)
    window = tracer.window(home, label)
    found = tracer.upstream(node, window.span)
    target = found.by_id[node.unique_id]
    commands = repair_commands(found, target, window.span, zone, pauses)
    dates = _dates([], window.span, zone)
    rebuild = f"runner backfill {target.pipeline} --select {target.name} {dates} --reprocess all"
    return Why(target, window, found, commands, rebuild)


def repair_commands(
    found: Lineage, target: LineageNode, window: Span, zone: ZoneInfo, pauses: Mapping[str, Pause]
) -> list[str]:
    """Return the commands that repair a window, in their order; none if nothing is wrong.

    ``pauses`` are those of paused pipelines, ``target`` is the node that was asked about.
    """
    to_run = chain.from_iterable(_to_run(found, cause) for cause in found.causes)
    by_pipeline = grouped((node.pipeline, node) for node in to_run if node.pipeline is not None)
    commands = [f"runner resume {name}" for name in by_pipeline if name in pauses]
    commands += [_command(name, nodes, window, zone) for name, nodes in by_pipeline.items()]
    # What another pipeline builds from it does not run along.
    if target.pipeline is not None and commands and target.pipeline not in by_pipeline:
        if target.pipeline in pauses:
            commands.append(f"runner resume {target.pipeline}")
        dates = _dates([target], window, zone)
        commands.append(f"runner backfill {target.pipeline} {dates} --reprocess stale")
    return commands


def first_step(cause: LineageNode) -> str | None:
    """Say what a person has to do to a cause before a command helps; None if nothing."""
    if cause.is_absent:
        return f"land the files of {cause.name}"
    if cause.status in _TO_MEND:
        return f"mend what {cause.name} says, in its code or in what it reads"
    return None


def _to_run(found: Lineage, node: LineageNode) -> list[LineageNode]:
    """Return what mends a cause: itself, or of a source what reads it and is not right."""
    if node.wrong_parts:
        return [node]
    readers = [reader for reader in found.nodes if node.unique_id in reader.parents]
    reached = [r for r in readers if r.wrong_parts or not r.is_windowed]
    return [one for reader in reached for one in _to_run(found, reader)]


def _command(pipeline: str, nodes: Collection[LineageNode], window: Span, zone: ZoneInfo) -> str:
    statuses = {part.status for node in nodes for part in node.wrong_parts}
    if statuses <= {WindowStatus.IN_FLIGHT}:
        return f"runner list-runs {pipeline}"
    # What has no windows is built in the name of the newest, whichever was asked about.
    dates = f" {_dates(nodes, window, zone)}" if all(node.is_windowed for node in nodes) else ""
    if statuses <= {WindowStatus.PUBLISHED}:
        return f"runner judge {pipeline}{dates}"
    if statuses <= {*_TO_MEND, WindowStatus.PUBLISHED}:
        return f"runner retry {pipeline}{dates}"
    options = " --reprocess stale" if WindowStatus.STALE in statuses else ""
    options += " --force" if WindowStatus.BLOCKED in statuses else ""
    return f"runner backfill {pipeline}{dates}{options}"


def _dates(nodes: Iterable[LineageNode], window: Span, zone: ZoneInfo) -> str:
    """Return the local dates of what is wrong, first and last inclusive, as options."""
    spans = [part.span for node in nodes for part in node.wrong_parts] or [window]
    first = min(span.start for span in spans).astimezone(zone).date()
    last_instant = max(span.end for span in spans) - timedelta(microseconds=1)
    return f"--start-date {first} --end-date {last_instant.astimezone(zone).date()}"
