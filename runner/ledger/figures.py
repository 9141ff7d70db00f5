"""What the ledger can count: runs, what they took, when one was last a success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from runner.core.states import State
from runner.ledger.database import Database
from runner.ledger.schema import UNFINISHED, retries, runs


@dataclass(frozen=True)
class Figures:
    """The runs of a pipeline that the ledger remembers, counted."""

    runs: Mapping[State, int]  # every state, also those that none is in
    timed: int  # finished runs of which it is known what they took
    seconds: float  # that those took, all together
    newest_seconds: float | None  # that the one took that finished last; None: none has
    last_success: datetime | None  # UTC; when a run last ended as a success; None: none has
    retries: int  # invocations, ever, that came after a failure that might pass by itself


class Counting(Database):
    """What is counted."""

    def figures(self, pipeline: str) -> Figures:
        """The figures of a pipeline; zeros for one that never ran."""
        mine = runs.c.pipeline == pipeline
        timed = (mine, runs.c.state.not_in(UNFINISHED), runs.c.seconds.is_not(None))
        by_state = select(runs.c.state, func.count()).where(mine).group_by(runs.c.state)
        took = select(func.count(), func.sum(runs.c.seconds)).where(*timed)
        newest = select(runs.c.seconds).where(*timed).order_by(runs.c.finished_at.desc())
        success = select(func.max(runs.c.finished_at)).where(mine, runs.c.state == State.SUCCESS)
        again = select(retries.c.count).where(retries.c.pipeline == pipeline)
        with self._transaction(reads_only=True) as connection:
            counts = {row[0]: row[1] for row in connection.execute(by_state)}
            row = connection.execute(took).one()
            count, seconds = row[0], row[1]
            return Figures(
                runs={state: counts.get(state, 0) for state in State},
                timed=count,
                seconds=seconds or 0.0,
                newest_seconds=connection.execute(newest.limit(1)).scalar(),
                last_success=connection.execute(success).scalar(),
                retries=connection.execute(again).scalar() or 0,
            )

    def retried(self, pipeline: str) -> None:
        """Count that something of a pipeline is tried again."""
        mine = retries.c.pipeline == pipeline
        with self._transaction() as connection:
            counted = update(retries).where(mine).values(count=retries.c.count + 1)
            if not connection.execute(counted).rowcount:
                connection.execute(insert(retries), [{"pipeline": pipeline, "count": 1}])
