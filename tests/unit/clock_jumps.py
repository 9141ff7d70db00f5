"""Two runners and a system clock that jumps. Run under libfaketime: the clock is a file.

``python -m tests.unit.clock_jumps LOCATION CLOCK_FILE SECONDS…`` prints a line of JSON for every
jump: what became of windows that one runner held when another came for them after the jump.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from runner.core.errors import FencedOffError
from runner.core.spans import Span
from runner.core.states import RunKind, RunState
from runner.core.windows import Window
from runner.ledger import Ledger
from tests.unit.ledger_fixtures import FORK, NOTHING, WEEK, Location, acting, ended, opened, span


@dataclass
class Facts:
    """What became of the windows of one holder."""

    taken: int  # windows that the rival got
    holder_recorded: bool | None  # None: it did not try
    successes: list[str]  # label of every run that was recorded as success
    fences: list[int]  # in the order of the claims
    shift: float  # seconds that the jump moved the clock of the process


def claimed(ledger: Ledger, pipeline: str, windows: list[Window]) -> int:
    ledger.leases.queue(pipeline, RunKind.SCHEDULED, windows, datetime.now(UTC))
    return ledger.leases.claim(pipeline, span(windows), datetime.now(UTC))


def recorded(ledger: Ledger, pipeline: str, fence: int, windows: list[Window]) -> bool:
    try:
        ledger.results.record(pipeline, fence, ended(windows), NOTHING, datetime.now(UTC))
    except FencedOffError:
        return False
    return True


def hold(location: Location, pipeline: str, commands: Connection) -> None:
    with opened(location) as ledger:
        fence = claimed(ledger, pipeline, WEEK)
        commands.send(fence)
        while True:
            if commands.recv() == "beat":
                ledger.leases.renew(pipeline)
                commands.send(True)
            else:
                commands.send(recorded(ledger, pipeline, fence, WEEK))


@contextmanager
def holder(location: Location, pipeline: str) -> Iterator[tuple[int, Connection]]:
    """Another process that holds the week: its fence, and where it takes commands."""
    mine, its = FORK.Pipe()
    process = FORK.Process(target=hold, args=(location, pipeline, its))
    process.start()
    its.close()
    try:
        yield mine.recv(), mine
    finally:
        process.kill()
        process.join()


class Play:
    """One jump, met by holders in different states."""

    def __init__(self, location: Location, clock: Path, seconds: int) -> None:
        self.location = location
        self.clock = clock
        self.seconds = seconds

    def rival(self, pipeline: str, first_fence: int) -> Facts:
        """Come for the windows as the next command would, and do what it may."""
        fences = [first_fence]
        with opened(self.location) as ledger:
            ledger.leases.release_abandoned(pipeline, datetime.now(UTC))
            queued = ledger.leases.queue(pipeline, RunKind.SCHEDULED, WEEK, datetime.now(UTC))
            if queued:
                whole = Span(queued[0].window_start, queued[-1].window_end)
                fences.append(ledger.leases.claim(pipeline, whole, datetime.now(UTC)))
                mine = [window for window in WEEK if window.span in [run.span for run in queued]]
                assert recorded(ledger, pipeline, fences[-1], mine)
        return Facts(len(queued), None, [], fences, 0.0)

    def jump(self) -> float:
        before = datetime.now(UTC)
        self.clock.write_text(f"{self.seconds:+d}\n")
        return (datetime.now(UTC) - before).total_seconds()

    def living(self, pipeline: str, *, beats: bool) -> Facts:
        with holder(self.location, pipeline) as (fence, commands):
            shift = self.jump()
            if beats:
                commands.send("beat")
                commands.recv()
            facts = self.rival(pipeline, fence)
            commands.send("record")
            facts.holder_recorded, facts.shift = commands.recv(), shift
        return facts

    def dead(self, pipeline: str) -> Facts:
        with holder(self.location, pipeline) as (fence, _):
            pass
        self.jump()
        return self.rival(pipeline, fence)

    def elsewhere(self, pipeline: str) -> Facts:
        with opened(self.location) as ledger, acting("elsewhere:1:1"):
            fence = claimed(ledger, pipeline, WEEK)
        self.jump()
        return self.rival(pipeline, fence)


def played(play: Play) -> dict[str, Facts]:
    """Meet one jump in every state."""
    scenes = {
        "silent": lambda name: play.living(name, beats=False),
        "beating": lambda name: play.living(name, beats=True),
        "dead": play.dead,
        "elsewhere": play.elsewhere,
    }
    found = {}
    for name, scene in scenes.items():
        play.clock.write_text("+0\n")
        pipeline = f"{name} {play.seconds}"
        found[name] = scene(pipeline)
        with opened(play.location) as ledger:
            runs = ledger.runs.find(pipeline, state=RunState.SUCCESS)
            found[name].successes = [run.label for run in runs]
    return found


def main() -> None:
    place, clock, *jumps = sys.argv[1:]
    location = place if "://" in place else Path(place)
    for seconds in jumps:
        found = played(Play(location, Path(clock), int(seconds)))
        print(json.dumps({name: asdict(facts) for name, facts in found.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
