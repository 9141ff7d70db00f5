"""Choose the windows to replay, and the orders to replay them in, each as a list of builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain
from random import Random

from runner.core.errors import UsageError
from runner.core.proofs import Property
from runner.core.spans import Span
from runner.core.windows import Window
from runner.project.pipelines import Pipeline
from runner.proving.scratch import Copy

_LOOKED_AT = 1000  # windows: what is older proves nothing that these do not


class Order(StrEnum):
    """An order in which the same rows are stored anew."""

    SHUFFLED = "shuffled"
    REVERSED = "reversed"  # two that are equal for an order by change places for sure


@dataclass(frozen=True)
class Step:
    """One build of a range of windows."""

    span: Span
    nodes: tuple[str, ...]  # names
    killed_after: int | None = None  # so many models are published; None: not at all
    order_after: Order | None = None  # the rows of its nodes are then stored in it


@dataclass(frozen=True)
class Scenario:
    """A replay, after which the models must hold what they hold after one run in order."""

    property: Property
    replayed: str  # in words: "run …"
    origin: Copy
    steps: tuple[Step, ...]
    aside: Window | None = None  # whose own rows are not compared
    order: Order | None = None  # everything that is read lies on the disk in it


def select_windows(
    pipeline: Pipeline, now: datetime, starts: frozenset[datetime], count: int, seed: int | None
) -> tuple[Window, ...]:
    """Choose ``count`` consecutive complete windows, the newest with rows or some by chance.

    ``starts`` are the UTC starts of the windows that the warehouse says have rows; while it says
    nothing, any may. Raises :class:`UsageError` if no window is complete.
    """
    complete = pipeline.complete(now)
    if complete is None:
        raise UsageError(
            f"{pipeline.name} has no complete window at {now.isoformat()}, so there is nothing to "
            "replay: wait for its first, or look from later with --as-of"
        )
    windows = list(pipeline.calendar.windows(complete))[-_LOOKED_AT:]
    runs: list[list[Window]] = []  # without a gap
    for window in [window for window in windows if window.start in starts] or windows:
        if runs and runs[-1][-1].end == window.start:
            runs[-1].append(window)
        else:
            runs.append([window])
    ranges = [tuple(run[at : at + count]) for run in runs for at in range(len(run) - count + 1)]
    if not ranges:
        return tuple(runs[-1])
    return ranges[-1] if seed is None else Random(seed).choice(ranges)  # noqa: S311


def in_order(windows: Sequence[Window], nodes: tuple[str, ...]) -> tuple[Step, ...]:
    """Build every window once, oldest first."""
    return tuple(Step(window.span, nodes) for window in windows)


def scenarios(
    windows: Sequence[Window], levels: Sequence[tuple[str, ...]], target_count: int, seed: int
) -> Iterator[Scenario]:
    """Yield every replay that says something about so many windows.

    ``levels`` are the names of what is built, those that read others of them in a later level;
    ``target_count`` of them are judged.
    """
    nodes = tuple(chain.from_iterable(levels))
    once = in_order(windows, nodes)
    yield Scenario(Property.IDEMPOTENT, "run a second time", Copy.REFERENCE, once)
    if len(windows) > 1:
        yield Scenario(Property.COMMUTES, "run in reverse order", Copy.BASE, once[::-1])
        chunk = (Step(Span(windows[0].start, windows[-1].end), nodes),)
        yield Scenario(Property.ADDITIVE, "run as one chunk", Copy.BASE, chunk)
        middle = (len(windows) - 1) // 2
        alone, aside = f"run of {windows[middle].label} alone", windows[middle]
        yield Scenario(Property.ISOLATED, alone, Copy.REFERENCE, (once[middle],), aside)
    if len(windows) > 2:
        shuffled = _shuffled(len(windows), seed)
        labels = ", ".join(windows[index].label for index in shuffled)
        steps = tuple(once[index] for index in shuffled)
        yield Scenario(Property.COMMUTES, f"run in the order {labels}", Copy.BASE, steps)
    crashing = tuple(_crashing(once, target_count))
    yield Scenario(Property.CRASH_SAFE, "killed half-way and run again", Copy.BASE, crashing)
    for order, how in ((Order.SHUFFLED, "in another order"), (Order.REVERSED, "in reverse")):
        stored = (Step(s.span, level, order_after=order) for s in once for level in levels)
        replayed = f"run from the same rows, stored {how}"
        origin, tested = Copy.BASE, Property.DETERMINISTIC
        yield Scenario(tested, replayed, origin, tuple(stored), order=order)


def _shuffled(count: int, seed: int) -> list[int]:
    """Draw an order of ``count`` > 2 windows that is neither the natural one nor its reverse.

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
