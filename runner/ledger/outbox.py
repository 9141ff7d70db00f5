"""What people have been told, and the messages that have yet to reach them.

A message is written in the transaction that remembers what it tells, so that a crash neither
loses nor doubles it. It is marked after it was sent: only a crash in between sends it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, Row, delete, insert, select, update

from runner.core.messages import Message, Tone
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.troubles import Comparison, News, Trouble, TroubleKind, compared
from runner.ledger import owners
from runner.ledger.database import Database
from runner.ledger.schema import database_now, outbox, told

SENDING_SECONDS = 180  # longer than a channel may take

Compose = Callable[[Sequence[News], Timeline[TroubleKind]], Iterable[Message]]


@dataclass(frozen=True)
class Unsent:
    """A message that has yet to reach somebody."""

    key: int  # the ledger's own key; smaller ones are older
    pipeline: str
    message: Message
    created_at: datetime  # UTC
    attempts: int  # that have failed
    not_before: datetime | None  # UTC; when it is tried again
    last_error: str | None  # in our own words

    @classmethod
    def from_row(cls, row: Row[Any]) -> Self:
        """The only conversion from a row of ``outbox``."""
        return cls(
            key=row.id,
            pipeline=row.pipeline,
            message=Message(Tone(row.tone), row.title, row.body),
            created_at=row.created_at,
            attempts=row.attempts,
            not_before=row.not_before,
            last_error=row.last_error,
        )


class Outbox(Database):
    """What was told, and what is to be sent."""

    def told(self, pipeline: str) -> Timeline[TroubleKind]:
        """What people have been told of a pipeline and not yet been told to be over."""
        with self._transaction(reads_only=True) as connection:
            return _told(connection, pipeline)

    def tell(
        self,
        pipeline: str,
        current: Timeline[Trouble],
        undecided: Spans,
        compose: Compose,
        now: datetime,
    ) -> tuple[Message, ...]:
        """Put what is new about a pipeline into the outbox, once; returns the messages.

        ``current`` is all of its trouble; of ``undecided`` windows what was told stands.
        ``compose`` makes messages of what is new and of everything that is in trouble then.
        """
        if not compared(self.told(pipeline), current, undecided).news:
            return ()  # as nearly always: nobody is kept from writing
        with self._transaction() as connection:
            before = _told(connection, pipeline)  # another process may have told it meanwhile
            found = compared(before, current, undecided)
            if not found.news:
                return ()
            messages = tuple(compose(found.news, found.told))
            _remember(connection, pipeline, found)
            for message in messages:
                connection.execute(insert(outbox), [_row_of(pipeline, message, now)])
            return messages

    def unsent(self) -> tuple[Unsent, ...]:
        """The messages that have yet to be sent, the oldest first."""
        query = select(outbox).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.id)
        with self._transaction(reads_only=True) as connection:
            return tuple(map(Unsent.from_row, connection.execute(query)))

    def take_message(self, pipeline: str, now: datetime, longest_wait: timedelta) -> Unsent | None:
        """Take the oldest unsent message of a pipeline, to send it; None if it has to wait.

        None also while another process sends it: the messages of a pipeline stay in order.
        One that waits for longer than ``longest_wait`` was put off by a clock that was wrong.
        """
        oldest = (
            select(
                outbox,
                (outbox.c.lease_until < database_now()).label("is_expired"),
                (outbox.c.lease_until > database_now(2 * SENDING_SECONDS)).label("is_impossible"),
            )
            .where(outbox.c.pipeline == pipeline, outbox.c.sent_at.is_(None))
            .order_by(outbox.c.id)
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(oldest).one_or_none()
            if row is None or _is_held(row):
                return None
            if row.not_before is not None and now < row.not_before <= now + longest_wait:
                return None
            connection.execute(
                update(outbox)
                .where(outbox.c.id == row.id)
                .values(
                    owner=owners.this_process(),
                    lease_until=database_now(SENDING_SECONDS),
                )
            )
            return Unsent.from_row(row)

    def message_sent(self, key: int, now: datetime) -> None:
        """Mark a message as sent."""
        waits = outbox.c.id == key, outbox.c.sent_at.is_(None)
        with self._transaction() as connection:
            connection.execute(
                update(outbox)
                .where(*waits)
                .values(sent_at=now, last_error=None, owner=None, lease_until=None)
            )

    def message_failed(self, key: int, attempts: int, not_before: datetime, error: str) -> None:
        """Put a message that this process could not send back; ``error`` in our own words."""
        mine = (
            outbox.c.id == key,
            outbox.c.sent_at.is_(None),
            outbox.c.owner == owners.this_process(),
        )
        with self._transaction() as connection:
            connection.execute(
                update(outbox)
                .where(*mine)
                .values(
                    attempts=attempts,
                    not_before=not_before,
                    last_error=error,
                    owner=None,
                    lease_until=None,
                )
            )


def _is_held(row: Row[Any]) -> bool:
    """Whether a living process is sending it."""
    if row.owner is None or row.is_expired or owners.is_dead(row.owner):
        return False
    # A lease that ends so late was given before the clock was set back.
    return not row.is_impossible


def _told(connection: Connection, pipeline: str) -> Timeline[TroubleKind]:
    rows = connection.execute(select(told).where(told.c.pipeline == pipeline))
    return Timeline((Span(row.window_start, row.window_end), TroubleKind(row.kind)) for row in rows)


def _remember(connection: Connection, pipeline: str, found: Comparison) -> None:
    connection.execute(delete(told).where(told.c.pipeline == pipeline))
    rows = [
        {
            "pipeline": pipeline,
            "window_start": span.start,
            "window_end": span.end,
            "kind": kind,
        }
        for span, kind in found.told
    ]
    if rows:
        connection.execute(insert(told), rows)


def _row_of(pipeline: str, message: Message, now: datetime) -> dict[str, object]:
    return {
        "pipeline": pipeline,
        "tone": message.tone,
        "title": message.title,
        "body": message.body,
        "created_at": now,
        "attempts": 0,
    }
