"""Send one message over one channel, by Apprise, and say in our own words what became of it.

What Apprise and the libraries below it log may quote a URL with its password: it is caught here,
matched against a table, and forgotten.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

from runner.alerting.exchange import SECONDS, within
from runner.core.messages import Message

_LOGGERS = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "MARKDOWN")


@dataclass(frozen=True)
class Refusal:
    """The reason why a message was not sent."""

    said: str  # in our own words
    is_hopeless: bool = False  # the channel itself is wrong: no other attempt can work


# None: it was sent.
Send = Callable[[str, Message], Refusal | None]

UNREADABLE = Refusal("it is not a URL that Apprise knows: see docs/alerts.md", is_hopeless=True)

# Words of requests, urllib3, smtplib and Apprise's plugins; the first match wins.
_SAID = {
    r"\berror=(401|403)\b|authentication|\(535,": "the server refuses the credentials",
    r"\berror=429\b": "the server has had too many messages",
    r"\berror=(\d{3})\b": r"the server answered with status \1",
    r"refused all|recipients? .*refused|\{.*: \(\d{3}, b": "the server refuses the recipient",
    r"timed? ?out": "the server did not answer in time",
    r"certificate|\bSSL": "the server's certificate is not trusted",
    r"connection refused": "nobody listens there",
    r"name resolution|name or service not known|nodename nor servname|getaddrinfo": (
        "there is no such host, or no network"
    ),
    r"connection (reset|aborted|unexpectedly closed)|remote end closed": "the server hung up",
    r"unreachable": "there is no way to the server",
    r"^\(\d{3}, b": "the server refuses the message",
}
_WORDS = tuple((re.compile(pattern, re.IGNORECASE), said) for pattern, said in _SAID.items())


def send_by_apprise(url: str, message: Message) -> Refusal | None:
    """Send a message to an Apprise URL; None if it was sent. Never raises, nor takes long."""
    try:
        return within(partial(_tried, url, message), SECONDS)
    except TimeoutError:
        return Refusal("the server did not answer in time")


def _tried(url: str, message: Message) -> Refusal | None:
    said = _listen()
    try:
        return _sent(url, message, said)
    except Exception:  # of a plugin; its words may quote the URL
        return _refusal(said)


def _sent(url: str, message: Message, said: list[str]) -> Refusal | None:
    # Only here: a tick that sends nothing must not wait for it.
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

    # Nothing in a reason is a template, an emoji or an escape; nothing is kept on disk.
    asset = AppriseAsset(
        app_id="Daybreak",
        app_desc="Daybreak",
        app_url="",
        service_timeout=int(SECONDS),
        allow_templates=False,
        interpret_escapes=False,
        interpret_emojis=False,
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return UNREADABLE
    was_sent = Apprise([service], asset=asset).notify(
        title=message.title,
        body=message.body,
        notify_type=NotifyType(message.tone),
        body_format=NotifyFormat.TEXT,
    )
    return None if was_sent else _refusal(said)


def _refusal(said: list[str]) -> Refusal:
    for line, (pattern, words) in product(reversed(said), _WORDS):
        if found := pattern.search(line):
            return Refusal(found.expand(words))
    return Refusal("it could not be sent")


class _Ear(logging.Handler):
    """Keeps what is logged while a message is sent, by whichever thread."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line without its head, which says only what was attempted."""
        self.said.append(record.getMessage().removeprefix("Socket Exception: "))


_EAR = _Ear()


def _listen() -> list[str]:
    """Return what the libraries will log of the next message; nobody else hears it.

    So it stays until the process ends: whoever is still talking to a server may say more.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_EAR], False
    # Only its most talkative level tells a time-out from a refused connection.
    logging.getLogger(_LOGGERS[0]).setLevel(logging.DEBUG)
    warnings.filterwarnings("ignore", module="apprise|urllib3|requests")
    said: list[str] = []
    _EAR.said = said  # who was given up and speaks late must not grow what was read
    return said
