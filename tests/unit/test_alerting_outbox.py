"""What is told is written once, and a message is in one hand at a time. Over every database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from runner.core.incidents import Incident, IncidentChange, IncidentKind
from runner.core.messages import Message, Tone
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.ledger import Ledger, UnsentMessage
from tests.unit.ledger_fixtures import (
    NOW,
    PIPELINE,
    WEEK,
    Location,
    acting,
    in_child,
    in_children,
    opened,
    span,
)

FAILED = Incident(IncidentKind.FAILED, "no file", "runner retry orders")
ALL_WEEK = Timeline([(span(WEEK), FAILED)])
NOTHING: Timeline[Incident] = Timeline()
LONGEST = timedelta(minutes=15)

LEASED = "update outbox set lease_until = ledger_now(:seconds)"


def tell(ledger: Ledger, current: Timeline[Incident], undecided: Spans | None = None) -> int:
    """Tell it; returns how many messages that made."""

    def composed(news: Sequence[IncidentChange], open_now: Timeline[IncidentKind]) -> list[Message]:
        return [Message(Tone.FAILURE, f"{len(list(open_now))} ranges", f"{len(news)} news")]

    return len(ledger.outbox.announce(PIPELINE, current, undecided or Spans(), composed, NOW))


def titles(ledger: Ledger) -> list[str]:
    return [one.message.title for one in ledger.outbox.get_unsent()]


def take(ledger: Ledger, later: timedelta = timedelta(0)) -> UnsentMessage | None:
    return ledger.outbox.take(PIPELINE, NOW + later, LONGEST)


def taken(ledger: Ledger) -> UnsentMessage:
    found = take(ledger)
    assert found is not None
    return found


def test_nothing_is_told_at_first(ledger: Ledger):
    assert tell(ledger, NOTHING) == 0
    assert ledger.outbox.get_unsent() == ()
    assert ledger.outbox.get_announced(PIPELINE) == Timeline()


def test_a_trouble_is_told_once(ledger: Ledger):
    assert [tell(ledger, ALL_WEEK) for _ in range(3)] == [1, 0, 0]
    assert titles(ledger) == ["1 ranges"]
    assert ledger.outbox.get_announced(PIPELINE) == Timeline([(span(WEEK), IncidentKind.FAILED)])


def test_what_is_in_flight_stays_as_it_was_told(ledger: Ledger):
    tell(ledger, ALL_WEEK)
    assert tell(ledger, NOTHING, Spans([span(WEEK)])) == 0
    assert tell(ledger, NOTHING, Spans([span(WEEK[:3])])) == 1
    assert ledger.outbox.get_announced(PIPELINE) == Timeline(
        [(span(WEEK[:3]), IncidentKind.FAILED)]
    )


def test_pipelines_are_told_apart(ledger: Ledger):
    tell(ledger, ALL_WEEK)
    assert ledger.outbox.get_announced("returns") == Timeline()
    assert ledger.outbox.take("returns", NOW, LONGEST) is None


def test_what_cannot_be_composed_is_told_another_time(ledger: Ledger):
    def broken(_news: object, _open_now: object) -> list[Message]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ledger.outbox.announce(PIPELINE, ALL_WEEK, Spans(), broken, NOW)
    assert ledger.outbox.get_announced(PIPELINE) == Timeline()
    assert tell(ledger, ALL_WEEK) == 1


def test_two_who_look_at_once_tell_it_once(location: Location):
    with opened(location):
        pass

    def look() -> int:
        with opened(location) as ledger:
            return tell(ledger, ALL_WEEK) + tell(ledger, NOTHING) + tell(ledger, ALL_WEEK)

    written = sum(in_children([look] * 4))
    with opened(location) as ledger:
        # Each look may meet what the others have told between, but never what it has itself.
        assert len(ledger.outbox.get_unsent()) == written
        news = [one.message.title for one in ledger.outbox.get_unsent()]
        assert news == ["1 ranges" if n % 2 == 0 else "0 ranges" for n in range(written)]


def test_a_message_is_kept_as_it_was(location: Location, ledger: Ledger):
    message = Message(Tone.WARNING, "orders: 1 window incorrect", "why: 'quoted' {{ jinja }}\n\0")
    ledger.outbox.announce(PIPELINE, ALL_WEEK, Spans(), lambda *_: [message], NOW)
    with opened(location) as other:
        (found,) = other.outbox.get_unsent()
    body = message.body.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert found.message == Message(message.tone, message.title, body)
    assert (found.pipeline, found.created_at, found.attempts) == (PIPELINE, NOW, 0)


def test_a_message_is_in_one_hand_at_a_time(location: Location, ledger: Ledger):
    tell(ledger, ALL_WEEK)

    def attempt() -> bool:
        with opened(location) as other:
            return take(other) is not None

    first = taken(ledger)
    assert in_children([attempt] * 4) == [False] * 4
    ledger.outbox.mark_sent(first.key, NOW)
    assert ledger.outbox.get_unsent() == ()


def test_the_next_waits_for_the_one_before(ledger: Ledger):
    tell(ledger, ALL_WEEK)
    tell(ledger, NOTHING)
    first = taken(ledger)
    assert take(ledger) is None
    ledger.outbox.mark_failed(first.key, 1, NOW + timedelta(seconds=20), "nobody listens there")
    assert take(ledger) is None
    again = take(ledger, timedelta(seconds=20))
    assert again is not None
    assert (again.key, again.attempts, again.last_error) == (first.key, 1, "nobody listens there")
    ledger.outbox.mark_sent(again.key, NOW)
    second = taken(ledger)
    assert second.message.title == "0 ranges"


def test_who_died_with_a_message_gives_it_back(location: Location, ledger: Ledger):
    tell(ledger, ALL_WEEK)

    def take_and_die() -> bool:
        with opened(location) as other:
            return take(other) is not None

    assert in_child(take_and_die)
    assert take(ledger) is not None


@pytest.mark.parametrize(
    ("seconds", "is_free"), [(60, False), (-1, True), (100_000, True)], ids=str
)
def test_a_lease_of_another_machine(ledger: Ledger, seconds: int, is_free: bool):
    """It holds until it ends; one that ends too late was given before the clock was set back."""
    tell(ledger, ALL_WEEK)
    with acting("elsewhere:1:1"):
        taken(ledger)
    with ledger.database.transaction() as connection:
        connection.change(LEASED, seconds=seconds)
    assert (take(ledger) is not None) is is_free


def test_who_was_too_slow_does_not_undo_what_another_did(ledger: Ledger):
    tell(ledger, ALL_WEEK)
    with acting("elsewhere:1:1"):
        slow = taken(ledger)
    with ledger.database.transaction() as connection:
        connection.change(LEASED, seconds=-1)
    quick = taken(ledger)
    with acting("elsewhere:1:1"):
        ledger.outbox.mark_failed(slow.key, 1, NOW, "timed out")
    assert ledger.outbox.get_unsent()[0].attempts == 0
    ledger.outbox.mark_sent(quick.key, NOW)
    with acting("elsewhere:1:1"):
        ledger.outbox.mark_failed(slow.key, 1, NOW, "timed out")
    assert ledger.outbox.get_unsent() == ()


def test_a_clock_that_was_wrong_puts_nothing_off_for_long(ledger: Ledger):
    tell(ledger, ALL_WEEK)
    first = taken(ledger)
    ledger.outbox.mark_failed(first.key, 1, NOW + timedelta(days=4000), "nobody listens there")
    assert take(ledger) is not None
