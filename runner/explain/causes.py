"""The lineage of a model's window as values, and the first causes if it is not right.

A :class:`LineageNode` is one node of the graph with what is known of it for that window. Its parts
are the windows inside: many where a month is made from days. A *first cause* is a node that is not
right and that nothing above it explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cached_property

from runner.core.graph import walk
from runner.core.spans import Span
from runner.core.states import Verdict
from runner.core.status import WORST_FIRST, WindowStatus

_RIGHT = (WindowStatus.SUCCESS, WindowStatus.UNCHECKED)


class Blame(IntEnum):
    """The degree of what is wrong with a node; the higher, the more of its readers it explains."""

    NONE = 0
    OUT_OF_DATE = 1  # its rows are right, but for other code or other inputs than today's
    WRONG = 2  # there are no rows, or none to rely on


@dataclass(frozen=True)
class WindowRange:
    """Contiguous windows of a node of which the same is known."""

    span: Span
    label: str  # its window, or the first and the last
    status: WindowStatus
    why: str | None = None
    rows: int | None = None  # that are there now; None: none, or nobody has counted them
    at: datetime | None = None  # UTC; when it was last worked on
    pipeline: str | None = None  # whose run that was
    run_id: str | None = None
    kept_from: str | None = None  # the run whose rows are there, if the last has published none
    code_hash: str | None = None  # of the code that ran
    is_older_code: bool = False  # than today's, and not accepted as equal to it


@dataclass(frozen=True)
class LineageNode:
    """One node of a lineage."""

    unique_id: str
    name: str
    kind: str  # by day, view, table, seed, snapshot, source
    parents: tuple[str, ...]  # unique ids of other nodes
    is_windowed: bool
    pipeline: str | None = None  # that builds it; None: none does
    parts: tuple[WindowRange, ...] = ()
    remark: str | None = None  # what it is instead of a status: landed, …
    location: str | None = None  # of a source: its files
    is_absent: bool = False  # of a source: nothing has landed for this window
    # Of a model: a file that it was made from is another now, and not whole; in words.
    cut_off: str | None = None

    @property
    def status(self) -> WindowStatus | None:
        """The worst of its parts; None for what has no status."""
        found = {part.status for part in self.parts}
        return next((status for status in WORST_FIRST if status in found), None)

    @property
    def state(self) -> str:
        """Its status, or what is to be said instead."""
        return str(self.status or self.remark or "not known")

    @property
    def verdict(self) -> Verdict:
        """The verdict on it: did it run, and is it correct."""
        return self.status.verdict if self.status else Verdict(ran=None, correct=None)

    @property
    def blame(self) -> Blame:
        """The degree of what is wrong with it."""
        if self.is_absent:
            return Blame.WRONG
        if self.status is None or self.status in _RIGHT:
            return Blame.NONE
        return Blame.OUT_OF_DATE if self.status is WindowStatus.STALE else Blame.WRONG

    @property
    def wrong_parts(self) -> tuple[WindowRange, ...]:
        """The parts that are not right."""
        return tuple(part for part in self.parts if part.status not in _RIGHT)


@dataclass(frozen=True)
class Lineage:
    """Everything that a window is made from; parents come before their readers."""

    nodes: Sequence[LineageNode]

    @cached_property
    def by_id(self) -> Mapping[str, LineageNode]:
        """The nodes by unique id."""
        return {node.unique_id: node for node in self.nodes}

    @cached_property
    def causes(self) -> tuple[LineageNode, ...]:
        """The nodes that are not right and that nothing above them explains, parents first.

        A source without files is one only if something that reads it is not right: a closed day
        lands nothing either.
        """
        wrong = [node for node in self.nodes if node.blame is Blame.WRONG]
        harmful = [parent for node in wrong for parent in self._wrong_above(node)]
        found = [node for node in self.nodes if node.blame and not self._is_explained(node)]
        return tuple(node for node in found if not node.is_absent or node in harmful)

    def _is_explained(self, node: LineageNode) -> bool:
        return any(
            parent.blame >= node.blame and (node.blame is Blame.WRONG or not parent.is_absent)
            for parent in self._wrong_above(node)
        )

    def _wrong_above(self, node: LineageNode) -> list[LineageNode]:
        """Return the nearest nodes above that are not right, through what has no windows."""

        def onward(unique_id: str) -> tuple[str, ...]:
            found = self.by_id.get(unique_id)
            return () if found is None or found.blame or found.is_windowed else found.parents

        above = [self.by_id[i] for i in walk(node.parents, onward) if i in self.by_id]
        return [found for found in above if found.blame]
