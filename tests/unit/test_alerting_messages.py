"""What is news, and in which words it is told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from runner.core.incidents import Incident, IncidentKind, compared
from runner.core.messages import Message, Tone, messages_of
from runner.core.spans import Span, Spans
from runner.core.timelines import Timeline
from runner.core.windows import Calendar, Grain, Window

DAYS = Calendar(Grain.DAY, ZoneInfo("America/New_York"))
HOURS = Calendar(Grain.HOUR, ZoneInfo("America/New_York"))
RETRY = "runner retry orders"
FAILED = Incident(IncidentKind.FAILED, "no file matches data/*.csv", RETRY)
MISSED = Incident(IncidentKind.MISSED, "not started", "runner serve")
INCORRECT = Incident(IncidentKind.INCORRECT, "reconciles_with: 3 more rows", RETRY)
NOTHING: Timeline[Incident] = Timeline()
NOWHERE = Spans()


def days(first: str, last: str | None = None) -> Span:
    return DAYS.span_of_dates(date.fromisoformat(first), date.fromisoformat(last or first))


def told_of(
    current: Timeline[Incident],
    before: Timeline[IncidentKind] | None = None,
    undecided: Spans = NOWHERE,
    calendar: Calendar = DAYS,
) -> tuple[Message, ...]:
    changes, told = compared(before or Timeline(), current, undecided)
    return messages_of("orders", calendar, changes, told)


def known(parts: Iterable[tuple[Span, IncidentKind]]) -> Timeline[IncidentKind]:
    return Timeline(parts)


def test_92_windows_are_one_message():
    (message,) = told_of(Timeline([(days("2026-03-01", "2026-05-31"), FAILED)]))
    assert message == Message(
        Tone.FAILURE,
        "orders: 92 windows failed, 2026-03-01 … 2026-05-31",
        "2026-03-01 … 2026-05-31 (92 windows)\n"
        "why: no file matches data/*.csv\n"
        "do: runner retry orders\n\n"
        "a window is one day in America/New_York",
    )


def test_gaps_are_one_message_too():
    every_other = [(days(f"2026-06-{day:02}"), FAILED) for day in range(1, 30, 2)]
    (message,) = told_of(Timeline(every_other))
    assert message.title == "orders: 15 windows failed, between 2026-06-01 and 2026-06-29"
    assert message.body.startswith(
        "2026-06-01, 2026-06-03, 2026-06-05, 2026-06-07, 2026-06-09 and 10 more ranges "
        "(15 windows)\nwhy: "
    )


def test_a_few_reasons_are_told_and_the_others_counted():
    waiting = [
        (
            days(f"2026-06-{day:02}"),
            Incident(IncidentKind.MISSED, f"waits for {day}.csv", "land it"),
        )
        for day in range(1, 8)
    ]
    (message,) = told_of(Timeline(waiting))
    assert message.title == "orders: 7 windows missed, 2026-06-01 … 2026-06-07"
    assert message.body.count("why: ") == 3
    assert "2026-06-02\nwhy: waits for 2.csv\ndo: land it" in message.body
    assert "and 4 more reasons: runner status orders" in message.body


def test_each_kind_is_a_message_of_its_own():
    messages = told_of(
        Timeline(
            [
                (days("2026-06-01"), INCORRECT),
                (days("2026-06-02"), FAILED),
                (days("2026-06-03"), MISSED),
            ]
        )
    )
    assert [(message.tone, message.title) for message in messages] == [
        (Tone.FAILURE, "orders: 1 window missed, 2026-06-03"),
        (Tone.FAILURE, "orders: 1 window failed, 2026-06-02"),
        (Tone.WARNING, "orders: 1 window incorrect, 2026-06-01"),
    ]


def test_a_recovery_closes_what_was_opened():
    before = known(
        [
            (days("2026-06-01", "2026-06-03"), IncidentKind.FAILED),
            (days("2026-06-04"), IncidentKind.MISSED),
        ]
    )
    (message,) = told_of(NOTHING, before)
    assert message == Message(
        Tone.SUCCESS,
        "orders: 4 windows recovered, 2026-06-01 … 2026-06-04",
        "recovered: 2026-06-04; was missed\n"
        "recovered: 2026-06-01 … 2026-06-03 (3 windows); was failed\n\n"
        "nothing of orders is in trouble now\n\n"
        "a window is one day in America/New_York",
    )


def test_a_recovery_of_some_says_what_is_left_and_does_not_calm():
    before = known([(days("2026-06-01", "2026-06-03"), IncidentKind.FAILED)])
    (message,) = told_of(Timeline([(days("2026-06-03"), FAILED)]), before)
    assert message.tone is Tone.INFO
    assert message.title == "orders: 2 windows recovered, 2026-06-01 … 2026-06-02"
    assert "still failed: 2026-06-03\n" in message.body


def test_a_trouble_that_changes_its_kind_says_what_it_was():
    before = known([(days("2026-06-01", "2026-06-02"), IncidentKind.MISSED)])
    (message,) = told_of(Timeline([(days("2026-06-01", "2026-06-03"), FAILED)]), before)
    assert message.title == "orders: 3 windows failed, 2026-06-01 … 2026-06-03"
    assert "told before as missed: 2026-06-01 … 2026-06-02 (2 windows)" in message.body


def test_another_reason_is_no_news():
    before = known([(days("2026-06-01"), IncidentKind.FAILED)])
    other = Incident(IncidentKind.FAILED, "another reason", RETRY)
    assert told_of(Timeline([(days("2026-06-01"), other)]), before) == ()


def test_what_is_in_flight_is_neither_in_trouble_nor_recovered():
    before = known([(days("2026-06-01", "2026-06-03"), IncidentKind.FAILED)])
    in_flight = Spans([days("2026-06-02", "2026-06-04")])
    now = Timeline([(days("2026-06-03", "2026-06-05"), MISSED)])
    changes, told = compared(before, now, in_flight)
    assert told == known(
        [
            (days("2026-06-02", "2026-06-03"), IncidentKind.FAILED),
            (days("2026-06-05"), IncidentKind.MISSED),
        ]
    )
    assert [item.span for item in changes] == [days("2026-06-01"), days("2026-06-05")]


def test_a_long_reason_of_several_lines_is_one_short_line():
    long = Incident(IncidentKind.FAILED, "Binder Error:\n\n" + "x" * 1000, RETRY)
    (message,) = told_of(Timeline([(days("2026-06-01"), long)]))
    why = next(line for line in message.body.splitlines() if line.startswith("why: "))
    assert why.startswith("why: Binder Error: xxx")
    assert why.endswith("x…")
    assert len(why) == 305


def test_windows_are_called_by_their_labels():
    hour = HOURS.labelled("2026-11-01T01-05:00").span
    (message,) = told_of(Timeline([(hour, FAILED)]), calendar=HOURS)
    assert message.title == "orders: 1 window failed, 2026-11-01T01-05:00"
    assert message.body.endswith("a window is one hour in America/New_York")


def test_what_was_told_under_another_grain_is_closed_all_the_same():
    before = known([(HOURS.labelled("2026-06-01T05").span, IncidentKind.FAILED)])
    (message,) = told_of(NOTHING, before)
    assert message.title == "orders: 1 window recovered, 2026-06-01"


JUNE = list(DAYS.windows(days("2026-06-01", "2026-06-08")))
_TROUBLES = st.lists(
    st.sampled_from([None, FAILED, MISSED, INCORRECT]), min_size=len(JUNE), max_size=len(JUNE)
)


@given(st.lists(st.tuples(_TROUBLES, st.sets(st.sampled_from(JUNE))), max_size=4))
def test_every_change_of_a_window_is_told_once(
    looks: list[tuple[list[Incident | None], set[Window]]],
):
    """Whatever is in flight at times: the last word on a window is what it is."""
    told: Timeline[IncidentKind] = Timeline()
    words: dict[Span, IncidentKind | None] = {}
    for troubles, in_flight in looks:
        current = Timeline(
            (window.span, trouble)
            for window, trouble in zip(JUNE, troubles, strict=True)
            if trouble is not None
        )
        changes, told = compared(told, current, Spans(window.span for window in in_flight))
        for item in changes:
            for window in DAYS.windows(item.span):
                kind = item.trouble.kind if item.trouble else None
                assert words.get(window.span) is item.before
                assert kind is not item.before
                words[window.span] = kind
        for window in JUNE:
            assert told.at(window.start) is words.get(window.span)
            if window not in in_flight:
                now = current.at(window.start)
                assert words.get(window.span) is (now.kind if now else None)
