"""Send a test over every channel, and say of each whether it works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.alerting.channels import Channel, channels_of
from runner.alerting.delivery import try_channel
from runner.alerting.pings import Fetch, Pinger
from runner.alerting.sending import UNREADABLE, Send
from runner.core.config import PipelineConfig
from runner.core.errors import ConfigError
from runner.core.messages import Message, Tone


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
            refusal = try_channel(channel, message, variables, send)
            scheme = None if refusal is UNREADABLE else _scheme(channel, variables)
            problem = refusal.said if refusal else None
            yield ChannelTest(name, f"alerts[{number}]", scheme, problem)
        pinger = Pinger.of(name, config, variables, fetch)
        if pinger.channel is not None:
            scheme = _scheme(pinger.channel, variables)
            known = scheme if scheme in ("http", "https") else None
            yield ChannelTest(name, "ping", known, pinger.success())


def _scheme(channel: Channel, variables: Mapping[str, str]) -> str | None:
    try:
        scheme, mark, _ = channel.url(variables).partition("://")
    except ConfigError:
        return None
    return scheme.lower() if mark else None
