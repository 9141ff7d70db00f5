"""Queue messages in the ledger's outbox, send what is in it, and test the channels.

Whatever goes wrong in sending is a line for the log, never an error. The messages of a pipeline
leave in the order in which they were written: a recovery never overtakes what it closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from runner.alerting.channels import PATIENCE, Channel, NextAttempt, channels_of
from runner.alerting.pings import Fetch, Pinger
from runner.alerting.sending import UNREADABLE, Refusal, Send, send_by_apprise
from runner.core.config import PipelineConfig
from runner.core.crash_points import reached
from runner.core.environment import Environment
from runner.core.errors import ConfigError, DaybreakError
from runner.core.incidents import Incident
from runner.core.interrupts import shielded
from runner.core.messages import Message, Tone, messages_of
from runner.core.spans import Spans
from runner.core.timelines import Timeline
from runner.ledger import Ledger, UnsentMessage
from runner.project.pipelines import Pipeline


def queue_incidents(
    ledger: Ledger, pipeline: Pipeline, current: Timeline[Incident], undecided: Spans, now: datetime
) -> tuple[Message, ...]:
    """Queue what is new about a pipeline, once, whoever else looks at it; returns the messages.

    ``current`` are all of its incidents. ``undecided`` are windows in flight: what was told of
    them stands. A pipeline without `alerts` tells nobody: once it has some, they hear what is then.
    """
    if not pipeline.config.alerts:
        return ()
    composed = partial(messages_of, pipeline.name, pipeline.calendar)
    messages = ledger.outbox.announce(pipeline.name, current, undecided, composed, now)
    reached("alert-told")
    return messages


@dataclass(frozen=True)
class OutboxSender:
    """Takes messages out of the outbox and to the people they are for."""

    ledger: Ledger
    configs: Mapping[str, PipelineConfig]  # by pipeline
    variables: Mapping[str, str] = field(repr=False)  # where ${NAME}s come from
    environment: Environment
    send: Send = field(default=send_by_apprise)

    def deliver(self, patience: timedelta = timedelta(0)) -> list[str]:
        """Send every message whose time has come; never raises.

        Returns lines for the log, one per message sent, and per attempt that failed.
        ``patience`` is how long to wait for a channel that is down, for who does not come back
        soon: a message that is put off for longer is left to the next who delivers.
        """
        lines = []
        try:
            for line in self._rounds(self.environment.now() + patience):
                lines.append(line)  # noqa: PERF402 - one that was sent is told whatever comes after
        except DaybreakError as error:
            lines.append(f"alerts cannot be sent: {error}")
        except Exception as error:  # alerting harms no run; words may quote a URL
            lines.append(f"alerts cannot be sent: unexpected {type(error).__name__}")
        return lines

    def _rounds(self, until: datetime) -> Iterator[str]:
        """Make rounds, with pauses between, while a message may be tried again in time."""
        while True:
            for pipeline in dict.fromkeys(letter.pipeline for letter in self._waiting()):
                yield from iter(partial(self._next, pipeline), None)
            now = self.environment.now()
            times = (letter.not_before for letter in self._waiting())
            soonest = min((at for at in times if at and at > now), default=None)
            if soonest is None or soonest > until:
                return
            self.environment.sleep((soonest - now).total_seconds())

    def _waiting(self) -> list[UnsentMessage]:
        """Return the unsent messages that have somewhere to go."""
        unsent = self.ledger.outbox.get_unsent()
        return [letter for letter in unsent if self._channels(letter.pipeline)]

    def _channels(self, pipeline: str) -> tuple[Channel, ...]:
        config = self.configs.get(pipeline)
        return channels_of(pipeline, config) if config else ()

    def _next(self, pipeline: str) -> str | None:
        """Try the oldest message of a pipeline; None if its time has not come."""
        outbox, now = self.ledger.outbox, self.environment.now
        # An interrupt between sending and marking would send it twice.
        with shielded():
            letter = outbox.take(pipeline, now(), PATIENCE.max_backoff)
            if letter is None:
                return None
            reached("alert-taken")
            channels = self._channels(pipeline)
            turn = NextAttempt(letter.attempts, len(channels))
            channel = channels[turn.channel]
            refusal = _try_channel(channel, letter.message, self.variables, self.send)
            if refusal is None:
                reached("alert-sent")
                outbox.mark_sent(letter.key, now())
                return f"told: {letter.message.title}"
            turn = turn.next(is_hopeless=refusal.is_hopeless)
            not_before = now() + turn.wait(self.environment.random)
            outbox.mark_failed(letter.key, turn.attempts, not_before, refusal.said)
        return f"not told by {channel.place}: {refusal.said} ({letter.message.title})"


@dataclass(frozen=True)
class ChannelTest:
    """The result of a test message."""

    pipeline: str
    channel: str  # alerts[0], ping
    scheme: str | None  # of its URL; never more of it; None if it could not be read
    problem: str | None  # in our own words; None: it works


def try_channels(
    configs: Mapping[str, PipelineConfig],
    pipelines: Iterable[str],
    variables: Mapping[str, str],
    send: Send,
    fetch: Fetch,
) -> Iterator[ChannelTest]:
    """Try every channel of some pipelines, the second choices too, and their switches."""
    for name in pipelines:
        config = configs[name]
        body = f"Alerts of {name} arrive here. Nothing is wrong, and nothing has to be done."
        message = Message(Tone.INFO, f"{name}: this is a test", body)
        for number, channel in enumerate(channels_of(name, config)):
            refusal = _try_channel(channel, message, variables, send)
            scheme = None if refusal is UNREADABLE else _scheme(channel, variables)
            problem = refusal.said if refusal else None
            yield ChannelTest(name, f"alerts[{number}]", scheme, problem)
        pinger = Pinger.of(name, config, variables, fetch)
        if pinger.channel is not None:
            scheme = _scheme(pinger.channel, variables)
            known = scheme if scheme in ("http", "https") else None
            yield ChannelTest(name, "ping", known, pinger.success())


def _try_channel(
    channel: Channel, message: Message, variables: Mapping[str, str], send: Send
) -> Refusal | None:
    """Send a message over one channel; None if it was sent."""
    try:
        url = channel.url(variables)
    except ConfigError as error:
        return Refusal(str(error), is_hopeless=True)
    return send(url, message)


def _scheme(channel: Channel, variables: Mapping[str, str]) -> str | None:
    try:
        scheme, mark, _ = channel.url(variables).partition("://")
    except ConfigError:
        return None
    return scheme.lower() if mark else None
