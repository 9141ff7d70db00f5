"""The orders in which windows are replayed, each as a list of builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from runner.core.proofs import Property
from runner.core.spans import Span
from runner.core.windows import Window


class Origin(StrEnum):
    """What a scenario starts from."""

    BASE = "base"  # nothing of the models is there
    REFERENCE = "reference"  # every window has been run once, in order


@dataclass(frozen=True)
class Step:
    """One build of a range of windows."""

    span: Span
    nodes: tuple[str, ...]  # names
    killed_after: int | None = None  # so many models are published; None: not at all
    is_reordered_after: bool = False  # the rows of its nodes are then stored in another order


@dataclass(frozen=True)
class Scenario:
    """A replay, after which the models must hold what they hold after one run in order."""

    property: Property
    replayed: str  # in words: "run …"
    origin: Origin
    steps: tuple[Step, ...]
    aside: Window | None = None  # whose own rows are not compared
    is_reordered: bool = False  # everything that is read lies on the disk in another order


def in_order(windows: Sequence[Window], nodes: tuple[str, ...]) -> tuple[Step, ...]:
    """Every window once, oldest first."""
    return tuple(Step(window.span, nodes) for window in windows)


def scenarios(
    windows: Sequence[Window],
    levels: Sequence[tuple[str, ...]],
    target_count: int,
    seed: int,
) -> Iterator[Scenario]:
    """Every replay that says something about so many windows.

    ``levels`` are the names of what is built, those that read others of them in a later level;
    ``target_count`` of them are judged.
    """
    nodes = tuple(name for level in levels for name in level)
    once = in_order(windows, nodes)
    yield Scenario(Property.IDEMPOTENT, "run a second time", Origin.REFERENCE, once)
    if len(windows) > 1:
        yield Scenario(Property.COMMUTES, "run in reverse order", Origin.BASE, once[::-1])
        whole = Span(windows[0].start, windows[-1].end)
        chunk = (Step(whole, nodes),)
        yield Scenario(Property.ADDITIVE, "run as one chunk", Origin.BASE, chunk)
        middle = (len(windows) - 1) // 2
        yield Scenario(
            property=Property.ISOLATED,
            replayed=f"run of {windows[middle].label} alone",
            origin=Origin.REFERENCE,
            steps=(once[middle],),
            aside=windows[middle],
        )
    if len(windows) > 2:
        order = _shuffled(len(windows), seed)
        labels = ", ".join(windows[index].label for index in order)
        steps = tuple(once[index] for index in order)
        yield Scenario(Property.COMMUTES, f"run in the order {labels}", Origin.BASE, steps)
    crashing = tuple(_crashing(once, target_count))
    yield Scenario(Property.CRASH_SAFE, "killed half-way and run again", Origin.BASE, crashing)
    yield _reordered(once, levels)


def _reordered(once: Sequence[Step], levels: Sequence[tuple[str, ...]]) -> Scenario:
    """What is read lies on the disk in another order, also what is read of other models."""
    return Scenario(
        property=Property.DETERMINISTIC,
        replayed="run from the same rows, stored in another order",
        origin=Origin.BASE,
        steps=tuple(
            Step(step.span, level, is_reordered_after=True) for step in once for level in levels
        ),
        is_reordered=True,
    )


def _shuffled(count: int, seed: int) -> list[int]:
    """An order of ``count`` > 2 windows that is neither the natural one nor its reverse.

    >>> [_shuffled(3, seed) for seed in (0, 1)]
    [[0, 2, 1], [1, 2, 0]]
    """
    order = list(range(count))
    random = Random(seed)  # noqa: S311 - chance that can be repeated
    while order in (sorted(order), sorted(order, reverse=True)):
        random.shuffle(order)
    return order


def _crashing(once: Sequence[Step], target_count: int) -> Iterator[Step]:
    """Kill the first window when its first model is published, the second after its last one."""
    for index, step in enumerate(once):
        if index == 0:
            yield Step(step.span, step.nodes, killed_after=1)
        if index == min(1, len(once) - 1):
            yield Step(step.span, step.nodes, killed_after=target_count)
        yield step
