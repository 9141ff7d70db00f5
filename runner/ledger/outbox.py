"""Keep what people have been told, and the messages that have yet to reach them.

A message is written in the transaction that remembers what it tells, so that a crash neither
loses nor doubles it. It is marked after it was sent: only a crash in between sends it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from runner.core.incidents import Incident, IncidentChange, IncidentKind, compared
from runner.core.messages import Message
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.ledger import owners
from runner.ledger.connection import Connection, Row
from runner.ledger.database import Database
from runner.ledger.records import columns_of, record_of, span_of

SENDING_SECONDS = 180  # longer than a channel may take

Compose = Callable[[Sequence[IncidentChange], Timeline[IncidentKind]], Iterable[Message]]


@dataclass(frozen=True)
class UnsentMessage:
    """A message that has yet to reach somebody."""

    key: int  # the ledger's own key; smaller ones are older
    pipeline: str
    message: Message
    created_at: datetime  # UTC
    attempts: int  # that have failed
    not_before: datetime | None  # UTC; when it is tried again
    last_error: str | None  # in our own words


@dataclass
class Outbox:
    """The incidents that people have been told of, and the messages to be sent."""

    database: Database

    def get_announced(self, pipeline: str) -> Timeline[IncidentKind]:
        """Return what people have been told of a pipeline and not yet been told to be over."""
        with self.database.transaction(reads_only=True) as connection:
            return _announced(connection, pipeline)

    def announce(
        self,
        pipeline: str,
        current: Timeline[Incident],
        undecided: Spans,
        compose: Compose,
        now: datetime,
    ) -> tuple[Message, ...]:
        """Put what is new about a pipeline into the outbox, once; returns the messages.

        ``current`` is all of its trouble; of ``undecided`` windows what was told stands.
        ``compose`` makes messages of what is new and of everything that is in trouble then.
        """
        changes, _ = compared(self.get_announced(pipeline), current, undecided)
        if not changes:
            return ()  # as nearly always: nobody is kept from writing
        with self.database.transaction() as connection:
            before = _announced(connection, pipeline)  # another process may have told it meanwhile
            changes, told = compared(before, current, undecided)
            if not changes:
                return ()
            messages = tuple(compose(changes, told))
            mine = {"pipeline": pipeline}
            rows = [{**mine, **columns_of(span), "kind": kind} for span, kind in told]
            connection.replace("told", rows, **mine)
            new = {**mine, "created_at": now, "attempts": 0}
            connection.insert("outbox", [{**new, **asdict(message)} for message in messages])
            return messages

    def get_unsent(self) -> tuple[UnsentMessage, ...]:
        """Return the messages that have yet to be sent, the oldest first."""
        query = "select * from outbox where sent_at is null order by id"
        return tuple(self.database.select(UnsentMessage, query))

    def take(self, pipeline: str, now: datetime, longest_wait: timedelta) -> UnsentMessage | None:
        """Take the oldest unsent message of a pipeline, to send it; None if it has to wait.

        None also while another process sends it: the messages of a pipeline stay in order.
        One that waits for longer than ``longest_wait`` was put off by a clock that was wrong.
        """
        oldest = """
            select
                *,
                lease_until < ledger_now(:no_time) as is_expired,
                lease_until > ledger_now(:too_long) as is_impossible
            from outbox
            where pipeline = :pipeline and sent_at is null
            order by id
            limit 1
        """
        taken = """
            update outbox set owner = :owner, lease_until = ledger_now(:seconds) where id = :key
        """
        with self.database.transaction() as connection:
            row = connection.row(oldest, pipeline=pipeline, no_time=0, too_long=2 * SENDING_SECONDS)
            if row is None or _is_held(row):
                return None
            found = record_of(UnsentMessage, row)
            if found.not_before is not None and now < found.not_before <= now + longest_wait:
                return None
            me = owners.this_process()
            connection.change(taken, key=found.key, owner=me, seconds=SENDING_SECONDS)
            return found

    def mark_sent(self, key: int, now: datetime) -> None:
        """Mark a message as sent."""
        sent = """
            update outbox
            set sent_at = :now, last_error = null, owner = null, lease_until = null
            where id = :key and sent_at is null
        """
        self.database.change(sent, key=key, now=now)

    def mark_failed(self, key: int, attempts: int, not_before: datetime, error: str) -> None:
        """Put back a message that this process could not send; ``error`` in our own words."""
        failed = """
            update outbox
            set attempts = :attempts,
                not_before = :not_before,
                last_error = :error,
                owner = null,
                lease_until = null
            where id = :key and sent_at is null and owner = :owner
        """
        said = {"attempts": attempts, "not_before": not_before, "error": error}
        self.database.change(failed, key=key, owner=owners.this_process(), **said)


def _is_held(row: Row) -> bool:
    """Return whether a living process is sending it."""
    if row["owner"] is None or row["is_expired"] or owners.is_dead(row["owner"]):
        return False
    # A lease that ends so late was given before the clock was set back.
    return not row["is_impossible"]


def _announced(connection: Connection, pipeline: str) -> Timeline[IncidentKind]:
    rows = connection.rows("select * from told where pipeline = :pipeline", pipeline=pipeline)
    return Timeline((span_of(row), IncidentKind(row["kind"])) for row in rows)
