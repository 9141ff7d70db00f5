"""Kill a backfill at random moments, again and again, and let the next command go on each time.

A seed says which processes are killed, how long after which event, and how large the chunks are.
The moments themselves are as exact as the machine is quiet.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.bakery import WINDOWS, Bakery, kill, until

CHUNKS = (1, 1, 2, 3, 5, 10, 30)
VICTIMS = ("runner", "runner", "child", "child", "server", "all")
_OPEN = ("queued", "running", "retrying")


@dataclass
class Series:
    """What happens to one bakery from its first kill on, until all of it is done."""

    bakery: Bakery
    seed: int
    kills: Counter[str] = field(default_factory=Counter)  # by phase and victim
    commands: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(self, kills: int) -> None:
        """Kill so many times, or until nothing is left to do; a last command ends it."""
        while self.kills.total() < kills and not self._is_done():
            self.commands += 1
            said = self._disturbed_command()
            assert "Traceback" not in said, f"seed {self.seed}: {said}"
        finished = self.bakery.bake("--chunk", "10")
        assert finished.code == 0, f"seed {self.seed}: {finished.out + finished.err}"

    def _disturbed_command(self) -> str:
        """A backfill in which somebody is killed until it ends; returns what it printed."""
        # Until somebody was killed, many small chunks: a large one may be over before.
        size = str(self._random.choice(CHUNKS if self.kills else CHUNKS[:3]))
        order = self._random.choice([(), (), ("--newest-first",)])
        process = self.bakery.start("backfill", "bakery", "--chunk", size, *order)
        try:
            while process.poll() is None:  # what it prints meanwhile fits into the pipe
                self._await_a_moment(process)
                self._strike(process)
        finally:
            process.kill()
        # Its children may still be dying when the next command starts.
        out, err = process.communicate(timeout=300)
        return out + err

    def _await_a_moment(self, process: subprocess.Popen[str]) -> None:
        """Wait for one of the events that matter, and then a little longer."""
        events = self._events()
        name = self._random.choice(tuple(events))
        # A whole backfill may be over in two seconds.
        delay = self._random.choice([0.0, self._random.uniform(0, 0.5)])
        happened = events[name]
        until(lambda: process.poll() is not None or happened(), name)
        time.sleep(delay)

    def _events(self) -> dict[str, Callable[[], object]]:
        bakery, fence, done = self.bakery, self._fence(), self._done()
        return {
            "server": lambda: bakery.pids("server"),
            "queue": lambda: bakery.glimpse("select 1 from runs where state = 'queued' limit 1"),
            "claim": lambda: self._fence() != fence,
            "child": lambda: bakery.pids("child"),
            "transaction": bakery.is_writing,
            "record": lambda: self._done() != done,
        }

    def _strike(self, process: subprocess.Popen[str]) -> None:
        phase = self._phase(process)
        roles = self.bakery.processes()
        living = {*roles.values(), "all"}
        victim = self._random.choice([role for role in VICTIMS if role in living])
        struck = [kill(pid) for pid, role in sorted(roles.items()) if victim in (role, "all")]
        if any(struck):
            self.kills[f"{phase}, {victim}"] += 1

    def _phase(self, process: subprocess.Popen[str]) -> str:
        """Where the backfill is, as far as can be seen from outside."""
        states = dict(self.bakery.glimpse("select state, count(*) from runs group by state"))
        roles = set(self.bakery.processes().values())
        if process.poll() is not None:
            return "after its end"
        if self.bakery.is_writing():
            return "in a transaction"
        if "child" in roles:
            return "in dbt" if "running" in states else "asking the markers"
        if "running" in states:
            return "claiming or recording"
        return "queued" if not states.keys().isdisjoint(_OPEN) else "starting"

    def _fence(self) -> object:
        return self.bakery.glimpse("select highest_fence from ledger_version")

    def _done(self) -> int:
        sql = "select count(distinct label) from runs where state = 'success'"
        return int(dict(enumerate(self.bakery.glimpse(sql))).get(0, (0,))[0])

    def _is_done(self) -> bool:
        return self._done() == WINDOWS
