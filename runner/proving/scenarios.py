"""Choose the windows to replay, and the orders to replay them in, each as a list of builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from random import Random

from runner.core.errors import UsageError
from runner.core.proofs import Property
from runner.core.spans import Span
from runner.core.windows import Window
from runner.project.pipelines import Pipeline
from runner.proving.scratch import Copy

_LOOKED_AT = 1000  # windows: what is older proves nothing that these do not


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
    origin: Copy
    steps: tuple[Step, ...]
    aside: Window | None = None  # whose own rows are not compared
    is_reordered: bool = False  # everything that is read lies on the disk in another order


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
    windows = list(_newest_first(pipeline, complete))[::-1]
    with_rows = [window for window in windows if window.start in starts] or windows
    ranges = list(_consecutive(with_rows, count))
    if not ranges:
        return _up_to(with_rows[-1], with_rows)
    return ranges[-1] if seed is None else Random(seed).choice(ranges)  # noqa: S311


def _newest_first(pipeline: Pipeline, complete: Span) -> Iterator[Window]:
    window = pipeline.calendar.window_at(complete.end)
    for _ in range(_LOOKED_AT):
        if window.start <= complete.start:
            return
        window = pipeline.calendar.preceding(window)
        yield window


def _consecutive(windows: Sequence[Window], count: int) -> Iterator[tuple[Window, ...]]:
    """Yield every run of ``count`` windows without a gap, oldest first."""
    for index in range(len(windows) - count + 1):
        found = tuple(windows[index : index + count])
        if all(a.end == b.start for a, b in pairwise(found)):
            yield found


def _up_to(newest: Window, windows: Sequence[Window]) -> tuple[Window, ...]:
    """Return the windows without a gap before ``newest``, and itself."""
    found = [newest]
    for window in reversed(windows):
        if window.end == found[0].start:
            found.insert(0, window)
    return tuple(found)


def in_order(windows: Sequence[Window], nodes: tuple[str, ...]) -> tuple[Step, ...]:
    """Build every window once, oldest first."""
    return tuple(Step(window.span, nodes) for window in windows)


def scenarios(
    windows: Sequence[Window],
    levels: Sequence[tuple[str, ...]],
    target_count: int,
    seed: int,
) -> Iterator[Scenario]:
    """Yield every replay that says something about so many windows.

    ``levels`` are the names of what is built, those that read others of them in a later level;
    ``target_count`` of them are judged.
    """
    nodes = tuple(name for level in levels for name in level)
    once = in_order(windows, nodes)
    yield Scenario(Property.IDEMPOTENT, "run a second time", Copy.REFERENCE, once)
    if len(windows) > 1:
        yield Scenario(Property.COMMUTES, "run in reverse order", Copy.BASE, once[::-1])
        whole = Span(windows[0].start, windows[-1].end)
        chunk = (Step(whole, nodes),)
        yield Scenario(Property.ADDITIVE, "run as one chunk", Copy.BASE, chunk)
        middle = (len(windows) - 1) // 2
        yield Scenario(
            property=Property.ISOLATED,
            replayed=f"run of {windows[middle].label} alone",
            origin=Copy.REFERENCE,
            steps=(once[middle],),
            aside=windows[middle],
        )
    if len(windows) > 2:
        order = _shuffled(len(windows), seed)
        labels = ", ".join(windows[index].label for index in order)
        steps = tuple(once[index] for index in order)
        yield Scenario(Property.COMMUTES, f"run in the order {labels}", Copy.BASE, steps)
    crashing = tuple(_crashing(once, target_count))
    yield Scenario(Property.CRASH_SAFE, "killed half-way and run again", Copy.BASE, crashing)
    yield _reordered(once, levels)


def _reordered(once: Sequence[Step], levels: Sequence[tuple[str, ...]]) -> Scenario:
    """Store what is read in another order on the disk, also what is read of other models."""
    return Scenario(
        property=Property.DETERMINISTIC,
        replayed="run from the same rows, stored in another order",
        origin=Copy.BASE,
        steps=tuple(
            Step(step.span, level, is_reordered_after=True) for step in once for level in levels
        ),
        is_reordered=True,
    )


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
